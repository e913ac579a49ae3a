"""Cuts and dissolves found while a film plays, from small luma alone.

Every decision depends on LOOKBACK frames before and LATENCY frames after its frame, and on nothing else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 3  # frames looked at on each side of a possible cut: flashes and damage of up to SIDE - 1 frames are no cuts
NEIGHBOURS = 8  # frames on each side whose changes say what is usual here
SHAPE = (24, 40)  # rows and columns of the picture that is compared
SHIFT = 2  # rows and columns by which two pictures may be displaced against each other
LEAST_CHANGE = 0.35  # of 0…2: below this, no change is a cut
TIMES_USUAL = 2.5


@dataclass(frozen=True, slots=True)
class Decision:
    """What a frame is to its shot.

    Args:
        cut: the frame is the first of a new shot after a hard cut. The first frame pushed is never one.
        kind: "cut", "dissolve" for frames that mix two shots, or "".
        blend: share of the coming shot in a dissolve, 0…1; 0 outside.
    """

    cut: bool = False
    kind: str = ""
    blend: float = 0.0


class ShotDetector:
    """Online shot detection: push small luma, get the decision on the frame LATENCY earlier."""

    LOOKBACK = NEIGHBOURS + SIDE
    LATENCY = NEIGHBOURS + SIDE - 1

    def __init__(self) -> None:
        self._pictures: deque[np.ndarray] = deque(maxlen=2 * SIDE - 1)
        self._pairs: dict[tuple[int, int], float] = {}
        self._changes: dict[int, float] = {}
        self._count = 0
        self._decided = 0

    def push(self, small_luma: np.ndarray) -> list[Decision]:
        """Luma (h, w) uint8 of the next frame → the decisions that are now certain: none or one."""
        n = self._count
        picture = cv2.resize(small_luma, SHAPE[::-1], interpolation=cv2.INTER_AREA)
        for age, other in enumerate(reversed(self._pictures), 1):
            self._pairs[n - age, n] = dissimilarity(other, picture)
        self._pictures.append(picture)
        self._count += 1
        return self._decide(self._count - self.LATENCY)

    def flush(self) -> list[Decision]:
        """The decisions on the frames that remain."""
        return self._decide(self._count)

    def _decide(self, end: int) -> list[Decision]:
        decisions = []
        while self._decided < end:
            n = self._decided
            decisions.append(Decision(True, "cut") if self._is_cut(n) else Decision())
            self._decided += 1
            self._forget(n - self.LOOKBACK)
        return decisions

    def _forget(self, before: int) -> None:
        self._changes = {n: v for n, v in self._changes.items() if n > before}
        self._pairs = {pair: v for pair, v in self._pairs.items() if pair[0] > before - SIDE}

    def _change(self, n: int) -> float:
        """The least dissimilarity of a frame before n and one from n on, SIDE frames deep."""
        if n not in self._changes:
            before = range(max(0, n - SIDE), n)
            after = range(n, min(n + SIDE, self._count))
            self._changes[n] = min(self._pairs[a, b] for a in before for b in after)
        return self._changes[n]

    def _is_cut(self, n: int) -> bool:
        if n == 0 or self._change(n) < LEAST_CHANGE:
            return False
        around = range(max(1, n - NEIGHBOURS), min(n + NEIGHBOURS + 1, self._count))
        usual = sorted(self._change(m) for m in around if m != n)
        return not usual or self._change(n) > TIMES_USUAL * usual[len(usual) * 3 // 4]


def dissimilarity(a: np.ndarray, b: np.ndarray) -> float:
    """1 less the best correlation of two uint8 pictures of SHAPE over small shifts: 0 alike, 1 unrelated."""
    inner = a[SHIFT:-SHIFT, SHIFT:-SHIFT]
    best = cv2.matchTemplate(b, inner, cv2.TM_CCOEFF_NORMED).max()
    return 1 - float(best)
