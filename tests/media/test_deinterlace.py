"""Interlaced frames made whole: the lines of ffmpeg's own bwdif, at the same times, wherever a decode begins."""

from __future__ import annotations

import av
import numpy as np
import pytest
from checks import check_frames
from matrix import make
from witness import describe, ffmpeg, run_identity

from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource

FILMS = ["mpeg2_tff.ts", "h264_bff.mkv", "prores_tff.mov"]


def luma(path, film=0):
    """Y planes as PyAV decodes them."""
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams[film]):
            samples = np.frombuffer(frame.planes[0], "u1" if frame.format.components[0].bits == 8 else "<u2")
            yield samples.reshape(frame.planes[0].height, -1)[:, : frame.width].copy()


def whole_frames(info, start_pts=None):
    info = choose_encoding(info, "ffv1", deinterlace=True).prepare(info)
    with FilmSource(info, 2, start_pts) as source:
        return [(f.pts, f.duration, f.y.tobytes(), f.interlaced) for f in source]


@pytest.mark.parametrize("name", FILMS)
def test_luma_is_that_of_bwdif_and_flags_and_times_are_right(name, tmp_path):
    source, reference = make(name, tmp_path), tmp_path / "reference.mkv"
    every = ("-fps_mode", "passthrough")
    ffmpeg("-i", source, "-map", "0:v", "-vf", "bwdif=send_frame", *every, "-c:v", "ffv1", reference)
    result = run_identity(source, tmp_path, codec="ffv1", deinterlace=True)
    check_frames(result)
    film, frames = result.output_frames()
    assert {f["interlaced_frame"] for f in frames} == {0}
    assert describe(result.output)["streams"][film].get("field_order", "progressive") == "progressive"
    ours, theirs = list(luma(result.output, film)), list(luma(reference))
    # Versions of FFmpeg differ in what the first frame is held against, there being none before it, and in how they
    # interpolate a few samples of more than 8 bits.
    share = 0.98 if result.info.format.depth > 8 else 1
    assert len(ours) == len(theirs)
    assert all(np.mean(a == b) >= share for a, b in zip(ours[1:], theirs[1:], strict=True))
    kept = slice(1 if name == "h264_bff.mkv" else 0, None, 2)
    assert all(np.array_equal(a[kept], b[kept]) for a, b in zip(ours, luma(source), strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(ours, luma(source), strict=True))
    assert any("interpolated" in sentence for sentence in result.encoding.conversions)


@pytest.mark.parametrize("name", FILMS)
def test_seeking_changes_nothing(name, tmp_path):
    info = probe(make(name, tmp_path))
    whole = whole_frames(info)
    assert not any(interlaced for *_, interlaced in whole)
    for start, *_ in whole:
        assert whole_frames(info, start) == [f for f in whole if f[0] >= start], f"from pts {start}"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_films_keep_their_frames(count, tmp_path):
    path = tmp_path / "short.mkv"
    ffmpeg("-i", make("h264_bff.mkv", tmp_path), "-frames:v", count, "-c", "copy", path)
    assert len(whole_frames(probe(path))) == count


def test_progressive_films_are_not_touched(tmp_path):
    info = probe(make("bframes.mp4", tmp_path))
    encoding = choose_encoding(info, deinterlace=True)
    assert not encoding.conversions
    with FilmSource(info, 2) as source:
        assert [f[2] for f in whole_frames(info)] == [f.y.tobytes() for f in source]


def test_fields_that_only_the_container_tells_of(tmp_path):
    """PNG frames carry no flags; Matroska says their order beside them."""
    path, reference = tmp_path / "fields.mkv", tmp_path / "reference.mkv"
    fields = "fps=50,tinterlace=interleave_bottom,setfield=bff"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=0.4", "-vf")
    ffmpeg(*picture, fields, "-c:v", "png", "-pix_fmt", "gray", path)
    info = probe(path)
    assert info.field_order == "bff" and not info.frames_flagged
    ffmpeg("-i", path, "-vf", "bwdif=send_frame:bff:all", "-fps_mode", "passthrough", "-c:v", "ffv1", reference)
    assert [y for _, _, y, _ in whole_frames(info)][1:] == [y.tobytes() for y in luma(reference)][1:]


def test_interlaced_films_stay_so_unasked(tmp_path):
    result = run_identity(make("mpeg2_tff.ts", tmp_path), tmp_path)
    assert {f["interlaced_frame"] for f in result.output_frames()[1]} == {1}
    assert not result.encoding.deinterlace
