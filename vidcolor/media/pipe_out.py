"""A coloured film into standard output: raw frames in NUT, with its sound, or in y4m."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import floor
from types import TracebackType
from typing import BinaryIO, Protocol

import av
import numpy as np

from vidcolor.errors import MediaError, UsageError
from vidcolor.media.formats import Encoding
from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo
from vidcolor.media.sink import FIELD_ORDERS, set_tags
from vidcolor.media.stored_tags import is_of_the_bytes
from vidcolor.media.streams import plan_streams

_MUXERS = {"nut": "nut", "y4m": "yuv4mpegpipe"}
_INDEXED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})  # a seek there never goes too far
_WRITE = 1 << 20  # bytes that FFmpeg gathers at most


class _Pipe:
    """What FFmpeg writes to: all of it arrives, however slowly it is taken."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.replaced: tuple[bytes, bytes] | None = None
        """In the first bytes that come: what they hold, and what is to be there."""

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        if self.replaced:
            rest, self.replaced = memoryview(bytes(data).replace(*self.replaced, 1)), None
        while rest:
            rest = rest[self._handle.write(rest) :]
        return len(data)


def refuse_terminal_output() -> None:
    """Refuse standard output where somebody would be shown raw frames as text.

    Raises:
        UsageError: it is a terminal.
    """
    if os.isatty(1):
        next_step = "Put a program behind it: ... | ffplay -"
        raise UsageError("standard output is a terminal", "a film would be noise there", next_step)


@contextmanager
def standard_output() -> Iterator[_Pipe]:
    """Standard output for a film alone: whatever else is printed meanwhile goes to standard error."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(own, "wb", buffering=0, closefd=False) as handle:
            yield _Pipe(handle)
    finally:
        os.dup2(own, 1)
        os.close(own)


class OtherStreams(Protocol):
    """The streams of a film that go through with it."""

    container: av.container.InputContainer

    def take(self, before: Fraction | None) -> Iterator[av.Packet]:
        """Their packets in order, as far as they are decoded before a time in seconds; None: all that are left."""


class PipedStreams:
    """The other streams of a film that comes from a pipe: what was read with the pictures so far."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self.container = container
        self._packets: deque[av.Packet] = deque()

    def add(self, packet: av.Packet) -> None:
        """The next packet, from the thread that reads."""
        self._packets.append(packet)

    def take(self, before: Fraction | None) -> Iterator[av.Packet]:
        while self._packets and _is_before(self._packets[0], before):
            yield self._packets.popleft()


class FiledStreams:
    """The other streams of a film that is a file, read beside it. Use it as a context manager.

    Args:
        indices: of the streams that are wanted.
        piece: (first second, end or None) of what is wanted, on the film's clock.
    """

    def __init__(self, info: FilmInfo, indices: list[int], piece: tuple[Fraction, Fraction | None] | None) -> None:
        self.container = open_film(info.path, info.protocols)
        self._piece = piece
        if piece and info.container in _INDEXED and not info.index_misleads:
            self.container.seek(floor(piece[0] * av.time_base))
        self._packets = self._demux(indices)
        self._held: av.Packet | None = None

    def _demux(self, indices: list[int]) -> Iterator[av.Packet]:
        if not indices:
            return
        first, end = self._piece or (None, None)
        for packet in self.container.demux([self.container.streams[index] for index in indices]):
            if not packet.size or packet.dts is None:
                continue
            if (first is None or not _is_before(packet, first)) and (end is None or _is_before(packet, end)):
                yield packet

    def take(self, before: Fraction | None) -> Iterator[av.Packet]:
        while (packet := self._held or next(self._packets, None)) is not None:
            self._held = packet
            if not _is_before(packet, before):
                return
            self._held = None
            yield packet

    def __enter__(self) -> FiledStreams:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.container.close()


def _is_before(packet: av.Packet, time: Fraction | None) -> bool:
    return time is None or packet.dts is None or packet.dts * packet.time_base < time


