"""`color/lab.py` for batches of torch tensors on any device: planes (…, H, W), the colour axis third from the end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidcolor.color.lab import EPSILON, KAPPA, RGB_TO_XYZ, WHITE, XYZ_TO_RGB

_LAB = np.array([[0.0, 116, 0], [500, -500, 0], [0, 200, -200]])  # CIE 15: f(X), f(Y), f(Z) → L* + 16, a*, b*
# Where curves bend into straight lines. Each piece is given what lies on its side alone, and both are added: choosing between
# them for every pixel takes as long as the curve.
_BEND, _DARK = 0.04045, 0.0031308  # of sRGB: displayed, linear
_FOOT = 6 / 29  # of the cube root of CIE 15; EPSILON is its cube
_BEYOND = 0.2  # part of linear light outside 0…1 that still counts


def srgb_to_linear(value: Tensor) -> Tensor:
    """Display values 0…1 → linear light 0…1."""
    power = value.clamp(min=_BEND).add_(0.055).mul_(1 / 1.055).pow_(2.4)
    return power.add_(value.clamp(max=_BEND).sub_(_BEND), alpha=1 / 12.92)


def _cube_root(value: Tensor) -> Tensor:
    """f of CIE 15: the cube root, continued as a straight line near 0."""
    root = value.clamp(min=EPSILON).pow_(1 / 3)
    return root.add_(value.clamp(max=EPSILON).sub_(EPSILON), alpha=KAPPA / 116)


def lightness(luminance: Tensor) -> Tensor:
    """Relative luminance Y/Yn 0…1 → L* 0…100."""
    return 116 * _cube_root(luminance) - 16


def srgb_to_lab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """sRGB 0…1 (N, 3, H, W) → L* (N, H, W) and ab (N, 2, H, W)."""
    n, _, height, width = rgb.shape
    xyz = _matrix(RGB_TO_XYZ / WHITE[:, None], rgb).expand(n, 3, 3) @ srgb_to_linear(rgb).view(n, 3, -1)
    lab = _matrix(_LAB, rgb).expand(n, 3, 3) @ _cube_root(xyz)
    lab = lab.view(n, 3, height, width)
    return lab[:, 0] - 16, lab[:, 1:]


def lab_to_srgb(light: Tensor, ab: Tensor) -> Tensor:
    """L* (N, 1, H, W) and ab (N, 2, H, W) → sRGB (N, 3, H, W), 0…1 but for a fifth of what is outside the gamut.

    So a gradient leads back into the gamut from outside it.
    """
    n, _, height, width = ab.shape
    lab = torch.cat((light + 16, ab), 1).view(n, 3, -1)
    f = _matrix(np.linalg.inv(_LAB), ab).expand(n, 3, 3) @ lab
    xyz = f.clamp(min=_FOOT) ** 3 + (f.clamp(max=_FOOT) - _FOOT) * (116 / KAPPA)
    linear = _matrix(XYZ_TO_RGB * WHITE, ab).expand(n, 3, 3) @ xyz
    inside = linear.clamp(0, 1)
    shown = 1.055 * inside.clamp(min=_DARK) ** (1 / 2.4) - 0.055 + (inside.clamp(max=_DARK) - _DARK) * 12.92
    return (shown + _BEYOND * (linear - inside)).view(n, 3, height, width)


def _matrix(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like)
