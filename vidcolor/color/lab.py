"""sRGB (IEC 61966-2-1) and CIELAB under D65, as floats.

Arrays have the colour axis last. sRGB values are in 0…1, L* in 0…100, a* and b* in Lab units (about ±110).
"""

from __future__ import annotations

import numpy as np

# Linear sRGB → XYZ, the four digits of IEC 61966-2-1. Libraries that carry more digits differ by up to 0.02 in a*, b*.
RGB_TO_XYZ = np.array(
    [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
WHITE = RGB_TO_XYZ.sum(1)  # the XYZ of R = G = B = 1: so every grey has a* = b* = 0 exactly
EPSILON = 216 / 24389  # CIE 15: (6/29)³
KAPPA = 24389 / 27  # CIE 15: (29/3)³


def srgb_to_linear(value: np.ndarray) -> np.ndarray:
    """Display values 0…1 → linear light 0…1."""
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: np.ndarray) -> np.ndarray:
    """Linear light 0…1 → display values 0…1. Negative light is continued linearly."""
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0) ** (1 / 2.4) - 0.055)


def lightness(luminance: np.ndarray) -> np.ndarray:
    """Relative luminance Y/Yn 0…1 → L* 0…100 (CIE 15)."""
    return np.where(luminance > EPSILON, 116 * np.cbrt(luminance) - 16, KAPPA * luminance)


def luminance(lightness: np.ndarray) -> np.ndarray:
    """L* 0…100 → relative luminance Y/Yn 0…1, the inverse of `lightness`."""
    return np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / KAPPA)


def xyz_to_lab(xyz: np.ndarray) -> np.ndarray:
    """XYZ relative to `WHITE` (each component 1 for white) → Lab."""
    f = np.where(xyz > EPSILON, np.cbrt(xyz), (KAPPA * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


def lab_to_xyz(lab: np.ndarray) -> np.ndarray:
    """Lab → XYZ relative to `WHITE`, the inverse of `xyz_to_lab`."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack((y + lab[..., 1] / 500, y, y - lab[..., 2] / 200), -1)
    return np.where(f > 6 / 29, f**3, (116 * f - 16) / KAPPA)


def srgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB 0…1, (..., 3) → Lab, (..., 3)."""
    matrix = (RGB_TO_XYZ / WHITE[:, None]).T.astype(rgb.dtype)
    return xyz_to_lab(srgb_to_linear(rgb) @ matrix)


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Lab (..., 3) → sRGB (..., 3), not clipped: values outside 0…1 are outside the gamut."""
    matrix = (XYZ_TO_RGB * WHITE[None, :]).T.astype(lab.dtype)
    return linear_to_srgb(lab_to_xyz(lab) @ matrix)
