"""Dissolves found from motion: in a mix of two shots, luma along motion rises or falls steadily.

Along motion an object keeps its luma, but for noise (which is as strong in its trend as in its curvature, or weaker),
occlusion (one-sided) and exposure (taken out). While one shot is mixed into another, every place drifts from the luma
of the one to that of the other: the difference to the frames after is the reverse of the difference to those before.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from vidcolor.temporal.motion import AFTER, BEFORE, MotionWindow, warp

LEVELS = (2, 3, 4)  # trends over 4, 8 and 16 frames either way: the shorter see short dissolves, the longer slow ones
STEADY = 1.1  # times the curvature, and
NOISE = np.float32([2, 2, 4])  # 8-bit codes beyond that, for each level: how large a trend must be to count,
FAINT = 1.0  # instead of NOISE, next to frames where it counts so: a slow dissolve begins and ends faintly,
ENDS = 8  # frames at most
SPAN = 2 ** max(LEVELS)  # frames
NEAR = 1  # frames either way over which trend and curvature are averaged
MAJORITY = 6  # frames either way among which most must show a trend
_EXPOSURE = (61, 61)
_DETAIL = (7, 7)


class DissolveDetector:
    """Call push() after each frame added to the motion window; learn LATENCY frames later if it is in a dissolve."""

    REACH = SPAN + NEAR + MAJORITY + ENDS
    LATENCY = REACH

    def __init__(self, motion: MotionWindow) -> None:
        self._motion = motion
        self._count = self._given = 0
        self._changes: dict[int, np.ndarray] = {}
        self._trends: dict[int, tuple[bool, bool]] = {}

    def push(self) -> list[bool]:
        """One more frame was added: the answer for the frame that is now certain, none or one."""
        self._count += 1
        if self._count > SPAN:
            self._change(self._count - 1 - SPAN)  # while its links are at hand
        return self._give(self._count - self.LATENCY)

    def flush(self) -> list[bool]:
        """The answers for the frames that remain."""
        return self._give(self._count)

    def _give(self, end: int) -> list[bool]:
        given = []
        while self._given < end:
            given.append(self._is_mixed(self._given))
            self._given += 1
            for store in (self._changes, self._trends):
                store.pop(self._given - self.REACH, None)
        return given

    def _around(self, n: int, reach: int) -> Iterable[int]:
        return range(max(0, n - reach), min(n + reach + 1, self._count))

    def _is_mixed(self, n: int) -> bool:
        """Whether a dissolve shows at a frame clearly, or faintly, and so all the way to where it shows clearly."""
        for side in (BEFORE, AFTER):
            for m in range(n, n + side * (ENDS + 1), side):
                faintly, clearly = self._shows(m)
                if clearly:
                    return True
                if not faintly:
                    break
        return False

    def _shows(self, n: int) -> tuple[bool, bool]:
        """Whether most frames around have a trend: a faint one, and a clear one."""
        trends = [self._trend(m) for m in self._around(n, MAJORITY)]
        return sum(faint for faint, _ in trends) > MAJORITY, sum(clear for _, clear in trends) > MAJORITY

    def _trend(self, n: int) -> tuple[bool, bool]:
        if n not in self._trends:
            trend, curvature = np.mean([self._change(m) for m in self._around(n, NEAR)], 0).T
            beyond = trend - STEADY * curvature
            self._trends[n] = bool((beyond > FAINT).any()), bool((beyond > NOISE).any())
        return self._trends[n]

    def _change(self, n: int) -> np.ndarray:
        """(levels, 2): mean sizes of the trend and of the curvature of luma along motion, in 8-bit codes."""
        if n not in self._changes:
            self._changes[n] = np.array([self._change_over(level, n) for level in LEVELS])
        return self._changes[n]

    def _change_over(self, level: int, n: int) -> tuple[float, float]:
        reach = 2**level
        for side in (BEFORE, AFTER):
            if not all(self._motion.joined(n + side * i, side) for i in range(reach)):
                return 0.0, 0.0
        links = [self._motion.link(n, n + side * reach) for side in (BEFORE, AFTER)]
        own = self._motion.luma(n)
        before, after = (
            _drift(own, warp(self._motion.luma(n + side * reach), link))
            for side, link in zip((BEFORE, AFTER), links, strict=True)
        )
        weight = links[0].trust * links[1].trust + 1e-3
        weight /= weight.sum()
        trend, curvature = np.abs(after - before) / 2, np.abs(after + before) / 2
        return float((weight * trend).sum()), float((weight * curvature).sum())


def _drift(own: np.ndarray, warped: np.ndarray) -> np.ndarray:
    """Change of luma (h, w) in 8-bit codes, free of exposure and grain."""
    difference = warped - own
    difference -= cv2.blur(difference, _EXPOSURE)
    return cv2.blur(difference, _DETAIL)
