"""The shots of a film, from its luma alone: no network is opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vidcolor.color.luma import LumaView
from vidcolor.config import RunOptions
from vidcolor.media.probe import FilmInfo
from vidcolor.media.source import FilmSource
from vidcolor.temporal.shots import Decision, ShotDetector

GRID = 2  # sides of the small luma are multiples of this, as `lite` asks, so that `run` finds the same shots


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames start_frame … end_frame - 1 of a film, counted from 0 as they are shown."""

    start_frame: int
    end_frame: int  # exclusive
    start_pts: int  # of its first frame, in units of the film's time base
    end_pts: int  # of the first frame after it; for the last shot, when its last frame ends
    kind: str  # how it begins: "start", "cut", "dissolve"
    dissolve: tuple[int, int] | None = None  # the frames [first, end) in which it appears; it begins in their middle


def shots_of(source: FilmSource, progress: Callable[[int], None] = lambda frames: None) -> Iterator[Shot]:
    """Every shot of a film, in order, each as soon as its end is certain.

    Args:
        progress: told how many frames were read.

    Raises:
        MediaError: the film cannot be read to its end.
    """
    info = source.info
    view = LumaView(info.format, info.width, info.height, info.sar or Fraction(1), RunOptions().res, GRID, GRID)
    detector, boundaries = ShotDetector(), Boundaries()
    undecided: deque[int] = deque()
    end = info.start_pts
    for frames, frame in enumerate(source, 1):
        undecided.append(frame.pts)
        end = frame.pts + frame.duration
        for decision in detector.push(view.small_luma(frame.y)):
            yield from boundaries.push(undecided.popleft(), decision)
        progress(frames)
    for decision in detector.flush():
        yield from boundaries.push(undecided.popleft(), decision)
    yield from boundaries.finish(end)


class Boundaries:
    """Decisions on single frames → shots. A dissolve becomes one boundary, at its middle.

    A cut with a dissolve around it, or at most FADE frames before or after it, is the only boundary there: that is what
    a fade through black looks like.
    """

    FADE = 8  # frames; so many pass after a dissolve before it is a boundary

    def __init__(self) -> None:
        self._frame = 0
        self._begun: tuple[int, int, str, tuple[int, int] | None] | None = None  # as the fields of a `Shot` but its end
        self._last_cut = -self.FADE - 1
        self._dissolving: list[int] = []  # pts of the frames of the dissolve that is under way
        self._waiting: tuple[int, int, tuple[int, int]] | None = None  # the dissolve before: middle, its pts, interval

    def push(self, pts: int, decision: Decision) -> list[Shot]:
        """The next frame → the shots that are certain to have ended."""
        ended = []
        if self._begun is None:
            self._begun = (0, pts, "start", None)
        elif decision.cut:
            self._dissolving.clear()
            self._waiting = None
            self._last_cut = self._frame
            ended += self._begin(self._frame, pts, "cut", None)
        if decision.dissolve:
            self._dissolving.append(pts)
        else:
            ended += self._end_dissolve()
        if self._waiting and self._frame - self._waiting[2][1] >= self.FADE:
            ended += self._accept()
        self._frame += 1
        return ended

    def finish(self, end_pts: int) -> list[Shot]:
        """The shots that the film's end ends."""
        ended = self._end_dissolve() + self._accept()
        return ended + (self._begin(self._frame, end_pts, "", None) if self._begun else [])

    def _end_dissolve(self) -> list[Shot]:
        """Let the dissolve that ended before this frame wait, if it is no part of a fade that had its cut."""
        times, self._dissolving = self._dissolving, []
        first = self._frame - len(times)
        middle = (first + self._frame) // 2
        if not times or first - self._last_cut <= self.FADE or middle == self._begun[0]:
            return []
        ended = self._accept()
        self._waiting = (middle, times[middle - first], (first, self._frame))
        return ended

    def _accept(self) -> list[Shot]:
        """The dissolve that waits becomes a boundary."""
        waiting, self._waiting = self._waiting, None
        return self._begin(*waiting[:2], "dissolve", waiting[2]) if waiting else []

    def _begin(self, frame: int, pts: int, kind: str, dissolve: tuple[int, int] | None) -> list[Shot]:
        first, first_pts, first_kind, first_dissolve = self._begun
        self._begun = (frame, pts, kind, dissolve)
        return [Shot(first, frame, first_pts, pts, first_kind, first_dissolve)]


def shot_event(shot: Shot, info: FilmInfo) -> dict[str, Any]:
    """A shot as docs/json.md describes it: times in seconds from the film's first frame, and the exact ones."""
    start, end = (float((pts - info.start_pts) * info.time_base) for pts in (shot.start_pts, shot.end_pts))
    return {
        "type": "shot",
        "input": str(info.path),
        "start_frame": shot.start_frame,
        "end_frame": shot.end_frame,
        "start_time": start,
        "end_time": end,
        "kind": shot.kind,
        "dissolve": None if shot.dissolve is None else list(shot.dissolve),
        "start_pts": shot.start_pts,
        "end_pts": shot.end_pts,
        "time_base": str(info.time_base),
    }
