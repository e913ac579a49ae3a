"""CIELAB is that of the libraries that others measure with; colours come into gamut without a change of hue."""

import numpy as np
import pytest

from vidcolor.color.gamut import lab_to_srgb8, reduce_chroma
from vidcolor.color.lab import (
    WHITE,
    lab_to_srgb,
    lightness,
    luminance,
    srgb_to_lab,
    srgb_to_linear,
    xyz_to_lab,
)

steps = np.linspace(0, 1, 18)
CUBE = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)


def hue_difference(lab, other):
    """Degrees between the hues of two Lab arrays (..., 3)."""
    turn = np.arctan2(lab[..., 2], lab[..., 1]) - np.arctan2(other[..., 2], other[..., 1])
    return np.degrees(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))


def test_lab_is_that_of_colour_science():
    colour = pytest.importorskip("colour")
    xyz = colour.sRGB_to_XYZ(CUBE)
    own_white = colour.XYZ_to_xy(WHITE)
    np.testing.assert_allclose(srgb_to_lab(CUBE), colour.XYZ_to_Lab(xyz, own_white), atol=1e-3)
    # Its default white has other last digits than the sum of its matrix, so its own greys are not quite grey.
    np.testing.assert_allclose(srgb_to_lab(CUBE), colour.XYZ_to_Lab(xyz), atol=0.01)


def test_lab_is_that_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    xyz = color.rgb2xyz(CUBE)
    white = color.xyz_tristimulus_values(illuminant="D65", observer="2")
    np.testing.assert_allclose(xyz_to_lab(xyz / white), color.xyz2lab(xyz), atol=1e-3)
    # Its matrix has six digits where IEC 61966-2-1 has four; colour-science and scikit-image differ by 0.023.
    np.testing.assert_allclose(srgb_to_lab(CUBE), color.rgb2lab(CUBE), atol=0.023)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lab_to_srgb_is_the_inverse(dtype):
    rgb = CUBE.astype(dtype)
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(rgb)), rgb, atol=1e-5 if dtype is np.float32 else 1e-12)


def test_greys_have_no_colour():
    greys = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
    lab = srgb_to_lab(greys)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-12)
    np.testing.assert_allclose(lab[:, 0], lightness(srgb_to_linear(greys[:, 0])), atol=1e-12)
    assert lab[0, 0] == 0 and lab[-1, 0] == pytest.approx(100, abs=1e-12)


def test_luminance_is_the_inverse_of_lightness():
    light = np.linspace(0, 100, 1001)
    np.testing.assert_allclose(lightness(luminance(light)), light, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reduced_colours_are_displayable_and_keep_lightness_and_hue(dtype):
    rng = np.random.default_rng(1)
    lab = np.stack([rng.uniform(0, 100, 3000), *rng.uniform(-120, 120, (2, 3000))], -1).astype(dtype)
    result = reduce_chroma(lab)
    rgb = lab_to_srgb(result)
    assert rgb.min() > -2e-4 and rgb.max() < 1 + 2e-4
    np.testing.assert_array_equal(result[:, 0], lab[:, 0])
    chroma, before = np.hypot(*result[:, 1:].T), np.hypot(*lab[:, 1:].T)
    assert (chroma <= before + 1e-4).all()
    coloured = chroma > 0.1
    assert hue_difference(result, lab)[coloured].max() < 0.01

    inside = (lab_to_srgb(lab) >= 0).all(1) & (lab_to_srgb(lab) <= 1).all(1)
    np.testing.assert_array_equal(result[inside], lab[inside])
    more = result[~inside].copy()
    more[:, 1:] *= 1.01  # 1 % more and a tenth of a unit would not have fitted: chroma is the largest that does
    more[:, 1:] += 0.1 * np.sign(more[:, 1:])
    rgb = lab_to_srgb(more)
    assert ((rgb < 0) | (rgb > 1)).any(1).mean() > 0.99


def test_eight_bit_pictures_come_back():
    rgb = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    np.testing.assert_array_equal(lab_to_srgb8(srgb_to_lab(rgb / 255)), rgb)
