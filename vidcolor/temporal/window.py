"""Shots and smoothing joined, with their delays added up: what a film's chunk talks to."""

from __future__ import annotations

from collections import deque

import numpy as np

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

    CONTEXT_BEFORE = Smoother.LOOKBACK + ShotDetector.LOOKBACK
    CONTEXT_AFTER = Smoother.RADIUS + ShotDetector.LATENCY
    DELAY = CONTEXT_AFTER  # frames pushed after a frame before it comes out

    def __init__(self, strength: float = 1.0) -> None:
        self._shots = ShotDetector()
        self._smoother = Smoother(strength)
        self._undecided: deque[tuple[np.ndarray, np.ndarray]] = deque()
        self._decisions: deque[Decision] = deque()
        self._given = 0

    def push(self, small_luma: np.ndarray, ab: np.ndarray) -> list[tuple[int, np.ndarray, Decision]]:
        """The next frame: luma (h, w) uint8, ab (2, h', w') float32 in Lab units → the frames that are done."""
        self._undecided.append((small_luma, ab))
        return self._smooth(self._shots.push(small_luma))

    def flush(self) -> list[tuple[int, np.ndarray, Decision]]:
        """The frames that remain; nothing may be pushed after it."""
        done = self._smooth(self._shots.flush())
        return done + self._number(self._smoother.flush())

    def _smooth(self, decisions: list[Decision]) -> list[tuple[int, np.ndarray, Decision]]:
        done = []
        for decision in decisions:
            self._decisions.append(decision)
            done += self._number(self._smoother.push(*self._undecided.popleft(), decision))
        return done

    def _number(self, smoothed: list[np.ndarray]) -> list[tuple[int, np.ndarray, Decision]]:
        done = []
        for ab in smoothed:
            done.append((self._given, ab, self._decisions.popleft()))
            self._given += 1
        return done
