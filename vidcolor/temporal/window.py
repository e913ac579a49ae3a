"""Shots and smoothing joined, with their delays added up: what a film's chunk talks to."""

from __future__ import annotations

from collections import deque

import numpy as np

from vidcolor.temporal.cuts import CutDetector
from vidcolor.temporal.shots import Decision, ShotDetector
from vidcolor.temporal.smoother import Smoother


class TemporalWindow:
    """Push small luma and ab of every frame in display order; get (index, smoothed ab, decision) in that order.

    Indices count pushed frames from 0. A chunk that is given CONTEXT_BEFORE frames before its first and
    CONTEXT_AFTER after its last (fewer where the film begins or ends) gets for its own frames, bit for bit, what
    one run over the whole film gives.

    Args:
        strength: of the smoother, 0 (off: ab comes out as it went in) … 1.
    """

    CONTEXT_BEFORE = max(CutDetector.LOOKBACK + Smoother.LOOKBACK, ShotDetector.LOOKBACK)
    CONTEXT_AFTER = max(CutDetector.LATENCY + Smoother.RADIUS, ShotDetector.LATENCY)
    DELAY = CONTEXT_AFTER  # frames pushed after a frame before it comes out

    def __init__(self, strength: float = 1.0) -> None:
        self._shots = ShotDetector()
        self._smoother = Smoother(self._shots.motion, strength)
        self._unsmoothed: deque[np.ndarray] = deque()
        self._smoothed: deque[np.ndarray] = deque()
        self._decisions: deque[Decision] = deque()
        self._given = 0

    def push(self, small_luma: np.ndarray, ab: np.ndarray) -> list[tuple[int, np.ndarray, Decision]]:
        """The next frame: luma (h, w) uint8, ab (2, h', w') float32 in Lab units → the frames that are done."""
        self._unsmoothed.append(ab)
        self._decisions += self._shots.push(small_luma)
        self._smooth()
        return self._done()

    def flush(self) -> list[tuple[int, np.ndarray, Decision]]:
        """The frames that remain; nothing may be pushed after it."""
        self._decisions += self._shots.flush()
        self._smooth()
        self._smoothed += self._smoother.flush()
        return self._done()

    def _smooth(self) -> None:
        while self._smoother.count < self._shots.motion.count:
            self._smoothed += self._smoother.push(self._unsmoothed.popleft())

    def _done(self) -> list[tuple[int, np.ndarray, Decision]]:
        done = []
        while self._smoothed and self._decisions:
            done.append((self._given, self._smoothed.popleft(), self._decisions.popleft()))
            self._given += 1
        return done
