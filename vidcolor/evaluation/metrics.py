"""The metrics of pictures as pure functions. Definitions: docs/metrics.md.

Pictures are 8-bit sRGB arrays (H, W, 3); Lab arrays have the colour axis last. Every figure is a function of the two
8-bit pictures that one could look at, so any other tool can repeat it.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.lab import RGB_TO_XYZ, WHITE, srgb_to_linear, xyz_to_lab

COLOURED = 4.0  # Lab units: pictures whose truth has a lower mean chroma are near-grey and kept apart
LARGEST_AB_ERROR = 150.0  # Lab units: the last threshold of AuC (Zhang 2016, section 4.1)
SMALLEST_MSE = 1 / 12  # of 8-bit rounding
_SSIM_SIGMA, _SSIM_SIZE, _SSIM_K = 1.5, 11, (0.01, 0.03)  # Wang 2004, section III-C
_LINEAR = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
_MATRIX = (RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)


def lab_of(picture: np.ndarray) -> np.ndarray:
    """8-bit sRGB (..., 3) → CIELAB (..., 3), float32."""
    return xyz_to_lab(_LINEAR[picture] @ _MATRIX)


def psnr(truth: np.ndarray, other: np.ndarray, smallest_mse: float = 0.0) -> float:
    """10·log10(255² / MSE) in dB over all pixels and channels; infinite for equal pictures.

    Args:
        smallest_mse: what a smaller one counts as: for means, `SMALLEST_MSE`, by which equal pictures have 58.9 dB.
    """
    difference = truth.astype(np.int32) - other
    mse = max(float(np.mean(difference * difference)), smallest_mse)
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def ssim(truth: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity (Wang 2004), −1…1: per channel, mean over channels and over pixels with a whole window.

    Both pictures must be at least 11×11.
    """
    x, y = (p.astype(np.float32) - 128 for p in (truth, other))  # centred: squares keep more digits in float32
    mean_x, mean_y, xx, yy, xy = (_window(plane) for plane in (x, y, x * x, y * y, x * y))
    variances = xx - mean_x * mean_x + yy - mean_y * mean_y
    covariance = xy - mean_x * mean_y
    mean_x, mean_y = mean_x + 128, mean_y + 128
    c1, c2 = ((k * 255) ** 2 for k in _SSIM_K)
    score = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    score /= (mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2)
    return float(score.mean(dtype=np.float64))


def _window(planes: np.ndarray) -> np.ndarray:
    edge = _SSIM_SIZE // 2
    return cv2.GaussianBlur(planes, (_SSIM_SIZE, _SSIM_SIZE), _SSIM_SIGMA)[edge:-edge, edge:-edge]


def colourfulness(picture: np.ndarray) -> float:
    """Hasler & Süsstrunk 2003, equation for M³: 0 for grey, about 45 for a moderately colourful photograph."""
    r, g, b = (picture[..., i].astype(np.float64) for i in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def mean_chroma(lab: np.ndarray) -> float:
    """Mean of √(a² + b²) in Lab units."""
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean(dtype=np.float64))


def ab_errors(truth: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(RMSE, MAE) over a* and b* of two Lab arrays, in Lab units."""
    difference = (truth[..., 1:] - other[..., 1:]).astype(np.float64)
    return float(np.sqrt(np.mean(difference * difference))), float(np.abs(difference).mean())


def auc_scores(truth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What each pixel of two Lab arrays adds to AuC (Zhang 2016, section 4.1), 0…1; AuC is the (weighted) mean.

    The share of pixels with an ab error of at most t, integrated over t = 0…150 and divided by 150, is exactly the mean of
    1 − min(error, 150) / 150.
    """
    error = np.hypot(truth[..., 1] - other[..., 1], truth[..., 2] - other[..., 2])
    return 1 - np.minimum(error, LARGEST_AB_ERROR) / LARGEST_AB_ERROR


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """Fréchet distance between normal distributions fitted to two sets of features, (N, D) and (M, D), in float64.

    ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2·(C₁·C₂)^½) (Heusel 2017). With fewer samples than dimensions it is biased upwards, so
    only values of the same classifier, set and count may be compared.
    """
    first, second = (np.asarray(f, np.float64) for f in (features, others))
    c1, c2 = (np.atleast_2d(np.cov(f, rowvar=False)) for f in (first, second))
    values, vectors = np.linalg.eigh(c1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # C₁·C₂ has the eigenvalues of C₁^½·C₂·C₁^½, which is symmetric.
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ c2 @ root), 0)).sum()
    gap = first.mean(0) - second.mean(0)
    return float(gap @ gap + np.trace(c1) + np.trace(c2) - 2 * cross)
