"""Flicker of old film taken out of what the network and the motion estimate see: never out of what is written.

Exposure that changes from frame to frame would become colour that does. A frame's factor is the one that brings it to
the mean exposure of the frames around it in its shot: the median over a coarse grid, so that what moves does not count.
"""

from __future__ import annotations

import cv2
import numpy as np

GRID = (40, 24)  # columns and rows on which exposures are compared
DARK = 4.0  # 8-bit codes above black: darker places say nothing about exposure
LARGEST = 1.35  # factor either way
UNSEEN = 0.005  # a factor as near to 1 as this is 1


class Exposure:
    """Push every frame; get the factors on its luma above black, REACH frames later.

    Args:
        black: 8-bit code of black.
    """

    REACH = 6  # frames either way

    def __init__(self, black: int) -> None:
        self._black = black
        self._logs: dict[int, np.ndarray] = {}
        self._shot: dict[int, int] = {}
        self._count = self._given = 0

    def push(self, small_luma: np.ndarray, cut: bool) -> list[float]:
        """The next frame, luma (h, w) uint8, and whether it is the first after a cut → factors, none or one."""
        n = self._count
        coarse = cv2.resize(small_luma, GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        self._logs[n] = np.log(np.maximum(coarse - self._black, DARK))
        self._shot[n] = self._shot.get(n - 1, 0) + cut
        self._count += 1
        return self._give(self._count - self.REACH)

    def flush(self) -> list[float]:
        """The factors of the frames that remain."""
        return self._give(self._count)

    def _give(self, end: int) -> list[float]:
        given = []
        while self._given < end:
            given.append(self._factor(self._given))
            self._given += 1
            for store in (self._logs, self._shot):
                store.pop(self._given - 1 - self.REACH, None)
        return given

    def _factor(self, n: int) -> float:
        around = range(n - self.REACH, n + self.REACH + 1)
        shot = [self._logs[m] for m in around if self._shot.get(m) == self._shot[n]]
        factor = float(np.exp(np.median(np.mean(shot, 0) - self._logs[n])))
        return 1.0 if abs(factor - 1) < UNSEEN else min(max(factor, 1 / LARGEST), LARGEST)


def exposed(small_luma: np.ndarray, factor: float, black: int) -> np.ndarray:
    """Luma (h, w) uint8 with its distance from black multiplied."""
    return small_luma if factor == 1 else cv2.addWeighted(small_luma, factor, small_luma, 0, black * (1 - factor))
