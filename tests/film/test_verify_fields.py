"""The order of fields in films whose frames are coded whole: the container says it, and verify looks there."""

import subprocess

import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def said(path):
    show = ("-show_entries", "stream=field_order", "-of", "default=nw=1:nk=1")
    shown = subprocess.run(["ffprobe", "-v", "error", *show, path], capture_output=True, text=True, check=True)
    return shown.stdout.split()[0]


@pytest.fixture(scope="module")
def film(samples, tmp_path_factory):
    """Eight frames of MPEG-2, bottom field first."""
    path = tmp_path_factory.mktemp("fields") / "film.ts"
    fields = ("-vf", "scale=160:120,setfield=bff", "-frames:v", "8", "-flags", "+ilme+ildct", "-top", "0")
    ffmpeg("-i", samples / "film.mp4", *fields, "-an", "-c:v", "mpeg2video", "-q:v", "2", path)
    assert said(path) == "bb"
    return path


def different(source, output):
    return {finding.what for finding in verify(source, output).findings if finding.differs}


@pytest.mark.parametrize(
    ("codec", "suffix", "order"),
    [("hevc", ".mov", "bb"), ("hevc", ".mkv", "bb"), ("hevc", ".ts", "unknown"), ("av1", ".mp4", "bb"), ("av1", ".webm", "unknown")],
)  # fmt: skip
def test_the_order_of_fields_is_that_of_the_source_where_the_container_can_say_it(codec, suffix, order, film, tmp_path):
    made = tmp_path / f"out{suffix}"
    colour_film(film, made, False, RunOptions(codec=codec), overwrite=False, dry_run=False, report=lambda event: None)
    assert said(made) == order
    assert not different(film, made)
    if order == "bb":
        ffmpeg("-i", made, "-c", "copy", "-field_order", "progressive", tmp_path / f"lost{suffix}")
        assert "field order" in different(film, tmp_path / f"lost{suffix}")


@pytest.mark.parametrize(("first", "said_of_it"), [("film", "not interlaced"), ("whole", "interlaced")])
def test_a_film_of_which_only_a_part_is_interlaced_is_told_once(first, said_of_it, film, samples, tmp_path):
    progressive = ("-vf", "scale=160:120", "-frames:v", "8", "-an", "-c:v", "mpeg2video", "-q:v", "2")
    ffmpeg("-i", film, "-c", "copy", tmp_path / "film.m2v")
    ffmpeg("-i", samples / "film.mp4", *progressive, tmp_path / "whole.m2v")
    second = "whole" if first == "film" else "film"
    (tmp_path / "both.m2v").write_bytes(b"".join((tmp_path / f"{name}.m2v").read_bytes() for name in (first, second)))
    ffmpeg("-i", tmp_path / "both.m2v", "-c", "copy", "-bsf:v", "setts=ts=N*48000", tmp_path / "both.ts")
    warnings = []
    note = lambda event: warnings.append(event["message"]) if event["type"] == "warning" else None
    ways = {"overwrite": True, "dry_run": False, "report": note}
    colour_film(tmp_path / "both.ts", tmp_path / "out.ts", False, RunOptions(), **ways)
    (told,) = [message for message in warnings if "interlaced" in message]
    assert f"a frame is {said_of_it}, unlike the first" in told
    warnings.clear()
    colour_film(tmp_path / "both.ts", tmp_path / "out.ts", False, RunOptions(deinterlace=True), **ways)
    assert not any("interlaced" in message for message in warnings)
