"""Motion between neighbouring frames from their luma: dense flow, how far it can be trusted, and warping along it.

Four interleaved planes are the unit of warping: OpenCV warps four in 28 µs at 72×128, two in 40 µs, one in 20 µs.
Links over 2, 4, 8 frames are chained from those between neighbours: one warp each, and no second estimate of flow.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

SMALLEST_SIDE = 16  # pixels of the grid: DIS needs a few of its 8-pixel patches, and below this nothing moves visibly
FLOW_TOLERANCE = 1.0  # pixels of the grid: the forward-backward error at which trust falls to 1/e
LUMA_TOLERANCE = 10.0  # 8-bit codes: the residual at which trust falls to 1/e
_DETAIL = (3, 3)  # box that takes the grain out of residuals of luma
_EXPOSURE = (31, 31)  # box over which a difference of luma counts as exposure, not as another object

BEFORE, AFTER = -1, 1
LEVELS = 4  # links go over 1, 2, 4 and 8 frames
KEPT_FRAMES = 24  # before the newest, or before the oldest that is still held: more than anything looks back


class Link(NamedTuple):
    """Where each pixel of a frame lies in another frame, and how far that can be trusted."""

    positions: np.ndarray  # (h, w, 2) float32: x and y in the other frame, in pixels
    trust: np.ndarray  # (h, w) float32, 0…1
    planes: np.ndarray  # (h, w, 4) float32: both again, to be warped: x, y, trust, spare

    @classmethod
    def join(cls, x: np.ndarray, y: np.ndarray, trust: np.ndarray) -> Link:
        """From three (h, w) planes."""
        return cls(cv2.merge((x, y)), trust, cv2.merge((x, y, trust, trust)))

    def resized(self, height: int, width: int) -> Link:
        """The same on a grid of another size, in its pixels."""
        planes = cv2.resize(self.planes, (width, height), interpolation=cv2.INTER_LINEAR)
        x, y, trust = (np.ascontiguousarray(planes[..., i]) for i in range(3))
        across, down = width / self.trust.shape[1], height / self.trust.shape[0]
        return Link.join((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5, trust)


def chain(first: Link, second: Link) -> Link:
    """The link A → C from the links A → B and B → C."""
    onward = warp(second.planes, first)
    x, y, trust = (cv2.extractChannel(onward, i) for i in range(3))
    return Link.join(x, y, trust * first.trust)


def warp(planes: np.ndarray, link: Link) -> np.ndarray:
    """Planes (h, w, c) of the other frame, as this frame sees them; bilinear, the border continued."""
    return cv2.remap(planes, link.positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def luma_trust(own: np.ndarray, warped: np.ndarray) -> np.ndarray:
    """Two lumas (h, w) float32 in 8-bit codes → trust 0…1 that they show the same, grain and exposure aside."""
    difference = own - warped
    difference -= cv2.blur(difference, _EXPOSURE)
    difference = cv2.blur(difference, _DETAIL)
    difference *= difference
    difference *= -1 / LUMA_TOLERANCE**2
    return cv2.exp(difference)


def motion_luma(small_luma: np.ndarray) -> np.ndarray:
    """Luma (h, w) uint8 → (⌈h/2⌉, ⌈w/2⌉) uint8, the grid on which motion is estimated."""
    height, width = small_luma.shape
    return cv2.resize(small_luma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


class MotionEstimator:
    """Flow between two frames of one size by DIS (Kroeger 2016), in both directions, each checked by the other."""

    def __init__(self, height: int, width: int) -> None:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._here = np.ascontiguousarray(np.stack((x, y), -1))
        self.still = Link.join(x, y, np.ones_like(x))
        self._dis = None
        if min(height, width) >= SMALLEST_SIDE:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
            self._dis.setFinestScale(1)
            self._dis.setVariationalRefinementIterations(2)  # of 5: three quarters of the time at the same residual

    def __call__(self, earlier: np.ndarray, later: np.ndarray) -> tuple[Link, Link]:
        """Luma of two frames, (h, w) uint8 → the links from the earlier to the later one, and back."""
        if np.array_equal(earlier, later):
            return self.still, self.still
        if self._dis is None:
            there = back = np.zeros_like(self._here)
        else:
            there, back = self._dis.calc(earlier, later, None), self._dis.calc(later, earlier, None)
        return self._checked(there, back), self._checked(back, there)

    def _checked(self, flow: np.ndarray, reverse: np.ndarray) -> Link:
        """Trust falls with the distance from where flow and reverse flow lead to where they began."""
        positions = self._here + flow
        miss = cv2.remap(reverse, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        miss += flow
        x, y = cv2.split(miss)
        trust = cv2.exp((x * x + y * y) * (-1 / FLOW_TOLERANCE**2))
        return Link(positions, trust, cv2.merge((*cv2.split(positions), trust, trust)))


class MotionWindow:
    """The latest frames of a film, numbered as they are added from 0, and the links between them inside a shot."""

    def __init__(self) -> None:
        self.count = 0
        self._luma: dict[int, np.ndarray] = {}
        self._cut: dict[int, bool] = {}
        self._repeats: dict[int, bool] = {}
        self._last: np.ndarray | None = None
        self._links: dict[tuple[int, int, int], Link | None] = {}
        self._estimate: MotionEstimator | None = None
        self._held = self._oldest = 0

    def add(self, small_luma: np.ndarray, cut: bool) -> None:
        """The next frame: luma (h, w) uint8, and whether it is the first after a cut."""
        luma = motion_luma(small_luma)
        if self._estimate is None:
            self._estimate = MotionEstimator(*luma.shape)
        n = self.count
        self._repeats[n] = not cut and self._last is not None and np.array_equal(small_luma, self._last)
        self._luma[n], self._cut[n], self._last = luma, cut, small_luma
        self.count += 1
        for level in range(LEVELS):
            self.link(level, BEFORE, n)
            self.link(level, AFTER, n - 2**level)
        self._forget()

    def luma(self, n: int) -> np.ndarray:
        """Luma of a frame on the grid of motion, (⌈h/2⌉, ⌈w/2⌉) float32."""
        return self._luma[n].astype(np.float32)

    def cut(self, n: int) -> bool:
        """Whether a frame is the first after a cut."""
        return self._cut[n]

    def repeats(self, n: int) -> bool:
        """Whether a frame equals the one before it, pixel for pixel."""
        return self._repeats.get(n, False)

    def link(self, level: int, side: int, n: int) -> Link | None:
        """The link from frame n to that 2^level frames BEFORE or AFTER it; None where the shot or the film ends."""
        if (level, side, n) not in self._links:
            self._links[level, side, n] = self._chain(level, side, n) if level else self._adjacent(side, n)
        return self._links[level, side, n]

    def _chain(self, level: int, side: int, n: int) -> Link | None:
        first = self.link(level - 1, side, n)
        second = None if first is None else self.link(level - 1, side, n + side * 2 ** (level - 1))
        return None if second is None else chain(first, second)

    def _adjacent(self, side: int, n: int) -> Link | None:
        later = n if side == BEFORE else n + 1
        if later - 1 not in self._luma or later not in self._luma or self._cut[later]:
            return None
        there, back = self._estimate(self._luma[later - 1], self._luma[later])
        self._links[0, AFTER, later - 1], self._links[0, BEFORE, later] = there, back
        return back if side == BEFORE else there

    def hold(self, n: int) -> None:
        """Frames from n on are still needed, with their links; those KEPT_FRAMES before it, for what looks back."""
        self._held = n

    def _forget(self) -> None:
        oldest = min(self._held, self.count) - KEPT_FRAMES
        while self._oldest < oldest:
            for store in (self._luma, self._cut, self._repeats):
                del store[self._oldest]
            for level in range(LEVELS):
                for side in (BEFORE, AFTER):
                    self._links.pop((level, side, self._oldest), None)
            self._oldest += 1
