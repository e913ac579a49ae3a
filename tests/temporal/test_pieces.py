"""A piece of a film, with its context, is coloured as in one run over the film: of films put together at random."""

import zlib

import cv2
import numpy as np
import pytest
from scenes import dissolve, flicker, luma, scratched, shot, to_and_fro

from vidcolor.temporal.keys import PACE
from vidcolor.temporal.window import TemporalWindow

LEAST = 900  # frames of a film: most pieces begin further in than what decides about them


def scene(rng):
    """A shot of any kind that the films of this project's users have, 5 to 480 frames."""
    seed, length = int(rng.integers(1_000_000)), int(rng.integers(5, 400))
    still, moving = shot(seed, 1), shot(seed, min(length, 80), tuple(rng.normal(0, 0.6, 2)))
    repeats = rng.integers(1, 5, len(moving))
    kinds = {
        "moving": lambda: moving,
        "to and fro": lambda: to_and_fro(moving, int(rng.integers(1, 4))),
        "flickering": lambda: flicker(to_and_fro(moving, 2), seed),
        "frozen": lambda: np.repeat(still, length, 0),
        "worn": lambda: scratched(np.repeat(still, length, 0), seed),
        "pulled down": lambda: np.repeat(moving, repeats, 0),
        "dissolving": lambda: dissolve(shot(seed, 60 + length // 4), shot(seed + 1, 60 + length // 4), 24),
    }
    return kinds[rng.choice(list(kinds))]()


def film_of(rng):
    """(n, h, w) uint8 and the pace of every frame, at a steady rate, an uneven one, or rates that change."""
    scenes = [scene(rng)]
    while sum(map(len, scenes)) < LEAST:
        scenes.append(scene(rng))
    film = luma(np.concatenate(scenes))
    n = len(film)
    rates = np.repeat(rng.choice((0.3, 1, 3, 17), n // 60 + 1), 60)[:n]
    steps = (np.ones(n), rng.choice((0.5, 1, 2), n), rates)[rng.integers(3)]
    return film, np.floor(np.cumsum(steps) / PACE).astype(int)


def network(picture, factor):
    """ab (2, h/2, w/2) that wavers from picture to picture, but is the same for the same one."""
    rng = np.random.default_rng(zlib.crc32(picture.tobytes()))
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) * np.float32(factor)
    blotches = cv2.resize(
        rng.normal(0, 8, (6, 8, 2)).astype(np.float32), half.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    return np.stack((half * 0.2 - 20, 30 - half * 0.3)) + blotches.transpose(2, 0, 1)


def coloured(film, paces):
    """(ab, whether it begins a shot) of every frame."""
    window, done, waiting = TemporalWindow(), [], iter(film)

    def answer(decisions):
        for factor in decisions:
            picture = next(waiting)
            done.extend(window.push(None if factor is None else network(picture, factor)))

    for picture, pace in zip(film, paces, strict=True):
        answer(window.see(picture, int(pace)))
    answer(window.see_end())
    return [(ab, begins_shot) for _, ab, begins_shot in done + window.flush()]


@pytest.mark.parametrize(("films", "pieces"), [(2, 2), pytest.param(100, 4, marks=pytest.mark.long)])
def test_pieces_with_their_context_equal_one_run(films, pieces):
    for seed in range(films):
        rng = np.random.default_rng(seed)
        film, paces = film_of(rng)
        whole = coloured(film, paces)
        for _ in range(pieces):
            start = int(rng.integers(TemporalWindow.CONTEXT_BEFORE + 1, len(film) - 20))
            end = min(len(film), start + int(rng.integers(5, 100)))
            given = slice(start - TemporalWindow.CONTEXT_BEFORE, end + TemporalWindow.CONTEXT_AFTER)
            piece = coloured(film[given], paces[given])[TemporalWindow.CONTEXT_BEFORE :][: end - start]
            for n, ((one, cut), (other, other_cut)) in enumerate(zip(whole[start:end], piece, strict=True), start):
                assert np.array_equal(one, other) and cut == other_cut, f"film {seed}, piece from {start}, frame {n}"
