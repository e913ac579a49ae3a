"""The metrics of films as pure functions. Definitions: docs/metrics.md, "Films".

They take one shot. Luma is a list of (h, w) uint8, ab of (2, h, w) float32 in Lab units on the grid of luma, pictures of
(h, w, 3) uint8 sRGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

CDC_STEPS = (1, 2, 4)  # frames
STEADY_FLOW = 1.0  # pixels: the forward-backward error that a pixel may have to count for chroma flicker
STEADY_LUMA = 0.03 * 255  # 8-bit codes: the difference from the warped luma that it may have


class Motion(NamedTuple):
    """From a frame to the one before it: where each pixel was, and which pixels may be compared."""

    positions: np.ndarray  # (h, w, 2) float32, x and y in the earlier frame
    steady: np.ndarray  # (h, w) bool: forward-backward error below 1 px and luma within 3 %
    visible: np.ndarray  # (h, w) bool: not occluded and no motion boundary (Ruder 2016, equations 5 and 6)


def motion_of_shot(luma: Sequence[np.ndarray]) -> list[Motion]:
    """The motion between consecutive frames, one entry fewer than frames: DIS, preset medium, at the size of luma."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[: luma[0].shape[0], : luma[0].shape[1]].astype(np.float32)
    motions = []
    for earlier, later in zip(luma, luma[1:], strict=False):
        backward, forward = dis.calc(later, earlier, None), dis.calc(earlier, later, None)
        positions = np.stack((x, y), -1) + backward
        forward = _sample(forward, positions)
        miss = np.square(backward + forward).sum(-1)
        size = np.square(backward).sum(-1)
        same_luma = np.abs(later.astype(np.float32) - _sample(earlier, positions)) < STEADY_LUMA
        occluded = miss > 0.01 * (size + np.square(forward).sum(-1)) + 0.5
        gradient = sum(np.square(g).sum(-1) for g in np.gradient(backward, axis=(0, 1)))
        boundary = gradient > 0.01 * size + 0.002
        motions.append(Motion(positions, (miss < STEADY_FLOW**2) & same_luma, ~(occluded | boundary)))
    return motions


def chroma_flicker(ab: Sequence[np.ndarray], motions: Sequence[Motion]) -> float:
    """Mean over consecutive frames of ‖ab(t) − ab(t−1) along motion‖₂ in Lab units, over steady pixels."""
    values = []
    for earlier, later, motion in zip(ab, ab[1:], motions, strict=False):
        difference = later.transpose(1, 2, 0) - _sample(earlier.transpose(1, 2, 0), motion.positions)
        distance = np.sqrt(np.square(difference).sum(-1))
        if motion.steady.any():
            values.append(float(distance[motion.steady].mean()))
    return float(np.mean(values)) if values else 0.0


def warp_error(pictures: Sequence[np.ndarray], motions: Sequence[Motion]) -> float:
    """E_warp (Lai 2018): mean squared RGB difference, RGB in 0…1, along motion over visible pixels."""
    values = []
    for earlier, later, motion in zip(pictures, pictures[1:], motions, strict=False):
        difference = (later.astype(np.float32) - _sample(earlier, motion.positions)) / 255
        if motion.visible.any():
            values.append(float(np.square(difference)[motion.visible].mean()))
    return float(np.mean(values)) if values else 0.0


def palette_drift(ab: Sequence[np.ndarray], frames_per_second: float) -> float:
    """Wasserstein-1 distance in Lab units between the ab values of the first and the last second; mean of both axes.

    The metric of a film is this less the same of the truth.
    """
    frames = max(1, min(len(ab), round(frames_per_second)))
    first, last = np.stack(ab[:frames]), np.stack(ab[-frames:])
    quantiles = [np.sort(part.transpose(1, 0, 2, 3).reshape(2, -1), 1) for part in (first, last)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def _sample(planes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return cv2.remap(planes.astype(np.float32), positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def histograms(picture: np.ndarray) -> np.ndarray:
    """The share of pixels of each 8-bit code, (3, 256): one row a channel, each of sum 1."""
    counts = np.stack([np.bincount(picture[..., c].ravel(), minlength=256) for c in range(3)])
    return counts / counts.sum(1, keepdims=True)


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence, in nats, of distributions along the last axis. CDC (TCVC 2021) is its mean: over frames so
    many apart, over `CDC_STEPS`, over channels.
    """
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / np.where(q > 0, q, 1)), 0).sum(-1)
