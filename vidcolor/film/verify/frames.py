"""Every frame of an output beside the frame of its source that is shown at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from math import floor

import cv2

from vidcolor.errors import MediaError
from vidcolor.film.verify.finding import Finding
from vidcolor.media.carried import CARRIED, lost
from vidcolor.media.container_times import earlier, tick
from vidcolor.media.damage import LASTING
from vidcolor.media.probe import FilmInfo
from vidcolor.media.sequence_source import open_source
from vidcolor.media.source import LumaFrame

Progress = Callable[[str, int, int | None], None]
NAMED = 3  # times that a finding names before it says "and so on"


class Clock:
    """When a frame of the source is shown in the output, seconds, exact.

    Args:
        info: of the source.
        suffix: of the output; some containers count time in a unit of their own, and times are rounded to it.
        piece: first pts and end (exclusive) where a part was made, which then begins when the source does.
    """

    def __init__(self, info: FilmInfo, suffix: str, piece: tuple[int, int | None] | None) -> None:
        self.unit = tick(suffix)
        self._base = info.time_base
        self.first, self.end = piece or (info.start_pts, None)
        self._earlier = earlier(info, suffix, piece)

    def _rounded(self, pts: int) -> Fraction:
        time = pts * self._base
        return time if self.unit is None else floor(time / self.unit + Fraction(1, 2)) * self.unit

    def __call__(self, pts: int) -> Fraction:
        return self._rounded(pts) - self._earlier

    @property
    def exact(self) -> bool:
        """Whether every time of the source can be held as it is."""
        return self.unit is None or (self._base / self.unit).denominator == 1

    def holds(self, pts: int) -> bool:
        return self.first <= pts and (self.end is None or pts < self.end)


class Numbering(Clock):
    """When the picture is shown that a frame of the source becomes, in the output's own rate.

    A sequence keeps its numbers; the frames of a film are numbered from 1.

    Args:
        info, piece: as of `Clock`.
        made: of the output, a sequence.
    """

    def __init__(self, info: FilmInfo, made: FilmInfo, piece: tuple[int, int | None] | None) -> None:
        super().__init__(info, made.path.suffix, piece)
        self._source, self._made, self._frames = info.sequence, made, 0

    def __call__(self, pts: int) -> Fraction:
        """To be asked once for each frame, in order."""
        self._frames += 1
        number = self._frames if self._source is None else self._source.numbers[0] + pts
        return (number - self._made.sequence.numbers[0]) * self._made.time_base

    @property
    def exact(self) -> bool:
        return True


@dataclass(slots=True)
class Tally:
    """Frames of both films. Times are seconds in the output."""

    source: int = 0
    first: int | None = None  # pts of the first frame of the source
    output: int = 0
    missing: list[Fraction] = field(default_factory=list)  # times at which the output lacks a frame of the source
    extra: list[Fraction] = field(default_factory=list)  # times at which it has one that the source has not
    errors: list[tuple[int, float]] = field(default_factory=list)  # of each pair: pts in the source, sum of squares
    unlike: bool = False  # sizes differ: luma cannot be compared
    damage: list[str] = field(default_factory=list)  # what could not be decoded in the output
    stated: int = 0  # how many times the source is damaged
    brought: Counter[str] = field(default_factory=Counter)  # of each of `CARRIED`: pictures of the source that have it
    lacking: Counter[str] = field(default_factory=Counter)  # and those of them that have none in the output
    worst: float = 0  # of pictures: the largest difference of a luma sample, codes

    def findings(self, clock: Clock, time_base: Fraction) -> list[Finding]:
        """About frames and times."""
        count = Finding("frames", str(self.source), str(self.output), _verdict(self.source == self.output))
        good = not self.missing and not self.extra and self.source > 0
        note = "" if clock.exact else f"rounded to nearest in {clock.unit} s, the unit that the container counts in"
        if not good:
            notes = [f"no frame at {_times(self.missing)}"] if self.missing else []
            notes += [f"a frame too many at {_times(self.extra)}"] if self.extra else []
            note = "; ".join(notes)
        equal = f"{len(self.errors)} equal as rationals" if good else f"{self.source - len(self.missing)} equal"
        times = Finding(
            "timestamps",
            f"{self.source} in {clock._base} s",
            f"{equal}, in {time_base} s",
            _verdict(good, clock.exact),
            note,
        )
        found = [count, times]
        if self.damage:
            found.append(Finding("decoding", "", f"{len(self.damage)} faults", "differs", self.damage[0]))
        if self.stated:
            found.append(
                Finding("damage", f"{self.stated} faults", "", "stated", "what cannot be decoded is not compared")
            )
        return found

    def carried(self, encoder: str) -> list[Finding]:
        """About what comes with single pictures; `encoder` is FFmpeg's name of what wrote the output."""
        found = []
        for kind, count in self.brought.items():
            fits = not lost(frozenset({kind}), encoder)
            verdict = "same" if not self.lacking[kind] else "differs" if fits else "stated"
            note = "" if fits else f"{encoder} does not write it"
            there = f"{count - self.lacking[kind]} pictures"
            found.append(Finding(CARRIED[kind], f"{count} pictures", there, verdict, note))
        return found


