"""What stays in a shot keeps its colour, and nothing else is touched by that."""

import math

import numpy as np
import pytest
from scenes import dissolve, luma, plain_ab, shot, to_and_fro
from test_window import smoothed

from vidcolor.temporal.anchors import Anchors
from vidcolor.temporal.keys import KeyFrames
from vidcolor.temporal.motion import MotionWindow


def gliding(frames, start, end):
    """One colour that becomes another, (n, 2, h, w)."""
    share = np.linspace(0, 1, frames, dtype=np.float32)[:, None, None, None]
    return plain_ab(frames, *start) * (1 - share) + plain_ab(frames, *end) * share


def test_what_stays_keeps_its_colour_while_the_answers_glide():
    film = luma(to_and_fro(shot(1, 60), 2))
    ab = gliding(len(film), (12, 10), (2, 10))
    result = smoothed(film, ab)[:, 0].mean((1, 2))
    assert result[:12] == pytest.approx(12, abs=0.6)
    assert result[0] - result[-1] < 0.5 * 10  # without anchors 9.5
    assert np.abs(np.diff(result)).max() < 0.2  # and nothing pops


def test_what_was_hidden_comes_back_in_its_colour():
    scene, film, ab = shot(1, 1)[0], [], plain_ab(200, 5, 5)
    for n in range(200):
        picture = scene.copy()
        if 60 <= n < 120:
            picture[:, 36:60] = shot(2, 1)[0][:, 36:60]  # something stands before it
        film.append(picture)
    ab[120:, 0, :, 16:32] = 12
    result = smoothed(luma(np.stack(film)), ab)[:, 0, 8:-8, 20:28].mean((1, 2))
    assert result[20] == pytest.approx(5, abs=0.1)
    assert result[160] < 5 + 0.4 * 7


def test_other_pictures_of_a_shot_keep_theirs():
    """After a dissolve, which is no boundary, little is found again: of its middle, where both pictures are seen."""
    film = luma(dissolve(shot(1, 80), shot(2, 120, (-0.4, 0.2)), 24))
    ab = np.concatenate((plain_ab(68, 8, 8), plain_ab(len(film) - 68, 0, 4)))
    apart = np.hypot(*(ab[0] - ab[-1])).mean()
    assert np.hypot(*(smoothed(film, ab) - ab)[110:].swapaxes(0, 1)).mean() < 0.1 * apart


def test_no_shot_is_held_by_another():
    """Even where its picture comes back."""
    film = luma(np.concatenate((shot(1, 80), shot(2, 80), shot(1, 80))))
    ab = np.concatenate((plain_ab(80, 8, 8), plain_ab(80, 0, 0), plain_ab(80, 2, 8)))
    assert np.abs(smoothed(film, ab) - ab).max() < 1e-4


def test_what_begins_dark_is_not_held_to_the_colours_of_the_dark():
    scene = to_and_fro(shot(1, 60), 1)
    light = np.clip(np.arange(len(scene)) / 24, 0.02, 1)
    film = luma(16 + (scene - 16) * light[:, None, None])
    ab = plain_ab(len(film), 10, 20) * light[:, None, None, None].astype(np.float32)
    result = smoothed(film, ab)[:, 1].mean((1, 2))
    assert (result[60:] > 0.85 * 20).all()


def test_beyond_its_reach_an_anchor_holds_nothing():
    frames = Anchors.REACH + 160
    film = (
        luma(shot(1, 1)).repeat(frames, 0) + (np.arange(frames) % 2).astype(np.uint8)[:, None, None]
    )  # none is a copy
    ab = np.concatenate((plain_ab(20, 12, 10), plain_ab(frames - 20, 4, 10)))
    late = smoothed(film, ab)[Anchors.REACH + 60 :, 0]
    assert np.abs(late - 4).max() < 0.01


def anchors_of(kept, strength=1.0):
    """Those that frames of one still picture become, of colour (10, 0); an anchor as near as 20 frames does not count."""
    motion, picture = MotionWindow(), luma(shot(1, 1))[0]
    for n in range(300):
        motion.add(picture, cut=n == 0)
    anchors = Anchors(motion, KeyFrames(motion), 20, strength)
    for n in kept:
        anchors.keep(n, np.full((36, 48, 4), (10, 0, 10, 0), np.float32))
    return anchors


@pytest.mark.parametrize("strength", [0.5, 1])
@pytest.mark.parametrize(("unlike", "alike"), [(0, 1), (15, math.exp(-1 / 2)), (30, math.exp(-2))])
@pytest.mark.parametrize("kept", [0, 8])
def test_an_anchor_weighs_by_its_distance_and_by_how_like_its_colour_is(strength, unlike, alike, kept):
    """The first frame of a shot 4 times as much as another; from 20 frames on more, from 52 to 192 all, until 256 less."""
    anchors = anchors_of([kept], strength)
    a, b = np.full((36, 48), 10, np.float32), np.full((36, 48), unlike, np.float32)
    for distance, share in ((20, 0), (36, 0.5), (52, 1), (192, 1), (224, 0.5), (256, 0)):
        seen = anchors.seen_from(kept + distance, a, b)
        assert len(seen) == (share > 0)
        for there_a, there_b, weight in seen:
            assert (there_a == 10).all() and (there_b == 0).all()
            assert np.allclose(weight[4:-4, 4:-4], (4 if kept == 0 else 1) * strength * share * alike, rtol=1e-3)


def test_of_a_shot_the_first_frame_and_the_last_four_kept_are_anchors():
    own = np.full((36, 48), 10, np.float32)
    seen = anchors_of(range(0, 60, 8)).seen_from(100, own, own * 0)
    assert [round(float(weight[18, 24]), 3) for *_, weight in seen] == [4, 1, 1, 1, 0.75]
