"""A chunk made alone, far into a film, is shown what decides about it, and comes out as in one run."""

import subprocess
from dataclasses import replace
from fractions import Fraction

import pytest

from vidcolor.config import RunOptions, WorkOptions
from vidcolor.film import plan as plan_module
from vidcolor.film.chunk import Pace, ahead_of, open_at
from vidcolor.film.run import colour_film
from vidcolor.media.probe import probe
from vidcolor.temporal.window import TemporalWindow

FRAMES = 430


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """FRAMES small frames of a picture that moves and flickers, 25 a second, times in milliseconds."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    picture = f"testsrc2=size=64x48:rate=25,eq=brightness='0.2*sin(n*n)':eval=frame,trim=end_frame={FRAMES}"
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "10", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, *encode, path], check=True)
    return path


@pytest.mark.parametrize("stated", [25, 90, None])
@pytest.mark.parametrize("number", [1, 100, 420])
def test_what_decides_about_a_frame_is_shown_before_it_and_not_much_more(film, stated, number):
    """Also where the header is wrong about the rate, or says none."""
    info = replace(probe(film), average_rate=stated and Fraction(stated))
    needed = TemporalWindow.CONTEXT_BEFORE
    with open_at(info, 40 * number, 1) as source:
        shown = [frame.pts for frame in source]
    before = number - shown[0] // 40
    assert shown == [40 * n for n in range(number - before, FRAMES)]
    assert before == number if number < needed else needed <= before < FRAMES - 10


def test_a_chunk_made_alone_is_that_of_one_run(film, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", 16)
    output, done = tmp_path / "out.mkv", []

    def colour():
        colour_film(
            film, output, False, RunOptions(res=32, preset="ultrafast"), overwrite=True, dry_run=False,
            report=lambda event: done.append(event.get("chunks_done")), work=WorkOptions(keep=True),
        )  # fmt: skip
        return output.read_bytes()

    whole = colour()
    (second,) = tmp_path.glob(".*/chunk-000001.*")
    second.unlink()
    assert colour() == whole
    assert [count for count in done if count is not None] == [0, 1]


@pytest.mark.parametrize("base", [Fraction(1001, 24000), Fraction(1, 1000), Fraction(1, 90000)])
def test_every_fourth_frame_begins_a_pace_however_its_time_is_rounded(film, base):
    info = replace(probe(film), average_rate=Fraction(24000, 1001), time_base=base, start_pts=7)
    pace = Pace(info)
    assert [pace(7 + round(Fraction(n * 1001, 24000) / base)) for n in range(999)] == [n // 4 for n in range(999)]


@pytest.mark.parametrize(
    ("width", "height", "depth", "frames"),
    [(720, 576, 8, 8), (1920, 1080, 8, 8), (1920, 1080, 10, 5), (3840, 2160, 8, 2), (8192, 4320, 10, 2)],
)
def test_fewer_frames_wait_the_larger_they_are(film, width, height, depth, frames):
    """32 MiB of them: 1920×1080 takes 3.1 MB in 8 bits with its chroma, 6.2 in 10."""
    info = probe(film)
    large = replace(info, width=width, height=height, format=replace(info.format, depth=depth))
    assert ahead_of(large) == frames
