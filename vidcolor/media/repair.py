"""What becomes of frames that cannot be decoded, and the record of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from vidcolor.media.damage import HELD, LASTING, LEFT_OUT, MENDED, MISSING, Ledger, promised_end, seconds
from vidcolor.media.luma import LumaFrame
from vidcolor.media.probe import FilmInfo
from vidcolor.media.times import FAR, usual_duration

MAX_GAP = 10  # seconds without a good frame that one may stand in for; a longer gap is one in the film's clock
MIN_STEP = 0.75  # usual durations between a frame that stands in and its neighbours: fields share a frame
STEADY = 8  # frames that tell whether the rate is constant; and how far, in frames, a time may be ahead of its place
RESUMED = 4  # frames at the same rate as before, that tell of a gap in a steady film from a change of its pace


@dataclass(slots=True)
class _Pause:
    """Where a film that had been steady had no frame. All in ticks."""

    pts: int  # of the first frame that is missing, if there was one
    length: int
    pace: int  # between two frames before it
    resumed: int = 0  # frames that have come after it at that pace


class Repair:
    """Decides, each time a frame has come, about what should have come before it.

    Args:
        info: of the film.
        ledger: what is decided is written there.
        hold: whether the frame before stands in for one that cannot be decoded; else it is left out.
    """

    def __init__(self, info: FilmInfo, ledger: Ledger, hold: bool) -> None:
        self.last: LumaFrame | None = None
        """The frame that came last, or stands in for it."""
        self.failed: list[tuple[int | None, str]] = []
        """Packets that gave no frame yet: pts, and what is wrong with them."""
        self.suspects: set[int] = set()
        """Pts of packets in which a strict decoder finds an error."""
        self._info, self._ledger, self._hold = info, ledger, hold
        self._usual = usual_duration(info.average_rate, info.time_base)
        self._promised = promised_end(info)
        self._steps: deque[int] = deque(maxlen=STEADY)  # between the times of the last frames
        self._pause: _Pause | None = None

    def believed(self, time: int | None) -> int | None:
        """A packet's time, if it can be its true one."""
        far = max(round(FAR / self._info.time_base), STEADY * self._usual)
        return time if time is None or self.last is None or abs(time - self.last.pts) <= far else None

    def settle(self, pts: int | None, corrupt: bool) -> list[LumaFrame]:
        """Decide about all packets that gave no frame before `pts` (None: before the film's end), and record it.

        Returns:
            The frames that stand in for them.
        """
        due = [(time, what) for time, what in self.failed if None in (pts, time) or time <= pts]
        self.failed[:] = [(time, what) for time, what in self.failed if (time, what) not in due]
        lost = {time: what for time, what in reversed(due) if time not in (None, pts)}
        if not lost and pts is not None and (due or corrupt or self.suspects):
            lost = dict.fromkeys(self._gap(pts), "there is no frame")
        frames: list[LumaFrame] = []
        cut = pts is None and self._is_early(max(lost, default=0) + self._usual)  # nothing follows, so no time can move
        for time, what in sorted(lost.items()):
            holds = self._hold and not cut and self._fits(time, pts)
            self._ledger.add(time, what, HELD if holds else LEFT_OUT)
            if holds:
                frames.append(replace(self.last, pts=time, duration=self._usual))
                self.last = frames[-1]
        for time, what in due:
            if time is None or time == pts:
                self._ledger.add(self._now(pts), what, LEFT_OUT if time is None else MENDED)
        if (corrupt or pts in self.suspects) and not any(time == pts for time, _ in due):
            self._ledger.add(pts, "a frame is damaged", MENDED)
        self.suspects = {time for time in self.suspects if pts is not None and time > pts}
        return frames

    def _now(self, pts: int | None) -> int:
        return pts if pts is not None else self._info.start_pts if self.last is None else self.last.pts

    def _gap(self, pts: int) -> list[int]:
        """Where frames would be between the last one and that at `pts`, if all are shown equally long."""
        if self.last is None:
            return []
        first = self.last.pts + self.last.duration
        if (pts - first) * self._info.time_base > MAX_GAP:
            return [first]
        return list(range(first, pts - round(MIN_STEP * self._usual) + 1, self._usual))

    def _fits(self, time: int, following: int | None) -> bool:
        """Whether a frame can stand in at `time`: after a frame that can be shown, and apart from its neighbours."""
        least, most = MIN_STEP * self._usual, MAX_GAP / self._info.time_base
        if self.last is None or not least <= time - self.last.pts <= most:
            return False
        return following is None or following - time >= least

    def note_gap(self, pts: int) -> None:
        """Note where a film of constant rate has no frame, and then goes on at that rate: what was there may be lost.

        One that goes on at another pace is of variable rate: that a frame is shown longer is no sign of anything there.
        """
        if self.last is None:
            return
        step, steps = pts - self.last.pts, self._steps
        if self._pause is not None:
            self._pause.resumed += 1
            if abs(step - self._pause.pace) > 1:
                self._pause = None
            elif self._pause.resumed == RESUMED:
                self._note_pause()
        if len(steps) == steps.maxlen and max(steps) - min(steps) <= 1 and step > 1.5 * max(steps):
            self._pause = _Pause(self.last.pts + max(steps), step - max(steps), max(steps))
        steps.append(step)

    def _note_pause(self) -> None:
        if (pause := self._pause) is not None:
            missing = f"there is no frame for {seconds(pause.length, self._info):.3f} s"
            self._ledger.add(pause.pts, missing, LASTING, certain=False)
            self._pause = None

    def check_end(self) -> None:
        self._note_pause()
        ends = None if self.last is None else self.last.pts + self.last.duration
        if ends is not None and self._is_early(ends):
            self._ledger.add(ends, "the film ends earlier than its header says", MISSING)

    def _is_early(self, end: int) -> bool:
        return self._promised is not None and end < self._promised
