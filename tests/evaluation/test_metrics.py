"""Every metric of docs/metrics.md against an implementation that shares no code with ours."""

import colour
import numpy as np
import pytest
from scipy.linalg import sqrtm
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from synthetic import grey_pictures, photograph

from vidcolor.evaluation import metrics
from vidcolor.evaluation.ciede2000 import delta_e
from vidcolor.evaluation.piqe import piqe
from vidcolor.evaluation.prior import MEAN_AB, rarity_weights

PAIRS = [
    (photograph(1), photograph(2)),
    (photograph(3), photograph(3, colour=0)),
    (photograph(4), photograph(4, colour=0.6)),
    (photograph(5, 33, 47), photograph(6, 33, 47)),
]


@pytest.mark.parametrize(("truth", "other"), PAIRS)
def test_psnr_is_scikit_images(truth, other):
    assert metrics.psnr(truth, other) == pytest.approx(peak_signal_noise_ratio(truth, other, data_range=255), abs=1e-9)


def test_psnr_of_equal_pictures_is_infinite():
    assert metrics.psnr(PAIRS[0][0], PAIRS[0][0]) == float("inf")


@pytest.mark.parametrize(("truth", "other"), PAIRS)
def test_ssim_is_scikit_images(truth, other):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "K1": 0.01, "K2": 0.03}
    expected = structural_similarity(truth, other, data_range=255, channel_axis=-1, **options)
    assert metrics.ssim(truth, other) == pytest.approx(expected, abs=1e-5)


def test_lab_is_colour_sciences_and_scikit_images():
    picture = photograph(8)
    expected = colour.XYZ_to_Lab(
        colour.sRGB_to_XYZ(picture / 255), colour.CCS_ILLUMINANTS["CIE 1931 2 Degree Standard Observer"]["D65"]
    )
    # Ours takes white as R = G = B = 1, which moves a* and b* by up to 0.02 (vidcolor/color/lab.py).
    assert np.abs(metrics.lab_of(picture) - expected).max() < 0.03
    assert np.abs(metrics.lab_of(picture) - rgb2lab(picture)).max() < 0.03


@pytest.mark.parametrize(("truth", "other"), PAIRS)
def test_ciede2000_is_colour_sciences_and_scikit_images(truth, other):
    first, second = (metrics.lab_of(p).astype(np.float64) for p in (truth, other))
    ours = delta_e(first, second)
    assert np.abs(ours - colour.delta_E(first, second, method="CIE 2000")).max() < 1e-3
    assert np.abs(ours - deltaE_ciede2000(first, second)).max() < 1e-3


# Sharma, Wu & Dalal 2005, table 1: pairs chosen for the discontinuities, with the difference to four digits.
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_ciede2000_of_the_published_pairs(first, second, expected):
    assert delta_e(np.array(first), np.array(second)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("picture", [photograph(1), photograph(2, colour=0.3), photograph(3, colour=0)])
def test_colourfulness_is_the_formula(picture):
    rg = [float(r) - float(g) for r, g, _ in picture.reshape(-1, 3)]
    yb = [0.5 * (float(r) + float(g)) - float(b) for r, g, b in picture.reshape(-1, 3)]
    mean = [sum(v) / len(v) for v in (rg, yb)]
    variance = [sum((x - m) ** 2 for x in v) / len(v) for v, m in zip((rg, yb), mean, strict=True)]
    expected = sum(variance) ** 0.5 + 0.3 * (mean[0] ** 2 + mean[1] ** 2) ** 0.5
    assert metrics.colourfulness(picture) == pytest.approx(expected, abs=1e-9)


def test_ab_errors_are_the_formula():
    truth, other = (metrics.lab_of(p) for p in PAIRS[0])
    rmse, mae = metrics.ab_errors(truth, other)
    gap = (truth.astype(np.float64) - other)[..., 1:].ravel()
    assert rmse == pytest.approx(np.linalg.norm(gap) / np.sqrt(gap.size), rel=1e-6)
    assert mae == pytest.approx(np.linalg.norm(gap, 1) / gap.size, rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("truth", "other"), PAIRS)
def test_auc_is_the_area_under_the_counted_curve(truth, other, weighted):
    truth, other = (metrics.lab_of(p).astype(np.float64) for p in (truth, other))
    weights = rarity_weights(truth).astype(np.float64) if weighted else np.ones(truth.shape[:2])
    error = np.sqrt(((truth - other)[..., 1:] ** 2).sum(-1))
    thresholds = np.linspace(0, 150, 3001)
    curve = [weights[error <= t].sum() / weights.sum() for t in thresholds]
    expected = np.trapezoid(curve, thresholds) / 150
    assert np.average(metrics.auc_scores(truth, other), weights=weights) == pytest.approx(expected, abs=2e-4)


def test_rare_colours_weigh_more():
    def weight(a, b):
        return float(rarity_weights(np.array([50.0, a, b])))

    assert weight(*MEAN_AB) < weight(30, 30) < weight(70, 60)
    assert weight(0, 0) == pytest.approx(1 / 0.22, rel=0.25)  # 27 % of pixels, spread a little over its neighbours
    assert weight(500, -500) == 1e6  # outside the table: as rare as can be, no error


@pytest.mark.parametrize(("samples", "dimensions"), [(400, 12), (20, 48)])
def test_frechet_distance_is_the_formula_with_scipys_square_root(samples, dimensions):
    rng = np.random.default_rng(3)
    mix = rng.normal(size=(dimensions, dimensions))
    first = rng.normal(size=(samples, dimensions)) @ mix
    second = rng.normal(size=(samples + 7, dimensions)) * 1.3 + 0.4
    c1, c2 = np.cov(first.T), np.cov(second.T)
    gap = first.mean(0) - second.mean(0)
    root = sqrtm(c1 @ c2)
    expected = gap @ gap + np.trace(c1 + c2 - 2 * np.real(root))
    assert metrics.frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)
    assert metrics.frechet_distance(first, first) == pytest.approx(0, abs=1e-6 * np.trace(c1))


# Made once with pypiqe 1.2 (PyPI), a port of MATLAB's function by others.
PYPIQE = {
    "noise": 81.263014,
    "smooth": 62.574755,
    "waves": 100.0,
    "noisy waves": 2.699772,
    "ramp": 10.677786,
    "blocks": 81.185643,
    "mixed": 53.290688,
}


@pytest.mark.parametrize(("name", "picture"), grey_pictures().items(), ids=PYPIQE)
def test_piqe_is_pypiqes(name, picture):
    assert piqe(picture) == pytest.approx(PYPIQE[name], abs=1e-5)


def test_piqe_of_nothing_is_the_worst():
    """MATLAB's documentation: a uniform picture scores 100."""
    assert piqe(np.full((64, 64, 3), 90, np.uint8)) == 100


def test_piqe_pads_by_repeating_the_edge_and_weighs_luminance():
    """MATLAB pads by replication, where pypiqe mirrors; MATLAB's rgb2gray has the weights 0.2989, 0.5870, 0.1140."""
    picture = photograph(9, 90, 121)
    grey = np.rint(picture.astype(np.float64) @ [0.2989, 0.5870, 0.1140])
    assert piqe(picture) == piqe(grey)
    assert piqe(picture) == piqe(np.pad(picture, ((0, 6), (0, 7), (0, 0)), mode="edge"))
