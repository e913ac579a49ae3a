import numpy as np
import pytest
from scenes import SIZE, luma, shot

from vidcolor.evaluation import films


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


def test_warp_error_is_the_mean_square_of_a_change_everywhere(moving):
    film, motions = moving
    dark, bright = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 51, np.uint8)
    assert films.warp_error([dark] * len(film), motions) == 0
    assert films.warp_error([dark, bright], motions[:1]) == pytest.approx(0.04, rel=1e-5)


def test_colour_distribution_consistency():
    dark, bright = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 200, np.uint8)
    half = np.concatenate((dark[:2], bright[:2]))
    assert films.colour_distribution_consistency([dark] * 5) == 0
    assert films.colour_distribution_consistency([dark, bright]) == pytest.approx(np.log(2))
    expected = 0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2)  # of (1, 0) and (1/2, 1/2)
    assert films.colour_distribution_consistency([dark, half]) == pytest.approx(expected)
    assert films.colour_distribution_consistency([dark]) == 0


def test_palette_drift_is_how_far_values_move_from_first_to_last_second():
    ab = [np.stack((np.full((3, 5), n), np.zeros((3, 5)))).astype(np.float32) for n in range(10)]
    assert films.palette_drift(ab, 1) == pytest.approx(9 / 2)
    assert films.palette_drift(ab, 2) == pytest.approx(8 / 2)


def test_cuts_count_within_one_frame_and_once():
    assert films.cut_f1([9, 30, 31], [10, 31, 50]) == (2, 1, 1)
    assert films.cut_f1([10, 11], [10]) == (1, 1, 0)
    assert films.cut_f1([], []).f1 == 1
    assert films.cut_f1([9, 30, 31], [10, 31, 50]).f1 == pytest.approx(2 / 3)


def test_dissolves_count_when_they_share_half():
    assert films.dissolve_f1([(10, 20)], [(15, 25)]) == (1, 0, 0)
    assert films.dissolve_f1([(10, 20)], [(16, 26)]) == (0, 1, 1)
    assert films.dissolve_f1([(10, 14)], [(10, 20)]) == (0, 1, 1)
