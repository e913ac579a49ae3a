"""Hard cuts found while a film plays, from small luma alone.

A cut is where no frame of the few before it resembles any of the few after it, by far less than is usual around
there. So a flash or a torn frame is none (the frames on both sides of it are alike), nor is a fast pan (its frames
resemble each other as little as their neighbours do), nor is flicker (resemblance is correlation: exposure drops out).
Frames of scratched black leader do not resemble each other either; where leader begins or ends, that is not held against
the cut.
"""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 3  # frames looked at on each side of a possible cut: flashes and damage of up to SIDE - 1 frames are no cuts
SHORTEST = 2  # frames of a shot at either end of the film: a single one would be a flash
NEIGHBOURS = 8  # frames on each side whose changes say what is usual here
SHAPE = (24, 40)  # rows and columns of the picture that is compared
SHIFT = 2  # rows and columns by which two pictures may be displaced against each other
LEAST_CHANGE = 0.35  # of 0…2: below this, no change is a cut
TIMES_USUAL = 2.5  # the upper quartile of the changes around
FLAT = 2.0  # 8-bit codes: pictures that both vary less than this (black leader) are the more alike the less they do
LEADER = 6.0  # 8-bit codes: worn leader varies by less between these percentiles of its pixels; the rest is scratches
BETWEEN = (15, 85)


class CutDetector:
    """Push small luma of every frame; learn LATENCY frames later whether a frame is the first after a hard cut."""

    LOOKBACK = NEIGHBOURS + SIDE + 1
    LATENCY = NEIGHBOURS + SIDE - 1

    def __init__(self) -> None:
        self._pictures: dict[int, np.ndarray] = {}
        self._pairs: dict[tuple[int, int], float] = {}
        self._changes: dict[int, float] = {}
        self._leader: dict[int, bool] = {}
        self._count = 0
        self._decided = 0

    def push(self, small_luma: np.ndarray) -> list[bool]:
        """Luma (h, w) uint8 of the next frame → is it a cut, for the frame that is now certain: none or one."""
        self._pictures[self._count] = cv2.resize(small_luma, SHAPE[::-1], interpolation=cv2.INTER_AREA)
        self._count += 1
        return self._decide(self._count - self.LATENCY)

    def flush(self) -> list[bool]:
        """The same for the frames that remain."""
        return self._decide(self._count)

    def _decide(self, end: int) -> list[bool]:
        decisions = []
        while self._decided < end:
            n = self._decided
            decisions.append(self._stands_out(n) and not self._stands_out(n - 1))
            self._decided += 1
            self._forget(n - self.LOOKBACK)
        return decisions

    def _forget(self, before: int) -> None:
        self._changes = {n: v for n, v in self._changes.items() if n > before}
        self._leader = {n: v for n, v in self._leader.items() if n > before - SIDE}
        self._pairs = {pair: v for pair, v in self._pairs.items() if pair[0] > before - SIDE}
        self._pictures.pop(before - SIDE, None)

    def _pair(self, earlier: int, later: int) -> float:
        if (earlier, later) not in self._pairs:
            self._pairs[earlier, later] = dissimilarity(self._pictures[earlier], self._pictures[later])
        return self._pairs[earlier, later]

    def _change(self, n: int) -> float:
        """The least dissimilarity of a frame before n and one from n on, SIDE frames deep."""
        if n not in self._changes:
            before = range(max(0, n - SIDE), n)
            after = range(n, min(n + SIDE, self._count))
            self._changes[n] = min(self._pair(a, b) for a in before for b in after)
        return self._changes[n]

    def _stands_out(self, n: int) -> bool:
        """Whether the change at frame n is a cut's; of several in a row, the first is the cut."""
        if min(n, self._count - n) < SHORTEST or self._pair(n - 1, n) < LEAST_CHANGE or self._change(n) < LEAST_CHANGE:
            return False  # most frames resemble the one before, and nothing else need be compared
        around = range(max(1, n - NEIGHBOURS), min(n + NEIGHBOURS + 1, self._count))
        leader = [m for m in around if self._is_leader(m - 1) and self._is_leader(m)] if self._bounds_leader(n) else []
        usual = sorted(0 if m in leader else self._change(m) for m in around if m != n)
        return self._change(n) > TIMES_USUAL * usual[len(usual) * 3 // 4]

    def _bounds_leader(self, n: int) -> bool:
        """Whether worn leader begins or ends at a frame."""
        sides = range(max(0, n - SIDE), n), range(n, min(n + SIDE, self._count))
        mostly = [2 * sum(map(self._is_leader, side)) > len(side) for side in sides]
        return self._is_leader(n - 1) != self._is_leader(n) and mostly[0] != mostly[1]

    def _is_leader(self, n: int) -> bool:
        """Whether most of a frame is of one luma."""
        if n not in self._leader:
            low, high = np.percentile(self._pictures[n], BETWEEN)
            self._leader[n] = bool(high - low < LEADER)
        return self._leader[n]


def dissimilarity(a: np.ndarray, b: np.ndarray) -> float:
    """1 less the best correlation of two uint8 pictures of SHAPE over small shifts: 0 alike, 1 unrelated.

    What is flat correlates with nothing: two flat pictures are alike, a flat one and another are not.
    """
    inner = a[SHIFT:-SHIFT, SHIFT:-SHIFT]
    weaker, stronger = sorted((float(inner.std()), float(b.std())))
    best = cv2.matchTemplate(b, inner, cv2.TM_CCOEFF_NORMED).max() if weaker > 0 else 0
    return (1 - float(best)) * min(1.0, stronger / FLAT)
