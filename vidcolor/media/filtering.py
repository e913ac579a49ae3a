"""Decoded frames through FFmpeg's filters, one for one."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av


def through(time_base: Fraction, *filters: tuple[str, ...]) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that gives of each frame what comes out of filters that give one for one and hold none back.

    Args:
        time_base: of the frames.
        filters: (name,) or (name, arguments) of each, in order.
    """
    graphs: dict[tuple[str, int, int], av.filter.Graph] = {}

    def filtered(frame: av.VideoFrame) -> av.VideoFrame:
        kind = frame.format.name, frame.width, frame.height
        if kind not in graphs:
            graph = graphs[kind] = av.filter.Graph()
            source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
            graph.link_nodes(source, *(graph.add(*each) for each in filters), graph.add("buffersink")).configure()
        graphs[kind].push(frame)
        return graphs[kind].pull()

    return filtered
