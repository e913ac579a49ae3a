"""Where things lie in another frame, and how far that can be trusted: of pictures whose motion is known."""

import math

import numpy as np
import pytest
from scenes import SIZE, luma, texture

from vidcolor.temporal.keys import PACE, KeyFrames
from vidcolor.temporal.motion import Link, MotionEstimator, MotionWindow, chain, luma_trust

INNER = np.s_[12:-12, 12:-12]


def grid(height, width):
    """x and y of every pixel, (h, w, 2)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack((x, y), -1)


def shifted(height, width, x, y, trust=1.0):
    """The link of a picture that moves by so many pixels."""
    return Link(grid(height, width) + np.float32((x, y)), np.full((height, width), trust, np.float32))


def moving(x, y, frames, size=SIZE):
    """A window on a texture that moves by whole pixels a frame."""
    wide = luma(texture(3, (size[0] + 200, size[1] + 200)))
    places = [(100 - y * n, 100 - x * n) for n in range(frames)]
    return [wide[top : top + size[0], left : left + size[1]].copy() for top, left in places]


@pytest.mark.parametrize(("height", "width"), [(144, 192), (36, 96), (72, 96), (50, 61)])
def test_a_link_on_another_grid_leads_to_the_same_places(height, width):
    """Pixels are areas: their middles lie at n + ½ of their own size."""
    link = shifted(72, 96, 3, -2, 0.5).resized(height, width)
    across, down = width / 96, height / 72
    expected = grid(height, width) + np.float32((3 * across, -2 * down))
    inner = np.s_[height // 6 : -height // 6, width // 6 : -width // 6]
    assert np.abs(link.positions - expected)[inner].max() < 1e-3
    assert np.allclose(link.trust, 0.5)


def test_links_are_chained_by_going_both_ways_and_trusted_as_far_as_both():
    link = chain(shifted(72, 96, 3, -2, 0.5), shifted(72, 96, 1, 4, 0.8))
    assert np.abs(link.positions - shifted(72, 96, 4, 2).positions)[INNER].max() < 1e-3
    assert np.allclose(link.trust[INNER], 0.4)


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, -2), (2, 1)])
def test_motion_is_found_there_and_back_and_trusted(x, y, twice):
    first, second = moving(x, y, 2)
    there, back = MotionEstimator(*SIZE, twice)(first, second)
    for link, sign in ((there, 1), (back, -1)):
        off = np.linalg.norm(link.positions - shifted(*SIZE, sign * x, sign * y).positions, axis=-1)[INNER]
        assert np.median(off) < 0.2 and np.quantile(off, 0.9) < 0.5
        assert link.trust[INNER].mean() > 0.9


@pytest.mark.parametrize("flow", [(1, 0), (0, 1), (0.6, 0.8)])
def test_trust_falls_to_1_over_e_where_the_way_back_misses_by_a_pixel(flow):
    estimator = MotionEstimator(*SIZE)
    link = estimator._checked(np.broadcast_to(np.float32(flow), (*SIZE, 2)).copy(), np.zeros((*SIZE, 2), np.float32))
    assert np.allclose(link.trust, math.exp(-1), atol=1e-3)


def test_the_flow_back_is_the_reverse_of_one_that_stretches():
    """What lies x from the middle goes to 1.1·x, so what is there then comes from x / 1.1."""
    from_middle = grid(*SIZE) - np.float32((SIZE[1] - 1, SIZE[0] - 1)) / 2
    back = MotionEstimator(*SIZE)._reversed(from_middle * np.float32(0.1))
    assert np.abs(back - (from_middle / 1.1 - from_middle))[INNER].max() < 0.05


def test_luma_is_the_same_whatever_its_exposure_and_grain():
    picture = texture(5)
    assert luma_trust(picture, picture - 40).min() > 0.999
    grain = np.random.default_rng(1).normal(0, 4, SIZE).astype(np.float32)
    assert luma_trust(picture, picture + grain).mean() > 0.95
    assert np.allclose(luma_trust(picture, picture - 32, 32), math.exp(-1), atol=1e-3)


def test_luma_of_something_else_is_not_trusted():
    """An object of 9 by 9 pixels, 10 codes brighter: less what the 31 by 31 around count for, by 9.2."""
    picture = texture(5)
    other = picture.copy()
    other[32:41, 44:53] += 10
    trust = luma_trust(picture, other)
    assert trust[36, 48] == pytest.approx(math.exp(-((10 * (1 - 81 / 961) / 10) ** 2)), abs=0.01)
    assert trust[:8].min() > 0.999


def test_links_over_several_frames_add_up_and_end_where_the_shot_does():
    window = MotionWindow()
    for n, picture in enumerate(moving(2, 0, 7, (144, 192))):
        window.add(picture, cut=n == 6)
    link = window.link(0, 5)  # on half the grid
    assert np.median(np.abs(link.positions - shifted(72, 96, 5, 0).positions)[INNER]) < 0.3
    assert window.joined(0, 1) and window.joined(5, -1)
    assert not any((window.joined(0, -1), window.joined(5, 1), window.joined(6, -1), window.joined(6, 1)))


def test_a_picture_repeats_that_equals_the_one_before_it_in_its_shot():
    window = MotionWindow()
    still = luma(texture(1))
    for picture, cut in ((still, False), (still, False), (still, True), (still + 1, False)):
        window.add(picture, cut)
    assert [window.repeats(n) for n in range(4)] == [False, True, False, False]


def decided(film, paces, cuts=(), same=(), motion=None):
    """Which frames the network is shown."""
    motion = motion or MotionWindow()
    keys, asked = KeyFrames(motion), []
    for n, (picture, pace) in enumerate(zip(film, paces, strict=True)):
        motion.add(picture, n in cuts)
        keys.add(pace, n in same)
        asked += keys.decide()
    return [n for n, needed in enumerate(asked + keys.decide(film_ends=True)) if needed]


def test_of_a_slow_move_every_fourth_frame_is_shown_and_the_first_of_every_shot():
    film = moving(1, 0, 20, (144, 192))
    assert decided(film, [n // PACE for n in range(20)]) == [0, 4, 8, 12, 16]
    assert decided(film, [(n + 1) // PACE for n in range(20)]) == [0, 3, 7, 11, 15, 19]  # by the clock
    assert decided(film, [n // PACE for n in range(20)], cuts={10}) == [0, 4, 8, 10, 12, 16]
    assert decided(film, [0] * 20) == [0, 4, 8, 12, 16]  # a clock that stands still: by their number
    assert decided(film, [2 * n // PACE for n in range(20)]) == list(range(0, 20, 2))


def test_what_equals_the_last_key_frame_and_all_between_is_not_shown_again():
    film = [luma(texture(1))] * 20
    paces = [n // PACE for n in range(20)]
    assert decided(film, paces, same=range(1, 20)) == [0]
    assert decided(film, paces, same=set(range(1, 20)) - {6}) == [0, 8]
    assert decided(film, paces, same=set(range(1, 20)) - {8}) == [0, 8]


def test_pictures_that_nothing_explains_are_all_shown():
    film = [luma(texture(seed)) for seed in range(9)]
    assert decided(film, [n // PACE for n in range(9)]) == list(range(9))


def test_what_is_seen_in_either_of_two_frames_around_needs_no_answer():
    """In two frames, a quarter of this picture moves out at one side and comes in at the other."""
    assert decided(moving(12, 0, 9), [n // PACE for n in range(9)]) == [0, 4, 8]


class Known(MotionWindow):
    """Pictures that do not move: of frames BEFORE, the left half can be trusted, of frames AFTER, a share of the right."""

    def __init__(self, share):
        super().__init__()
        self._share = share

    def link(self, n, other):
        trust = np.zeros((72, 96), np.float32)
        if other < n:
            trust[:, :48] = 1
        else:
            trust[:, 48 : 48 + round(48 * self._share)] = 1
        return Link(grid(72, 96), trust)


@pytest.mark.parametrize(("share", "asked"), [(0.7, False), (0.5, True)])
def test_four_fifths_known_from_either_side_are_enough(share, asked):
    film = [luma(texture(1, (144, 192)))] * 9
    shown = decided(film, [n // PACE for n in range(9)], motion=Known(share))
    assert shown == ([0, 1, 2, 3, 4, 5, 6, 7, 8] if asked else [0, 4, 8])


def test_colours_come_from_frames_one_or_two_away_of_the_same_shot():
    motion = MotionWindow()
    keys = KeyFrames(motion)
    for n, (picture, pace) in enumerate(zip(moving(1, 0, 16), "0000111122233333", strict=True)):
        motion.add(picture, n == 7)
        keys.add(int(pace))
    found = {n: [other for other, _ in keys.sides(n)] for n in range(15) if not keys.is_key(n)}
    expected = {1: [0, 2], 2: [0, 4], 3: [2, 4], 5: [4, 6], 6: [4], 9: [8, 10], 10: [8], 12: [11, 13], 13: [11, 15]}
    assert found == expected | {14: [13, 15]}
