"""Motion between neighbouring frames from their luma: dense flow, how far it can be trusted, and warping along it.

A flow is (h, w, 2) float32, x then y, in pixels of its own grid: what is seen at p in one frame is seen at
p + flow[p] in the other. A link is (h, w, 4) float32: the flow, the trust in it (0…1), and a spare plane, because
OpenCV warps four interleaved planes faster than three.
"""

from __future__ import annotations

import cv2
import numpy as np

SMALLEST_SIDE = 16  # grid pixels; DIS needs a few of its 8-pixel patches, and below this nothing moves visibly
FLOW_TOLERANCE = 0.5  # grid pixels: the forward-backward error at which trust falls to 1/e
LUMA_TOLERANCE = 8.0  # 8-bit codes: the residual at which trust falls to 1/e
_DETAIL = 3  # side of the box that takes the grain out of luma before residuals are formed
_EXPOSURE = 31  # side of the box over which a difference of luma counts as exposure, not as another object


class Grid:
    """The pixel positions of a grid, kept because every warp starts from them."""

    def __init__(self, height: int, width: int) -> None:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.positions = np.ascontiguousarray(np.stack((x, y), -1))

    def warp(self, planes: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """planes (h, w, c) of the other frame, seen where the flow points; bilinear, the border continued."""
        return cv2.remap(planes, self.positions + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def motion_luma(small_luma: np.ndarray) -> np.ndarray:
    """Luma (h, w) uint8 → (⌈h/2⌉, ⌈w/2⌉) uint8, the size at which motion is estimated."""
    height, width = small_luma.shape
    return cv2.resize(small_luma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


class MotionEstimator:
    """Flow between two neighbouring frames by DIS (Kroeger 2016), in both directions, each with its trust."""

    def __init__(self, height: int, width: int) -> None:
        self.grid = Grid(height, width)
        self.still = np.zeros((height, width, 4), np.float32)
        self.still[..., 2] = 1
        self._dis = None
        if min(height, width) >= SMALLEST_SIDE:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
            self._dis.setFinestScale(1)

    def __call__(self, earlier: np.ndarray, later: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Luma of two frames, (h, w) uint8 → the link of the earlier one to the later one, and the link back."""
        if np.array_equal(earlier, later):
            return self.still, self.still
        if self._dis is None:
            there = back = np.zeros((*earlier.shape, 2), np.float32)
        else:
            there = self._dis.calc(earlier, later, None)
            back = self._dis.calc(later, earlier, None)
        return self._link(there, back, earlier, later), self._link(back, there, later, earlier)

    def _link(self, flow: np.ndarray, reverse: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
        miss = flow + self.grid.warp(reverse, flow)
        error = np.square(miss[..., 0]) + np.square(miss[..., 1])
        residual = luma_residual(own, self.grid.warp(other, flow))
        link = np.zeros_like(self.still)
        link[..., :2] = flow
        link[..., 2] = np.exp(-error / FLOW_TOLERANCE**2) * luma_trust(residual)
        return link


def luma_residual(own: np.ndarray, warped: np.ndarray) -> np.ndarray:
    """Difference of two lumas (h, w) in 8-bit codes, free of grain and of what changes over large areas (exposure)."""
    difference = own.astype(np.float32) - warped
    difference -= cv2.blur(difference, (_EXPOSURE, _EXPOSURE))
    return cv2.blur(difference, (_DETAIL, _DETAIL))


def luma_trust(residual: np.ndarray) -> np.ndarray:
    """Residual in 8-bit codes → trust 0…1."""
    return np.exp(-np.square(residual / LUMA_TOLERANCE))


def chain(grid: Grid, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The link A → C from the links A → B and B → C."""
    onward = grid.warp(second, first[..., :2])
    onward[..., :2] += first[..., :2]
    onward[..., 2] *= first[..., 2]
    return onward
