"""What a decoded frame shows: its luma in native codes, and the chroma that it may have of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

import av
import cv2
import numpy as np

from vidcolor.color.yuv import MATRICES, YuvFormat, chroma_to_code, luma_to_code, rgb_to_yuv
from vidcolor.media.carried import carried
from vidcolor.media.color_tags import is_rgb
from vidcolor.media.filtering import through
from vidcolor.media.probe import FilmInfo

_FULL = 2  # AVCOL_RANGE_JPEG
_COLOUR_STEP = 8  # every how many chroma samples, across and down, the look for colour takes
_COLOUR_LEVEL = (
    2.5 / 255
)  # mean distance of chroma from grey, as a share of full scale, from which a source is coloured


@dataclass(slots=True)
class LumaFrame:
    """One shown frame. The luma is a view of the decoder's memory: read it, do not write to it."""

    pts: int  # in units of the film's time base
    duration: int  # the same; how long it is shown
    y: np.ndarray  # (height, width) uint8 or uint16, codes of `FilmInfo.format`
    interlaced: bool
    corrupt: bool  # the decoder had to conceal damage
    _frame: av.VideoFrame = field(repr=False)

    def carried(self) -> frozenset[str]:
        """What comes with the picture, of `carried.CARRIED`."""
        return carried(self._frame)

    @property
    def carrier(self) -> av.VideoFrame | None:
        """The decoded frame, where something comes with it that the coloured one should have; else None."""
        return self._frame if self.carried() else None

    def carries_colour(self) -> bool:
        """Whether the source's own picture is in colour, judged on a coarse grid of its chroma."""
        planes = _chroma_samples(self._frame)
        return planes is not None and planes > _COLOUR_LEVEL

    def own_chroma(self, fmt: YuvFormat) -> tuple[np.ndarray, np.ndarray, YuvFormat] | None:
        """The source's own U and V, native codes, and `fmt` with their subsampling; None where it holds no chroma.

        Args:
            fmt: `FilmInfo.format`, as the film was probed.
        """
        return _own_chroma(self._frame, fmt)


def frame_copier(time_base: Fraction) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that copies decoded frames.

    A decoder leaves what is damaged as it finds it in the memory that it is given, and is given that of frames which
    nobody keeps any more: if nobody ever keeps one, that is always the same.
    """
    return through(time_base, ("copy",))


def luma_reader(info: FilmInfo) -> Callable[[av.VideoFrame], np.ndarray]:
    """A function that gives a decoded frame's luma as codes of `info.format`, (height, width).

    Luma planes are handed on as they are, without a copy. RGB becomes full-range luma of `info.format.matrix`, rounded
    to nearest. Raw samples beyond the largest code of their depth, which encoders break on, become that.
    """
    fmt, full_range, is_raw = info.format, info.full_range, info.film_stream.codec == "rawvideo"

    def read(frame: av.VideoFrame) -> np.ndarray:
        form = frame.format
        if is_rgb(form):
            y, depth = _luma_of_rgb(frame, fmt.matrix)
        else:
            y, depth = _luma_plane(frame)
        if is_raw and 8 < depth < 16:
            y = np.minimum(y, (1 << depth) - 1)
        return (
            y
            if (depth, full_range) == (fmt.depth, fmt.full_range)
            else _converted(y, replace(fmt, depth=depth, full_range=full_range), fmt)
        )

    return read


def repacked(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """A frame with its samples laid out as pixel format `name`, of the same depth: swscale only moves them.

    In one thread: with more, it writes past the ends of rows that another has finished (p010le, y210le and others at odd
    widths, libswscale 9.5). Both sides are called full range, so that formats whose names imply a range are left as
    they are too.
    """
    if frame.format.name == name:
        return frame
    plain = frame.reformat(format=name, src_color_range=_FULL, dst_color_range=_FULL, threads=1)
    plain.color_range = frame.color_range
    return plain


def _plane(frame: av.VideoFrame, index: int, width: int, height: int, dtype: str) -> np.ndarray:
    """A plane's samples as a view; it keeps the frame's memory alive."""
    plane = frame.planes[index]
    samples = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    return samples[:height, :width]


def _planar_name(form: av.VideoFormat) -> str:
    """The planar little-endian format of the same depth and chroma sampling."""
    luma = form.components[0]
    depth = max(8, luma.bits)
    if len(form.components) < 3:
        return "gray" if depth == 8 else f"gray{depth}le"
    full = 1 << 12  # a side that every subsampling divides
    across, down = full // form.chroma_width(full), full // form.chroma_height(full)
    sampling = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411"}[across, down]
    return f"yuv{sampling}p" if depth == 8 else f"yuv{sampling}p{depth}le"


def _luma_plane(frame: av.VideoFrame) -> tuple[np.ndarray, int]:
    form = frame.format
    luma = form.components[0]
    own_plane = all(c.plane != luma.plane for c in form.components[1:])
    shifted = form.name.startswith(("p0", "p2", "p4"))  # samples in the upper bits of 16
    if (
        own_plane
        and not shifted
        and not form.is_big_endian
        and not form.is_bit_stream
        and frame.planes[0].line_size > 0
    ):
        dtype = "u1" if luma.bits == 8 else "<u2"
        return _plane(frame, 0, frame.width, frame.height, dtype), luma.bits
    if shifted and not form.is_big_endian:
        return np.right_shift(_plane(frame, 0, frame.width, frame.height, "<u2"), 16 - luma.bits), luma.bits
    return _luma_plane(repacked(frame, _planar_name(form)))


def _luma_of_rgb(frame: av.VideoFrame, matrix: str) -> tuple[np.ndarray, int]:
    """Full-range luma of an R'G'B' frame, and its depth."""
    depth = 8 if frame.format.has_palette else max(c.bits for c in frame.format.components)
    name = "rgb24" if depth <= 8 else "rgb48le"
    plain = frame if frame.format.name == name else frame.reformat(format=name, threads=1)
    channels = _plane(plain, 0, plain.width * 3, plain.height, "u1" if depth <= 8 else "<u2")
    rgb = np.ascontiguousarray(channels).reshape(plain.height, plain.width, 3)
    depth = 8 if depth <= 8 else 16
    return luma_of_rgb(rgb, matrix), depth


