"""A network's ab, small, into the film's U and V planes; and the way back, which defines a film's true ab."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.luma import resize_by_area
from vidcolor.color.solve import ChromaTable
from vidcolor.color.yuv import MATRICES, YuvFormat, chroma_from_code, luma_from_code, rgb_to_lab, yuv_to_rgb

RADIUS = 1  # of the windows in which colour is regressed on luma, in pixels of the ab grid
EPSILON = 0.04**2  # luma variance, in (black to white)², up to which luma's changes are taken for grain, not for edges
_TINY = 1e-6  # of luma, in place of 0 in divisions: far below half a code of any depth
_STRIP = 1 << 17  # chroma samples that are worked on at a time: their planes stay in a core's cache


class ChromaMerger:
    """Gives every frame of one film its U and V.

    1. On the ab grid, each colour becomes Cb and Cr at the film's own luma (`ChromaTable`).
    2. These are enlarged bilinearly to chroma resolution, plus, wherever the full luma departs from the small one,
       that departure times the local slope of colour on luma (`colour_slope`): colour ends where luma has an edge,
       and a network's answer is otherwise left as it is.
    3. Cb and Cr are reduced together wherever a pixel's own luma cannot carry them, so that R'G'B' stays in 0…1;
       black and white are exactly grey.

    Chroma siting is respected in the luma that steers; the ab grid itself is taken as centred, which is at most half
    a chroma sample off. An instance keeps working buffers: use one per thread. The result depends on the arguments
    alone.

    Args:
        fmt: of the planes.
        width, height: of the luma plane, in samples.
        saturation: a* and b* are multiplied by this; 0 gives exact grey.
    """

    def __init__(self, fmt: YuvFormat, width: int, height: int, saturation: float = 1.0) -> None:
        self.fmt = fmt
        self.width, self.height = width, height
        self.saturation = saturation
        self.size = fmt.chroma_size(width, height)
        """(w, h) of U and V."""
        self._table = ChromaTable(fmt)
        self._kr, self._kb = MATRICES[fmt.matrix]
        self._per_chroma = np.float32([2 * (1 - self._kb), 2 * (1 - self._kr)])  # B' - Y' per Cb, R' - Y' per Cr
        width, height = self.size
        self._rows = max(1, _STRIP // width)
        self._enlarged = np.empty((4, height, width), np.float32)
        self._strip = np.empty((3, min(self._rows, height), width), np.float32)

    def planes(self, y: np.ndarray, ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """U and V for one frame.

        Args:
            y: luma plane (height, width), native codes; not changed.
            ab: a* and b* in Lab units, float32 (2, h, w), on any grid that covers the same picture.

        Returns:
            U and V, native codes in y's type, (ceil(height / chroma_height), ceil(width / chroma_width)).
        """
        if y.shape != (self.height, self.width):
            raise ValueError(f"a luma plane of {self.height}×{self.width} was announced, this one is {y.shape}")
        fmt = self.fmt
        codes = chroma_sited_luma(y, fmt)
        small = luma_from_code(resize_by_area(codes, ab.shape[2], ab.shape[1]), fmt)
        colour = self._table.chroma(small, ab * np.float32(self.saturation)) * self._per_chroma
        enlarged = self._enlarge(small, colour)
        inside = np.clip(codes, fmt.black, fmt.black + fmt.luma_span)
        u, v = np.empty((2, *self.size[::-1]), fmt.dtype)
        for top in range(0, len(inside), self._rows):
            rows = slice(top, top + self._rows)
            self._fill(inside[rows], enlarged[:, rows], u[rows], v[rows])
        return u, v

    def _enlarge(self, small: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Step 2, but for full luma: B' - Y' and R' - Y' where luma is 0, and their slopes on luma, at chroma size.

        Args:
            small, colour: luma (h, w), B' - Y' and R' - Y' (h, w, 2) on the ab grid.

        Returns:
            (4, height, width), or (2, height, width) where the ab grid is the finer one and there is nothing to steer.
        """
        if small.shape[1] >= self.size[0] and small.shape[0] >= self.size[1]:
            grids, interpolation = (colour,), cv2.INTER_AREA
        else:
            slope = colour_slope(small, colour)
            grids, interpolation = (colour - slope * small[..., None], slope), cv2.INTER_LINEAR
        planes = self._enlarged[: 2 * len(grids)]
        for i, plane in enumerate(planes):
            grid = np.ascontiguousarray(grids[i // 2][..., i % 2])
            cv2.resize(grid, self.size, dst=plane, interpolation=interpolation)
        return planes

    def _fill(self, inside: np.ndarray, enlarged: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
        """Some rows of U and V from the luma codes there, black to white, and what `_enlarge` gives there, which is used up."""
        fmt = self.fmt
        luma, *spare = self._strip[:, : len(inside)]
        blue, red, *slopes = enlarged
        cv2.addWeighted(
            inside, 1 / fmt.luma_span, inside, 0, _TINY - fmt.black / fmt.luma_span, dst=luma, dtype=cv2.CV_32F
        )
        for plane, slope in zip((blue, red), slopes):
            cv2.accumulateProduct(slope, luma, plane)
        self._fit_gamut(luma, blue, red, *spare)
        self._codes(blue, self._per_chroma[0], u)
        self._codes(red, self._per_chroma[1], v)

    def _fit_gamut(
        self, luma: np.ndarray, blue: np.ndarray, red: np.ndarray, above: np.ndarray, below: np.ndarray
    ) -> None:
        """Step 3: divide B' - Y' and R' - Y' by the least number ≥ 1 that leaves R', G' and B' in 0…1; all are overwritten.

        R' - Y', G' - Y' and B' - Y' average to 0 (weighted by Kr, Kg, Kb), so the largest is ≥ 0 and the smallest ≤ 0.
        """
        kg = 1 - self._kr - self._kb
        cv2.addWeighted(blue, -self._kb / kg, red, -self._kr / kg, 0, dst=below)  # G' - Y'
        cv2.max(blue, red, dst=above)
        cv2.max(above, below, dst=above)
        cv2.min(below, blue, dst=below)
        cv2.min(below, red, dst=below)
        cv2.divide(below, luma, dst=below)
        np.subtract(luma, np.float32(1 + 2 * _TINY), out=luma)
        cv2.divide(above, luma, dst=above)
        cv2.min(above, below, dst=below)
        cv2.threshold(below, -1, 0, cv2.THRESH_TRUNC, dst=below)  # what to divide by, negated
        cv2.divide(blue, below, scale=-1, dst=blue)
        cv2.divide(red, below, scale=-1, dst=red)

    def _codes(self, difference: np.ndarray, per_chroma: float, out: np.ndarray) -> None:
        """B' - Y' or R' - Y' → native chroma codes, rounded to nearest; what is in gamut cannot exceed the largest code."""
        fmt, scale = self.fmt, self.fmt.chroma_span / per_chroma
        if fmt.depth == 8:
            cv2.convertScaleAbs(difference, dst=out, alpha=scale, beta=fmt.mid)  # three times as fast
        else:
            cv2.addWeighted(difference, scale, difference, 0, fmt.mid, dst=out, dtype=cv2.CV_16U)


def colour_slope(luma: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """How much each colour difference changes with luma around each pixel: least squares in small windows, averaged.

    This is the slope of the guided filter (He, Sun & Tang 2013, equations 5 and 8), whose offset is not used: with it,
    windows would blur the colours themselves.

    Args:
        luma: float32 (h, w), normalised.
        colour: float32 (h, w, 2), normalised.

    Returns:
        float32 (h, w, 2), colour per luma; 0 where luma varies by less than grain does.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (2 * RADIUS + 1, 2 * RADIUS + 1), borderType=cv2.BORDER_REFLECT)

    luma_mean = mean(luma)
    variance = np.maximum(mean(luma * luma) - luma_mean * luma_mean, 0)
    covariance = mean(colour * luma[..., None]) - mean(colour) * luma_mean[..., None]
    return mean(covariance / (variance + np.float32(EPSILON))[..., None])


def chroma_sited_luma(y: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Luma codes (H, W) averaged around each chroma sample → native codes at chroma size, same type.

    Between luma samples the box of one chroma sample is averaged; on a luma sample, two such boxes one luma
    sample apart (1 2 1 for a factor of 2), so that the weights lie symmetrically about it.
    """
    if fmt.chroma_width == fmt.chroma_height == 1:
        return y
    rows, columns = y.shape
    width, height = fmt.chroma_size(columns, rows)
    left = fmt.chroma_width // 2 if fmt.siting in ("left", "topleft") else 0
    top = fmt.chroma_height // 2 if fmt.siting == "topleft" else 0
    right, bottom = width * fmt.chroma_width - columns, height * fmt.chroma_height - rows
    if top or right or bottom:
        y = cv2.copyMakeBorder(y, top, bottom, 0, right, cv2.BORDER_REPLICATE)
    boxes = [
        _boxes(y[down : down + height * fmt.chroma_height], fmt.chroma_width, width, height, before)
        for down in ((0, 1) if top else (0,))
        for before in ((left, left - 1) if left else (0,))
    ]
    while len(boxes) > 1:
        boxes = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in zip(boxes[::2], boxes[1::2], strict=True)]
    return boxes[0]


def _boxes(y: np.ndarray, wide: int, width: int, height: int, before: int) -> np.ndarray:
    """Averages (height, width) over boxes `wide` columns of y wide, of which the first begins `before` columns before y."""
    if before == 0:
        return cv2.resize(y, (width, height), interpolation=cv2.INTER_AREA)
    averages = np.empty((height, width), y.dtype)
    edge = cv2.copyMakeBorder(y[:, : wide - before], 0, 0, before, 0, cv2.BORDER_REPLICATE)
    cv2.resize(edge, (1, height), dst=averages[:, :1], interpolation=cv2.INTER_AREA)
    if width > 1:
        inner = y[:, wide - before : width * wide - before]
        cv2.resize(inner, (width - 1, height), dst=averages[:, 1:], interpolation=cv2.INTER_AREA)
    return averages


def yuv_to_lab(y: np.ndarray, u: np.ndarray, v: np.ndarray, fmt: YuvFormat, size: tuple[int, int]) -> np.ndarray:
    """A colour film's own picture on a small grid.

    Codes are averaged by area first, as a network's training pictures are, then turned into Lab as displayed.

    Args:
        y, u, v: native codes; u and v at chroma size.
        size: (w, h) of the grid.

    Returns:
        Lab, float32 (h, w, 3).
    """
    luma = luma_from_code(resize_by_area(chroma_sited_luma(y, fmt), *size), fmt)
    blue, red = (chroma_from_code(resize_by_area(plane, *size), fmt) for plane in (u, v))
    rgb = yuv_to_rgb(np.stack((luma, blue, red), -1), fmt.matrix)
    return rgb_to_lab(np.clip(rgb, 0, 1), fmt).astype(np.float32, copy=False)
