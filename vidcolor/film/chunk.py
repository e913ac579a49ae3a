"""The stages of a range of chunks: decode, infer, smooth, merge, encode."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from vidcolor.backends.base import Backend
from vidcolor.color.chroma import ChromaMerger
from vidcolor.color.luma import LumaView
from vidcolor.files import sha256, whole_file
from vidcolor.film.journal import ChunkRecord
from vidcolor.film.pipeline import StageClock, in_thread, opencv_on_one_thread
from vidcolor.film.plan import Plan
from vidcolor.media.frames import open_writer
from vidcolor.media.probe import FilmInfo
from vidcolor.media.sequence_source import open_source
from vidcolor.media.source import FilmSource, LumaFrame
from vidcolor.temporal.keys import PACE
from vidcolor.temporal.window import TemporalWindow

AHEAD = 8  # frames that each stage may be ahead of the next; of large ones, as many as ROOM holds,
FEWEST_AHEAD = 2  # but no fewer than this
ROOM = 32 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring chunks to be made in one go: frames with first_pts ≤ pts < end_pts (None: to the film's end)."""

    first_pts: int
    end_pts: int | None

    def holds(self, pts: int) -> bool:
        return self.first_pts <= pts and (self.end_pts is None or pts < self.end_pts)


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame and its luma (h, w) at the size of the network's picture: native codes, and 8 bits of them."""

    frame: LumaFrame
    small: np.ndarray
    small_luma: np.ndarray


@dataclass(frozen=True, slots=True)
class Coloured:
    """A decoded frame with its U and V planes."""

    frame: LumaFrame
    u: np.ndarray
    v: np.ndarray
    begins_shot: bool


def view_of(plan: Plan) -> LumaView:
    """What the plan's network sees of the film's frames."""
    info, spec = plan.info, plan.spec
    sar = info.sar or Fraction(1)
    return LumaView(info.format, info.width, info.height, sar, plan.options.res, spec.stride, spec.output_stride)


class Pace:
    """Numbers the stretches of time in which one frame, where motion allows, is shown to the network.

    They are tied to the film's clock, so that a chunk made alone asks for the same frames.
    """

    def __init__(self, info: FilmInfo) -> None:
        self._per_tick = (info.average_rate or Fraction(25)) * info.time_base / PACE
        self._start = info.start_pts

    def __call__(self, pts: int) -> int:
        return math.floor((pts - self._start) * self._per_tick + Fraction(1, 2 * PACE))  # half a frame for rounded pts


def open_at(info: FilmInfo, first_pts: int, threads: int, on_damage: str = "hold") -> FilmSource:
    """A source that shows the frames before `first_pts` that decide about it, or all that the film has there."""
    needed = TemporalWindow.CONTEXT_BEFORE
    back = max(1, round(Fraction(9, 8) * needed / (info.average_rate or 25) / info.time_base))
    while first_pts - back > info.start_pts:
        with open_source(info, threads, first_pts - back, on_damage) as trial:
            pts = itertools.takewhile(lambda pts: pts < first_pts, (frame.pts for frame in trial))
            enough = sum(1 for _ in itertools.islice(pts, needed)) == needed
        if enough:
            return open_source(info, threads, first_pts - back, on_damage)
        back *= 2
    return open_source(info, threads, None, on_damage)


def decode(source: FilmSource, span: Range, view: LumaView, clock: StageClock) -> Iterator[Shown]:
    """The frames of `span` and as many after it as decide about its last."""
    frames, after = iter(source), 0
    while after < TemporalWindow.CONTEXT_AFTER:
        with clock("decode"):
            frame = next(frames, None)
            if frame is None:
                return
            small = view.shrink(frame.y)
            shown = Shown(frame, small, view.small_luma(small))
        if span.end_pts is not None and frame.pts >= span.end_pts:
            after += 1
        yield shown


class Batch:
    """Frames that the network is shown together."""

    def __init__(self) -> None:
        self.lightness: list[np.ndarray] = []
        self._result: Callable[[], np.ndarray] | None = None
        self._ab: np.ndarray | None = None

    @property
    def under_way(self) -> bool:
        return self._result is not None and self._ab is None

    def start(self, backend: Backend) -> None:
        self._result = backend.start(np.stack(self.lightness)[:, None])

    def answer(self, index: int) -> np.ndarray:
        """ab (2, H, W) of one of the frames, waited for."""
        if self._ab is None:
            self._ab = self._result()
        return self._ab[index]


