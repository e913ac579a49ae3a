"""When each decoded frame is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

_MAX_UNTIMED = 64  # frames that may come before the first that carries a time


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


def _before(frames: list[av.VideoFrame], end: int, usual: int) -> Iterator[tuple[int, int, av.VideoFrame]]:
    pts = end - sum(frame.duration or usual for frame in frames)
    for frame in frames:
        duration = frame.duration or usual
        yield pts, duration, frame
        pts += duration


def usual_duration(rate: Fraction | None, time_base: Fraction) -> int:
    """How long a frame is shown at `rate` frames a second, in ticks; at 25 where the rate is not known."""
    return max(1, round(1 / ((rate or 25) * time_base)))
