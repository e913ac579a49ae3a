"""A film's frames in the order they are shown: native luma, and exact integer times."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import av

from vidcolor.errors import MediaError
from vidcolor.media.damage import LEFT_OUT, PLACED, Damage, Ledger, seconds
from vidcolor.media.deinterlace import deinterlaced
from vidcolor.media.ffv1 import Ffv1Check
from vidcolor.media.luma import LumaFrame, frame_copier, luma_reader
from vidcolor.media.nvdec import UnlikeError
from vidcolor.media.packets import SEEKABLE, Damaged, PacketReader
from vidcolor.media.probe import FilmInfo
from vidcolor.media.repair import MIN_STEP, Repair
from vidcolor.media.times import FAR, ClockJumpError, Timed, placed, timed, usual_duration

MAX_STRANGE = 8  # frames in a row of another size or depth that may come from damage; then the film has changed


class FilmSource(PacketReader):
    """The frames of a film, decoded once from front to back. Use it as a context manager.

    Frames that an edit list hides are not shown, as players do. What is damaged is recorded; the same film gives the
    same frames and the same record, wherever the decode begins. Frames that can be decoded in part are shown so.

    Args:
        info: from `probe`; with `format` replaced by one of another depth or range, luma is handed on in that.
        threads: of the decoder.
        start_pts: leave out all frames before this time; the frames from there on are those of a decode from the
            beginning, picture and pts alike.
        on_damage: "hold" shows the frame before again where one cannot be decoded, at its time; "skip" leaves it out;
            "fail" raises at the first damage.

    Raises (while iterating):
        MediaError: the picture changes its size or its samples in mid-film, its clock starts anew, or something is
            damaged and `on_damage` is "fail".
    """

    def __init__(self, info: FilmInfo, threads: int, start_pts: int | None = None, on_damage: str = "hold") -> None:
        ledger = Ledger(info, on_damage)
        super().__init__(info, threads, ledger)
        self._start = start_pts
        self._usual = usual_duration(info.average_rate, info.time_base)
        self._repair = Repair(info, ledger, on_damage == "hold")
        self._failed = self._repair.failed
        self._strange: list[int] = []  # times of frames in a row that do not look like the film
        self._intact = Ffv1Check() if info.film_stream.codec == "ffv1" else None

    @property
    def damage(self) -> list[Damage]:
        """Pts and what happened, of all that was damaged so far and was not taken."""
        return self._ledger.entries

    @property
    def damaged(self) -> int:
        """How many times something was damaged."""
        return self._ledger.count

    def take_damage(self, first: int | None, end: int | None) -> tuple[Damage, ...]:
        """Remove the damage before pts `end` (None: all) and give what is at or after `first`, sorted."""
        return self._ledger.take(first, end)

    def __enter__(self) -> FilmSource:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[LumaFrame]:
        read = luma_reader(self.info)
        frames = self._placed_frames()
        for (pts, duration, frame), astray in deinterlaced(self.info, frames) if self.info.deinterlace else frames:
            if self._repair.last is not None and pts <= self._repair.last.pts:
                self._ledger.add(self._repair.last.pts, "a frame does not come after the one before it", LEFT_OUT)
                continue
            yield from self._wanted(self._repair.settle(pts, frame.is_corrupt))
            if astray:
                self._ledger.add(pts, "the time of a frame is damaged", PLACED)
            self._note_gap(pts)
            self._repair.last = LumaFrame(pts, duration, read(frame), frame.interlaced_frame, frame.is_corrupt, frame)
            yield from self._wanted([self._repair.last])
        yield from self._wanted(self._repair.settle(None, False))
        self._repair.check_end()

    def _note_gap(self, pts: int) -> None:
        self._repair.note_gap(pts)

    def _wanted(self, frames: list[LumaFrame]) -> Iterator[LumaFrame]:
        yield from (frame for frame in frames if self._start is None or frame.pts >= self._start)

    def _placed_frames(self) -> Iterator[tuple[Timed, bool]]:
        """Decoded frames as `placed` gives them: in threads up to some damage, then carefully from the last sound key
        frame before it up to the next one, and so on.

        What a decoder makes up for damage depends on all that it has decoded. So that it is the same wherever a decode
        begins, a decoder that meets damage is always a new one, and begins at the same key frame.
        """
        start = self._start
        while True:
            if not self._careful:
                try:
                    yield from self._placed(self._in_threads(start))
                    return
                except Damaged as damage:
                    if self._on_gpu:
                        begun = self.info.start_pts if self._start is None else self._start
                        self._hand_over(self._repair.last.pts if self._repair.last else begun, damage.__cause__)
                    self._renew(careful=True)
            known = [pts for pts in (self._repair.last and self._repair.last.pts, self._key) if pts is not None]
            self._key = None
            yield from self._placed(self._carefully(max(known, default=start)))
            if self._key is None:
                return
            start = self._key
            self._renew(careful=False)

    def _placed(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[Timed, bool]]:
        """What comes after the last frame."""
        last = self._repair.last and self._repair.last.pts
        items = timed(self.info.container, frames, self._usual)
        if last is not None:
            items = itertools.dropwhile(lambda item: item[0] <= last, items)
        try:
            yield from placed(items, last, round(FAR / self.info.time_base), self._usual)
        except ClockJumpError as jump:
            before, after = (seconds(pts, self.info) for pts in jump.args)
            raise MediaError(
                f"cannot go on in {self.info.path}",
                f"at {before:.3f} s its clock jumps back to {after:.3f} s",
                "Give it one clock first: ffmpeg -i FILM -c copy FIXED.mkv",
            ) from jump

    def _in_threads(self, start: int | None) -> Iterator[av.VideoFrame]:
        """Frames up to the first damage. Each waits for those that may be decoded before it but shown after it."""
        waiting: deque[av.VideoFrame] = deque()
        latest = shown = -math.inf
        for packet in self._packets(start):
            if self._intact is not None and packet.size and not self._intact(bytes(packet)):
                raise Damaged
            context = self._stream.codec_context
            latest = max(latest, self._time(packet)) if packet.size and not packet.is_discard else latest
            try:
                frames = self._decoded(packet)
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, UnlikeError) as error:
                raise Damaged from error
            for frame in itertools.filterfalse(self._precedes, frames):
                if frame.is_corrupt or self._unlike(frame):
                    raise Damaged
                shown = max(shown, self._time(frame))
                waiting.append(frame)
                if len(waiting) > context.reorder_depth:
                    yield waiting.popleft()
        if latest > shown and latest - shown >= MIN_STEP * self._usual:
            raise Damaged  # the last threads found errors, which PyAV does not tell
        yield from waiting

    def _time(self, timed: av.Packet | av.VideoFrame) -> float:
        """When a packet or frame is shown; before all others where it does not say."""
        time = timed.dts if self.info.container == "avi" else timed.pts
        return -math.inf if time is None else time

    def _carefully(self, start: int | None) -> Iterator[av.VideoFrame]:
        """Frames up to the next sound key frame, or to the end; `_key` is its pts then."""
        first: int | None = None
        copied = frame_copier(self.info.time_base)
        for packet in self._packets(start):
            time = packet.dts if self.info.container == "avi" else packet.pts
            if first is None:
                first = time if start is not None and packet.is_keyframe else self.info.start_pts
            elif self._key is None and self._begins_anew(packet, start):
                self._key = packet.pts
            try:
                frames = packet.decode() if packet.size else self._stream.codec_context.decode(None)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if not packet.is_discard and not self._is_beyond(time, first):
                    self._failed.append((self._repair.believed(time), f"a frame cannot be decoded ({error.strerror})"))
                continue
            finally:
                if self._key is None and packet.size and time is not None and not self._is_flawless(packet):
                    self._repair.suspects.add(time)
            for frame in filter(self._is_usable, itertools.filterfalse(self._precedes, frames)):
                if self._key is not None and frame.pts is not None and frame.pts >= self._key:
                    return
                yield copied(frame)

    def _is_beyond(self, time: int | None, first: int | None) -> bool:
        """Whether a packet lies outside of what is decoded carefully: shown before its first, or after its last."""
        return time is not None and (
            (first is not None and time < first) or (self._key is not None and time >= self._key)
        )

    def _begins_anew(self, packet: av.Packet, start: int | None) -> bool:
        """Whether a new decoder can begin with this packet, after `start`."""
        if not self.reopens or self.info.container not in SEEKABLE:
            return False
        if not packet.is_keyframe or not packet.size or packet.pts is None:
            return False
        return (start is None or packet.pts > start) and self._is_sound(packet)

    def _is_flawless(self, packet: av.Packet) -> bool:
        if self._intact is not None and not self._intact(bytes(packet)):
            return False
        if self._strict is None:
            return True
        try:
            self._strict_stream.codec_context.decode(packet)
            return True
        except av.error.FFmpegError:
            return False

    def _is_usable(self, frame: av.VideoFrame) -> bool:
        """Whether a frame looks like the film. One that does not may come from damage; many are another film."""
        change = self._unlike(frame)
        if not change:
            self._strange.clear()
            return True
        time = frame.dts if self.info.container == "avi" else frame.pts
        self._strange.append(self._last_packet_pts if time is None else time)
        if len(self._strange) == MAX_STRANGE:
            raise MediaError(
                f"cannot go on in {self.info.path}",
                f"at {seconds(self._strange[0], self.info):.3f} s the picture changes {change}",
                "Cut the film there and colour each part, or convert it to one size and pixel format first.",
            )
        self._failed.append((time, f"a frame cannot be decoded (its picture changes {change})"))
        return False
