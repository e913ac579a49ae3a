import json
import os
from pathlib import Path

import numpy as np
import pytest
from marks import LABELLED, score_of_dissolves
from measure_shots import SIZE as JOINED
from measure_shots import STATES, found_in, joined, measured, small_luma_of, worn
from scenes import SIZE, dissolve, flash, flicker, luma, scratched, shot, texture

from vidcolor.temporal.cuts import CutDetector
from vidcolor.temporal.shots import ShotDetector

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("VIDCOLOR_SHARED_DATA", ROOT / "../shared/data"))


def cuts(film):
    return found_in(film)[0]


def dissolves(film):
    return found_in(film)[1]


def test_hard_cuts_are_found():
    film = np.concatenate([shot(1, 20), shot(2, 9), shot(3, 30, (-1, 0.5)), shot(4, 12)])
    assert cuts(luma(film)) == [20, 29, 59]


def test_cuts_are_found_in_a_worn_film():
    film = np.concatenate([shot(1, 25), shot(2, 25), shot(3, 25)])
    assert cuts(luma(scratched(flicker(film, 5), 6))) == [25, 50]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_flash_is_no_cut(frames):
    assert cuts(luma(flash(shot(1, 40), 17, frames))) == []
    assert cuts(luma(flash(shot(1, 40), 40 - frames, frames))) in ([], [38])  # the last two frames may be a shot


@pytest.mark.parametrize("grain", [0, 0.5, 1, 2])
def test_black_leader_is_a_shot_and_grain_makes_none_of_it(grain):
    film = luma(np.concatenate([shot(1, 30), np.full((40, *shot(1, 1).shape[1:]), 16, shot(1, 1).dtype), shot(2, 30)]))
    rng = np.random.default_rng(1)
    grainy = [np.clip(y + rng.normal(0, grain, y.shape), 0, 255).astype(np.uint8) for y in film]
    assert cuts(grainy) == [30, 70]


@pytest.mark.parametrize("frames", [10, 40])
def test_scratched_leader_is_a_shot_too(frames):
    leader = np.full((frames, *JOINED), 16, np.float32)
    film = np.concatenate([shot(1, 30, size=JOINED), leader, shot(2, 30, size=JOINED)])
    assert cuts(luma(scratched(film, 3))) == [30, 30 + frames]


@pytest.mark.parametrize("end", ["first", "last"])
@pytest.mark.parametrize("frames", [1, 2])
def test_one_odd_frame_at_an_end_of_the_film_is_no_shot_and_two_are(frames, end):
    odd, film = shot(2, frames), shot(1, 30)
    film = np.concatenate([odd, film] if end == "first" else [film, odd])
    assert cuts(luma(film)) == ([] if frames == 1 else [2] if end == "first" else [30])


def test_flicker_and_scratches_are_no_cuts():
    film = shot(1, 60)
    assert cuts(luma(flicker(film, 3, 0.2))) == []
    assert cuts(luma(scratched(film, 4))) == []


@pytest.mark.parametrize("speed", [3, 8, 16])
def test_a_fast_pan_is_no_cut(speed):
    pan = shot(1, 60, (speed, 0))
    film = np.concatenate([np.repeat(pan[:1], 15, 0), pan, np.repeat(pan[-1:], 15, 0)])
    assert cuts(luma(film)) == []
    assert dissolves(luma(film)) == []


@pytest.mark.parametrize("frames", [12, 24, 48])
def test_dissolves_are_found_and_are_no_cuts(frames):
    film = luma(dissolve(shot(1, 60), shot(2, 70, (-0.4, 0.2)), frames))
    score = score_of_dissolves(dissolves(film), [(60 - frames, 60)])
    assert (score.hits, score.false, score.missed) == (1, 0, 0)
    assert cuts(film) == []


def test_a_decision_comes_latency_frames_later_and_none_is_lost():
    detector = ShotDetector()
    film = luma(shot(1, ShotDetector.LATENCY + 5))
    counts = [len(detector.push(picture)) for picture in film]
    assert counts == [0] * ShotDetector.LATENCY + [1] * 5
    assert len(detector.flush()) == ShotDetector.LATENCY


def test_a_cut_depends_on_no_more_frames_than_stated():
    rng = np.random.default_rng(1)
    pool = [texture(seed, (24, 40)) for seed in range(4)]
    weights = rng.dirichlet([0.3] * 4, 80).repeat(rng.integers(1, 9, 80), 0)  # 1 to 8 frames
    film = luma(np.einsum("nk,khw->nhw", weights, pool))

    def cut_marks(pictures):
        detector = CutDetector()
        return [mark for picture in pictures for mark in detector.push(picture)] + detector.flush()

    whole = cut_marks(film)
    assert 5 < sum(whole) < len(whole) / 4
    for n, mark in enumerate(whole):
        first = max(0, n - CutDetector.LOOKBACK)
        assert cut_marks(film[first : n + CutDetector.LATENCY + 1])[n - first] == mark


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 33), SIZE])
def test_tiny_films_are_one_shot(frames, size):
    film = luma(np.full((frames, *size), 90.0))
    detector = ShotDetector()
    assert len([decision for picture in film for decision in detector.push(picture)] + detector.flush()) == frames
    assert cuts(film) == []


@pytest.mark.parametrize("name", [name for name, (cuts, *_) in LABELLED.items() if cuts])
def test_labelled_films(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    assert [score.f1 for score in measured(small_luma_of(path), *LABELLED[name][:2])] == [1, 1]


def test_the_sample_film():
    labels = json.loads((ROOT / "samples/labels.json").read_text())["film.mp4"]
    film = small_luma_of(ROOT / "samples/film.mp4")
    scores = measured(film, labels["cuts"], [tuple(d) for d in labels["dissolves"]])
    assert [score.f1 for score in scores] == [1, 1]


@pytest.mark.parametrize("state", ["flashes", "all together"])
def test_shots_joined_in_known_ways(state):
    """A sample of `make shots-check`, without photographed films."""
    films = [[shot(seed, 90, (0.4 - 0.2 * seed, 0.1), JOINED)] for seed in range(4)]
    rng = np.random.default_rng(STATES.index(state))
    film, *known = joined(films, rng, 4)
    of_cuts, of_dissolves = measured(worn(film, state, rng), *known)
    assert known[0] or known[1]
    assert (of_cuts.f1, of_dissolves.f1) == (1, 1)
