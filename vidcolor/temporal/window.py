"""Shots, key frames and smoothing joined, with their delays added up: what a film's chunk talks to."""

from __future__ import annotations

from collections import deque

import numpy as np

from vidcolor.temporal.cuts import CutDetector
from vidcolor.temporal.keys import KeyFrames
from vidcolor.temporal.shots import Decision, ShotDetector
from vidcolor.temporal.smoother import Smoother


class TemporalWindow:
    """Steady colour for the frames of a film, in display order, of which the network is shown only some.

    First `see` every frame's luma; it says, some frames later, which frames the network must be shown. Then `push` the
    answer for each frame in order, None for those that were not asked for; smoothed ab comes out in order. After the
    last frame: `see_end`, the remaining answers, `flush`.

    A chunk that is given CONTEXT_BEFORE frames before its first and CONTEXT_AFTER after its last (fewer where the film
    begins or ends) gets for its own frames, bit for bit, what one run over the whole film gives.

    Args:
        strength: of the smoother, 0 (off) … 1. At 0 the network is shown every frame and ab comes out as it went in.
    """

    CONTEXT_BEFORE = max(CutDetector.LOOKBACK + KeyFrames.LOOKBACK + Smoother.LOOKBACK, ShotDetector.LOOKBACK)
    CONTEXT_AFTER = max(CutDetector.LATENCY + KeyFrames.DELAY + KeyFrames.REACH + Smoother.RADIUS, ShotDetector.LATENCY)

    def __init__(self, strength: float = 1.0) -> None:
        self._shots = ShotDetector()
        self._motion = self._shots.motion
        self._keys = KeyFrames(self._motion)
        self._smoother = Smoother(self._motion, strength)
        self._every = strength == 0
        self._paces: deque[int] = deque()
        self._pace: int | None = None
        self._smoothed: deque[np.ndarray] = deque()
        self._decisions: deque[Decision] = deque()
        self._given = 0

    def see(self, small_luma: np.ndarray, pace: int) -> list[bool]:
        """The next frame.

        Args:
            small_luma: (h, w) uint8.
            pace: a number that rises every `keys.PACE` frames' worth of time, a function of the frame's time alone.

        Returns:
            For the frames that are decided now, in order: whether the network must be shown it.
        """
        self._paces.append(pace)
        seen = self._motion.count
        self._decisions += self._shots.push(small_luma)
        return self._decide(seen, film_ends=False)

    def see_end(self) -> list[bool]:
        """The same for the frames that remain."""
        seen = self._motion.count
        self._decisions += self._shots.flush()
        return self._decide(seen, film_ends=True)

    def _decide(self, seen: int, film_ends: bool) -> list[bool]:
        for _ in range(seen, self._motion.count):
            pace = self._paces.popleft()
            self._keys.add(begins_pace=self._every or pace != self._pace)
            self._pace = pace
        return self._keys.decide(film_ends)

    def push(self, ab: np.ndarray | None) -> list[tuple[int, np.ndarray, Decision]]:
        """The network's answer (2, h, w) float32 in Lab units to the next frame, None if it was not asked.

        Returns:
            (index, smoothed ab, decision) of the frames that are done; indices count frames from 0.
        """
        return self._smooth(self._keys.push(ab))

    def flush(self) -> list[tuple[int, np.ndarray, Decision]]:
        """The frames that remain; nothing may be pushed after it."""
        done = self._smooth(self._keys.flush())
        self._smoothed += self._smoother.flush()
        return done + self._done()

    def _smooth(self, filled: list[np.ndarray]) -> list[tuple[int, np.ndarray, Decision]]:
        for ab in filled:
            self._smoothed += self._smoother.push(ab)
        self._motion.hold(self._smoother.count)
        return self._done()

    def _done(self) -> list[tuple[int, np.ndarray, Decision]]:
        done = []
        while self._smoothed and self._decisions:
            done.append((self._given, self._smoothed.popleft(), self._decisions.popleft()))
            self._given += 1
        return done
