"""Filters on batches of planes (N, H, W), each picture with its own strength, on any device."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-T T.81, table K.1: how coarsely JPEG rounds each frequency of luma at quality 50.
QUANTISATION = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def blurred(planes: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur by σ (N,) pixels; at the edges only what is inside counts."""
    height, width = planes.shape[1:]
    return torch.bmm(_gaussian(height, sigma), torch.bmm(planes, _gaussian(width, sigma).mT))


def _gaussian(side: int, sigma: Tensor) -> Tensor:
    """(N, side, side): row i holds the weights of the samples around i."""
    at = torch.arange(side, device=sigma.device)
    bell = torch.exp(-at.square() / (2 * sigma.square())[:, None])  # N, side: by distance
    weight = bell[:, (at[:, None] - at).abs()]
    return weight / weight.sum(2, keepdim=True)


def smooth_field(values: Tensor, height: int, width: int) -> Tensor:
    """Values (N, h, w) on a coarse grid from edge to edge → (N, height, width), linear in between."""
    return F.interpolate(values[:, None], (height, width), mode="bilinear", align_corners=True)[:, 0]


def compressed(codes: Tensor, quality: np.ndarray) -> Tensor:
    """8-bit codes 0…255 (N, H, W), sides multiples of 8, as they come out of a JPEG of `quality` (N,), 1…100.

    Rounding frequencies is all that JPEG loses of luma. Tables are scaled as libjpeg does it.
    """
    n, height, width = codes.shape
    scale = np.where(quality < 50, 5000 // np.maximum(quality, 1), 200 - 2 * quality)
    tables = np.clip((QUANTISATION * scale[:, None, None] + 50) // 100, 1, 255)
    step = torch.from_numpy(tables.astype(np.float32)).to(codes.device)[:, None, None]
    k = np.arange(8)
    cosines = (
        np.cos((2 * k + 1) * k[:, None] * np.pi / 16) * np.where(k == 0, 0.5**0.5, 1)[:, None] / 2
    )  # DCT-II, orthonormal
    transform = torch.from_numpy(cosines.astype(np.float32)).to(codes.device)
    blocks = (codes.round() - 128).view(n, height // 8, 8, width // 8, 8).transpose(2, 3)  # N, rows, columns, 8, 8
    frequencies = transform @ blocks @ transform.mT
    blocks = transform.mT @ ((frequencies / step).round() * step) @ transform
    return (blocks.transpose(2, 3).reshape(n, height, width) + 128).round().clamp(0, 255)
