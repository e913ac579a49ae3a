"""What comes with single pictures: closed captions and the arrangement of two eyes' views go on into the coloured film."""

import json
import subprocess
import sys

import av
import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify
from vidcolor.media.carried import carried

SLICE, USER_DATA = b"\0\0\1\1", b"\0\0\1\xb2"


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def colour(source, output, **options):
    said = []
    note = lambda event: said.append(event["message"]) if event["type"] == "warning" else None
    colour_film(source, output, False, RunOptions(**options), overwrite=False, dry_run=False, report=note)
    return said


def captions(path):
    """Of each frame, in the order they are shown: its caption bytes (ATSC A/53), as FFmpeg decodes them."""
    with av.open(str(path)) as film:
        return [
            [bytes(data) for data in frame.side_data if data.type.name == "A53_CC"] for frame in film.decode(video=0)
        ]


@pytest.fixture(scope="module")
def captioned(samples, tmp_path_factory):
    """Two thirds of a second of MPEG-2, other caption bytes with every picture."""
    folder = tmp_path_factory.mktemp("captioned")
    small = ("-vf", "scale=160:120", "-frames:v", "16", "-an", "-c:v", "mpeg2video", "-bf", "0", "-f", "mpeg2video")
    ffmpeg("-i", samples / "film.mp4", *small, folder / "plain.m2v")
    first, *pictures = (folder / "plain.m2v").read_bytes().split(SLICE)
    with (folder / "captions.m2v").open("wb") as file:
        file.write(first)
        for number, picture in enumerate(pictures):
            file.write(USER_DATA + b"GA94\3\x41\xff\xfc" + bytes([0x80 + number, 0x94]) + b"\xff" + SLICE + picture)
    timed = ("-c", "copy", "-bsf:v", "setts=ts=N*50000")
    ffmpeg("-i", folder / "captions.m2v", *timed, folder / "captions.ts")
    found = captions(folder / "captions.ts")
    assert len(found) == 16 and len({each[0] for each in found}) == 16
    return folder / "captions.ts"


def test_looking_at_what_is_carried_keeps_no_frame_in_memory(captioned):
    with av.open(str(captioned)) as film:
        frame = next(film.decode(video=0))
        before = sys.getrefcount(frame)
        assert carried(frame) == {"A53_CC"}
        assert sys.getrefcount(frame) == before


@pytest.mark.parametrize(("codec", "suffix"), [("h264", "ts"), ("h264", "mp4"), ("hevc", "mkv")])
def test_captions_stay_with_their_pictures(codec, suffix, captioned, tmp_path):
    assert not colour(captioned, tmp_path / f"out.{suffix}", codec=codec)
    assert captions(tmp_path / f"out.{suffix}") == captions(captioned)


def test_verify_misses_captions_that_are_gone(captioned, tmp_path):
    good, bad = tmp_path / "good.ts", tmp_path / "bad.ts"
    colour(captioned, good)
    bare = ("-c", "copy", "-bsf:v", "filter_units=remove_types=6", "-copyts", "-muxdelay", "0", "-muxpreload", "0")
    ffmpeg("-i", good, *bare, bad)
    assert verify(captioned, good, RunOptions()).conforms
    gone = [finding for finding in verify(captioned, bad, RunOptions()).findings if finding.differs]
    assert [(finding.source, finding.output) for finding in gone] == [("16 pictures", "0 pictures")]
    colour(captioned, tmp_path / "lossless.mkv", codec="ffv1")
    stated = verify(captioned, tmp_path / "lossless.mkv", RunOptions(codec="ffv1"))
    assert stated.conforms and any("captions" in f.what and f.verdict == "stated" for f in stated.findings)


def test_captions_that_a_codec_does_not_write_are_said_to_be_lost_once(captioned, tmp_path):
    (said,) = colour(captioned, tmp_path / "out.mkv", codec="ffv1")
    assert "ffv1 does not write" in said and "closed captions" in said


def test_the_arrangement_of_two_views_stays(samples, tmp_path):
    source, out = tmp_path / "sides.mkv", tmp_path / "out.mkv"
    ffmpeg(
        "-i",
        samples / "film.mp4",
        "-frames:v",
        "9",
        "-an",
        "-vf",
        "scale=160:120",
        "-x264-params",
        "frame-packing=3",
        source,
    )
    assert not colour(source, out)
    show = ("-select_streams", "v", "-show_frames", "-of", "json")
    told = [subprocess.run(["ffprobe", "-v", "error", *show, path], stdout=-1).stdout for path in (source, out)]
    views = [
        [s for f in json.loads(t)["frames"] for s in f.get("side_data_list", []) if "3D" in s["side_data_type"]]
        for t in told
    ]
    assert views[0] == views[1] and views[0]
