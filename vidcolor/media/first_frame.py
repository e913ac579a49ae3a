"""What a film's first frame tells that its container does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.logging

from vidcolor.errors import MediaError
from vidcolor.media.ffmpeg_words import logged
from vidcolor.media.times import timed, usual_duration

# AVFieldOrder, by the field that is shown first. FFmpeg describes 4 and 5 the other way round, but like QuickTime (TN2162:
# "spatial first line early") its programs write 4 for top field first.
_TOP_FIRST, _BOTTOM_FIRST = (2, 4), (3, 5)


def first_frame(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction | None
) -> tuple[int, av.VideoFrame]:
    """Time of the first frame that is shown, and the frame."""
    what = f"cannot decode {path}"
    if stream.codec_context is None:
        raise MediaError(what, "its video codec is unknown to FFmpeg", "Convert it first, for instance with: ffmpeg -i")
    errors: list[av.error.FFmpegError] = []
    usual = usual_duration(rate, stream.time_base)
    for pts, _, frame in timed(container.format.name, _decode(container, stream, errors), usual):
        return pts, frame
    error = errors[0] if errors else None
    why = "not one frame of its video can be decoded" + (f" ({error.strerror})" if error else "")
    raise MediaError(what, why, "The file is damaged: copy it again from where it came.") from error


def _decode(
    container: av.container.InputContainer, stream: av.VideoStream, errors: list[av.error.FFmpegError]
) -> Iterator[av.VideoFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            errors.append(error)
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            errors.append(error)


def show_info(stream: av.VideoStream, frame: av.VideoFrame) -> str:
    """FFmpeg's own line about a frame: PyAV does not expose chroma location and field order."""
    graph = av.filter.Graph()
    source, show, sink = graph.add_buffer(template=stream), graph.add("showinfo"), graph.add("buffersink")
    source.link_to(show)
    show.link_to(sink)
    graph.configure()
    with logged(av.logging.INFO) as messages:
        graph.push(frame)
        graph.pull()
    return "".join(message for _, _, message in messages)


def shown_sar(stream: av.VideoStream, shown: str) -> Fraction | None:
    """Sample aspect ratio: the container's, else the bitstream's; 0 means that it is not known."""
    match = re.search(r"sar:(\d+)/(\d+)", shown)
    candidates = [stream.sample_aspect_ratio, Fraction(int(match[1]), int(match[2]) or 1) if match else None]
    return next((sar for sar in candidates if sar), None)


def field_order(stream: av.VideoStream, shown: str) -> str:
    flag = re.search(r" i:([TBP])", shown)
    if flag and flag[1] in "TB":
        return "tff" if flag[1] == "T" else "bff"
    order = stream.codec_context.field_order
    return "tff" if order in _TOP_FIRST else "bff" if order in _BOTTOM_FIRST else "progressive"
