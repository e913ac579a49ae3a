"""A cover picture and tags in MP4: what cannot stand beside each other is said, and nothing goes without a word."""

import json
import subprocess
from fractions import Fraction

import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def covered(samples, tmp_path_factory):
    """Matroska with a cover picture, a title, and a tag that MP4 has no field for."""
    folder = tmp_path_factory.mktemp("covered")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", folder / "cover.jpg")
    attached = (
        "-attach",
        folder / "cover.jpg",
        "-metadata:s:t",
        "mimetype=image/jpeg",
        "-metadata:s:t",
        "filename=c.jpg",
    )
    tags = ("-metadata", "title=Metropolis", "-metadata", "DIRECTOR=Lang")
    few = ("-map", "0:v", "-map_chapters", "-1", "-frames:v", "8", "-vf", "scale=160:120", "-c:v", "libx264")
    ffmpeg("-i", samples / "film.mp4", *few, *tags, *attached, folder / "film.mkv")
    return folder / "film.mkv"


def colour(source, output):
    """Returns what was said to be left out."""
    options = dict(overwrite=False, dry_run=False, report=lambda event: None)
    return colour_film(source, output, False, RunOptions(preset="ultrafast"), **options)["converted"]


def held(path):
    """Codecs of the streams, and the film's tags, as ffprobe finds them."""
    show = ("-show_entries", "stream=codec_name:format_tags", "-of", "json")
    found = json.loads(subprocess.run(["ffprobe", "-v", "error", *show, path], capture_output=True, check=True).stdout)
    tags = {name.lower(): value for name, value in found["format"].get("tags", {}).items()}
    return [stream["codec_name"] for stream in found["streams"]], tags


@pytest.mark.parametrize("again", [False, True])
def test_in_mp4_the_cover_stays_and_the_tag_that_cannot_stand_beside_it_is_named(again, covered, tmp_path):
    source = covered
    if again:  # an MP4 whose fields hold a tag that FFmpeg reads but does not write
        colour(covered, tmp_path / "first.mp4")
        source = tmp_path / "source.mp4"
        data = (tmp_path / "first.mp4").read_bytes()
        assert data.count(b"\xa9nam") == 1
        source.write_bytes(data.replace(b"\xa9nam", b"soar"))
    out = tmp_path / "out.mp4"
    name = "sort_artist" if again else "DIRECTOR"
    assert [said for said in colour(source, out) if "cover picture" in said and name in said]
    codecs, tags = held(out)
    assert codecs == ["h264", "mjpeg"] and ("title" in tags) is not again and name.lower() not in tags
    verified = verify(source, out, RunOptions(preset="ultrafast"))
    assert verified.conforms
    (found,) = (finding for finding in verified.findings if finding.what == "tags")
    assert found.verdict == "stated" and name.lower() in found.note


def test_without_a_cover_every_tag_stays(covered, tmp_path):
    bare = tmp_path / "bare.mkv"
    ffmpeg("-i", covered, "-map", "0:0", "-c", "copy", bare)
    assert not colour(bare, tmp_path / "out.mp4")
    codecs, tags = held(tmp_path / "out.mp4")
    assert codecs == ["h264"] and (tags["title"], tags["director"]) == ("Metropolis", "Lang")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_piece_keeps_the_cover(suffix, covered, tmp_path):
    source, out = tmp_path / "source.mp4", tmp_path / f"out.{suffix}"
    colour(covered, source)
    options = RunOptions(start=Fraction(1, 8), preset="ultrafast")
    colour_film(source, out, False, options, overwrite=False, dry_run=False, report=lambda event: None)
    assert held(out)[0] == ["h264", "mjpeg"] and verify(source, out, options).conforms
