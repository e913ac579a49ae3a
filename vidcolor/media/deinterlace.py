"""Interlaced frames made whole: FFmpeg's bwdif, one frame for one, every time as it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import av

from vidcolor.media.probe import FilmInfo
from vidcolor.media.times import Timed

Placed = tuple[Timed, bool]  # as `placed` gives them


def deinterlaced(info: FilmInfo, frames: Iterator[Placed]) -> Iterator[Placed]:
    """Frames with both fields from the moment of the first; each looks at the frame before it and the one after.

    Args:
        info: with `deinterlace` set: "flagged" for the frames that say of themselves that they are interlaced, by the
            order that they say; "tff" or "bff" for all, in that order.
        frames: in the order in which they are shown; one with the time of the last is taken for the same.
    """
    graph: av.filter.Graph | None = None
    waiting: deque[tuple[int, int, bool]] = deque()  # what belongs to the frames that are in the filter
    for (pts, duration, frame), astray in frames:
        if waiting and pts == waiting[-1][0]:
            continue
        graph = graph or _graph(info, frame)
        waiting.append((pts, duration, astray))
        frame.pts, frame.time_base = pts, info.time_base
        graph.push(frame)
        yield from _finished(graph, waiting)
    if graph is not None:
        graph.push(None)
        yield from _finished(graph, waiting)


def _graph(info: FilmInfo, frame: av.VideoFrame) -> av.filter.Graph:
    flagged = info.deinterlace == "flagged"
    which = "parity=auto:deint=interlaced" if flagged else f"parity={info.deinterlace}:deint=all"
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=info.time_base)
    whole, sink = graph.add("bwdif", f"mode=send_frame:{which}"), graph.add("buffersink")
    source.link_to(whole)
    whole.link_to(sink)
    graph.configure()
    return graph


def _finished(graph: av.filter.Graph, waiting: deque[tuple[int, int, bool]]) -> Iterator[Placed]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        pts, duration, astray = waiting.popleft()
        yield (pts, duration, frame), astray
