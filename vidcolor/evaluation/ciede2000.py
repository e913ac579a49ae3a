"""The colour difference CIEDE2000 (CIE 142-2001; Sharma, Wu & Dalal 2005, whose equation numbers are given)."""

from __future__ import annotations

import numpy as np

_25_7 = 25.0**7


def delta_e(lab1: np.ndarray, lab2: np.ndarray) -> np.ndarray:
    """ΔE00 between Lab arrays (..., 3), with kL = kC = kH = 1; about 1 is just noticeable. Shape (...)."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(lab), -1, 0) for lab in (lab1, lab2))
    chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(chroma7 / (chroma7 + _25_7))  # 1 + G, (4)
    a1, a2 = a1 * stretch, a2 * stretch  # (5)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)  # (6)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)  # (7), in −π…π
    coloured = c1 * c2 != 0
    turn = np.where(coloured, np.remainder(h2 - h1 + np.pi, 2 * np.pi) - np.pi, 0)  # (10), the shorter way round
    difference_h = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)  # (11)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2  # (12), (13)
    mean_h = np.where(coloured, h1 + turn / 2, h1 + h2)  # (14); only its cosines and one distance are used
    return _weighted(l2 - l1, c2 - c1, difference_h, mean_l, mean_c, mean_h)


def _weighted(
    dl: np.ndarray, dc: np.ndarray, dh: np.ndarray, l: np.ndarray, c: np.ndarray, h: np.ndarray
) -> np.ndarray:
    """The differences of lightness, chroma and hue, each over its tolerance at mean lightness, chroma and hue (radians)."""
    t = 1 - 0.17 * np.cos(h - np.pi / 6) + 0.24 * np.cos(2 * h)  # (15)
    t += 0.32 * np.cos(3 * h + np.pi / 30) - 0.20 * np.cos(4 * h - 63 * np.pi / 180)
    from_blue = np.remainder(h - 275 * np.pi / 180 + np.pi, 2 * np.pi) - np.pi
    rotation = np.pi / 3 * np.exp(-((from_blue / (25 * np.pi / 180)) ** 2))  # 2·Δθ, (16)
    chroma7 = c**7
    crossing = -2 * np.sqrt(chroma7 / (chroma7 + _25_7)) * np.sin(rotation)  # (17), (21)
    offset = (l - 50) ** 2
    dl = dl / (1 + 0.015 * offset / np.sqrt(20 + offset))  # (18)
    dc = dc / (1 + 0.045 * c)  # (19)
    dh = dh / (1 + 0.015 * c * t)  # (20)
    return np.sqrt(np.maximum(dl * dl + dc * dc + dh * dh + crossing * dc * dh, 0))  # (22)