class PipeWriter:
    """Writes frames, in the order they are shown, to a pipe. Use it as a context manager.

    Args:
        out: from `standard_output`.
        encoding: from `pipe_encoding`.
        info: of the film; frames are in its time base.
        others: the streams that go through with it, if it has any.
        offset: ticks of the film's time base by which everything is shown earlier.
        tags: for the whole film, beside its own.

    Raises:
        MediaError: a frame of a film that y4m cannot hold, because it is not shown at a constant rate.
        BrokenPipeError: nobody reads any more.
    """

    def __init__(
        self,
        out: _Pipe,
        encoding: Encoding,
        info: FilmInfo,
        others: OtherStreams | None,
        offset: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._info, self._encoding, self._others, self._offset = info, encoding, others, offset
        self._form = encoding.suffix[1:]
        self._frames = 0
        self._first: int | None = None  # pts of the first frame
        # Packets come in order, so FFmpeg need not hold frames back to sort them.
        options = {"strict": "unofficial", "flush_packets": "1", "max_interleave_delta": "1"}
        if self._form == "y4m" and info.sar is not None:  # PyAV cannot give a stream the shape of its pixels
            out.replaced = b" A0:0 ", f" A{info.sar.numerator}:{info.sar.denominator} ".encode()
        self._container = av.open(out, "w", format=_MUXERS[self._form], options=options, buffer_size=_WRITE)
        self._unit = info.time_base if self._form == "nut" else 1 / info.average_rate  # seconds; FFmpeg may count finer
        self._film = self._add_film()
        self._kept: dict[int, av.stream.Stream] = {}
        for plan in plan_streams(info, encoding.suffix):
            if plan.action == "copy":
                source = others.container.streams[plan.stream.index]
                stream = self._container.add_stream_from_template(source, opaque=True)
                stream.metadata.update(source.metadata)
                self._kept[source.index] = stream
        if self._form == "nut":
            self._container.metadata.update({**dict(info.container_tags), **(tags or {})})
            if others and not offset:
                self._container.set_chapters(others.container.chapters())

    def _add_film(self) -> av.VideoStream:
        info, encoding = self._info, self._encoding
        rate = info.average_rate or Fraction(25)
        siting = {"chroma_sample_location": encoding.format.siting}
        stream = self._container.add_stream("rawvideo", rate=rate, options=siting)
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, encoding.pix_fmt
        stream.time_base = stream.codec_context.time_base = self._unit
        set_tags(stream.codec_context, encoding, info)
        stream.codec_context.field_order = FIELD_ORDERS[info.field_order]
        stream.metadata.update({name: value for name, value in info.film_stream.tags if not is_of_the_bytes(name)})
        return stream

    def write(self, pts: int, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
        """Write one frame, and what of the other streams comes before it.

        Args:
            pts: in units of the film's time base.
            y, u, v: codes of `encoding.format`, written bit for bit.
        """
        self._write_others(pts * self._info.time_base)
        packet = av.Packet(b"".join(np.ascontiguousarray(plane).data for plane in (y, u, v)))
        packet.pts = packet.dts = pts - self._offset if self._form == "nut" else self._number(pts)
        packet.time_base, packet.stream, packet.is_keyframe = self._unit, self._film, True
        self._container.mux_one(packet)
        self._frames += 1

    def _number(self, pts: int) -> int:
        """The frame's place at a constant rate, in which no time is off by more than its rounding to ticks."""
        info = self._info
        self._first = pts if self._first is None else self._first
        frame = 1 / (info.average_rate * info.time_base)  # ticks
        late = pts - self._first - self._frames * frame
        if abs(late) <= 1 and 2 * abs(late) < frame:
            return self._frames
        raise MediaError(
            f"cannot write {info.path} as y4m",
            "y4m holds frames of one constant rate, "
            f"and frame {self._frames} is {float(late * info.time_base):+.3f} s off {info.average_rate} a second",
            "NUT keeps every time: --stdout-format nut",
        )

    def _write_others(self, before: Fraction | None) -> None:
        if self._others is None:
            return
        for packet in self._others.take(before):
            stream = self._kept.get(packet.stream_index)
            if stream is None:
                continue
            shift = round(self._offset * self._info.time_base / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            if packet.dts is None or packet.dts < 0 or (packet.pts is not None and packet.pts < 0):
                continue  # sound that is there to start its decoder: NUT has no times before 0
            packet.stream = stream
            self._container.mux_one(packet)

    def __enter__(self) -> PipeWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._write_others(None)
            self._container.close()
        else:
            with suppress(av.error.FFmpegError, OSError):  # the pipe may be closed already
                self._container.close()
