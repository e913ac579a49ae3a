"""A film's frames in the order they are shown: native luma, and exact integer times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import TracebackType

import av
import cv2
import numpy as np

from vidcolor.color.yuv import MATRICES, YuvFormat, chroma_to_code, luma_to_code, rgb_to_yuv
from vidcolor.errors import MediaError
from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo, is_rgb
from vidcolor.media.times import timed, usual_duration

MAX_LEDGER = 1000  # entries of damage that are kept; all are counted
MAX_STEP_BACK = 1  # seconds that one frame may lie before the one shown before it

# Containers whose packets carry presentation times and whose key frames can be found exactly; in others, a seek means
# decoding from the beginning.
_SEEKABLE = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts"})
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


class _DecodeError(Exception):
    """A packet could not be decoded while frame threads were at work."""


class FilmSource:
    """The frames of a film, decoded once from front to back. Use it as a context manager.

    Frames that an edit list hides are not shown, as players do; packets that cannot be decoded are skipped and
    recorded in `damage`.

    Args:
        info: from `probe`; with `format` replaced by one of another depth or range, luma is handed on in that.
        threads: of the decoder.
        start_pts: leave out all frames before this time; the frames from there on are those of a decode from the
            beginning, picture and pts alike.

    Raises (while iterating):
        MediaError: the picture changes its size or bit depth in mid-film, or the file cannot be read any further.
    """

    def __init__(self, info: FilmInfo, threads: int, start_pts: int | None = None) -> None:
        self.info = info
        self.damage: list[tuple[int | None, str]] = []
        """(pts or None where unknown, what happened), at most MAX_LEDGER of them."""
        self.damaged = 0
        """How many times something was damaged."""
        self._threads = threads
        self._start = start_pts
        self._shown: int | None = None  # pts of the last frame that was decoded
        self._last_packet_pts: int | None = None
        self._open("AUTO")

    def _open(self, threading: str) -> None:
        self._container = self._open_container()
        self._threading = threading
        self._stream = self._container.streams[self.info.film]
        self._stream.thread_type = threading
        self._stream.codec_context.thread_count = self._threads

    def _open_container(self) -> av.container.InputContainer:
        return open_film(self.info.path)

    def _demux(self) -> Iterator[av.Packet]:
        return self._container.demux(self._stream)

    def stop(self) -> None:
        """End a read that waits for more to come; only a pipe has one."""

    def __enter__(self) -> FilmSource:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def __iter__(self) -> Iterator[LumaFrame]:
        read = luma_reader(self.info)
        for pts, duration, frame in self._timed_frames():
            if self._shown is not None and pts <= self._shown:
                self._check_jump(pts)
                self._record(pts, "a frame does not come after the one before it; it is left out")
                continue
            self._shown = pts
            if self._start is not None and pts < self._start:
                continue
            self._check_size(frame, pts)
            if frame.is_corrupt:
                self._record(pts, "the frame is damaged; the decoder concealed it")
            yield LumaFrame(pts, duration, read(frame), frame.interlaced_frame, frame.is_corrupt, frame)

    def _at(self, pts: int) -> str:
        return f"{float(pts * self.info.time_base):.3f} s"

    def _check_jump(self, pts: int) -> None:
        """A single frame may be out of place; a film whose clock starts anew would lose all that follows."""
        if (self._shown - pts) * self.info.time_base <= MAX_STEP_BACK:
            return
        raise MediaError(
            f"cannot go on in {self.info.path}",
            f"at {self._at(self._shown)} its clock jumps back to {self._at(pts)}",
            "Give it one clock first: ffmpeg -i FILM -c copy FIXED.mkv",
        )

    def _check_size(self, frame: av.VideoFrame, pts: int) -> None:
        info = self.info
        if (frame.width, frame.height) == (info.width, info.height):
            return
        raise MediaError(
            f"cannot go on in {info.path}",
            f"at {self._at(pts)} the picture changes from {info.width}x{info.height} to {frame.width}x{frame.height}",
            "Cut the film there, or scale it to one size first.",
        )

    def _record(self, pts: int | None, what: str) -> None:
        self.damaged += 1
        if len(self.damage) < MAX_LEDGER:
            self.damage.append((pts, what))

    def _timed_frames(self) -> Iterator[tuple[int, int, av.VideoFrame]]:
        """Decoded frames with pts and duration. From the first packet that cannot be decoded on, without frame threads.

        With frame threads, an error comes up some packets late, and PyAV then loses frames that were finished before
        it. So go back to the last frame shown and decode the rest packet by packet, where an error costs what is
        damaged and nothing else.
        """
        info = self.info
        usual = usual_duration(info.average_rate, info.time_base)
        try:
            yield from timed(info.container, self._decode(self._start), usual)
        except _DecodeError:
            again = self._shown
            self._container.close()
            self._open("SLICE")
            frames = timed(info.container, self._decode(self._start if again is None else again), usual)
            yield from (item for item in frames if again is None or item[0] > again)

    def _decode(self, start: int | None) -> Iterator[av.VideoFrame]:
        for packet in self._packets(start):
            try:
                frames = packet.decode() if packet.size else self._stream.codec_context.decode(None)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if self._threading == "AUTO":
                    raise _DecodeError from error
                self._record(packet.pts, f"a packet cannot be decoded ({error.strerror})")
                continue
            yield from frames

    def _packets(self, start: int | None) -> Iterator[av.Packet]:
        first = self._seek(start) if start is not None else None
        if first is not None:
            yield first
        packets = self._demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                self._record(self._last_packet_pts, f"the file cannot be read any further ({error.strerror})")
                yield av.Packet()  # empties the decoder
                return
            if packet.pts is not None:
                self._last_packet_pts = packet.pts
            yield packet

    def _seek(self, start: int) -> av.Packet | None:
        """Go to a key frame that is shown at or before the start; None: the film begins anew.

        Containers seek by decoding time, and nothing but the key frame itself tells when it is shown. So look at it,
        and go further back while it is too late. Frames that are shown before the key frame but stored after it (an
        open group of pictures) lie before the start too, and are left out with it.
        """
        if self.info.container not in _SEEKABLE or start <= self.info.start_pts:
            return None
        self._show_beginning()
        back = max(1, round(Fraction(1) / self.info.time_base))
        target = start
        while target > self.info.start_pts:
            try:
                self._container.seek(target, stream=self._stream)
                packet = next((p for p in self._container.demux(self._stream) if p.is_keyframe and p.size), None)
            except av.error.FFmpegError:
                break
            if packet is not None and packet.pts is not None and packet.pts <= start:
                return packet
            target, back = target - back, back * 2
        self._container.close()
        self._open(self._threading)
        return None

    def _show_beginning(self) -> None:
        """Let the decoder see the first packet: x264 names its version there and nowhere else, and FFmpeg decodes the
        4:4:4 pictures of versions with a certain fault in the way that they were coded."""
        try:
            first = next((packet for packet in self._container.demux(self._stream) if packet.size), None)
            if first is not None:
                first.decode()
        except av.error.FFmpegError:
            pass  # it is met again, and recorded, where the film is decoded from its beginning


def luma_reader(info: FilmInfo) -> Callable[[av.VideoFrame], np.ndarray]:
    """A function that gives a decoded frame's luma as codes of `info.format`, (height, width).

    Luma planes are handed on as they are, without a copy. RGB becomes full-range luma of `info.format.matrix`, rounded
    to nearest.
    """
    fmt, full_range = info.format, info.full_range

    def read(frame: av.VideoFrame) -> np.ndarray:
        form = frame.format
        if is_rgb(form):
            y, depth = _luma_of_rgb(frame, fmt.matrix)
        else:
            y, depth = _luma_plane(frame)
        return (
            y
            if (depth, full_range) == (fmt.depth, fmt.full_range)
            else _converted(y, replace(fmt, depth=depth, full_range=full_range), fmt)
        )

    return read


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
    across, down = form.chroma_width(1 << 12), form.chroma_height(1 << 12)
    sampling = {(1 << 12, 1 << 12): "444", (1 << 11, 1 << 12): "422", (1 << 11, 1 << 11): "420"}[across, down]
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
    # Packed or big-endian samples: swscale only moves bytes here.
    plain = frame.reformat(
        format=_planar_name(form), src_color_range=frame.color_range, dst_color_range=frame.color_range
    )
    return _luma_plane(plain)


def _luma_of_rgb(frame: av.VideoFrame, matrix: str) -> tuple[np.ndarray, int]:
    """Full-range luma of an R'G'B' frame, and its depth."""
    depth = 8 if frame.format.has_palette else max(c.bits for c in frame.format.components)
    name = "rgb24" if depth <= 8 else "rgb48le"
    plain = frame if frame.format.name == name else frame.reformat(format=name)
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
        plain = frame.reformat(format="rgb24")
        rgb = _plane(plain, 0, plain.width * 3, plain.height, "u1").reshape(plain.height, -1, 3)[::16, ::16]
        return float(np.mean(rgb.max(2).astype(np.float32) - rgb.min(2))) / 255 / 2
    if frame.format.name.startswith(("yuv4", "yuvj4", "yuva4")) and not form.is_big_endian and len(frame.planes) >= 3:
        bits = form.components[1].bits
        dtype = "u1" if bits == 8 else "<u2"
        width, height = form.chroma_width(frame.width), form.chroma_height(frame.height)
        planes = [_plane(frame, i, width, height, dtype)[::_COLOUR_STEP, ::_COLOUR_STEP] for i in (1, 2)]
        return float(np.mean([np.abs(p.astype(np.float32) - (1 << (bits - 1))) for p in planes])) / ((1 << bits) - 1)
    return _chroma_samples(frame.reformat(format="yuv444p"))


def _own_chroma(frame: av.VideoFrame, fmt: YuvFormat) -> tuple[np.ndarray, np.ndarray, YuvFormat] | None:
    form = frame.format
    full = 1 << 12  # a side that every subsampling divides
    if is_rgb(form):
        plain = frame.reformat(format="rgb24")
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
        frame = frame.reformat(format=name, src_color_range=frame.color_range, dst_color_range=frame.color_range)
        form = frame.format
    width, height = form.chroma_width(frame.width), form.chroma_height(frame.height)
    u, v = (_plane(frame, i, width, height, "u1" if bits <= 8 else "<u2") for i in (1, 2))
    steps = {"chroma_width": full // form.chroma_width(full), "chroma_height": full // form.chroma_height(full)}
    return u, v, replace(fmt, **steps)
