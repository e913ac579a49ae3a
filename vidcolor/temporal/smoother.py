"""Colour made steady: key frames are averaged along motion inside their shot, the frames between take theirs from them.

The average is built in levels. Level k mixes each key frame with those 2^(k-1) key frames before and after it, weighted
1 : 2 : 1 and taken from the level below (1 : 1 : 1 would let through what flickers from one to the next). Nothing is
recursive: a frame's result depends on LOOKBACK frames before it and DELAY after, and is the same wherever a chunk begins.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.errors import UsageError
from vidcolor.temporal.keys import PACE, KeyFrames
from vidcolor.temporal.motion import AFTER, BEFORE, MotionWindow, luma_trust, warp

LEVELS = 2
REPEATS = 7  # frames: how far back the first of a run of equal pictures is looked for
_SLIGHT = 1e-3  # weight of a side that is not trusted at all: what both sides lack is their mean


class Smoother:
    """Push the network's answer for every frame in order; get smoothed ab in order, DELAY frames later.

    Args:
        motion, keys: of the same frames. A frame is decided there before its answer is pushed here.
        strength: 0 hands the answers through untouched; at 1 two trusted neighbours count as much as the frame itself.
    """

    RADIUS = (2**LEVELS - 1) * PACE  # frames from a key frame to the furthest that is averaged with it
    DELAY = RADIUS + PACE
    LOOKBACK = RADIUS + PACE + REPEATS

    def __init__(self, motion: MotionWindow, keys: KeyFrames, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"cannot smooth with strength {strength:g}", "it goes from 0 (off) to 1", "Try --smooth 1")
        self._motion, self._keys, self._strength = motion, keys, float(strength)
        self._own: dict[int, np.ndarray | None] = {}
        self._levels: dict[tuple[int, int], np.ndarray] = {}
        self._steady: dict[int, np.ndarray] = {}
        self._pushed = self._given = 0

    def push(self, ab: np.ndarray | None) -> list[np.ndarray]:
        """The network's answer (2, h, w) float32 in Lab units to the next frame, None if it was not asked."""
        n = self._pushed
        if ab is None and self._keys.is_key(n):
            ab = self._own[self._keys.copied(n)]
        self._own[n] = ab
        self._pushed += 1
        return self._give(self._pushed - self.DELAY)

    def flush(self) -> list[np.ndarray]:
        """Smoothed ab of the frames that remain."""
        return self._give(self._pushed)

    def _give(self, end: int) -> list[np.ndarray]:
        given = []
        while self._given < end:
            n = self._given
            given.append(self._own[n] if self._strength == 0 else self._planes_of(n))
            self._given += 1
            self._forget(self._given - self.LOOKBACK)
        return given

    def _planes_of(self, n: int) -> np.ndarray:
        """(2, h, w). Pictures that repeat take the result of the first of them."""
        first = n
        while first > n - REPEATS and self._motion.repeats(first):
            first -= 1
        a, b, *_ = cv2.split(self._steadied(first))
        return np.stack((a, b))

    def _steadied(self, n: int) -> np.ndarray:
        """(h, w, 4) of a frame: smoothed a and b, two spare."""
        if n not in self._steady:
            self._steady[n] = self._level(LEVELS, n) if self._keys.is_key(n) else self._between(n)
        return self._steady[n]

    def _between(self, n: int) -> np.ndarray:
        """What the frames around say, weighted by trust in the motion; the network's own answer where there is none."""
        own, a, b, weight, unknown = self._own[n], 0.0, 0.0, 0.0, 1.0
        for other, link in self._keys.sides(n):
            planes = self._steadied(other)
            link = link.resized(*planes.shape[:2])
            seen_a, seen_b, *_ = cv2.split(warp(planes, link))
            trust = link.trust + np.float32(_SLIGHT)
            if own is not None:
                trust *= self._strength
                unknown = np.minimum(unknown, np.maximum(1 - trust, 0))
            a, b, weight = a + seen_a * trust, b + seen_b * trust, weight + trust
        if own is not None:
            a, b, weight = a + own[0] * unknown, b + own[1] * unknown, weight + unknown
        a, b = np.asarray(a / weight, np.float32), np.asarray(b / weight, np.float32)
        return cv2.merge((a, b, a, b))

    def _level(self, level: int, key: int) -> np.ndarray:
        """(h, w, 4) of a key frame after so many levels: a, b, its own luma, spare."""
        if (level, key) not in self._levels:
            self._levels[level, key] = self._mix(level, key) if level else self._with_luma(key)
        return self._levels[level, key]

    def _with_luma(self, key: int) -> np.ndarray:
        a, b = np.asarray(self._own[key], np.float32)
        luma = self._motion.luma(key)
        if luma.shape != a.shape:
            luma = cv2.resize(luma, a.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return cv2.merge((a, b, luma, luma))

    def _mix(self, level: int, key: int) -> np.ndarray:
        a, b, luma, _ = cv2.split(self._level(level - 1, key))
        weight = np.ones_like(a)
        for side in (BEFORE, AFTER):
            other = key
            for _ in range(2 ** (level - 1)):
                other = other if other is None else self._keys.neighbour(side, other)
            if other is None:
                continue
            link = self._motion.link(key, other).resized(*a.shape)
            seen_a, seen_b, seen_luma, _ = cv2.split(warp(self._level(level - 1, other), link))
            trust = luma_trust(luma, seen_luma)
            trust *= link.trust
            trust *= self._strength / 2
            a += seen_a * trust
            b += seen_b * trust
            weight += trust
        return cv2.merge((a / weight, b / weight, luma, luma))

    def _forget(self, before: int) -> None:
        for store in (self._own, self._steady):
            store.pop(before - 1, None)
        self._levels = {place: planes for place, planes in self._levels.items() if place[1] >= before}
        self._keys.forget(before - PACE)  # of which the oldest frame takes its colours
        self._motion.forget(before - PACE)