def luma_of_rgb(rgb: np.ndarray, matrix: str) -> np.ndarray:
    """Full-range luma of R'G'B' (height, width, 3) uint8 or uint16, of the same type, rounded to nearest.

    Grey pixels keep their code exactly.
    """
    red, blue = MATRICES[matrix]
    weights = np.array([[red, 1 - red - blue, blue]])
    return cv2.transform(rgb, weights).reshape(rgb.shape[:2])


def _converted(y: np.ndarray, native: YuvFormat, fmt: YuvFormat) -> np.ndarray:
    """Luma codes of one depth and range as codes of another, rounded to nearest."""
    if native.depth < fmt.depth and not native.full_range and not fmt.full_range:
        return np.left_shift(y, fmt.depth - native.depth, dtype=np.uint16)
    luma = (np.arange(native.peak + 1, dtype=np.float64) - native.black) / native.luma_span
    return luma_to_code(luma, fmt)[y]


def _chroma_samples(frame: av.VideoFrame) -> float | None:
    """Mean distance of chroma from grey as a share of full scale; None where the source holds no chroma."""
    form = frame.format
    if len(form.components) < 3 and not form.has_palette:
        return None
    if is_rgb(form):
        plain = frame.reformat(format="rgb24", threads=1)
        rgb = _plane(plain, 0, plain.width * 3, plain.height, "u1").reshape(plain.height, -1, 3)[::16, ::16]
        return float(np.mean(rgb.max(2).astype(np.float32) - rgb.min(2))) / 255 / 2
    if frame.format.name.startswith(("yuv4", "yuvj4", "yuva4")) and not form.is_big_endian and len(frame.planes) >= 3:
        bits = form.components[1].bits
        dtype = "u1" if bits == 8 else "<u2"
        width, height = form.chroma_width(frame.width), form.chroma_height(frame.height)
        planes = [_plane(frame, i, width, height, dtype)[::_COLOUR_STEP, ::_COLOUR_STEP] for i in (1, 2)]
        return float(np.mean([np.abs(p.astype(np.float32) - (1 << (bits - 1))) for p in planes])) / ((1 << bits) - 1)
    return _chroma_samples(frame.reformat(format="yuv444p", threads=1))


def _own_chroma(frame: av.VideoFrame, fmt: YuvFormat) -> tuple[np.ndarray, np.ndarray, YuvFormat] | None:
    form = frame.format
    full = 1 << 12  # a side that every subsampling divides
    if is_rgb(form):
        plain = frame.reformat(format="rgb24", threads=1)
        rgb = _plane(plain, 0, plain.width * 3, plain.height, "u1").reshape(plain.height, plain.width, 3)
        yuv = rgb_to_yuv(rgb.astype(np.float32) / 255, fmt.matrix)
        fmt = replace(fmt, chroma_width=1, chroma_height=1)
        return chroma_to_code(yuv[..., 1], fmt), chroma_to_code(yuv[..., 2], fmt), fmt
    if len(form.components) < 3:
        return None
    bits = form.components[1].bits
    planar = form.name.startswith(("yuv4", "yuvj4", "yuva4")) and not form.is_big_endian
    if not planar or full // form.chroma_height(full) > 2:
        name = "yuv444p" if bits <= 8 else f"yuv444p{bits}le"
        frame = repacked(frame, name)
        form = frame.format
    width, height = form.chroma_width(frame.width), form.chroma_height(frame.height)
    u, v = (_plane(frame, i, width, height, "u1" if bits <= 8 else "<u2") for i in (1, 2))
    steps = {"chroma_width": full // form.chroma_width(full), "chroma_height": full // form.chroma_height(full)}
    return u, v, replace(fmt, **steps)
