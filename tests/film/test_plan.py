"""What a plan says beforehand of a film's frames and chunks."""

from dataclasses import replace
from fractions import Fraction

import pytest

from vidcolor.config import RunOptions
from vidcolor.film.plan import make_plan
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe


@pytest.fixture(scope="module")
def plan(samples):
    """A function that plans a film of so many frames at 24 a second, in chunks of 20 s; None: it does not say how many.

    Its header says a millisecond too much, as headers do that round up.
    """
    sample = probe(samples / "film.mp4")
    encoding = choose_encoding(sample)

    def made(frames, **options):
        info = replace(sample, frames=frames, duration=frames and Fraction(frames, 24) + Fraction(1, 1000))
        return make_plan(encoding.prepare(info), RunOptions(**options), encoding, 2)

    return made


@pytest.mark.parametrize(
    ("frames", "options", "expected", "chunks"),
    [
        (288, {}, 288, 1),
        (480, {}, 480, 1),
        (481, {}, 481, 2),  # the last one begins the second chunk
        (4800, {}, 4800, 10),
        (288, {"start": Fraction(10)}, 48, 1),
        (288, {"end": Fraction(5)}, 120, 1),
        (288, {"start": Fraction(2), "end": Fraction(100)}, 240, 1),  # no longer than the film
        (4800, {"start": Fraction(20), "end": Fraction(60)}, 960, 2),
        (None, {}, None, None),
        (None, {"start": Fraction(2)}, None, None),
        (None, {"start": Fraction(2), "end": Fraction(100)}, 2352, 5),
    ],
)
def test_frames_and_chunks_are_known_beforehand(plan, frames, options, expected, chunks):
    planned = plan(frames, **options)
    assert (planned.estimated_frames, planned.estimated_chunks) == (expected, chunks)
