"""Colour made steady: each frame's ab is averaged along motion with its neighbours' inside the shot.

The average is built in levels. Level k mixes each frame with those 2^k before and after it, taken from the level
below; so four levels reach RADIUS = 1 + 2 + 4 + 8 frames either way with eight warps, and the links over 2^(k+1)
frames are two links over 2^k chained. Nothing is recursive: a frame's result depends on LOOKBACK frames before it and RADIUS
after, and is the same wherever a chunk begins.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.errors import UsageError
from vidcolor.temporal.motion import Link, MotionEstimator, chain, luma_trust, motion_luma, warp
from vidcolor.temporal.shots import Decision

LEVELS = 4
REPEATS = 7  # frames: how far back the first of a run of equal pictures is looked for
BEFORE, AFTER = -1, 1


class Smoother:
    """Push small luma and ab of every frame in order; get smoothed ab in order, RADIUS frames later.

    Args:
        strength: 0 hands the frames through untouched, 1 counts trusted neighbours as much as the frame itself.
    """

    RADIUS = 2**LEVELS - 1
    LOOKBACK = RADIUS + REPEATS

    def __init__(self, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"cannot smooth with strength {strength:g}", "it goes from 0 (off) to 1", "Try --smooth 1")
        self._strength = float(strength)
        self._window = _Window(self._strength)
        self._last_luma: np.ndarray | None = None
        self._waiting: dict[int, np.ndarray] = {}
        self._count = self._given = 0

    def push(self, small_luma: np.ndarray, ab: np.ndarray, decision: Decision) -> list[np.ndarray]:
        """The next frame: luma (h, w) uint8, ab (2, h', w') float32 in Lab units → smoothed ab, none or one."""
        if self._strength:
            repeats = not decision.cut and self._last_luma is not None and np.array_equal(small_luma, self._last_luma)
            self._last_luma = small_luma
            self._window.add(self._count, motion_luma(small_luma), ab, decision.cut, repeats)
        else:
            self._waiting[self._count] = ab
        self._count += 1
        return self._give(self._count - self.RADIUS)

    def flush(self) -> list[np.ndarray]:
        """Smoothed ab of the frames that remain."""
        return self._give(self._count)

    def _give(self, end: int) -> list[np.ndarray]:
        given = []
        while self._given < end:
            n = self._given
            given.append(self._smoothed(n) if self._strength else self._waiting.pop(n))
            self._given += 1
        return given

    def _smoothed(self, n: int) -> np.ndarray:
        mixed = self._window.mixed(LEVELS, self._window.first_of_repeats(n))
        self._window.forget(n + 1 - self.LOOKBACK)
        return np.ascontiguousarray(mixed.transpose(2, 0, 1)[:2])


class _Window:
    """The frames within reach, and what was already worked out about them (keys end in the frame's number)."""

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._luma: dict[int, np.ndarray] = {}
        self._cut: dict[int, bool] = {}
        self._repeats: dict[int, bool] = {}
        self._mixed: dict[tuple[int, int], np.ndarray] = {}
        self._links: dict[tuple[int, int, int], Link | None] = {}
        self._motion: MotionEstimator | None = None

    def add(self, n: int, luma: np.ndarray, ab: np.ndarray, cut: bool, repeats: bool) -> None:
        """Frame n: luma (h, w) uint8 on the grid of motion, ab (2, h', w'); does it equal the frame before it?"""
        if self._motion is None:
            self._motion = MotionEstimator(*luma.shape)
        self._luma[n], self._cut[n], self._repeats[n] = luma, cut, repeats
        a, b = np.asarray(ab, np.float32)
        if luma.shape != a.shape:
            luma = cv2.resize(luma, a.shape[::-1], interpolation=cv2.INTER_LINEAR)
        light = luma.astype(np.float32)
        self._mixed[0, n] = cv2.merge((a, b, light, light))

    def forget(self, before: int) -> None:
        """Drop all frames earlier than this one."""
        for store in (self._luma, self._cut, self._repeats):
            for n in [n for n in store if n < before]:
                del store[n]
        self._mixed = {key: value for key, value in self._mixed.items() if key[-1] >= before}
        self._links = {key: value for key, value in self._links.items() if key[-1] >= before}

    def first_of_repeats(self, n: int) -> int:
        """The first frame of the run of equal pictures that n is in, at most REPEATS frames back."""
        first = n
        while first > n - REPEATS and self._repeats.get(first, False):
            first -= 1
        return first

    def mixed(self, level: int, n: int) -> np.ndarray:
        """(h', w', 4) of frame n after so many levels: a, b, its own luma, spare."""
        if (level, n) not in self._mixed:
            self._mixed[level, n] = self._mix(level, n)
        return self._mixed[level, n]

    def _mix(self, level: int, n: int) -> np.ndarray:
        a, b, luma = (cv2.extractChannel(self.mixed(level - 1, n), i) for i in range(3))
        sum_a, sum_b, weight = a, b, np.ones_like(a)
        for side in (BEFORE, AFTER):
            link = self._link(level - 1, side, n)
            if link is None:
                continue
            seen = warp(self.mixed(level - 1, n + side * 2 ** (level - 1)), link)
            trust = luma_trust(luma, cv2.extractChannel(seen, 2))
            trust *= link.trust
            trust *= self._strength
            sum_a = sum_a + cv2.extractChannel(seen, 0) * trust
            sum_b = sum_b + cv2.extractChannel(seen, 1) * trust
            weight += trust
        return cv2.merge((sum_a / weight, sum_b / weight, luma, luma))

    def _link(self, level: int, side: int, n: int) -> Link | None:
        """The link from frame n to that 2^level frames before or after; None where the shot or the film ends."""
        if (level, side, n) not in self._links:
            self._links[level, side, n] = self._chain(level, side, n) if level else self._adjacent(side, n)
        return self._links[level, side, n]

    def _chain(self, level: int, side: int, n: int) -> Link | None:
        first = self._link(level - 1, side, n)
        second = None if first is None else self._link(level - 1, side, n + side * 2 ** (level - 1))
        return None if second is None else chain(first, second)

    def _adjacent(self, side: int, n: int) -> Link | None:
        later = n if side == BEFORE else n + 1
        if later - 1 not in self._luma or later not in self._luma or self._cut[later]:
            return None
        size = self._mixed[0, n].shape[:2]
        links = self._motion(self._luma[later - 1], self._luma[later])
        there, back = (link if link.trust.shape == size else link.resized(*size) for link in links)
        self._links[0, AFTER, later - 1], self._links[0, BEFORE, later] = there, back
        return back if side == BEFORE else there
