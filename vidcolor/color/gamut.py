"""Keeping colours displayable: chroma is reduced towards grey at constant L* and hue until RGB fits in 0…1."""

from __future__ import annotations

import numpy as np

from vidcolor.color.lab import lab_to_srgb

_TOLERANCE = 1e-4  # of the display range: far below half an 8-bit code
_HALVINGS = 12  # leaves the chroma within 1/4096 of the boundary


def _fits(rgb: np.ndarray) -> np.ndarray:
    return ((rgb >= -_TOLERANCE) & (rgb <= 1 + _TOLERANCE)).all(-1)


def reduce_chroma(lab: np.ndarray) -> np.ndarray:
    """Lab (..., 3) → Lab (..., 3) inside sRGB's gamut: L* and hue kept, chroma the largest that fits (by bisection)."""
    result = np.array(lab)
    flat = result.reshape(-1, 3)
    outside = np.flatnonzero(~_fits(lab_to_srgb(flat)))
    if outside.size:
        colours = flat[outside]
        low, high = np.zeros(len(colours), lab.dtype), np.ones(len(colours), lab.dtype)
        trial = colours.copy()
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            trial[:, 1:] = colours[:, 1:] * middle[:, None]
            inside = _fits(lab_to_srgb(trial))
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        flat[outside, 1:] = colours[:, 1:] * low[:, None]
    return result


def lab_to_srgb8(lab: np.ndarray) -> np.ndarray:
    """Lab (..., 3) → 8-bit sRGB (..., 3), the gamut kept by `reduce_chroma`."""
    rgb = lab_to_srgb(reduce_chroma(lab))
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
