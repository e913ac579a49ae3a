"""A film's packets in the order in which they are stored, from the beginning or from a key frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av

from vidcolor.media.color_tags import is_rgb
from vidcolor.media.damage import MISSING, Ledger, seconds
from vidcolor.media.nvdec import decode, open_on_gpu
from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo

# Containers whose packets carry presentation times and whose key frames can be found exactly; in others, a seek means
# decoding from the beginning.
SEEKABLE = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts"})


class Damaged(Exception):
    """Something is damaged, found while frame threads were at work."""


class PacketReader:
    """A film that is open, and its decoder.

    Args:
        info: from `probe`.
        threads: of the decoder.
        ledger: told where the file cannot be read.
    """

    _strictness = {"err_detect": "explode"}  # of a decoder: every error that it notices is one
    reopens = True  # whether the film can be opened and sought again; not so a pipe

    def __init__(self, info: FilmInfo, threads: int, ledger: Ledger) -> None:
        self.info = info
        self._threads = threads
        self._ledger = ledger
        self._key: int | None = None  # pts of the sound key frame that a new decoder begins with
        self._last_packet_pts = info.start_pts
        self._entered: int | None = None  # pts of the key frame that the decode began with, after a seek
        self._handed_over: list[str] = []  # why and when the CPU took over from the GPU; once, and it keeps the film
        self._trusts_gpu = info.decoder == "nvdec"
        self._open(careful=not self.reopens)

    def _open(self, careful: bool) -> None:
        """Begin anew: with threads and no patience for errors, or careful and with all.

        With frame threads an error comes up some packets late, PyAV loses frames that were finished before it, and what
        a decoder makes up for damage depends on how far its other threads are. A single thread always makes up the
        same. A strict decoder beside it knows of errors that the patient one does not tell.
        """
        self._careful = careful
        fast = None if careful or not self._trusts_gpu else self._open_on_gpu()
        self._on_gpu = fast is not None
        self._container = fast or self._open_container()
        self._stream = self._container.streams[self.info.film]
        alone = careful or self._on_gpu
        self._stream.thread_type = "NONE" if alone else "FRAME"
        self._stream.codec_context.thread_count = 1 if alone or _tells_late(self.info) else self._threads
        if not careful:
            self._stream.codec_context.options = dict(self._strictness)
        self._strict = self._open_container() if careful and self.reopens else None
        if self._strict is not None:
            self._strict_stream = self._strict.streams[self.info.film]
            self._strict_stream.codec_context.options = dict(self._strictness)

    def _open_container(self) -> av.container.InputContainer:
        return open_film(self.info.path, self.info.protocols)

    def _open_on_gpu(self) -> av.container.InputContainer | None:
        try:
            return open_on_gpu(self.info)
        except (av.error.FFmpegError, RuntimeError) as error:
            self._hand_over(self._last_packet_pts, error)
            return None

    def _hand_over(self, pts: int, error: BaseException | None) -> None:
        """Leave the rest of the film to the CPU: NVDEC tells of little damage: where some is, more may be."""
        self._trusts_gpu = False
        why = getattr(error, "strerror", None) or str(error or "a frame is damaged")
        at = seconds(pts - self.info.start_pts, self.info)
        self._handed_over.append(f"from {at:.3f} s on decoded on the CPU, not by NVDEC: {why}")

    def take_handed_over(self) -> list[str]:
        """What is to be told of a GPU that did not decode all of the film; told once."""
        told, self._handed_over[:] = list(self._handed_over), []
        return told

    def _decoded(self, packet: av.Packet) -> list[av.VideoFrame]:
        """The frames that a packet finishes; an empty one: those that are left."""
        context = self._stream.codec_context
        if self._on_gpu:
            return decode(packet, context, self.info.pix_fmt)
        return packet.decode() if packet.size else context.decode(None)

    def _demux(self) -> Iterator[av.Packet]:
        return self._container.demux(self._stream)

    def stop(self) -> None:
        """End a read that waits for more to come; only a pipe has one."""

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
        if self._strict is not None:
            self._strict.close()

    def _renew(self, careful: bool) -> None:
        self.close()
        self._open(careful)

    def _packets(self, start: int | None) -> Iterator[av.Packet]:
        if start is not None and self.info.deinterlace:
            start -= 1  # a frame is made whole beside the one before it
        first = self._seek(start) if start is not None else None
        self._entered = None if first is None else first.pts
        if first is not None:
            yield self._led_up_to(first) if self.info.film_stream.codec == "h264" else first
        packets = self._demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                if not self._careful:
                    raise Damaged from error
                why = f"the file cannot be read any further ({error.strerror})"
                self._ledger.add(self._last_packet_pts, why, MISSING)
                yield av.Packet()  # empties the decoder
                return
            if packet.pts is not None:
                self._last_packet_pts = packet.pts
            yield packet

    def _unlike(self, frame: av.VideoFrame) -> str:
        """How a frame differs from the film in what luma is handed on as; empty: it does not."""
        info = self.info
        if (frame.width, frame.height) != (info.width, info.height):
            return f"from {info.width}x{info.height} to {frame.width}x{frame.height}"
        found, expected = frame.format, av.VideoFormat(info.pix_fmt)
        if found.name == expected.name or (_samples(found) == _samples(expected)):
            return ""
        return f"from {expected.name} to {found.name}"

    def _seek(self, start: int) -> av.Packet | None:
        """Go to a key frame that is shown at or before the start; None: the film begins anew.

        Frames that are shown before the key frame but stored after it (an open group of pictures) lie before the start
        too, and are left out with it.
        """
        if self.info.container not in SEEKABLE or start <= self.info.start_pts:
            return None
        if self._careful:
            return self._last_sound_key(start)
        if self._key is not None:
            return self._find(self._key)
        for target in self._further_back(start):
            packet = next(self._keys_from(target), None)
            if packet is not None and packet.pts <= start:
                return packet
        self._renew(self._careful)
        return None

    def _last_sound_key(self, start: int) -> av.Packet | None:
        """The last key frame up to the start that is not damaged: what is made up for one depends on those before."""
        for target in (*self._further_back(start), self.info.start_pts):
            until = itertools.takewhile(lambda p: p.dts is None or p.dts <= start, self._keys_from(target))
            for pts in sorted({packet.pts for packet in until if packet.pts <= start}, reverse=True):
                packet = self._find(pts)
                if packet is not None and self._is_sound(packet):
                    return packet
        self._renew(self._careful)
        return None

    def _led_up_to(self, key: av.Packet) -> av.Packet:
        """The same key frame, with the decoder shown what is stored before it, for a second at least.

        H.264 allows frames after a key frame to name frames before it: as what they are made from, if they are shown before
        the key frame, and as what need not be kept any longer. A decoder that knows nothing of those calls it damage.
        """
        first = self._key_before(key)
        contexts = [self._stream.codec_context, *([self._strict_stream.codec_context] if self._strict else [])]
        for packet in itertools.chain([first] if first else [], self._demux()):
            if packet.is_keyframe and packet.pts == key.pts:
                return packet
            if packet.dts is not None and key.dts is not None and packet.dts > key.dts:
                break
            for context in contexts if packet.size else []:
                with suppress(av.error.FFmpegError):  # what its own beginning lacks, or damage that is none to `key`
                    context.decode(packet)
        return self._find(key.pts)

    def _key_before(self, key: av.Packet) -> av.Packet | None:
        """Go to a key frame a second before this one or earlier; None: to the film's beginning."""
        second = round(1 / self.info.time_base)
        for target in self._further_back(key.pts - second):
            packet = next(self._keys_from(target), None)
            if packet is not None and packet.pts <= key.pts - second:
                return packet
        self._renew(self._careful)
        return None

    def _precedes(self, frame: av.VideoFrame) -> bool:
        """Whether a frame is shown before the key frame that the decode began with: nobody wants it, and it may be unsound."""
        return self._entered is not None and frame.pts is not None and frame.pts < self._entered

    def _find(self, pts: int) -> av.Packet | None:
        """The key frame that is shown then; None: it is the film's first, which begins anew, or there is none."""
        for target in (*self._further_back(pts), self.info.start_pts):
            until = itertools.takewhile(lambda p: p.dts is None or p.dts <= pts, self._keys_from(target))
            found = next((packet for packet in until if packet.pts == pts), None)
            if found is not None:
                return found
        self._renew(self._careful)
        return None

    def _further_back(self, pts: int) -> Iterator[int]:
        """Times to seek for what is shown at `pts`: containers seek by decoding time, and not always where they say."""
        back = max(1, round(Fraction(1) / self.info.time_base))
        while pts > self.info.start_pts:
            yield pts
            pts, back = pts - back, back * 2

    def _keys_from(self, target: int) -> Iterator[av.Packet]:
        """The key frames from about a time on, in the order in which they are stored."""
        self._renew(self._careful)
        self._show_beginning()
        try:
            if target > self.info.start_pts:
                self._container.seek(target, stream=self._stream)
            yield from (p for p in self._demux() if p.is_keyframe and p.size and p.pts is not None)
        except av.error.FFmpegError:
            return

    def _is_sound(self, packet: av.Packet) -> bool:
        """Whether a key frame can be decoded by itself, without an error. In threads, errors are found soon enough."""
        if self._strict is None:
            return True
        context = self._strict_stream.codec_context
        try:
            frames = [*context.decode(packet), *context.decode(None)]
        except av.error.FFmpegError:
            frames = []
        context.flush_buffers()
        return bool(frames) and not any(frame.is_corrupt or self._unlike(frame) for frame in frames)

    def _show_beginning(self) -> None:
        """Let the decoder see the first packet: x264 names its version there and nowhere else, and FFmpeg decodes the
        4:4:4 pictures of versions with a certain fault in the way that they were coded."""
        try:
            first = next((packet for packet in self._container.demux(self._stream) if packet.size), None)
            if first is not None:
                first.decode()
        except av.error.FFmpegError:
            pass  # it is met again, and recorded, where the film is decoded from its beginning


def _tells_late(info: FilmInfo) -> bool:
    """Whether frame threads may hand on a frame before it is known that it is damaged.

    These decoders make up what is missing in a frame once it is over, which another thread need not wait for. One
    thread decodes 190 frames of 1440x1080 a second (H.264, measured 2026-11-21, AMD EPYC), so it costs nothing up to
    that size; in larger films, which need the threads, some damage may be told in one run and not in the next.
    """
    return (
        info.film_stream.codec in ("h264", "mpeg4", "rv30", "rv40", "vp8") and info.width * info.height <= 1920 * 1088
    )


def _samples(form: av.VideoFormat) -> tuple[bool, bool, int]:
    """What tells how luma is read: whether it is made from RGB, the range that the name implies, bits."""
    return is_rgb(form), form.name.startswith("yuvj"), form.components[0].bits
