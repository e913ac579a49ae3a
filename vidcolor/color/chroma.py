"""A network's ab, small, into the film's U and V planes; and the way back, which defines a film's true ab."""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.color.luma import resize_by_area
from vidcolor.color.solve import ChromaTable
from vidcolor.color.yuv import MATRICES, YuvFormat, chroma_from_code, luma_from_code, rgb_to_lab, yuv_to_rgb

RADIUS = 2  # of the guided filter's windows, in pixels of the ab grid
EPSILON = 0.02**2  # of the guided filter: luma variance, in (black to white)², below which colour does not follow luma


class ChromaMerger:
    """Gives every frame of one film its U and V.

    On the ab grid, each colour is turned into Cb and Cr at the film's own luma (`ChromaTable`). A fast guided filter
    (He & Sun 2015, arXiv:1505.00996) carries them to chroma resolution, so that colour ends where luma has an edge.
    At last chroma is reduced wherever a pixel's own luma cannot carry it, so that R'G'B' stays in 0…1 everywhere
    and black and white are exactly grey. Chroma siting is respected in the luma that guides; the ab grid itself is
    taken as centred, which is at most half a luma sample off.

    An instance keeps working buffers: use one per thread. The result depends on nothing but the arguments.

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
        self._table = ChromaTable(fmt)
        self._kr, self._kb = MATRICES[fmt.matrix]
        self._buffers = np.empty((6, self.size[1], self.size[0]), np.float32)

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
        guide = chroma_sited_luma(y, self.fmt)
        rows, columns = ab.shape[1:]
        small = luma_from_code(resize_by_area(guide, columns, rows), self.fmt)
        colour = self._table.chroma(small, ab * np.float32(self.saturation))
        colour *= np.float32([2 * (1 - self._kb), 2 * (1 - self._kr)])  # now B' - Y' and R' - Y'
        blue, red = self._upsample(guide, small, colour)
        self._fit_gamut(guide, blue, red)
        return self._codes(blue, 2 * (1 - self._kb)), self._codes(red, 2 * (1 - self._kr))

    def _upsample(self, guide: np.ndarray, small: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """B' - Y' and R' - Y' (h, w, 2) on the ab grid → two planes at chroma size, following the luma codes `guide`."""
        rows, columns = small.shape
        if columns >= self.size[0] and rows >= self.size[1]:  # nothing to add: the ab grid is the finer one
            planes = (resize_by_area(np.ascontiguousarray(colour[..., i]), *self.size) for i in (0, 1))
            return tuple(planes)
        slope, offset = guided_coefficients(small, colour, RADIUS, EPSILON)
        slope, offset = slope / self.fmt.luma_span, offset - slope * (self.fmt.black / self.fmt.luma_span)
        codes = self._buffers[0]
        np.copyto(codes, guide)
        result = []
        for i in (0, 1):
            plane, addend = self._buffers[1 + i], self._buffers[3]
            cv2.resize(np.ascontiguousarray(slope[..., i]), self.size, dst=plane, interpolation=cv2.INTER_LINEAR)
            cv2.resize(np.ascontiguousarray(offset[..., i]), self.size, dst=addend, interpolation=cv2.INTER_LINEAR)
            cv2.multiply(plane, codes, dst=plane)
            cv2.add(plane, addend, dst=plane)
            result.append(plane)
        return tuple(result)

    def _fit_gamut(self, guide: np.ndarray, blue: np.ndarray, red: np.ndarray) -> None:
        """Divide B' - Y' and R' - Y' by the least number ≥ 1 that leaves R'G'B' in 0…1 at each pixel's luma, in place."""
        fmt = self.fmt
        codes, green, largest, needed = self._buffers[0], self._buffers[3], self._buffers[4], self._buffers[5]
        np.copyto(codes, guide)
        kg = 1 - self._kr - self._kb
        cv2.addWeighted(blue, -self._kb / kg, red, -self._kr / kg, 0, dst=green)
        cv2.max(blue, red, dst=largest)
        cv2.max(largest, green, dst=largest)
        cv2.min(blue, red, dst=needed)
        cv2.min(needed, green, dst=green)  # the smallest, at most 0
        room = needed
        np.multiply(codes, np.float32(1 / fmt.luma_span), out=room)
        np.subtract(room, np.float32(fmt.black / fmt.luma_span), out=room)
        np.clip(room, 1e-9, 1, out=room)
        cv2.divide(green, room, scale=-1, dst=green)
        np.subtract(1, room, out=room)
        np.maximum(room, 1e-9, out=room)
        cv2.divide(largest, room, dst=largest)
        cv2.max(largest, green, dst=largest)
        np.maximum(largest, 1, out=largest)
        cv2.divide(blue, largest, dst=blue)
        cv2.divide(red, largest, dst=red)

    def _codes(self, difference: np.ndarray, scale: float) -> np.ndarray:
        """B' - Y' or R' - Y' → native chroma codes, rounded; `scale` is what Cb or Cr is multiplied by to give it."""
        fmt = self.fmt
        kind = cv2.CV_8U if fmt.depth == 8 else cv2.CV_16U
        codes = cv2.addWeighted(difference, fmt.chroma_span / scale, difference, 0, fmt.mid, dtype=kind)
        return codes if fmt.depth == 8 else np.minimum(codes, fmt.peak)


def guided_coefficients(
    guide: np.ndarray, colour: np.ndarray, radius: int, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """The guided filter's linear model: colour ≈ slope · guide + offset in every window, averaged over windows.

    Args:
        guide: float32 (h, w), normalised.
        colour: float32 (h, w, 2).
        radius: windows are 2·radius + 1 pixels wide and high.
        epsilon: variance of the guide below which its changes count for little.

    Returns:
        slope and offset, float32 (h, w, 2).
    """

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    guide_mean, colour_mean = mean(guide), mean(colour)
    variance = mean(guide * guide) - guide_mean * guide_mean
    covariance = mean(colour * guide[..., None]) - colour_mean * guide_mean[..., None]
    slope = covariance / (np.maximum(variance, 0) + np.float32(epsilon))[..., None]
    return mean(slope), mean(colour_mean - slope * guide_mean[..., None])


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
    if left or top or right or bottom:
        y = cv2.copyMakeBorder(y, top, bottom, left, right, cv2.BORDER_REPLICATE)
    boxes = [
        cv2.resize(
            y[down : down + height * fmt.chroma_height, across : across + width * fmt.chroma_width],
            (width, height),
            interpolation=cv2.INTER_AREA,
        )
        for down in ((0, 1) if top else (0,))
        for across in ((0, 1) if left else (0,))
    ]
    while len(boxes) > 1:
        boxes = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in zip(boxes[::2], boxes[1::2], strict=True)]
    return boxes[0]


def yuv_to_ab(y: np.ndarray, u: np.ndarray, v: np.ndarray, fmt: YuvFormat, size: tuple[int, int]) -> np.ndarray:
    """A colour film's own ab on a small grid: what a perfect network would answer.

    Codes are averaged by area first, as a network's training pictures are, then turned into Lab as displayed.

    Args:
        y, u, v: native codes; u and v at chroma size.
        size: (w, h) of the grid.

    Returns:
        a* and b* in Lab units, float32 (2, h, w).
    """
    luma = luma_from_code(resize_by_area(chroma_sited_luma(y, fmt), *size), fmt)
    blue, red = (chroma_from_code(resize_by_area(plane, *size), fmt) for plane in (u, v))
    rgb = yuv_to_rgb(np.stack((luma, blue, red), -1), fmt.matrix)
    return np.ascontiguousarray(np.moveaxis(rgb_to_lab(np.clip(rgb, 0, 1), fmt)[..., 1:], -1, 0), np.float32)
