"""When each decoded frame is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

_MAX_UNTIMED = 64  # frames that may come before the first that carries a time
FAR = 1  # second; a frame that is farther from the one before it than this may have a damaged time
MAX_ASTRAY = 8  # frames in a row whose times are damaged; more of them tell that the film's clock jumps

Timed = tuple[int, int, av.VideoFrame]  # pts and duration, in the stream's time base


class ClockJumpError(Exception):
    """The film's clock starts anew: pts of the last frame before it, and of the first after it."""


def timed(container: str, frames: Iterable[av.VideoFrame], usual: int) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """(pts, duration, frame) of every frame, in the stream's time base.

    AVI stores no presentation times: its frames are shown in the order of decoding, at the rate of the header, which is
    what the decoder's dts says. Elsewhere a frame without a time is shown when the one before it ends; frames at the
    very beginning end where the first with a time begins.

    Args:
        container: FFmpeg's name of the demuxer.
        frames: in the order in which they are shown.
        usual: duration of a frame that does not say it.
    """
    untimed: list[av.VideoFrame] = []
    following: int | None = None
    for frame in frames:
        pts = frame.dts if container == "avi" else frame.pts
        if pts is None and following is None and len(untimed) < _MAX_UNTIMED:
            untimed.append(frame)
            continue
        if pts is None:
            pts = following or 0
        yield from _before(untimed, pts, usual)
        untimed.clear()
        duration = frame.duration or usual
        following = pts + duration
        yield pts, duration, frame
    if untimed:
        yield from _before(untimed, sum(frame.duration or usual for frame in untimed), usual)


def placed(frames: Iterable[Timed], after: int | None, far: int, usual: int) -> Iterator[tuple[Timed, bool]]:
    """Every frame, and whether its own time was damaged: far from that of all frames around it.

    Such a frame is given the time after the frame before it; one that comes a little too early is handed on as it is.

    Args:
        after: pts of the last frame before these, if there is one.
        far: FAR in ticks.
        usual: duration of a frame that does not say it.

    Raises:
        ClockJumpError: too many frames in a row come too early.
    """
    last, end = after, None if after is None else after + usual
    astray: list[Timed] = []
    for item in frames:
        pts, duration, _ = item
        if last is None or last < pts <= end + far:
            for _, _, frame in astray:
                yield (end, usual, frame), True
                end += usual
            astray.clear()
            yield item, False
            last, end = pts, pts + min(duration, far)
        elif not astray and last - far <= pts <= last:
            yield item, False
        else:
            astray.append(item)
            if len(astray) > MAX_ASTRAY:
                if min(time for time, _, _ in astray[1:]) < last:
                    raise ClockJumpError(last, min(time for time, _, _ in astray))
                yield from ((item, False) for item in astray)
                last, end = astray[-1][0], astray[-1][0] + min(astray[-1][1], far)
                astray.clear()
    if astray and all(time < last for time, _, _ in astray):
        yield from (((end + index * usual, usual, frame), True) for index, (_, _, frame) in enumerate(astray))
    else:
        yield from ((item, False) for item in astray)


def _before(frames: list[av.VideoFrame], end: int, usual: int) -> Iterator[tuple[int, int, av.VideoFrame]]:
    pts = end - sum(frame.duration or usual for frame in frames)
    for frame in frames:
        duration = frame.duration or usual
        yield pts, duration, frame
        pts += duration


def usual_duration(rate: Fraction | None, time_base: Fraction) -> int:
    """How long a frame is shown at `rate` frames a second, in ticks; at 25 where the rate is not known."""
    return max(1, round(1 / ((rate or 25) * time_base)))
