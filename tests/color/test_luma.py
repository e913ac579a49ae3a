"""What a network is shown of a film's luma: the right lightness, the whole picture, in its displayed aspect."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from vidcolor.color.luma import LumaView, lightness_table, resize_by_area
from vidcolor.color.yuv import YuvFormat


def make(depth=8, full=False, transfer="sdr"):
    return YuvFormat(depth, full, "bt709", "bt709", transfer, 2, 2, "left")


@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("full", [False, True])
def test_lightness_is_that_of_the_grey_pixel(depth, full):
    color = pytest.importorskip("skimage.color")
    fmt = make(depth, full)
    table = lightness_table(fmt)
    assert table.shape == (1 << depth,) and table.dtype == np.float32
    grey = np.clip((np.arange(1 << depth) - fmt.black) / fmt.luma_span, 0, 1)
    np.testing.assert_allclose(table, color.rgb2lab(np.repeat(grey[:, None], 3, axis=1))[:, 0], atol=1e-3)
    assert table[fmt.black] == 0 and table[fmt.black + fmt.luma_span] == 100
    assert (np.diff(table) >= 0).all() and table.min() == 0 and table.max() == 100


def test_hdr_diffuse_white_is_white():
    code = 64 + round(876 * 0.5807)  # ST 2084 of 203 cd/m² (BT.2408-7, table 1: 58 %)
    table = lightness_table(make(10, transfer="pq"))
    assert table[code] == pytest.approx(100, abs=0.3) and table[940] == 100 and table[64] == 0
    code = 64 + round(876 * 0.75)  # BT.2408-7, table 1: 75 % in HLG
    table = lightness_table(make(10, transfer="hlg"))
    assert table[code] == pytest.approx(100, abs=0.3) and table[940] == 100 and table[64] == 0


@pytest.mark.parametrize(
    ("width", "height", "sar", "inner", "size"),
    [
        (1920, 1080, Fraction(1), (256, 144), (256, 160)),
        (1080, 1920, Fraction(1), (144, 256), (160, 256)),
        (720, 576, Fraction(64, 45), (256, 144), (256, 160)),
        (720, 480, Fraction(8, 9), (192, 144), (192, 160)),
        (352, 288, Fraction(1, 2), (144, 236), (160, 256)),
        (64, 48, Fraction(1), (192, 144), (192, 160)),
        (900, 100, Fraction(1), (1296, 144), (1312, 160)),
        (1, 1, Fraction(1), (144, 144), (160, 160)),
        (175, 143, Fraction(191, 175), (192, 144), (192, 160)),
    ],
)
def test_the_whole_picture_is_shown_in_its_displayed_aspect(width, height, sar, inner, size):
    view = LumaView(make(), width, height, sar, res=144, stride=32, output_stride=2)
    assert (view.inner, view.size) == (inner, size)
    assert view.ab_size == (inner[0] // 2, inner[1] // 2)
    ramp = np.linspace(16, 235, width)[None].repeat(height, 0).astype(np.uint8)
    light = view.lightness(ramp)
    assert light.shape == size[::-1] and light.dtype == np.float32
    shown = light[: inner[1], : inner[0]]
    expected = cv2.resize(lightness_table(make())[ramp[:1]], (inner[0], 1), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(shown, expected.repeat(inner[1], 0), atol=1.5)
    assert view.crop(np.zeros((2, size[1] // 2, size[0] // 2))).shape == (2, inner[1] // 2, inner[0] // 2)


@pytest.mark.parametrize(("width", "height", "inner"), [(4, 8000, (144, 64 * 144)), (8000, 4, (64 * 144, 144))])
def test_a_strip_of_a_picture_stays_finite(width, height, inner):
    view = LumaView(make(), width, height, Fraction(1), 144, 32, 2)
    assert view.inner == inner
    assert view.lightness(np.full((height, width), 235, np.uint8)).min() == 100


def test_the_padding_continues_the_picture():
    view = LumaView(make(), 180, 144, Fraction(1), 144, 32, 2)
    y = np.random.default_rng(1).integers(16, 236, (144, 180), np.uint8)
    light = view.lightness(y)
    np.testing.assert_array_equal(light[144:160, :180], light[128:144, :180][::-1])
    np.testing.assert_array_equal(light[:, 180:192], light[:, 168:180][:, ::-1])
    np.testing.assert_array_equal(light[:144, :180], lightness_table(make())[y])


@pytest.mark.parametrize("depth", [8, 10, 16])
@pytest.mark.parametrize("shape", [(1080, 1920), (719, 1279), (96, 130), (3, 5), (1, 1)])
def test_a_frame_is_scaled_once_for_network_and_motion(depth, shape):
    fmt = make(depth)
    view = LumaView(fmt, shape[1], shape[0], Fraction(1), 144, 32, 2)
    y = np.random.default_rng(2).integers(0, 256, shape, np.uint8).astype(fmt.dtype) << (depth - 8)
    small = view.shrink(y)
    assert small.dtype == fmt.dtype and small.shape == view.inner[::-1]
    assert view.shrink(small) is small
    np.testing.assert_array_equal(view.lightness(small), view.lightness(y))
    motion = view.small_luma(small)
    assert motion.dtype == np.uint8 and motion.shape == view.inner[::-1]
    np.testing.assert_array_equal(motion, view.small_luma(y))
    np.testing.assert_array_equal(motion, small >> (depth - 8))


@pytest.mark.parametrize("fill", [0, 15, 16, 126, 235, 236, 255])
def test_a_flat_picture_stays_flat(fill):
    view = LumaView(make(), 333, 251, Fraction(1), 144, 32, 2)
    y = np.full((251, 333), fill, np.uint8)
    assert (view.lightness(y) == lightness_table(make())[fill]).all()
    assert (view.small_luma(y) == fill).all()


def test_a_plane_of_another_size_is_refused():
    view = LumaView(make(), 640, 480, Fraction(1), 144, 32, 2)
    with pytest.raises(ValueError, match="480×640"):
        view.lightness(np.zeros((240, 320), np.uint8))


@pytest.mark.parametrize("shape", [(1080, 1920), (720, 1280), (480, 854), (271, 641)])
def test_scaling_down_averages_by_area(shape):
    y = cv2.GaussianBlur(np.random.default_rng(3).normal(126, 100, shape), (0, 0), shape[0] / 250).astype(np.uint8)
    exact = cv2.resize(y.astype(np.float32), (256, 144), interpolation=cv2.INTER_AREA)
    error = resize_by_area(y, 256, 144) - exact
    assert error.std() < 0.6  # of rounding alone: 0.29
    assert abs(error.mean()) < 0.3
