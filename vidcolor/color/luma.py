"""The native luma plane as a network sees it: small, displayed aspect, L*."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np

from vidcolor.color.lab import lightness
from vidcolor.color.transfers import to_linear
from vidcolor.color.yuv import YuvFormat


def lightness_table(fmt: YuvFormat) -> np.ndarray:
    """L* of every native luma code, float32 (2**depth,): that of the grey pixel R' = G' = B' = Y'.

    Black is exactly 0 and (SDR) white exactly 100. Foot- and headroom, and HDR above diffuse white, are clipped.
    """
    signal = (np.arange(1 << fmt.depth) - fmt.black) / fmt.luma_span
    grey = np.repeat(np.clip(signal, 0, 1)[:, None], 3, axis=1)
    light = to_linear(grey, fmt.transfer)[:, 1]
    return np.clip(lightness(light), 0, 100).astype(np.float32)


_LONGEST = Fraction(64)  # times the short side: beyond it, a strip of a picture is squeezed to keep its cost finite


class LumaView:
    """What a network is shown of a film's frames.

    The picture as displayed (sample aspect applied) is scaled so that its short side is `res`: whole, uncropped and in
    its own aspect, up to rounding both sides to multiples of `output_stride`, so that the ab grid covers the
    picture exactly. Below and to the right it is mirrored to multiples of `stride`. Scaling averages native
    codes, by area; a film smaller than `res` is enlarged bilinearly.

    Args:
        fmt: what the luma codes mean.
        width, height: of the luma plane, in samples.
        sar: sample aspect ratio, the displayed width of a sample over its height; 1 where unknown.
        res: short side of the displayed picture at the network's input, in pixels.
        stride: the network takes sides that are multiples of this; a multiple of `output_stride`.
        output_stride: the ab grid is this many times coarser than the input.
    """

    def __init__(
        self, fmt: YuvFormat, width: int, height: int, sar: Fraction, res: int, stride: int, output_stride: int
    ) -> None:
        aspect = min(max(Fraction(width, height) * sar, 1 / _LONGEST), _LONGEST)
        sides = (res * max(aspect, 1), res * max(1 / aspect, 1))
        self.fmt = fmt
        self.width, self.height = width, height
        self.inner = tuple(max(1, round(side / output_stride)) * output_stride for side in sides)
        """(w, h) of the picture at the network's input."""
        self.size = tuple(-(-side // stride) * stride for side in self.inner)
        """(w, h) of the network's input, `inner` padded."""
        self.ab_size = tuple(side // output_stride for side in self.inner)
        """(w, h) of the ab grid that covers the picture."""
        self.small_black = fmt.black >> (fmt.depth - 8)
        """Code of black in `small_luma`."""
        self._table = lightness_table(fmt)

    def shrink(self, y: np.ndarray) -> np.ndarray:
        """Luma plane (height, width), native codes → the same picture at `inner`'s size, native codes.

        A plane that already has that size is returned as it is: shrink once and hand the result to both
        `lightness` and `small_luma` to scale each frame only once.
        """
        inner_width, inner_height = self.inner
        if y.shape == (inner_height, inner_width):
            return y
        if y.shape != (self.height, self.width):
            raise ValueError(f"a luma plane of {self.height}×{self.width} was announced, this one is {y.shape}")
        return resize_by_area(y, inner_width, inner_height)

    def lightness(self, y: np.ndarray) -> np.ndarray:
        """Luma plane, whole or from `shrink` → L* 0…100, float32, of `size` (rows first)."""
        small = self._table[self.shrink(y)]
        bottom, right = self.size[1] - self.inner[1], self.size[0] - self.inner[0]
        return cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_REFLECT) if bottom or right else small

    def small_luma(self, y: np.ndarray) -> np.ndarray:
        """Luma plane, whole or from `shrink` → its 8 most significant bits, uint8, of `inner`'s size (rows first)."""
        small = self.shrink(y)
        return small if self.fmt.depth == 8 else (small >> (self.fmt.depth - 8)).astype(np.uint8)

    def crop(self, ab: np.ndarray) -> np.ndarray:
        """A network's ab (2, H, W) for an input of `size` → the part that covers the picture (2, h, w), a view."""
        width, height = self.ab_size
        return ab[:, :height, :width]


def both_ways(answer: Callable[[np.ndarray], np.ndarray], picture: np.ndarray) -> np.ndarray:
    """A still picture's colours: the mean of what a network answers to it and to its mirror image.

    So a picture and its mirror image have the same colours. It errs less, for twice the time, which films do not take
    (docs/weights.md).

    Args:
        answer: the network's, ab (2, h, w) that covers the picture it is given.
        picture: (H, W), not padded: padding is not mirrored.

    Returns:
        ab (2, h, w).
    """
    return (answer(picture) + answer(np.ascontiguousarray(picture[:, ::-1]))[..., ::-1]) / 2


def resize_by_area(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """A plane (rows, columns) scaled to height×width in its own type: area averages down, bilinear up.

    Halving is ten times as fast as any other factor. So even sides are halved first, while they stay at least twice
    as large as asked for; closer than that, the averages would differ visibly from those taken in one step.
    """
    rows, columns = plane.shape
    while rows % 2 == 0 and columns % 2 == 0 and rows >= 4 * height and columns >= 4 * width:
        rows, columns = rows // 2, columns // 2
        plane = cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)
    if (rows, columns) == (height, width):
        return plane
    if rows < height or columns < width:
        return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    across, down = columns / width, rows / height
    if min(across, down) < 3 or (across.is_integer() and down.is_integer()):
        return cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    # Averages around every sample, read off bilinearly: as even as INTER_AREA to 0.3 codes in a third of its time.
    averages = cv2.sepFilter2D(plane, -1, _box(across), _box(down), borderType=cv2.BORDER_REFLECT)
    return cv2.resize(averages, (width, height), interpolation=cv2.INTER_LINEAR)


@lru_cache(maxsize=8)
def _box(width: float) -> np.ndarray:
    """A box of this width in samples, ends in part, less what reading it off bilinearly adds to its width."""
    width -= 0.2
    reach = math.ceil((width - 1) / 2)
    box = np.ones(2 * reach + 1, np.float32)
    box[[0, -1]] = (width - (2 * reach - 1)) / 2
    return box / box.sum()
