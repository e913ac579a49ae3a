"""Flicker of exposure is taken out of what the network sees, and nothing else is."""

from fractions import Fraction

import numpy as np
import pytest
from scenes import flicker, luma, shot

from vidcolor.color.luma import LumaView
from vidcolor.color.yuv import YuvFormat
from vidcolor.temporal.exposure import Exposure, exposed
from vidcolor.temporal.window import TemporalWindow

BLACK = 16


def factors(film, cuts=(), black=BLACK):
    exposure, done = Exposure(black), []
    for n, picture in enumerate(film):
        done += exposure.push(picture, n in cuts)
    done += exposure.flush()
    assert len(done) == len(film)
    return np.array(done)


def raised(film):
    """With room for flicker between black and white."""
    return BLACK + film * 0.6


def test_what_is_darker_stays_darker():
    codes = np.arange(256, dtype=np.uint8)[None]
    assert (np.diff(exposed(codes, 1.35, BLACK).astype(int)) >= 0).all()


def test_codes_are_multiplied_from_black_on():
    codes = np.array([[0, 16, 116, 235]], np.uint8)
    assert exposed(codes, 1.2, BLACK).tolist() == [[0, 16, 136, 255]]
    assert exposed(codes, 0.8, BLACK).tolist() == [[3, 16, 96, 191]]


@pytest.mark.parametrize(("gain", "evened"), [(0.9, True), (1.1, True), (0.997, False)])
def test_a_frame_is_brought_to_the_mean_of_the_13_around_it(gain, evened):
    """In logarithms, and above black. A quarter of the picture is too dark to tell; too little to be seen is left alone."""
    light = np.repeat(shot(1, 1), 30, 0) * 0.8
    light[..., : light.shape[2] // 4] = 1
    light[15] *= gain
    expected = np.ones(30)
    if evened:
        expected[9:22] = gain ** (1 / 13)
        expected[15] = gain ** (1 / 13 - 1)
    assert factors(luma(BLACK + light)) == pytest.approx(expected, abs=0.003 * evened)


def test_what_is_too_dark_to_tell_is_left_alone():
    film = np.full((20, 72, 96), BLACK + 1, np.uint8)
    film[10] += 2
    assert (factors(film) == 1).all()


def test_flicker_is_evened_out():
    still = raised(np.repeat(shot(1, 1), 60, 0))
    film = luma(BLACK + flicker(still - BLACK, 3, 0.08))
    seen = (film.astype(float) - BLACK).mean((1, 2)) * factors(film)
    before = (film.astype(float) - BLACK).mean((1, 2))
    assert before.std() / before.mean() > 0.06
    assert seen.std() / seen.mean() < 0.03


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("depth", [8, 10, 16])
def test_flicker_is_evened_out_whatever_the_codes_of_the_film(depth, full):
    form = YuvFormat(depth, full, "bt709", "bt709", "sdr", 2, 2, "left")
    view = LumaView(form, 96, 72, Fraction(1), res=72, stride=2, output_stride=2)
    black = 0 if full else 16 << (depth - 8)
    light = flicker(np.repeat(shot(1, 1), 30, 0), 3, 0.08) * 0.6 * 2 ** (depth - 8)
    film = [view.small_luma((picture + black).astype(form.dtype)) for picture in light]
    seen = light.mean((1, 2)) * factors(film, black=view.small_black)
    assert seen.std() / seen.mean() < 0.03 < light.mean((1, 2)).std() / light.mean()


def test_flicker_of_a_moving_picture_is_evened_out():
    calm = raised(shot(2, 60, (1.2, 0.4)))
    gains = 1 + 0.08 * np.random.default_rng(4).standard_normal(60)
    film = luma(BLACK + (calm - BLACK) * gains[:, None, None])
    left = gains * factors(film)
    assert np.diff(left).std() < 0.35 * np.diff(gains).std()


def test_a_steady_camera_move_is_left_alone():
    assert np.abs(factors(luma(raised(shot(3, 60, (1.5, 0.5))))) - 1).max() < 0.02


def test_a_still_picture_is_left_alone():
    assert (factors(luma(np.repeat(shot(4, 1), 20, 0))) == 1).all()


def test_exposure_is_not_evened_across_a_cut():
    dark, bright = raised(np.repeat(shot(5, 1), 20, 0)) * 0.4, raised(np.repeat(shot(6, 1), 20, 0))
    assert (factors(luma(np.concatenate((dark, bright))), cuts={20}) == 1).all()


@pytest.mark.parametrize(("code", "least", "most"), [(235, 0.7, 1), (20, 1, 1.4)])
def test_one_white_frame_is_not_made_black_nor_a_black_one_white(code, least, most):
    film = luma(raised(np.repeat(shot(7, 1), 20, 0)))
    film[10] = code
    assert least < factors(film)[10] < most


@pytest.mark.parametrize("strength", [0, 1])
def test_the_network_is_told_the_factor_unless_smoothing_is_off(strength):
    film = luma(BLACK + flicker(raised(np.repeat(shot(1, 1), 40, 0)) - BLACK, 3, 0.08))
    window, told = TemporalWindow(strength, BLACK), []
    for n, picture in enumerate(film):
        told += window.see(picture, n // 4)
    told += window.see_end()
    assert len(told) == len(film)
    asked = {n: factor for n, factor in enumerate(told) if factor is not None}
    if strength == 0:
        assert list(asked.values()) == [1.0] * len(film)
    else:
        assert len(asked) < len(film)
        assert all(factor == pytest.approx(factors(film)[n]) for n, factor in asked.items())