def colour(
    frames: Iterator[Shown], backend: Backend, view: LumaView, window: TemporalWindow, pace: Pace, clock: StageClock
) -> Iterator[tuple[LumaFrame, np.ndarray, bool]]:
    """Frames with their smoothed ab (2, h, w) in Lab units, and whether each begins a shot."""
    undecided: deque[Shown] = deque()
    asked: deque[tuple[Batch, int] | None] = deque()  # a place in a batch, or None where the network is not asked
    waiting: deque[LumaFrame] = deque()
    batch = Batch()

    def take(decisions: list[float | None]) -> Iterator[tuple[LumaFrame, np.ndarray, bool]]:
        nonlocal batch
        for factor in decisions:
            shown = undecided.popleft()
            waiting.append(shown.frame)
            asked.append(None if factor is None else (batch, len(batch.lightness)))
            if factor is not None:
                lightness = view.lightness(shown.small)
                batch.lightness.append(lightness if factor == 1 else np.minimum(lightness * factor, 100))
            if len(batch.lightness) >= backend.batch:
                yield from start()
                batch = Batch()

    def start() -> Iterator[tuple[LumaFrame, np.ndarray, bool]]:
        while len({id(place[0]) for place in asked if place and place[0].under_way}) == backend.slots:
            yield from settle()
        with clock("infer"):
            batch.start(backend)

    def settle() -> Iterator[tuple[LumaFrame, np.ndarray, bool]]:
        place = asked.popleft()
        with clock("infer"):
            ab = None if place is None else np.ascontiguousarray(view.crop(place[0].answer(place[1])))
        with clock("temporal"):
            ready = window.push(ab)
        yield from give(ready)

    def give(ready: list) -> Iterator[tuple[LumaFrame, np.ndarray, bool]]:
        for _, ab, begins_shot in ready:
            yield waiting.popleft(), ab, begins_shot

    for shown in frames:
        undecided.append(shown)
        with clock("temporal"):
            decisions = window.see(shown.small_luma, pace(shown.frame.pts), shown.small)
        yield from take(decisions)
    with clock("temporal"):
        decisions = window.see_end()
    yield from take(decisions)
    if batch.lightness:
        yield from start()
    while asked:
        yield from settle()
    with clock("temporal"):
        ready = window.flush()
    yield from give(ready)


def merge(
    frames: Iterator[tuple[LumaFrame, np.ndarray, bool]], span: Range, plan: Plan, clock: StageClock
) -> Iterator[Coloured]:
    """The frames of `span` alone, with U and V; the frames around it have served their purpose."""
    info = plan.info
    with clock("merge"):  # its table takes a moment, in which the first frames are decoded
        merger = ChromaMerger(plan.encoding.format, info.width, info.height, plan.options.saturation)
    for frame, ab, begins_shot in frames:
        if span.holds(frame.pts):
            with clock("merge"):
                u, v = merger.planes(frame.y, ab)
            yield Coloured(frame, u, v, begins_shot)


@contextmanager
def coloured_frames(
    plan: Plan, span: Range, source: FilmSource, backend: Backend, clock: StageClock
) -> Iterator[Iterator[Coloured]]:
    """The frames of `span`, in order and in colour; the stages before them work ahead in threads of their own."""
    view, ahead = view_of(plan), ahead_of(plan.info)
    window = TemporalWindow(plan.options.smooth, view.small_black)
    with (
        opencv_on_one_thread(),
        in_thread(decode(source, span, view, clock), ahead) as shown,
        in_thread(colour(shown, backend, view, window, Pace(plan.info), clock), ahead) as coloured,
        in_thread(merge(coloured, span, plan, clock), ahead) as merged,
    ):
        try:
            yield merged
        finally:
            source.stop()


def ahead_of(info: FilmInfo) -> int:
    """How many decoded frames may wait between two stages; chroma counted as of 4:2:0."""
    size = info.width * info.height * np.dtype(info.format.dtype).itemsize * 3 // 2
    return min(AHEAD, max(FEWEST_AHEAD, ROOM // size))


def make_chunks(
    plan: Plan,
    span: Range,
    folder: Path,
    backend: Backend,
    clock: StageClock,
    on_frame: Callable[[LumaFrame, bool], None],
    source: FilmSource,
) -> Iterator[ChunkRecord]:
    """Colour the frames of `span` and write its chunks to `folder`; each is recorded once its file is whole on disk.

    Args:
        source: of the frames, from `open_at`.
    """
    info = plan.info
    with coloured_frames(plan, span, source, backend, clock) as merged:
        item, recorded = next(merged, None), span.first_pts if span.first_pts > info.start_pts else None
        while item is not None:
            index = plan.chunk_of(item.frame.pts)
            name = f"chunk-{index:06}{plan.encoding.chunk_suffix}"
            written: list[tuple[int, int, bool]] = []
            with (
                whole_file(folder / name) as temporary,
                open_writer(temporary, plan.encoding, info, plan.threads) as writer,
            ):
                while item is not None and plan.chunk_of(item.frame.pts) == index:
                    with clock("encode"):
                        frame = item.frame
                        writer.write(frame.pts, frame.duration, frame.y, item.u, item.v, frame.carrier)
                    written.append((item.frame.pts, item.frame.duration, item.begins_shot))
                    on_frame(item.frame, item.begins_shot)
                    item = next(merged, None)
            end = span.end_pts if item is None else plan.chunk_start(index + 1)
            damage, recorded = source.take_damage(recorded, end), end
            yield ChunkRecord(
                index=index,
                file=name,
                frames=len(written),
                first_pts=written[0][0],
                end_pts=written[-1][0] + written[-1][1],
                hash=sha256(folder / name),
                damage=damage,
                shots=tuple(pts for pts, _, begins_shot in written if begins_shot),
            )