def _verdict(good: bool, exact: bool = True) -> str:
    return "differs" if not good else "same" if exact else "stated"


def _times(times: list[Fraction]) -> str:
    named = ", ".join(f"{float(time):.4f} s" for time in times[:NAMED])
    return named + (f" and {len(times) - NAMED} more" if len(times) > NAMED else "")


def compare_frames(
    info: FilmInfo, made: FilmInfo, clock: Clock, threads: int, on_damage: str, progress: Progress
) -> Tally:
    """Decode both films to their end, and pair frames by time.

    Args:
        info: of the source, with the `format` of the output's luma.
        made: of the output.
        on_damage: what became of damaged frames of the source.

    Raises:
        MediaError: the source cannot be read to its end.
    """
    tally = Tally(unlike=(info.width, info.height) != (made.width, made.height))
    start = clock.first if clock.first > info.start_pts else None
    numbered = made.sequence is not None  # a picture that is missing is to be missed, not held
    with (
        open_source(info, threads, start, on_damage) as source,
        open_source(made, threads, None, "skip" if numbered else "hold") as output,
    ):
        ours = readable(iter(output), tally)
        shown = next(ours, None)
        for frame in takewhile(lambda frame: clock.holds(frame.pts), source):
            tally.first = frame.pts if tally.first is None else tally.first
            time = clock(frame.pts)
            while shown is not None and shown.pts * made.time_base < time:
                tally.extra.append(shown.pts * made.time_base)
                shown = next(ours, None)
            if shown is not None and shown.pts * made.time_base == time:
                if brought := frame.carried():
                    tally.brought.update(brought)
                    tally.lacking.update(brought - shown.carried())
                if not tally.unlike:
                    tally.errors.append((frame.pts, cv2.norm(frame.y, shown.y, cv2.NORM_L2SQR)))
                    if numbered:
                        tally.worst = max(tally.worst, cv2.norm(frame.y, shown.y, cv2.NORM_INF))
                shown = next(ours, None)
            else:
                tally.missing.append(time)
            tally.source += 1
            progress("frames compared", tally.source, info.frames)
        while shown is not None:
            tally.extra.append(shown.pts * made.time_base)
            shown = next(ours, None)
        if not numbered or tally.missing:  # numbers that the source lacks too are no fault
            # A pause is none in itself: a frame of the source that the output lacks there is missing above.
            tally.damage += [what for _, what in output.damage if not what.endswith(LASTING)]
        tally.stated = source.damaged
    return tally


def readable(frames: Iterator[LumaFrame], tally: Tally) -> Iterator[LumaFrame]:
    """The output's frames as far as they can be read; that they end early is a finding, not an error."""
    try:
        for frame in frames:
            tally.output += 1
            yield frame
    except MediaError as error:
        tally.damage.append(str(error))
