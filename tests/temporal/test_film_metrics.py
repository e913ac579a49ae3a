import numpy as np
import pytest
from marks import score_of_cuts, score_of_dissolves
from scenes import SIZE, flash, luma, shot, texture
from scipy.spatial.distance import jensenshannon

from vidcolor.evaluation import films
from vidcolor.evaluation.shot_meter import ColouredFrame, ShotMeter, summarise


@pytest.fixture(scope="module")
def moving():
    """A pan of 2 pixels a frame, and the positions of its texture in the first frame."""
    film = luma(shot(1, 8, (2, 0)))
    return list(film), films.motion_of_shot(list(film))


def test_colour_that_moves_with_the_picture_does_not_flicker(moving):
    film, motions = moving
    x = np.arange(SIZE[1], dtype=np.float32)
    still = [np.broadcast_to(x, (2, *SIZE)) for _ in film]
    carried = [np.broadcast_to(x + 2 * n, (2, *SIZE)) for n in range(len(film))]
    assert films.chroma_flicker(carried, motions) < 0.2
    assert films.chroma_flicker(still, motions) == pytest.approx(2 * 2**0.5, rel=0.1)


@pytest.mark.parametrize(("brighter", "counted"), [(0.027, True), (0.035, False)])
def test_colour_of_what_changes_its_luma_by_three_per_cent_is_not_flicker(brighter, counted):
    """The lower half becomes brighter, by a share of the range, and changes its colour by 5 Lab units."""
    below = (np.arange(SIZE[0]) >= SIZE[0] / 2)[:, None] * np.ones(SIZE)
    film = luma(np.stack((texture(1) * 0.9, texture(1) * 0.9 + below * round(255 * brighter))))
    flicker = films.chroma_flicker([np.zeros((2, *SIZE)), np.stack((3 * below, 4 * below))], films.motion_of_shot(film))
    assert 2.4 < flicker < 2.6 if counted else flicker < 0.2


def test_frames_that_cannot_be_compared_do_not_count():
    """Colours change by 5 Lab units a frame, and by more in a frame that is nearly white."""
    film = luma(flash(np.repeat(texture(1)[None] * 0.8, 6, 0), 3))
    meters = ShotMeter(5), ShotMeter(5)
    for n, picture in enumerate(film):
        light = np.float32(picture / 2.55)
        truth = np.stack((light, np.zeros_like(light), np.zeros_like(light)), -1)
        ab = np.float32([3 * n, 4 * n] if n != 3 else [-60, 60])[:, None, None] * np.ones((2, *SIZE), np.float32)
        for meter in meters if n in (3, 4) else meters[:1]:
            meter.add(ColouredFrame(picture, truth, ab, ab))
    whole, pair = (summarise([meter.tally()]) for meter in meters)
    assert whole["flicker_ours"] == pytest.approx(5, rel=1e-5) and whole["flicker_ratio"] == 1
    assert pair["flicker_ours"] is None and pair["flicker_ratio"] is None


def test_warp_error_leaves_out_where_motion_changes_abruptly():
    """The right half slides past the left one, which stands; nothing is hidden."""
    film = np.concatenate((shot(1, 2, (0, 0))[..., :48], shot(2, 2, (0, 2))[..., 48:]), 2)
    motions = films.motion_of_shot(luma(film))
    dark = np.zeros((*SIZE, 3), np.uint8)
    errors = {}
    for column in (20, 47, 70):
        striped = dark.copy()
        striped[:, column : column + 2] = 51
        errors[column] = films.warp_error([dark, striped], motions)
    assert errors[47] < 1e-4
    assert errors[20] == pytest.approx(0.04 * 2 / 96, rel=0.1) == pytest.approx(errors[70], rel=0.1)


def test_warp_error_is_the_mean_square_of_a_change_everywhere(moving):
    film, motions = moving
    dark, bright = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 51, np.uint8)
    assert films.warp_error([dark] * len(film), motions) == 0
    assert films.warp_error([dark, bright], motions[:1]) == pytest.approx(0.04, rel=1e-5)


@pytest.mark.parametrize("other", [0, 1, 2])
def test_divergence_of_histograms_is_scipys(other):
    """Of a dark picture, one whose lower half is bright, and noise, from the second of them."""
    dark, noise = np.zeros((8, 8, 3), np.uint8), np.random.default_rng(1).integers(0, 40, (8, 8, 3), np.uint8)
    half = np.concatenate((dark[:4], dark[4:] + np.uint8(200)))
    pictures = [films.histograms(picture) for picture in (dark, half, noise)]
    expected = jensenshannon(pictures[1], pictures[other], axis=1) ** 2
    assert films.jensen_shannon(pictures[1], pictures[other]) == pytest.approx(expected, abs=1e-12)


def test_palette_drift_is_how_far_values_move_from_first_to_last_second():
    ab = [np.stack((np.full((3, 5), n), np.zeros((3, 5)))).astype(np.float32) for n in range(10)]
    assert films.palette_drift(ab, 1) == pytest.approx(9 / 2)
    assert films.palette_drift(ab, 2) == pytest.approx(8 / 2)


def test_cuts_count_within_one_frame_and_once():
    assert score_of_cuts([9, 30, 31], [10, 31, 50]) == (2, 1, 1)
    assert score_of_cuts([10, 11], [10]) == (1, 1, 0)


def test_dissolves_count_when_they_share_half():
    assert score_of_dissolves([(10, 20)], [(15, 25)]) == (1, 0, 0)
    assert score_of_dissolves([(10, 20)], [(16, 26)]) == (0, 1, 1)
    assert score_of_dissolves([(10, 14)], [(10, 20)]) == (0, 1, 1)
