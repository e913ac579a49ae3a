"""One chunk of a coloured film: frames in, a file that holds them with their exact times out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.codec.context import Flags

from vidcolor.errors import MediaError
from vidcolor.media.carried import successor
from vidcolor.media.filtering import through
from vidcolor.media.formats import Encoding
from vidcolor.media.hdr import hdr_parameters
from vidcolor.media.probe import FilmInfo, matrix_code

# Chunks are fragmented MP4 or QuickTime files: they keep any time base, differences of time exactly, and need no second
# pass. They begin at 0, so the pts of the first frame is written beside, in this tag.
FIRST_PTS_TAG = "comment"
FRAGMENTED = {"movflags": "+empty_moov+default_base_moof", "frag_duration": "2000000"}

_PARAMETERS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
SPARE_REORDER = 2  # frames that packets may be stored ahead beyond what the encoder says of itself
FIELD_ORDERS = {"progressive": 1, "tff": 2, "bff": 3}  # AVFieldOrder


class ChunkWriter:
    """Encodes frames, in the order they are shown, into a chunk file at `path`. Use it as a context manager.

    The same frames with the same `encoding` and `threads` give the same bytes.

    Args:
        path: of the chunk, with `encoding.chunk_suffix`.
        encoding: from `choose_encoding`.
        info: of the film; frames are in its time base, and carry its tags.
        threads: of the encoder.

    Raises:
        MediaError: the encoder refuses these settings, or a frame.
        OSError: the file cannot be written, for instance because the disk is full.
    """

    def __init__(self, path: Path, encoding: Encoding, info: FilmInfo, threads: int) -> None:
        self.frames = 0
        self._info, self._encoding = info, encoding
        self._shown: list[int] = []  # pts of all frames
        self._last = 0  # duration of the frame that was written last
        self._stored = 0  # packets
        self._held: av.Packet | None = None
        options = {**FRAGMENTED, "video_track_timescale": str(info.time_base.denominator)}
        # Not opened by name: FFmpeg says nothing when the last bytes, written as it closes, find no room.
        self._file = path.open("wb")
        self._container = av.open(self._file, "w", format=encoding.chunk_suffix[1:], options=options)
        try:
            self._stream = self._add_stream(threads)
            self._context.open()
        except (av.error.FFmpegError, ValueError) as error:
            self._abandon()
            raise self._refusal(error) from error
        self._succeed = successor(encoding.pix_fmt, info.time_base)
        self._fields = _field_setter(info) if info.interlaced else None

    @property
    def _context(self) -> av.VideoCodecContext:
        return self._stream.codec_context

    def _refusal(self, error: Exception) -> MediaError:
        encoding, info = self._encoding, self._info
        return MediaError(
            f"cannot encode {info.path}",
            f"{encoding.encoder} refuses {info.width}x{info.height} {encoding.pix_fmt} ({error})",
            "Try another --codec; see: vidcolor encoders",
        )

    def _add_stream(self, threads: int) -> av.VideoStream:
        info, encoding = self._info, self._encoding
        rate = info.average_rate or Fraction(25)
        stream = self._container.add_stream(
            encoding.encoder, rate=rate, options=_encoder_options(encoding, info, threads)
        )
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, encoding.pix_fmt
        stream.time_base = info.time_base
        context = stream.codec_context
        context.time_base, context.framerate = info.time_base, rate
        context.thread_count, context.thread_type = threads, "AUTO"  # frames beside each other where it can
        context.flags |= Flags.global_header
        set_tags(context, encoding, info)
        if encoding.interlaced:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.field_order = FIELD_ORDERS[info.field_order]
        return stream

    def write(
        self,
        pts: int,
        duration: int,
        y: np.ndarray,
        u: np.ndarray,
        v: np.ndarray,
        carrier: av.VideoFrame | None = None,
    ) -> None:
        """Encode one frame.

        Args:
            pts, duration: in units of the film's time base.
            y: (height, width) codes of `encoding.format`, copied bit for bit.
            u, v: the same at chroma size.
            carrier: a decoded frame of the film's size whose side data goes with it.
        """
        if self.frames == 0:
            self._container.metadata[FIRST_PTS_TAG] = str(pts)
        try:
            for packet in self._context.encode(self._frame(pts, duration, (y, u, v), carrier)):
                self._mux(packet)
        except av.error.FFmpegError as error:
            raise self._refusal(error) from error
        self.frames += 1
        self._shown.append(pts)
        self._last = duration

    def _frame(
        self, pts: int, duration: int, planes: tuple[np.ndarray, ...], carrier: av.VideoFrame | None
    ) -> av.VideoFrame:
        info, encoding = self._info, self._encoding
        if carrier is None:
            frame = av.VideoFrame(info.width, info.height, encoding.pix_fmt)
        else:
            frame = self._succeed(carrier)
        for source, plane in zip(planes, frame.planes, strict=True):
            if source.dtype != encoding.format.dtype or source.shape != (plane.height, plane.width):
                raise ValueError(
                    f"a plane is {source.dtype} {source.shape}; {encoding.pix_fmt} takes "
                    f"{np.dtype(encoding.format.dtype)} {(plane.height, plane.width)}"
                )
            target = np.frombuffer(plane, source.dtype).reshape(plane.height, -1)
            target[:, : plane.width] = source
        frame.pts, frame.duration, frame.time_base = pts, duration, info.time_base
        frame.colorspace, frame.color_range = self._context.colorspace, self._context.color_range
        frame.color_primaries, frame.color_trc = info.tags.primaries, info.tags.transfer
        return frame if self._fields is None else self._fields(frame)

    def _mux(self, packet: av.Packet) -> None:
        """Write the packet before this one; the last is held back, as it tells how long the last frame is shown."""
        held, self._held = self._held, packet
        if held is not None:
            self._put(held)

    def _put(self, packet: av.Packet) -> None:
        """Write a packet. Its decoding time is reckoned anew: x265 leaves it undefined in very short chunks."""
        earlier = self._stored - self._context.reorder_depth - SPARE_REORDER
        packet.dts = self._shown[earlier] if earlier >= 0 else self._shown[0] + earlier
        packet.time_base, packet.stream = self._info.time_base, self._stream
        self._container.mux_one(packet)
        self._stored += 1

    def close(self) -> None:
        """Finish the file."""
        with self._file, self._container:
            try:
                for packet in self._context.encode(None):
                    self._mux(packet)
                if self._held is not None:
                    self._held.duration = self._last
                    self._put(self._held)
                    self._held = None
            except av.error.FFmpegError as error:
                raise self._refusal(error) from error

    def _abandon(self) -> None:
        """Let go of the file, whatever is in it."""
        for each in (self._container, self._file):
            with suppress(OSError):
                each.close()

    def __enter__(self) -> ChunkWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()


def set_tags(context: av.VideoCodecContext, encoding: Encoding, info: FilmInfo) -> None:
    """Carry the source's aspect ratio and colour tags over; what it leaves open stays open."""
    if info.sar is not None:
        context.sample_aspect_ratio = info.sar
    context.colorspace = matrix_code(info)
    context.color_range = 2 if encoding.format.full_range else min(1, info.tags.range)
    context.color_primaries, context.color_trc = info.tags.primaries, info.tags.transfer


