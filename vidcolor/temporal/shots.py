"""What each frame is to its shot, found while a film plays from small luma alone: hard cuts and dissolves.

Every decision depends on LOOKBACK frames before and LATENCY frames after its frame, and on nothing else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from vidcolor.temporal.cuts import CutDetector
from vidcolor.temporal.dissolves import SPAN, DissolveDetector
from vidcolor.temporal.motion import MotionWindow


@dataclass(frozen=True, slots=True)
class Decision:
    """What a frame is to its shot.

    Args:
        cut: it is the first frame after a hard cut. The first frame pushed is never one.
        dissolve: it mixes two shots.
    """

    cut: bool = False
    dissolve: bool = False


class ShotDetector:
    """Push small luma of every frame; get the decision on the frame LATENCY earlier.

    `motion` holds the frames whose cut is decided: CutDetector.LATENCY frames after they were pushed.
    """

    LOOKBACK = CutDetector.LOOKBACK + DissolveDetector.REACH
    LATENCY = CutDetector.LATENCY + DissolveDetector.LATENCY

    def __init__(self) -> None:
        self.motion = MotionWindow(twice=True)
        self._cuts = CutDetector()
        self._dissolves = DissolveDetector(self.motion)
        self._waiting: deque[np.ndarray] = deque()
        self._decided_cuts: deque[bool] = deque()

    def push(self, small_luma: np.ndarray) -> list[Decision]:
        """Luma (h, w) uint8 of the next frame → the decisions that are now certain: none or one."""
        self._waiting.append(small_luma)
        return self._settle(self._cuts.push(small_luma))

    def flush(self) -> list[Decision]:
        """The decisions on the frames that remain."""
        return self._settle(self._cuts.flush()) + self._join(self._dissolves.flush())

    def _settle(self, cuts: list[bool]) -> list[Decision]:
        decisions = []
        for cut in cuts:
            self._decided_cuts.append(cut)
            self.motion.add(self._waiting.popleft(), cut)
            decisions += self._join(self._dissolves.push())
            self.motion.forget(self.motion.count - 2 * SPAN - 1)
        return decisions

    def _join(self, dissolves: list[bool]) -> list[Decision]:
        return [Decision(self._decided_cuts.popleft(), dissolve) for dissolve in dissolves]
