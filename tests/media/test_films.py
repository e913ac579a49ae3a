"""A film that goes through source, chunks and remux is the same film but for its chroma; ffprobe is the witness."""

from __future__ import annotations

import av
import numpy as np
import pytest
from checks import check_frames, check_picture, check_streams
from matrix import FILMS, PLANAR, make
from witness import shared_clips


@pytest.mark.parametrize("name", FILMS)
def test_film_of_the_matrix(name, tmp_path, identity):
    result = identity(make(name, tmp_path))
    check_frames(result)
    check_streams(result)
    check_picture(result)


@pytest.mark.parametrize("clip", shared_clips() or [None], ids=lambda clip: clip.name if clip else "none")
def test_real_film(clip, identity):
    if clip is None:
        pytest.skip("no clips beside the repository")
    result = identity(clip, frames_per_chunk=60, preset="ultrafast")
    check_frames(result)
    check_streams(result)
    check_picture(result)


def luma_planes(path, film):
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams[film]):
            samples = np.frombuffer(frame.planes[0], "u1" if frame.format.components[0].bits == 8 else "<u2")
            yield samples.reshape(frame.planes[0].height, -1)[:, : frame.width].copy()


@pytest.mark.parametrize("pix_fmt", PLANAR)
def test_luma_is_kept_bit_for_bit_without_loss(pix_fmt, tmp_path, identity):
    result = identity(make(f"{pix_fmt}.mkv", tmp_path), codec="ffv1")
    check_frames(result)
    film, _ = result.output_frames()
    before, after = list(luma_planes(result.source, result.info.film)), list(luma_planes(result.output, film))
    assert len(before) == len(after) > 0
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(before, after, strict=True))
