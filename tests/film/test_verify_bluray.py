"""Blu-ray's subtitles, which .m2ts cuts otherwise than Matroska: kept, and compared picture by picture."""

import struct
import subprocess

import av
import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify
from vidcolor.media.probe import probe
from vidcolor.media.streams import plan_streams

TIMES = (0.2, 0.6, 0.9, 1.2)  # when one is shown, cleared, shown, cleared


def segment(time, kind, data):
    return b"PG" + struct.pack(">IIBH", int(time * 90000), 0, kind, len(data)) + data


def picture(time, number, shown, luma=235, unused=0):
    """A box, or nothing: composition, window, palette, object, end; and objects that are not used, of 60,000 bytes each."""
    placed = struct.pack(">HBBHH", 0, 0, 0, 100, 50) if shown else b""
    start, objects = (0x80, 1) if shown else (0, 0)
    found = segment(time, 0x16, struct.pack(">HHBHBBBB", 320, 240, 0x10, number, start, 0, 0, objects) + placed)
    found += segment(time, 0x17, struct.pack(">BBHHHH", 1, 0, 100, 50, 60, 32))
    if shown:
        rows = (bytes([0, 0x80 | 60, 1]) + b"\0\0") * 32
        found += segment(time, 0x14, bytes([0, 0, 1, luma, 128, 128, 255]))
        size = struct.pack(">I", len(rows) + 4)[1:] + struct.pack(">HH", 60, 32)
        found += segment(time, 0x15, struct.pack(">HBB", 0, 0, 0xC0) + size + rows)
    for name in range(1, 1 + unused):
        found += segment(
            time, 0x15, struct.pack(">HBB", name, 0, 0xC0) + b"\0" + struct.pack(">HHH", 59996, 1, 1) + bytes(59992)
        )
    return found + segment(time, 0x80, b"")


def subtitles(times=TIMES, luma=235):
    return b"".join(picture(time, n, n % 2 == 0, luma if n == 2 else 235) for n, time in enumerate(times))


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def colour(source, output):
    colour_film(source, output, False, RunOptions(), overwrite=True, dry_run=False, report=lambda event: None)
    return output


def with_subtitles(film, output, data):
    sup = output.with_suffix(".sup")
    sup.write_bytes(data)
    ffmpeg("-i", film, "-i", sup, "-map", "0:v", "-map", "1", "-c", "copy", "-mpegts_m2ts_mode", "1", output)
    return output


@pytest.fixture(scope="module")
def film(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    small = ("-vf", "scale=320:240,setsar=1", "-frames:v", "36", "-c:v", "libx264", "-an", "-map_chapters", "-1")
    ffmpeg("-i", samples / "film.mp4", *small, "-map_metadata", "-1", path)
    return path


@pytest.fixture(scope="module", params=[(".m2ts", ".m2ts"), (".m2ts", ".mkv"), (".mkv", ".mts")], ids="-".join)
def pair(request, film, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    source = with_subtitles(film, folder / f"film{request.param[0]}", subtitles())
    return source, colour(source, folder / f"out{request.param[1]}")


def shown(path):
    """Every subtitle as FFmpeg decodes it: place, size, codes and palette."""
    with av.open(str(path)) as container:
        rects = [rect for packet in container.demux(subtitles=0) for rect in packet.decode()]
        return [(rect.x, rect.y, rect.width, rect.height, *map(bytes, rect)) for rect in rects]


def different(source, output):
    return [finding for finding in verify(source, output).findings if finding.differs]


def test_they_are_kept_and_conform(pair):
    source, made = pair
    assert shown(made) == shown(source) and len(shown(made)) == 2
    assert not different(source, made)


@pytest.mark.parametrize(
    "data",
    [subtitles((0.2, 0.6, 0.95, 1.2)), subtitles(TIMES[:3]), subtitles(luma=100), subtitles().replace(b"\xbc\x01", b"\xbc\x02")],
    ids=["moved", "removed", "another palette", "another picture"],
)  # fmt: skip
def test_others_are_noticed(data, pair, film, tmp_path):
    source, made = pair
    other = with_subtitles(film, tmp_path / source.name, data)
    bad = colour(other, tmp_path / made.name)
    assert [finding.what for finding in different(source, bad)] == ["subtitle stream 1"]


def test_subtitles_that_are_cut_are_noticed(film, tmp_path):
    """FFmpeg hands on 200 KiB of a transport stream as one packet, and leaves what is more without its beginning."""
    source = with_subtitles(film, tmp_path / "film.mkv", subtitles() + picture(1.3, 4, True, unused=4))
    assert [finding.what for finding in different(source, colour(source, tmp_path / "out.m2ts"))] == [
        "subtitle stream 1"
    ]


def test_a_transport_stream_of_another_kind_leaves_them_out_and_says_so(pair):
    source, _ = pair
    assert "a .ts file cannot hold it" in plan_streams(probe(source), ".ts")[1].note
