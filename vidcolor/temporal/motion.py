"""Motion between frames from their luma: dense flow, how far it can be trusted, and warping along it.

Four interleaved planes are the unit of warping: OpenCV warps four in 28 µs at 72×128, two in 40 µs, one in 20 µs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

SMALLEST_SIDE = 16  # pixels of the grid: DIS needs a few of its 8-pixel patches, and below this nothing moves visibly
FLOW_TOLERANCE = 1.0  # pixels of the grid: the forward-backward error at which trust falls to 1/e
LUMA_TOLERANCE = 10.0  # 8-bit codes: the residual at which trust falls to 1/e
_DETAIL = (3, 3)  # box that takes the grain out of residuals of luma
_EXPOSURE = (31, 31)  # box over which a difference of luma counts as exposure, not as another object

_REVERSALS = 2  # rounds: where flow is smooth, each divides the error by ten or more

BEFORE, AFTER = -1, 1


class Link(NamedTuple):
    """Where each pixel of a frame lies in another frame, and how far that can be trusted."""

    positions: np.ndarray  # (h, w, 2) float32: x and y in the other frame, in pixels
    trust: np.ndarray  # (h, w) float32, 0…1

    def resized(self, height: int, width: int) -> Link:
        """The same on a grid of another size, in its pixels; itself if it has that size."""
        if self.trust.shape == (height, width):
            return self
        x, y = planes_of(cv2.resize(self.positions, (width, height), interpolation=cv2.INTER_LINEAR))
        across, down = width / self.trust.shape[1], height / self.trust.shape[0]
        positions = cv2.merge(((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5))
        return Link(positions, cv2.resize(self.trust, (width, height), interpolation=cv2.INTER_LINEAR))


def chain(first: Link, second: Link) -> Link:
    """The link A → C from the links A → B and B → C: one warp, and no further estimate of flow."""
    x, y, trust, _ = planes_of(warp(cv2.merge((*planes_of(second.positions), second.trust, second.trust)), first))
    trust *= first.trust
    return Link(cv2.merge((x, y)), trust)


def warp(planes: np.ndarray, link: Link) -> np.ndarray:
    """Planes (h, w, c) of the other frame, as this frame sees them; bilinear, the border continued."""
    return _at(planes, link.positions)


def _at(planes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return cv2.remap(planes, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def planes_of(interleaved: np.ndarray) -> np.ndarray:
    """(h, w, c) → (c, h, w), contiguous. Four planes of 72×96 take 3 µs like this, and 27 with cv2.split."""
    height, width, count = interleaved.shape
    return cv2.transpose(interleaved.reshape(height * width, count)).reshape(count, height, width)


def luma_trust(own: np.ndarray, warped: np.ndarray, exposure: float = math.inf) -> np.ndarray:
    """Two lumas (h, w) float32 in 8-bit codes → trust 0…1 that they show the same, grain aside.

    Args:
        exposure: the difference at large, in codes, at which trust falls to 1/e; infinite where any may be exposure alone.
    """
    difference = own - warped
    at_large = cv2.blur(difference, _EXPOSURE)
    difference -= at_large
    difference = cv2.blur(difference, _DETAIL)
    difference *= difference
    difference *= -1 / LUMA_TOLERANCE**2
    if exposure < math.inf:
        difference -= np.square(at_large) / np.float32(exposure**2)
    return cv2.exp(difference, dst=difference)


def motion_luma(small_luma: np.ndarray) -> np.ndarray:
    """Luma (h, w) uint8 → (⌈h/2⌉, ⌈w/2⌉) uint8, the grid on which motion is estimated."""
    height, width = small_luma.shape
    return cv2.resize(small_luma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


class MotionEstimator:
    """Flow between two frames of one size by DIS (Kroeger 2016), and its reverse.

    Args:
        twice: estimate the flow back as well instead of reversing the flow there. It takes twice the time, and what two
            estimates disagree about is mostly smooth ground: colours come out steadier, and no further from the truth,
            with the reverse of one; dissolves are found better with both (docs/temporal.md).
    """

    def __init__(self, height: int, width: int, twice: bool = False) -> None:
        self._twice = twice
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._here = np.ascontiguousarray(np.stack((x, y), -1))
        self.still = Link(self._here, np.ones_like(x))
        """From a frame to one that equals it."""
        self._dis = None
        if min(height, width) >= SMALLEST_SIDE:
            self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
            self._dis.setFinestScale(1)
            self._dis.setGradientDescentIterations(8)  # of 16, and 2 refinements of 5: half of the time, as steady
            self._dis.setVariationalRefinementIterations(2)

    def __call__(self, earlier: np.ndarray, later: np.ndarray) -> tuple[Link, Link]:
        """Luma of two frames, (h, w) uint8 → the links from the earlier to the later one, and back."""
        if np.array_equal(earlier, later):
            return self.still, self.still
        if self._dis is None:
            there = back = np.zeros_like(self._here)
        else:
            there = self._dis.calc(earlier, later, None)
            back = self._dis.calc(later, earlier, None) if self._twice else self._reversed(there)
        return self._checked(there, back), self._checked(back, there)

    def _reversed(self, flow: np.ndarray) -> np.ndarray:
        """The flow back: at each pixel, less the flow that led there, found by fixed-point iteration."""
        back = -flow
        for _ in range(_REVERSALS):
            back = -_at(flow, self._here + back)
        return back

    def _checked(self, flow: np.ndarray, reverse: np.ndarray) -> Link:
        """Trust falls with the distance from where flow and reverse flow lead to where they began: what is covered."""
        positions = self._here + flow
        miss = _at(reverse, positions)
        miss += flow
        x, y = planes_of(miss)
        x *= x
        y *= y
        x += y
        x *= -1 / FLOW_TOLERANCE**2
        return Link(positions, cv2.exp(x, dst=x))


class MotionWindow:
    """The latest frames of a film, numbered as they are added from 0, and the links between them inside a shot.

    Flow is estimated between neighbours alone; links over more frames are chained from those over half as many.

    Args:
        twice: of `MotionEstimator`.
    """

    def __init__(self, twice: bool = False) -> None:
        self._twice = twice
        self.count = 0
        self._codes: dict[int, np.ndarray] = {}
        self._luma: dict[int, np.ndarray] = {}
        self._cut: dict[int, bool] = {}
        self._repeats: dict[int, bool] = {}
        self._links: dict[int, dict[int, Link]] = {}
        self._estimate: MotionEstimator | None = None
        self._last: np.ndarray | None = None
        self._oldest = 0

    def add(self, small_luma: np.ndarray, cut: bool, even: np.ndarray | None = None) -> None:
        """The next frame: luma (h, w) uint8, whether it is the first after a cut, and its luma at even exposure."""
        n = self.count
        self._codes[n] = motion_luma(small_luma if even is None else even)
        self._luma[n] = self._codes[n].astype(np.float32)
        if self._estimate is None:
            self._estimate = MotionEstimator(*self._codes[n].shape, self._twice)
        self._cut[n] = cut or n == 0
        self._repeats[n] = not self._cut[n] and np.array_equal(small_luma, self._last)
        self._last, self._links[n] = small_luma, {}
        self.count += 1

    def codes(self, n: int) -> np.ndarray:
        """The same as `luma`, as uint8."""
        return self._codes[n]

    def luma(self, n: int) -> np.ndarray:
        """Luma of a frame on the grid of motion, (⌈h/2⌉, ⌈w/2⌉) float32 in 8-bit codes."""
        return self._luma[n]

    def repeats(self, n: int) -> bool:
        """Whether a frame equals the one before it, pixel for pixel."""
        return self._repeats.get(n, False)

    def joined(self, n: int, side: int) -> bool:
        """Whether the frame BEFORE or AFTER frame n is there, in the same shot."""
        later = n if side == BEFORE else n + 1
        return later in self._cut and later - 1 in self._cut and not self._cut[later]

    def link(self, n: int, other: int) -> Link:
        """The link from frame n to another one; both, and all between them, are in one shot."""
        links = self._links[n]
        if other not in links:
            distance = abs(n - other)
            if distance == 1:
                self._link_neighbours(min(n, other))
            else:
                halfway = n + (1 << (distance - 1).bit_length() - 1) * (AFTER if other > n else BEFORE)
                links[other] = chain(self.link(n, halfway), self.link(halfway, other))
        return links[other]

    def _link_neighbours(self, n: int) -> None:
        there, back = self._estimate(self._codes[n], self._codes[n + 1])
        self._links[n][n + 1], self._links[n + 1][n] = there, back

    def forget(self, before: int) -> None:
        """Frames before this one are done with."""
        for n in range(self._oldest, before):
            for store in (self._codes, self._luma, self._cut, self._repeats, self._links):
                del store[n]
        self._oldest = max(self._oldest, before)
