"""Cuts, exposure, key frames and smoothing joined, with their delays added up: what a film's chunk talks to."""

from __future__ import annotations

from collections import deque

import numpy as np

from vidcolor.temporal.cuts import CutDetector
from vidcolor.temporal.exposure import Exposure, exposed
from vidcolor.temporal.keys import KeyFrames
from vidcolor.temporal.motion import MotionWindow
from vidcolor.temporal.smoother import Smoother


class TemporalWindow:
    """Steady colour for the frames of a film, in display order, of which the network is shown only some.

    First `see` every frame's luma; it says, some frames later, which frames the network must be shown. Then `push` the
    answer for each frame in order, None for those that were not asked for; smoothed ab comes out in order. After the
    last frame: `see_end`, the remaining answers, `flush`.

    A chunk that is given CONTEXT_BEFORE frames before its first and CONTEXT_AFTER after its last (fewer where the film
    begins or ends) gets for its own frames, bit for bit, what one run over the whole film gives.

    Args:
        strength: of the smoother, 0 (off) … 1. At 0 the network is shown every frame as it is, and ab comes out as it
            went in.
        black: 8-bit code of black.
    """

    CONTEXT_BEFORE = CutDetector.LOOKBACK + Exposure.REACH + KeyFrames.LOOKBACK + Smoother.LOOKBACK
    CONTEXT_AFTER = CutDetector.LATENCY + Exposure.REACH + KeyFrames.REACH + Smoother.DELAY

    def __init__(self, strength: float = 1.0, black: int = 16) -> None:
        self._cuts, self._exposure, self._black = CutDetector(), Exposure(black), black
        self._motion = MotionWindow()
        self._keys = KeyFrames(self._motion, every=strength == 0)
        self._smoother = Smoother(self._motion, self._keys, strength)
        self._even = strength > 0
        self._seen: deque[tuple[np.ndarray, int, np.ndarray]] = deque()
        self._uneven: deque[tuple[np.ndarray, int, np.ndarray, bool]] = deque()
        self._last: tuple[np.ndarray, float] | None = None
        self._factors: deque[float] = deque()
        self._begins_shot: deque[bool] = deque()
        self._given = 0

    def see(self, small_luma: np.ndarray, pace: int, codes: np.ndarray | None = None) -> list[float | None]:
        """The next frame.

        Args:
            small_luma: (h, w) uint8.
            codes: those that `small_luma` is 8 bits of, where they have more: what the network is shown.
            pace: a number that rises every `keys.PACE` frames' worth of time, a function of the frame's time alone.

        Returns:
            For the frames that are decided now, in order: the factor by which L* is multiplied before the network is
            shown it, so that exposure is even; None where the network need not see the frame.
        """
        self._seen.append((small_luma, pace, small_luma if codes is None else codes))
        self._add(self._expose(self._cuts.push(small_luma)))
        return self._decide(film_ends=False)

    def see_end(self) -> list[float | None]:
        """The same for the frames that remain."""
        self._add(self._expose(self._cuts.flush()))
        self._add(self._exposure.flush())
        return self._decide(film_ends=True)

    def _expose(self, cuts: list[bool]) -> list[float]:
        factors = []
        for cut in cuts:
            small_luma, pace, codes = self._seen.popleft()
            self._uneven.append((small_luma, pace, codes, cut))
            factors += self._exposure.push(small_luma, cut)
        return factors

    def _add(self, factors: list[float]) -> None:
        for factor in factors:
            small_luma, pace, codes, cut = self._uneven.popleft()
            shown = codes, factor if self._even else 1.0
            self._factors.append(shown[1])
            self._motion.add(small_luma, cut, exposed(small_luma, factor, self._black))
            self._keys.add(pace, same=self._equals_last(*shown))
            self._begins_shot.append(cut)
            self._last = shown

    def _equals_last(self, codes: np.ndarray, factor: float) -> bool:
        return self._last is not None and self._last[1] == factor and np.array_equal(self._last[0], codes)

    def _decide(self, film_ends: bool) -> list[float | None]:
        decisions = []
        for needed in self._keys.decide(film_ends):
            factor = self._factors.popleft()
            decisions.append(factor if needed else None)
        return decisions

    def push(self, ab: np.ndarray | None) -> list[tuple[int, np.ndarray, bool]]:
        """The network's answer (2, h, w) float32 in Lab units to the next frame, None if it was not asked.

        Returns:
            (index, smoothed ab, whether it is the first frame after a hard cut) of the frames that are done, in order;
            indices count frames from 0. A dissolve is no boundary: colour glides with the picture.
        """
        return self._number(self._smoother.push(ab))

    def flush(self) -> list[tuple[int, np.ndarray, bool]]:
        """The frames that remain; nothing may be pushed after it."""
        return self._number(self._smoother.flush())

    def _number(self, smoothed: list[np.ndarray]) -> list[tuple[int, np.ndarray, bool]]:
        done = []
        for ab in smoothed:
            done.append((self._given, ab, self._begins_shot.popleft()))
            self._given += 1
        return done
