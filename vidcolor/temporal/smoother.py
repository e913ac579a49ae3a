"""Colour made steady: each frame's ab is averaged along motion with its neighbours' inside the shot.

The average is built in levels. Level k mixes each frame with those 2^k before and after it, weighted 1 : 2 : 1 and
taken from the level below (1 : 1 : 1 would let through what flickers from frame to frame). So four levels reach
RADIUS = 1 + 2 + 4 + 8 frames either way with eight warps, and the links over 2^(k+1) frames are two links over 2^k
chained. Nothing is recursive: a frame's result depends on LOOKBACK frames before it and RADIUS after, and is the same
wherever a chunk begins.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.errors import UsageError
from vidcolor.temporal.motion import AFTER, BEFORE, LEVELS, Link, MotionWindow, luma_trust, warp

REPEATS = 7  # frames: how far back the first of a run of equal pictures is looked for


class Smoother:
    """Push the ab of every frame in order; get smoothed ab in order, RADIUS frames later.

    Args:
        motion: the same frames' motion. A frame is added to it before its ab is pushed here.
        strength: 0 hands the frames through untouched; at 1 two trusted neighbours count as much as the frame itself.
    """

    RADIUS = 2**LEVELS - 1
    LOOKBACK = RADIUS + REPEATS

    def __init__(self, motion: MotionWindow, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"cannot smooth with strength {strength:g}", "it goes from 0 (off) to 1", "Try --smooth 1")
        self._motion, self._strength = motion, float(strength)
        self._own: dict[int, np.ndarray] = {}
        self._mixed: dict[tuple[int, int], np.ndarray] = {}
        self._given = 0
        self.count = 0

    def push(self, ab: np.ndarray) -> list[np.ndarray]:
        """The next frame's ab (2, h, w) float32 in Lab units → smoothed ab, none or one."""
        n = self.count
        self._own[n] = ab
        self.count += 1
        for level in range(1, LEVELS + 1 if self._strength else 1):  # while their links are at hand
            if n + 1 >= 2**level:
                self._level(level, n + 1 - 2**level)
        return self._give(self.count - self.RADIUS)

    def flush(self) -> list[np.ndarray]:
        """Smoothed ab of the frames that remain."""
        return self._give(self.count)

    def _give(self, end: int) -> list[np.ndarray]:
        given = []
        while self._given < end:
            n = self._given
            given.append(self._smoothed(n) if self._strength else self._own[n])
            self._given += 1
            self._forget(self._given - self.LOOKBACK)
        return given

    def _smoothed(self, n: int) -> np.ndarray:
        """Pictures that repeat take the result of the first of them."""
        first = n
        while first > n - REPEATS and self._motion.repeats(first):
            first -= 1
        a, b, *_ = cv2.split(self._level(LEVELS, first))
        return np.stack((a, b))

    def _level(self, level: int, n: int) -> np.ndarray:
        """(h, w, 4) of frame n after so many levels: a, b, its own luma, spare."""
        if (level, n) not in self._mixed:
            self._mixed[level, n] = self._mix(level, n) if level else self._planes(n)
        return self._mixed[level, n]

    def _planes(self, n: int) -> np.ndarray:
        a, b = np.asarray(self._own[n], np.float32)
        luma = self._motion.luma(n)
        if luma.shape != a.shape:
            luma = cv2.resize(luma, a.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return cv2.merge((a, b, luma, luma))

    def _mix(self, level: int, n: int) -> np.ndarray:
        a, b, luma = (cv2.extractChannel(self._level(level - 1, n), i) for i in range(3))
        sum_a, sum_b, weight = a, b, np.ones_like(a)
        for side in (BEFORE, AFTER):
            link = self._link(level - 1, side, n, a.shape)
            if link is None:
                continue
            seen = warp(self._level(level - 1, n + side * 2 ** (level - 1)), link)
            trust = luma_trust(luma, cv2.extractChannel(seen, 2))
            trust *= link.trust
            trust *= self._strength / 2
            sum_a = sum_a + cv2.extractChannel(seen, 0) * trust
            sum_b = sum_b + cv2.extractChannel(seen, 1) * trust
            weight += trust
        return cv2.merge((sum_a / weight, sum_b / weight, luma, luma))

    def _link(self, level: int, side: int, n: int, size: tuple[int, int]) -> Link | None:
        link = self._motion.link(level, side, n)
        return link if link is None or link.trust.shape == size else link.resized(*size)

    def _forget(self, before: int) -> None:
        for n in [n for n in self._own if n < before]:
            del self._own[n]
        self._mixed = {key: value for key, value in self._mixed.items() if key[1] >= before}
