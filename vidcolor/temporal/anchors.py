"""Colour held over a shot: what stays in the picture keeps the colour that it had.

Averaging over a second takes out flicker; a colour that glides for ten, because the network comes to answer otherwise as a
shot goes on, stays. So some key frames of a shot, its first above all, are kept as anchors, and what is found again in a
later one, straight from there and not from frame to frame, is drawn towards its colour there. Why so: docs/temporal.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vidcolor.temporal.keys import KeyFrames
from vidcolor.temporal.motion import (
    BEFORE,
    Link,
    MotionEstimator,
    MotionWindow,
    luma_trust,
    motion_luma,
    planes_of,
    warp,
)

FIRST_WEIGHS = 4.0  # the first frame of a shot, the network's own answer and any other anchor 1
MOST = 4  # anchors beside the first, as many as come within reach at a steady rate
FADE_IN = 32  # frames over which an anchor's weight rises
FADE_OUT = 64  # and at the end of its reach falls
# Shares of the picture that are found again: up to the first (unlike pictures: 0.07) by chance, from the second on for good.
FOUND = 0.1, 0.3
SAME_LIGHT = 32.0  # 8-bit codes: the difference of luma at large at which trust falls to 1/e
ALIKE = 15.0  # Lab units: the standard deviation of the weight by distance from the network's own answer


class Anchor(NamedTuple):
    """What is kept of a frame."""

    luma: np.ndarray  # (h, w) float32, 8-bit codes on the grid of motion
    codes: np.ndarray  # (⌈h/2⌉, ⌈w/2⌉) uint8: flow over many frames is large, and estimated on half that grid
    planes: np.ndarray  # (H, W, 4): its a and b, twice
    weight: float


class Anchors:
    """Those of the shot that is being coloured, in the order of its frames.

    Args:
        motion, keys: of the same frames.
        nearest: frames; an anchor as near as this does not count, for the smoother reaches that far.
        strength: of the smoother, 0…1.
    """

    REACH = 256  # frames from an anchor to the last that it holds

    def __init__(self, motion: MotionWindow, keys: KeyFrames, nearest: int, strength: float) -> None:
        self._motion, self._keys, self._nearest, self._strength = motion, keys, nearest, strength
        self._anchors: dict[int, Anchor] = {}
        self._estimate: MotionEstimator | None = None

    def wants(self, n: int) -> bool:
        """Whether a frame becomes an anchor."""
        return self._strength > 0 and self._keys.begins_stretch(n)

    def keep(self, n: int, planes: np.ndarray) -> None:
        """A frame that is wanted, with what the answers around it agree on: its a and b, twice (H, W, 4)."""
        first = not self._motion.joined(n, BEFORE)
        if first:
            self._anchors.clear()
        luma, codes = self._motion.luma(n), motion_luma(self._motion.codes(n))
        if self._estimate is None:
            self._estimate = MotionEstimator(*codes.shape, twice=True)
        self._anchors[n] = Anchor(luma, codes, planes, FIRST_WEIGHS if first else 1.0)
        others = [m for m, anchor in self._anchors.items() if anchor.weight == 1]
        self._anchors = {m: a for m, a in self._anchors.items() if m > n - self.REACH and m not in others[:-MOST]}

    def seen_from(self, n: int, a: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The colours of anchors as a frame sees them, with their weights: (a, b, weight) of each, (H, W) float32.

        Args:
            a, b: the network's own answer to the frame.
        """
        luma, codes, seen = self._motion.luma(n), None, []
        for m, anchor in self._anchors.items():
            share = self._strength * anchor.weight * self._share(n - m)
            if share == 0:
                continue
            codes = motion_luma(self._motion.codes(n)) if codes is None else codes
            link = self._link(anchor, luma, codes)
            share *= _ramp(float(link.trust.mean()), *FOUND)
            if share == 0:
                continue
            link = link.resized(*a.shape)
            there_a, there_b, *_ = planes_of(warp(anchor.planes, link))
            unlike = np.square(there_a - a) + np.square(there_b - b)
            seen.append((there_a, there_b, link.trust * np.exp(unlike * (-0.5 / ALIKE**2)) * np.float32(share)))
        return seen

    def _share(self, distance: int) -> float:
        rising = _ramp(distance, self._nearest, self._nearest + FADE_IN)
        return rising * (1 - _ramp(distance, self.REACH - FADE_OUT, self.REACH))

    def _link(self, anchor: Anchor, luma: np.ndarray, codes: np.ndarray) -> Link:
        """From a frame straight to an anchor, trusted where flow there and back agree and luma does."""
        _, link = self._estimate(anchor.codes, codes)
        link = link.resized(*luma.shape)
        return Link(link.positions, link.trust * luma_trust(luma, warp(anchor.luma, link), SAME_LIGHT))


def _ramp(x: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (x - start) / (end - start)))
