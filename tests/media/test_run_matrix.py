"""Films of the matrix through `run` itself, colours and all; `verify` finds that they conform."""

from __future__ import annotations

from pathlib import Path

import pytest
from built import BUILT, build
from matrix import MATRIX, make

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify

# In every run of the tests; the others are run by `make long`.
SAMPLE = [
    *("single_pixel.mkv", "few_pixels.mkv", "tiny.mkv", "odd.mkv"),
    *("wide_8192.mkv", "high_8192.mp4", "nine_to_one.mp4", "h264_aac.ts"),
]
REST = [name for name in (*MATRIX, *BUILT) if name not in SAMPLE]
LOSSY = ["bframes.mp4", "late_start.mp4", "hevc10.mkv", "palette.gif", "h264_aac.ts", "two_videos.mkv"]


def check(name: str, folder: Path, codec: str) -> None:
    source = make(name, folder) if name in MATRIX else build(name, folder)
    film = colour_film(
        source, folder, True, RunOptions(codec=codec), overwrite=False, dry_run=False, report=lambda event: None
    )
    result = verify(source, Path(film["output"]))
    assert result.conforms, [finding for finding in result.findings if finding.differs]


@pytest.mark.parametrize("name", [*SAMPLE, *(pytest.param(name, marks=pytest.mark.long) for name in REST)])
def test_without_loss(name, tmp_path):
    check(name, tmp_path, "ffv1")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long) for name in LOSSY])
def test_with_the_codec_that_auto_chooses(name, tmp_path):
    check(name, tmp_path, "auto")
