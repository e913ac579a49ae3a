"""The metrics of pictures as pure functions. Definitions: docs/metrics.md.

Pictures are 8-bit sRGB arrays (H, W, 3).
"""

from __future__ import annotations

import numpy as np


def psnr(truth: np.ndarray, other: np.ndarray) -> float:
    """10·log10(255² / MSE) in dB over all pixels and channels; infinite for equal pictures."""
    mse = np.mean((truth.astype(np.float64) - other) ** 2)
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def colourfulness(picture: np.ndarray) -> float:
    """Hasler & Süsstrunk 2003, equation for M³: 0 for grey, about 45 for a moderately colourful photograph."""
    r, g, b = (picture[..., i].astype(np.float64) for i in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))
