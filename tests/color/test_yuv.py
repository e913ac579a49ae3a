"""Y'CbCr codes mean what FFmpeg, ITU and SMPTE say they mean."""

import itertools

import av
import numpy as np
import pytest
from av.filter import Graph

from vidcolor.color.transfers import TRANSFERS, from_linear, to_linear
from vidcolor.color.yuv import (
    MATRICES,
    PRIMARIES,
    YuvFormat,
    chroma_from_code,
    chroma_to_code,
    lab_to_rgb,
    luma_from_code,
    luma_to_code,
    rgb_to_lab,
    rgb_to_yuv,
    yuv_to_rgb,
)

SWSCALE = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc", "smpte240m": "smpte240m", "fcc": "fcc"}
SCIENCE = {"bt601": "ITU-R BT.601", "bt709": "ITU-R BT.709", "bt2020": "ITU-R BT.2020"}
RANGES = list(itertools.product([False, True], [8, 10]))


def make(depth=8, full=False, matrix="bt709", primaries="bt709", transfer="sdr"):
    return YuvFormat(depth, full, matrix, primaries, transfer, 1, 1, "left")


def encode(rgb, fmt):
    """R'G'B' 0…1 (3, h, w) → the three planes' codes."""
    y, u, v = np.moveaxis(rgb_to_yuv(np.moveaxis(rgb, 0, -1), fmt.matrix), -1, 0)
    return luma_to_code(y, fmt), chroma_to_code(u, fmt), chroma_to_code(v, fmt)


def decode(planes, fmt):
    """The three planes' codes → R'G'B' 0…1 (3, h, w), clipped."""
    y, u, v = planes
    yuv = np.stack((luma_from_code(y, fmt), chroma_from_code(u, fmt), chroma_from_code(v, fmt)), -1)
    return np.clip(np.moveaxis(yuv_to_rgb(yuv, fmt.matrix), -1, 0), 0, 1)


