"""Colour given to a film: exact where it must be, inside the gamut, following luma's edges but not its grain."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import av
import cv2
import numpy as np
import pytest

from vidcolor.color.chroma import ChromaMerger, chroma_sited_luma, colour_slope, yuv_to_lab
from vidcolor.color.lab import lab_to_srgb
from vidcolor.color.solve import ChromaTable
from vidcolor.color.yuv import (
    SITINGS,
    TRANSFERS,
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

SHAPES = [(1, 1), (2, 2), (1, 7), (5, 3), (33, 18), (143, 175)]
SUBSAMPLINGS = [(1, 1), (2, 1), (2, 2), (4, 1)]


def make(depth=8, full=False, subsampling=(2, 2), siting="left", matrix="bt709", transfer="sdr"):
    return YuvFormat(depth, full, matrix, "bt709", transfer, *subsampling, siting)


def noise(fmt, shape, seed=0):
    return np.random.default_rng(seed).integers(0, fmt.peak + 1, shape).astype(fmt.dtype)


def some_ab(size=(18, 20), spread=40, seed=0):
    return np.random.default_rng(seed).normal(0, spread, (2, *size)).astype(np.float32)


def to_rgb(luma, u, v, fmt):
    yuv = np.stack((luma, chroma_from_code(u, fmt), chroma_from_code(v, fmt)), -1)
    return yuv_to_rgb(yuv, fmt.matrix)


def decode(path, count):
    """Some frames of a clip as (y, u, v), and their format as an untagged film's is understood."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        width, height = stream.width, stream.height
        subsampling = (1, 1) if "444" in stream.pix_fmt else (2, 2)
        fmt = make(subsampling=subsampling, matrix="bt709" if height >= 720 else "bt601")
        frames = [
            [np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width].copy() for p in frame.planes]
            for frame in itertools.islice(container.decode(stream), 0, 30 * count, 30)
        ]
    return frames, fmt, width, height


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_no_colour_is_exactly_grey(depth, full, subsampling):
    for shape, siting in itertools.product(SHAPES, SITINGS):
        fmt = make(depth, full, subsampling, siting)
        y = noise(fmt, shape)
        for saturation, ab in ((0, some_ab()), (1, np.zeros((2, 9, 11), np.float32))):
            for plane in ChromaMerger(fmt, shape[1], shape[0], saturation).planes(y, ab):
                assert (plane == 1 << (depth - 1)).all()


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_any_colour_on_any_luma_stays_in_gamut(depth, full, subsampling):
    for shape, siting, grid in itertools.product(SHAPES, SITINGS, [(18, 20), (1, 1), (200, 200)]):
        fmt = make(depth, full, subsampling, siting)
        y = noise(fmt, shape)
        before = y.copy()
        planes = ChromaMerger(fmt, shape[1], shape[0], saturation=2).planes(y, some_ab(grid, spread=60))
        np.testing.assert_array_equal(y, before)
        for plane in planes:
            assert plane.dtype == y.dtype
            assert plane.shape == (-(-shape[0] // subsampling[1]), -(-shape[1] // subsampling[0]))
        luma = np.clip(luma_from_code(chroma_sited_luma(y, fmt), fmt), 0, 1)
        rgb = to_rgb(luma, *planes, fmt)
        assert max(plane.max() for plane in planes) <= fmt.peak
        rounding = 1 / fmt.chroma_span + 1e-5  # half a code, times the largest coefficient, 1.86
        assert rgb.min() > -rounding and rgb.max() < 1 + rounding
        assert any((plane != fmt.mid).any() for plane in planes) or shape == (1, 1)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_the_colour_asked_for_is_shown(depth, matrix):
    fmt = make(depth, matrix=matrix, subsampling=(1, 1))
    rng = np.random.default_rng(4)
    for _ in range(20):
        rgb = rng.uniform(0.1, 0.9, 3)
        wanted = rgb_to_lab(rgb, fmt)[1:]
        code = luma_to_code(rgb_to_yuv(rgb, matrix)[0], fmt)
        y = np.full((40, 60), code, fmt.dtype)
        u, v = ChromaMerger(fmt, 60, 40).planes(y, np.full((2, 8, 12), wanted[:, None, None], np.float32))
        assert np.ptp(u) == 0 and np.ptp(v) == 0
        shown = rgb_to_lab(to_rgb(luma_from_code(y[0, 0], fmt), u[0, 0], v[0, 0], fmt), fmt)[1:]
        # Half an 8-bit code of Cb is up to 0.9 of b*, more where colours are dark; the table adds a tenth of a code.
        assert np.abs(shown - wanted).max() < (2.5 if depth == 8 else 1.5)
        assert np.abs(yuv_to_lab(y, u, v, fmt, (1, 1))[0, 0, 1:] - shown).max() < 1e-3


def test_saturation_multiplies():
    fmt = make(16, subsampling=(1, 1))
    y = np.full((8, 8), 33000, fmt.dtype)
    ab = np.full((2, 4, 4), 10, np.float32)
    doubled = ChromaMerger(fmt, 8, 8, saturation=2).planes(y, ab)
    for one, other in zip(doubled, ChromaMerger(fmt, 8, 8).planes(y, 2 * ab), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (doubled[1] > ChromaMerger(fmt, 8, 8).planes(y, ab)[1]).all()


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_the_table_holds_luma_and_colour(transfer):
    fmt = make(transfer=transfer)
    rng = np.random.default_rng(5)
    lab = np.stack((rng.uniform(5, 95, 40000), *rng.normal(0, 25, (2, 40000))), -1)
    rgb = lab_to_rgb(lab, fmt)
    inside = ((rgb > 0) & (rgb < 1)).all(1)
    yuv = rgb_to_yuv(rgb[inside], fmt.matrix).astype(np.float32)
    ab = np.ascontiguousarray(lab[inside, 1:].T.astype(np.float32))
    chroma = ChromaTable(fmt).chroma(yuv[None, :20000, 0], ab[:, None, :20000])[0]
    error = np.abs(chroma - yuv[:20000, 1:]) * 224
    assert error.mean() < 0.15 and np.quantile(error, 0.98) < 1


def test_colours_out_of_gamut_keep_their_hue():
    fmt = make(matrix="bt709")
    rng = np.random.default_rng(6)
    luma = rng.uniform(0.1, 0.9, (1, 5000)).astype(np.float32)
    hue = rng.uniform(-np.pi, np.pi, (1, 5000))
    ab = (110 * np.stack((np.cos(hue), np.sin(hue)))).astype(np.float32)
    chroma = ChromaTable(fmt).chroma(luma, ab)
    rgb = yuv_to_rgb(np.concatenate((luma[..., None], chroma), -1), "bt709")
    assert rgb.min() > -0.02 and rgb.max() < 1.02
    lab = rgb_to_lab(np.clip(rgb, 0, 1), fmt)
    turn = (np.arctan2(lab[..., 2], lab[..., 1]) - hue + np.pi) % (2 * np.pi) - np.pi
    assert np.quantile(np.abs(np.degrees(turn)), 0.95) < 3
    on_border = np.minimum(rgb.min(-1), 1 - rgb.max(-1))
    assert np.quantile(on_border, 0.95) < 0.03  # no more is taken away than the gamut asks for


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_greys_black_white_and_what_is_beyond_them_have_no_chroma_at_all(transfer):
    table = ChromaTable(make(transfer=transfer))
    luma = np.linspace(-0.2, 1.3, 301, dtype=np.float32)[None]
    assert not table.chroma(luma, np.zeros((2, 1, 301), np.float32)).any()
    chroma = table.chroma(luma, np.full((2, 1, 301), 40, np.float32))
    assert (chroma.any(-1) == ((luma > 0) & (luma < 1))).all()


def test_colours_beyond_the_table_are_taken_back_at_their_hue():
    table, luma = ChromaTable(make()), np.full((1, 3), 0.4, np.float32)
    beyond = np.float32([[300, -384, 60], [-75, 96, 240]])[:, None]
    inside = np.float32([[128, -128, 32], [-32, 32, 128]])[:, None]
    assert np.abs(table.chroma(luma, beyond) - table.chroma(luma, inside)).max() < 1e-6


@pytest.mark.parametrize("fill", [0, 15, 16, 235, 236, 255])
def test_black_and_white_carry_no_colour(fill):
    y = np.full((48, 64), 120, np.uint8)
    y[:, 32:] = fill
    u, v = ChromaMerger(make(), 64, 48).planes(y, np.full((2, 6, 8), 60, np.float32))
    assert (u[:, 17:] == 128).all() and (v[:, 17:] == 128).all()
    assert (v[:, :14] > 150).all()


def test_colour_ends_where_luma_does():
    """A network's answer is blurred over the edge of a blue and an orange field; bilinear enlarging leaves it so."""
    fmt = make()
    lab = np.array([[35, 20, -45], [70, 15, 45]], np.float32)
    yuv = rgb_to_yuv(lab_to_srgb(lab), "bt709")
    field = np.zeros((288, 512), int)
    field[:, 250:] = 1
    y = luma_to_code(yuv[:, 0], fmt)[field]
    truth = chroma_to_code(yuv[:, 1], fmt)[field[::2, ::2]].astype(int)
    grid = np.stack([cv2.resize(lab[field, i], (64, 36), interpolation=cv2.INTER_AREA) for i in (1, 2)])
    grid = np.stack([cv2.GaussianBlur(plane, (0, 0), 1) for plane in grid])
    u, _ = ChromaMerger(fmt, 512, 288).planes(y, grid)
    luma = cv2.resize(yuv[field, 0].astype(np.float32), (64, 36), interpolation=cv2.INTER_AREA)
    small = ChromaTable(fmt).chroma(luma, grid)
    plain = cv2.resize(small[..., 0], (256, 144), interpolation=cv2.INTER_LINEAR) * 224 + 128
    near = np.s_[:, 115:135]
    assert np.abs(u - truth)[near].mean() < 0.75 * np.abs(plain - truth)[near].mean()
    assert np.abs(u - truth)[:, :100].max() <= 1 and np.abs(u - truth)[:, 150:].max() <= 1


@pytest.mark.parametrize("spread", [0, 12])
def test_grain_stays_out_of_chroma(spread):
    """Neither an even colour nor one that changes from place to place takes on the grain of the luma."""
    rng = np.random.default_rng(7)
    grain = cv2.GaussianBlur(rng.normal(0, 12, (720, 960)).astype(np.float32), (0, 0), 0.8)
    y = np.clip(np.rint(120 + grain), 0, 255).astype(np.uint8)
    assert y.std() > 3.5
    ab = np.stack([cv2.GaussianBlur(plane, (0, 0), 2) for plane in some_ab((72, 96), spread * 7)]) + 25
    merger = ChromaMerger(make(), 960, 720)
    smooth = merger.planes(np.full_like(y, 120), ab)
    for plane, clean in zip(merger.planes(y, ab), smooth, strict=True):
        assert (plane.astype(float) - clean).std() < 0.6


@pytest.mark.parametrize("siting", SITINGS)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_guiding_luma_lies_where_chroma_samples_do(siting, subsampling):
    fmt = make(16, subsampling=subsampling, siting=siting)
    across, down = np.meshgrid(np.arange(40), np.arange(24))
    y = (1000 + 64 * across + 2000 * down).astype(np.uint16)
    x = np.arange(40 // subsampling[0]) * subsampling[0] + (0 if siting != "center" else (subsampling[0] - 1) / 2)
    z = np.arange(24 // subsampling[1]) * subsampling[1] + (0 if siting == "topleft" else (subsampling[1] - 1) / 2)
    expected = 1000 + 64 * x[None] + 2000 * z[:, None]
    inner = np.s_[1:-1, 1:-1]
    assert np.abs(chroma_sited_luma(y, fmt)[inner] - expected[inner]).max() <= 1


@pytest.mark.parametrize(
    ("subsampling", "siting", "expected"),
    [
        ((2, 2), "center", [120, 40, 100]),  # (100 + 140) / 2, and so on; the last column stands for what is beyond
        ((2, 2), "left", [110, 70, 80]),  # (100 + 2·100 + 140) / 4, (140 + 2·60 + 20) / 4, (20 + 2·100 + 100) / 4
        ((2, 2), "topleft", [110, 70, 80]),
        ((4, 1), "center", [80, 100]),
        ((4, 1), "left", [105, 75]),  # of 100 100 100 140 and 100 100 140 60; of 60 20 100 100 and 20 100 100 100
    ],
)
def test_guiding_luma_at_the_edges_goes_on_as_it_ends(subsampling, siting, expected):
    fmt = make(subsampling=subsampling, siting=siting)
    y = np.array([100, 140, 60, 20, 100], np.uint8)[None].repeat(7, 0)
    assert np.abs(chroma_sited_luma(y, fmt).astype(float) - expected).max() <= 1
    if siting == "topleft":
        assert np.abs(chroma_sited_luma(y.T.copy(), fmt).T.astype(float) - expected).max() <= 1


@pytest.mark.parametrize("siting", SITINGS)
@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_a_flat_picture_is_flat_up_to_its_edges(siting, subsampling):
    for shape in SHAPES:
        assert (chroma_sited_luma(np.full(shape, 200, np.uint8), make(8, False, subsampling, siting)) == 200).all()


def test_colour_follows_luma_up_to_the_edges_of_the_picture():
    """Colour is 0.3 + luma / 2; luma varies by 1/12, to which grain's 0.0016 is added."""
    luma = np.random.default_rng(8).random((36, 64), np.float32)
    slope = colour_slope(luma, np.stack((0.3 + luma / 2, 0.3 - luma / 2), -1))
    assert slope[..., 0].min() > 0.43 and slope[..., 1].max() < -0.43
    assert np.abs(slope).max() <= 0.5


def test_a_grid_finer_than_chroma_is_averaged():
    """For each chroma sample there are four columns of colours: 40, 0, 0, 40."""
    columns = np.tile(np.float32([40, 0, 0, 40]), (2, 96, 32))
    merger, y = ChromaMerger(make(16), 64, 48), np.full((48, 64), 30000, np.uint16)
    for even, mixed in zip(merger.planes(y, np.full_like(columns, 20)), merger.planes(y, columns), strict=True):
        assert np.ptp(mixed) == 0 and abs(int(mixed[0, 0]) - int(even[0, 0])) < 0.1 * abs(int(even[0, 0]) - 32768)


def test_threads_and_repetition_change_nothing():
    fmt = make()
    frames = [(noise(fmt, (96, 128), seed), some_ab(seed=seed)) for seed in range(24)]

    def work(_):
        merger = ChromaMerger(fmt, 128, 96)
        return [merger.planes(*frame) for frame in frames]

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(work, range(4))
    backwards = ChromaMerger(fmt, 128, 96)
    others.append([backwards.planes(*frame) for frame in reversed(frames)][::-1])
    for other in others:
        np.testing.assert_array_equal(np.array(other), np.array(first))


def test_a_plane_of_another_size_is_refused():
    with pytest.raises(ValueError, match="480×640"):
        ChromaMerger(make(), 640, 480).planes(np.zeros((240, 320), np.uint8), some_ab())


def round_trip(frames, fmt, width, height, size):
    """Mean |ΔU|, |ΔV| in codes after U, V → ab on a grid → U, V, over pixels whose truth is in gamut."""
    merger = ChromaMerger(fmt, width, height)
    errors = []
    for y, u, v in frames:
        rgb = to_rgb(luma_from_code(chroma_sited_luma(y, fmt), fmt), u, v, fmt)
        inside = ((rgb >= 0) & (rgb <= 1)).all(-1)
        merged = merger.planes(y, np.ascontiguousarray(yuv_to_lab(y, u, v, fmt, size)[..., 1:].transpose(2, 0, 1)))
        errors.append([np.abs(m.astype(int) - t)[inside].mean() for m, t in zip(merged, (u, v), strict=True)])
    return np.mean(errors, 0)


def test_a_colour_film_gets_its_own_colours_back(samples):
    frames, fmt, width, height = decode(samples / "film_truth.mp4", 4)
    assert (round_trip(frames, fmt, width, height, fmt.chroma_size(width, height)) < 0.3).all()
    network = round(72 * width / height), 72
    assert (round_trip(frames, fmt, width, height, network) < 2).all()
    assert min(np.abs(np.stack(frame[1:]).astype(int) - 128).mean() for frame in frames) > 2  # it has colours


@pytest.mark.parametrize("clip", ["col_bikes_cuts", "col_cockatoo_444", "col_party_hedge", "col_yoga_sky"])
def test_real_clips_get_their_own_colours_back(shared_data, clip):
    path = shared_data / "video" / f"{clip}.mp4"
    if not path.exists():
        pytest.skip(f"no {path.name}")
    frames, fmt, width, height = decode(path, 2)
    assert (round_trip(frames, fmt, width, height, fmt.chroma_size(width, height)) < 0.3).all()
    assert (round_trip(frames, fmt, width, height, (round(72 * width / height), 72)) < 2).all()