def _encoder_options(encoding: Encoding, info: FilmInfo, threads: int) -> dict[str, str]:
    """FFmpeg options of the encoder; whatever depends on the machine is fixed: the same input gives the same bytes."""
    options = dict(encoding.options)
    if info.tags.siting != "unspecified":
        options["chroma_sample_location"] = info.tags.siting
    if encoding.encoder == "libx264" and info.field_order == "bff" and encoding.interlaced:
        # Told of each frame, x264 writes it into the first alone; the others' SEI would say top field first.
        options["x264-params"] = ":".join(filter(None, (options.get("x264-params"), "bff=1")))
    if encoding.encoder == "libx264" and "AVX512" in cv2.getCPUFeaturesLine():
        # x264's AVX-512 code for macroblock trees reads memory that was never written: with B-frames, the same frames
        # give other bytes now and then, at one thread too. Its AVX2 code does not.
        options["x264-params"] = ":".join(filter(None, (options.get("x264-params"), "asm=avx2")))
    elif encoding.encoder == "libx265":
        options["a53cc"] = "1"  # x264's and NVENC's wrappers write captions by themselves
        options["x265-params"] = f"log-level=error:pools={threads}:frame-threads={min(4, max(1, threads // 2))}"
    elif encoding.encoder == "libsvtav1":
        options["svtav1-params"] = f"lp={threads}"
    elif encoding.encoder == "ffv1" and min(info.width, info.height) >= 64 and not (info.width % 2 or info.height % 2):
        options["slices"] = "4"  # else by the number of threads
    elif encoding.encoder == "ffv1" and min(info.width, info.height) < 16 and info.width <= 352 and info.height <= 288:
        options["slices"] = "1"  # by itself FFmpeg divides even a few lines, and refuses what cannot be divided
    if hdr := hdr_parameters(encoding.encoder, info.hdr):
        name = _PARAMETERS[encoding.encoder]
        options[name] = ":".join(filter(None, (options.get(name), hdr)))
    return options


def _field_setter(info: FilmInfo) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that marks frames as interlaced, with their field order; FFmpeg's filter, because PyAV cannot."""
    marked = through(info.time_base, ("setfield", info.field_order))

    def mark(frame: av.VideoFrame) -> av.VideoFrame:
        made = marked(frame)
        made.time_base = info.time_base
        return made

    return mark