def swscale(planes, source, target, options):
    """What FFmpeg's own converter makes of planes of equal size, at its most accurate."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, source)
    for values, plane in zip(planes, frame.planes, strict=True):
        np.frombuffer(plane, values.dtype).reshape(height, -1)[:, :width] = values
    graph = Graph()
    flags = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    chain = [
        graph.add("buffer", f"video_size={width}x{height}:pix_fmt={source}:time_base=1/25:pixel_aspect=1/1"),
        graph.add("scale", f"{options}:{flags}"),
        graph.add("format", target),
        graph.add("buffersink"),
    ]
    for first, second in itertools.pairwise(chain):
        first.link_to(second)
    graph.configure()
    graph.push(frame)
    result = graph.pull()
    return [np.frombuffer(p, planes[0].dtype).reshape(height, -1)[:, :width].copy() for p in result.planes]


@pytest.mark.parametrize(("full", "depth"), RANGES)
@pytest.mark.parametrize("matrix", SWSCALE)
def test_codes_are_those_of_swscale(matrix, full, depth):
    fmt = make(depth, full, matrix)
    red, green, blue = np.random.default_rng(3).integers(0, fmt.peak + 1, (3, 64, 64)).astype(fmt.dtype)
    rgb_name, yuv_name = ("gbrp", "yuv444p") if depth == 8 else ("gbrp10le", "yuv444p10le")
    video_range = "pc" if full else "tv"
    # swscale's coefficients are of 8-bit accuracy: at 10 bits it is up to 3 codes, not one 8-bit code, away from exact.
    tolerance = 1 if depth == 8 else 3

    ours = encode(np.stack((red, green, blue)) / fmt.peak, fmt)
    options = f"out_color_matrix={SWSCALE[matrix]}:in_range=pc:out_range={video_range}"
    theirs = swscale([green, blue, red], rgb_name, yuv_name, options)
    for own, other in zip(ours, theirs, strict=True):
        assert np.abs(own.astype(int) - other).max() <= tolerance

    red, green, blue = np.rint(decode(ours, fmt) * fmt.peak).astype(int)
    options = f"in_color_matrix={SWSCALE[matrix]}:in_range={video_range}:out_range=pc"
    theirs = swscale(list(ours), yuv_name, rgb_name, options)
    for own, other in zip((green, blue, red), theirs, strict=True):
        assert np.abs(own - other).max() <= tolerance


@pytest.mark.parametrize(("full", "depth"), RANGES)
@pytest.mark.parametrize("matrix", SCIENCE)
def test_codes_are_those_of_colour_science(matrix, full, depth):
    colour = pytest.importorskip("colour")
    fmt = make(depth, full, matrix)
    rgb = np.random.default_rng(4).random((3, 50, 50))
    weights = colour.WEIGHTS_YCBCR[SCIENCE[matrix]]
    exact = colour.RGB_to_YCbCr(np.moveaxis(rgb, 0, -1), K=weights, out_bits=depth, out_legal=not full, out_int=True)
    for own, other in zip(encode(rgb, fmt), np.moveaxis(np.clip(exact, 0, fmt.peak), -1, 0), strict=True):
        # Full range: colour-science adds half a span, H.273 half the number of codes; they differ by half a code.
        assert np.abs(own.astype(int) - other).max() <= (1 if full else 0)


@pytest.mark.parametrize("depth", range(8, 17))
@pytest.mark.parametrize("full", [False, True])
def test_black_white_and_grey_codes(depth, full):
    fmt = make(depth, full)
    extra = depth - 8
    black, white = (0, (1 << depth) - 1) if full else (16 << extra, 235 << extra)
    np.testing.assert_array_equal(luma_to_code(np.array([0.0, 1.0]), fmt), [black, white])
    np.testing.assert_array_equal(luma_from_code(np.array([black, white]), fmt), [0, 1])
    assert chroma_to_code(np.zeros(1), fmt) == 128 << extra
    assert chroma_from_code(np.array([128 << extra]), fmt) == 0
    codes = np.arange(1 << depth)
    for to_code, from_code in ((luma_to_code, luma_from_code), (chroma_to_code, chroma_from_code)):
        back = to_code(from_code(codes, fmt), fmt)
        np.testing.assert_array_equal(back, codes)
        assert back.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert luma_to_code(np.array([9.0, -9.0]), fmt).tolist() == [(1 << depth) - 1, 0]


@pytest.mark.parametrize("matrix", MATRICES)
def test_rgb_comes_back_from_yuv(matrix):
    rgb = np.random.default_rng(5).random((1000, 3))
    yuv = rgb_to_yuv(rgb, matrix)
    np.testing.assert_allclose(yuv_to_rgb(yuv, matrix), rgb, atol=1e-12)
    corners = rgb_to_yuv(np.array(list(itertools.product([0.0, 1.0], repeat=3))), matrix)
    np.testing.assert_allclose([corners.min(0), corners.max(0)], [[0, -0.5, -0.5], [1, 0.5, 0.5]], atol=1e-12)


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("primaries", PRIMARIES)
def test_rgb_comes_back_from_lab_and_greys_stay_grey(primaries, transfer):
    fmt = make(primaries=primaries, transfer=transfer)
    rgb = np.random.default_rng(6).random((1000, 3))
    np.testing.assert_allclose(lab_to_rgb(rgb_to_lab(rgb, fmt), fmt), rgb, atol=1e-9)
    greys = rgb_to_lab(np.repeat(np.linspace(0, 1, 100)[:, None], 3, axis=1), fmt)
    np.testing.assert_allclose(greys[:, 1:], 0, atol=1e-9)
    far = np.repeat(np.linspace(-2, 3, 501)[:, None], 3, axis=1)
    for curve in (to_linear, from_linear):
        values = curve(far, transfer)[:, 0]
        assert np.isfinite(values).all() and (np.diff(values) >= 0).all()


@pytest.mark.parametrize("primaries", ["bt709", "bt2020", "p3-d65"])
def test_primaries_are_those_of_colour_science(primaries):
    colour = pytest.importorskip("colour")
    name = {"bt709": "ITU-R BT.709", "bt2020": "ITU-R BT.2020", "p3-d65": "P3-D65"}[primaries]
    space = colour.RGB_COLOURSPACES[name]
    rgb = np.random.default_rng(7).random((1000, 3))
    expected = colour.XYZ_to_Lab(rgb @ space.matrix_RGB_to_XYZ.T, colour.XYZ_to_xy(space.matrix_RGB_to_XYZ.sum(1)))
    # Published matrices are rounded to four or five digits.
    np.testing.assert_allclose(rgb_to_lab(rgb, make(primaries=primaries, transfer="linear")), expected, atol=0.05)


def test_hdr_curves_are_those_of_colour_science():
    models = pytest.importorskip("colour.models")
    signal = np.random.default_rng(8).random((500, 3))
    np.testing.assert_allclose(to_linear(signal, "pq") * 203, models.eotf_ST2084(signal), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(to_linear(signal, "hlg") * 203, models.eotf_BT2100_HLG(signal), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("depth", 7), ("matrix", "ycgco"), ("primaries", "film"), ("transfer", "log"), ("chroma_width", 3)],
)
def test_an_unknown_format_is_refused_by_name(field, value):
    fields = dict(depth=8, full_range=False, matrix="bt709", primaries="bt709", transfer="sdr")
    fields |= dict(chroma_width=2, chroma_height=2, siting="left")
    with pytest.raises(ValueError, match=field):
        YuvFormat(**fields | {field: value})
