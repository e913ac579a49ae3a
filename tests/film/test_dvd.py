"""DVD's subtitles, which are pictures whose packets do not say how long they last."""

import subprocess
from fractions import Fraction

import av
import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe

SHOWN = (0.2, 0.5, 0.9)  # seconds


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def display_set(time, number, shown):
    """Blu-ray's subtitle (PGS): a box of 64×32 pixels, or nothing, as segments of a .sup file."""

    def segment(kind, data):
        return (
            b"PG"
            + int(time * 90000).to_bytes(4, "big")
            + bytes(4)
            + bytes([kind])
            + len(data).to_bytes(2, "big")
            + data
        )

    place = bytes([0, 0, 0, 0, 0, 40, 0, 60]) if shown else b""
    start = bytes([0, 160, 0, 120, 0x10, 0, number, 0x80 * shown, 0, 0, int(shown)]) + place
    window = bytes([1, 0, 0, 40, 0, 60, 0, 64, 0, 32])
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    lines = bytes([0, 0x80 | 63, 1, 1, 0, 0]) * 32
    picture = bytes([0, 0, 0, 0xC0]) + (len(lines) + 4).to_bytes(3, "big") + bytes([0, 64, 0, 32]) + lines
    kinds = [(0x16, start), (0x17, window), *([(0x14, palette), (0x15, picture)] if shown else []), (0x80, b"")]
    return b"".join(segment(kind, data) for kind, data in kinds)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """DVD subtitles in Matroska, made by ffmpeg of Blu-ray's."""
    folder = tmp_path_factory.mktemp("subtitles")
    times = [(time + gone * 0.2, not gone) for time in SHOWN for gone in (0, 1)]
    (folder / "s.sup").write_bytes(b"".join(display_set(t, n, shown) for n, (t, shown) in enumerate(times)))
    ffmpeg("-i", folder / "s.sup", "-c:s", "dvdsub", "-s", "160x120", folder / "s.mkv")
    return folder / "s.mkv"


@pytest.fixture(params=["ac3", "mp2"])
def dvd(request, pictures, samples, tmp_path):
    """A .vob of a film, its sound, and three subtitles."""
    film = tmp_path / "film.mpg"
    sound = ("-f", "lavfi", "-i", "sine=d=1.25:r=48000", "-c:a", request.param)
    ffmpeg("-i", samples / "film.mp4", *sound, "-map", "0:v", "-map", "1:a", "-frames:v", "30", "-vf", "scale=160:120",
           "-map_chapters", "-1", "-c:v", "mpeg2video", "-bf", "0", "-f", "vob", film)  # fmt: skip
    with (
        av.open(str(film)) as source,
        av.open(str(pictures)) as beside,
        av.open(str(tmp_path / "dvd.vob"), "w", format="vob") as out,
    ):
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams if s.type != "data"}
        subtitles = out.add_stream_from_template(beside.streams.subtitles[0])
        packets = [p for p in source.demux(*(source.streams[i] for i in streams)) if p.size and p.dts is not None]
        for packet in packets:
            packet.stream = streams[packet.stream.index]
        begin = packets[0].dts * packets[0].time_base
        for packet, time in zip((p for p in beside.demux() if p.size), SHOWN, strict=False):
            packet.stream, packet.time_base, packet.duration = subtitles, Fraction(1, 90000), None
            packet.pts = packet.dts = round((begin + Fraction(time)) * 90000)
            packets.append(packet)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return tmp_path / "dvd.vob"


def subtitles(path):
    with av.open(str(path)) as film:
        return [bytes(p) for p in film.demux(film.streams.subtitles[0]) if p.size]


def test_every_subtitle_comes_through(dvd, tmp_path):
    """AC-3 fits MP4, which then is the container; MP2 does not, and of those that take it Matroska holds DVD's subtitles."""
    info = probe(dvd)
    suffix = choose_encoding(info).suffix
    assert suffix == (".mp4" if "ac3" in {stream.codec for stream in info.streams} else ".mkv")
    out = tmp_path / f"out{suffix}"
    colour_film(dvd, out, False, RunOptions(), overwrite=False, dry_run=False, report=lambda event: None)
    assert subtitles(out) == subtitles(dvd) and len(subtitles(dvd)) == len(SHOWN)
