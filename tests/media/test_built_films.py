"""Odd streams, broken indexes and times that go wrong, end to end but for the colour."""

from __future__ import annotations

import pytest
from built import BUILT, LATE, build
from checks import check_frames, check_picture, check_streams
from matrix import PACKED, RGB, make
from witness import describe


@pytest.mark.parametrize("name", BUILT)
def test_film_that_conforms(name, tmp_path, identity):
    result = identity(build(name, tmp_path))
    check_frames(result)
    check_streams(result)
    check_picture(result)
    assert not result.damage


@pytest.mark.parametrize("name", LATE)
def test_frames_that_come_too_late_are_left_out_and_named(name, tmp_path, identity):
    result = identity(build(name, tmp_path))
    times = [time for time in result.source_times() if time is not None]
    rising = [time for index, time in enumerate(times) if time > max(times[:index], default=-1)]
    assert len(rising) < len(times)
    assert result.output_times() == [result.expected(time) for time in rising]
    assert result.damage


@pytest.mark.parametrize("name", [f"{pix_fmt}.{suffix}" for pix_fmt, suffix in {**PACKED, **RGB}.items()])
def test_packed_and_rgb_pictures(name, tmp_path, identity):
    result = identity(make(name, tmp_path))
    check_frames(result)
    check_streams(result)
    check_picture(result)
    stated = " ".join(result.encoding.conversions)
    assert "become" in stated or "chroma" in stated or name[:2] in ("nv", "yu", "uy")


@pytest.mark.parametrize("name", ["still_first.mp4", "still_first.mkv"])
def test_a_single_picture_is_not_taken_for_the_film(name, tmp_path, identity):
    result = identity(build(name, tmp_path))
    assert result.info.film == 1 and result.written == 25
    assert [s["codec_name"] for s in describe(result.output)["streams"]] == ["mjpeg", "h264"]
