"""Which Cb, Cr give a luma the colour a*, b*: solved once per kind of format, then looked up.

Video keeps luma Y' apart, Lab keeps L* apart, and a colour added to a luma changes its L* a little. For every
(Y', a*, b*) there is one L* at which the colour's own Y' is the given one, and with it Cb and Cr. Where that colour
does not fit into R'G'B' 0…1, its chroma is reduced at constant hue and constant Y' until it does.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import cv2
import numpy as np

from vidcolor.color.yuv import YuvFormat, lab_to_rgb, rgb_to_lab, rgb_to_yuv

LIMIT = 128.0  # |a*| and |b*| that the table reaches
_STEPS = 32  # cells of the table from 0 to LIMIT, evenly in √|a*| and √|b*|: finest where dark colours end
_SIDE = 2 * _STEPS + 1
_LEVELS = 65  # of Y', 0 to 1
_HUES = 192
_BISECTIONS = 16  # of √L*: 0.004 of L* at white in SDR, less towards black, where HDR curves are steep
_HALVINGS = 12  # of chroma: 1/4096 of the largest
_TOLERANCE = 1e-3  # of R'G'B' outside 0…1: a quarter of an 8-bit code
_ONE_AT_A_TIME = threading.Lock()


class ChromaTable:
    """Cb, Cr as a function of (Y', a*, b*): trilinear interpolation in a table of 2 MB, shared between instances."""

    def __init__(self, fmt: YuvFormat) -> None:
        with _ONE_AT_A_TIME:  # so that who comes second waits for the first one's
            self._table = _table(fmt.matrix, fmt.primaries, fmt.transfer)

    def chroma(self, luma: np.ndarray, ab: np.ndarray) -> np.ndarray:
        """Normalised luma (h, w) and ab (2, h, w), float32 → normalised Cb and Cr (h, w, 2), float32, in gamut.

        Greys give exactly 0. Colours beyond `LIMIT` are taken back to it at constant hue; luma to 0…1.
        """
        size = np.abs(ab)
        size /= np.maximum(size.max(0), LIMIT)
        across, down = np.copysign(np.sqrt(size) * _STEPS, ab) + _STEPS
        level = np.clip(luma, 0, 1) * (_LEVELS - 1)
        below = np.minimum(np.floor(level), _LEVELS - 2)
        down += below * _SIDE
        lower = cv2.remap(self._table, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        down += _SIDE
        upper = cv2.remap(self._table, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return lower + (upper - lower) * (level - below)[..., None]


def solve(luma: np.ndarray, a: np.ndarray, b: np.ndarray, fmt: YuvFormat) -> tuple[np.ndarray, np.ndarray]:
    """Normalised luma, a*, b*, each (n,) → R'G'B' (n, 3) of that luma and colour, and its normalised Y'CbCr (n, 3).

    √L* is bisected between 0 and that of the brightest colour: Y' rises with L*, but too unevenly for Newton steps.
    The result is not clipped; where no L* has the luma asked for, it is outside 0…1.
    """
    low = np.zeros_like(luma)
    high = np.full_like(luma, np.sqrt(1.2 * rgb_to_lab(np.ones((1, 3)), fmt)[0, 0]))
    for _ in range(_BISECTIONS):
        root = (low + high) / 2
        rgb = lab_to_rgb(np.stack((root * root, a, b), -1), fmt)
        yuv = rgb_to_yuv(rgb, fmt.matrix)
        above = yuv[:, 0] > luma
        low, high = np.where(above, low, root), np.where(above, root, high)
    return rgb, yuv


def _largest_chroma(luma: np.ndarray, hue: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Normalised luma and hue in radians, each (n,) → the largest Lab chroma that fits into R'G'B' 0…1."""
    low, high = np.zeros_like(luma), np.full_like(luma, LIMIT * np.sqrt(2))
    for _ in range(_HALVINGS):
        chroma = (low + high) / 2
        rgb, yuv = solve(luma, chroma * np.cos(hue), chroma * np.sin(hue), fmt)
        fits = ((rgb >= -_TOLERANCE) & (rgb <= 1 + _TOLERANCE)).all(1) & (np.abs(yuv[:, 0] - luma) < _TOLERANCE)
        low, high = np.where(fits, chroma, low), np.where(fits, high, chroma)
    return low


@lru_cache(maxsize=8)
def _table(matrix: str, primaries: str, transfer: str) -> np.ndarray:
    """Cb, Cr at every (Y', b*, a*) of the grid, float32 (_LEVELS * _SIDE, _SIDE, 2), read-only."""
    fmt = YuvFormat(8, True, matrix, primaries, transfer, 1, 1, "center")
    levels = np.linspace(0, 1, _LEVELS, dtype=np.float32)
    hues = np.linspace(-np.pi, np.pi, _HUES + 1, dtype=np.float32)
    grid = np.meshgrid(levels, hues, indexing="ij")
    level, hue = (axis.ravel() for axis in grid)
    largest = _largest_chroma(level, hue, fmt)
    border = solve(level, largest * np.cos(hue), largest * np.sin(hue), fmt)[1][:, 1:].reshape(*grid[0].shape, 2)
    largest = largest.reshape(grid[0].shape)

    side = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    side *= np.abs(side) * LIMIT
    b, a = np.meshgrid(side, side, indexing="ij")
    a, b = a.ravel(), b.ravel()
    chroma, hue = np.hypot(a, b), np.arctan2(b, a)
    table = np.empty((_LEVELS, _SIDE * _SIDE, 2), np.float32)
    for level, limit, edge, out in zip(levels, largest, border, table, strict=True):
        out[:] = np.stack([np.interp(hue, hues, axis) for axis in edge.T], -1)
        fits = chroma < np.interp(hue, hues, limit)
        out[fits] = solve(np.full(fits.sum(), level), a[fits], b[fits], fmt)[1][:, 1:]
    table[[0, -1]] = 0  # black and white carry no colour
    table[:, chroma == 0] = 0
    table = table.reshape(_LEVELS * _SIDE, _SIDE, 2)
    table.flags.writeable = False
    return table
