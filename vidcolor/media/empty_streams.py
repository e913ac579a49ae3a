"""Streams that a film, or the piece of it that is made, has nothing for; MP4 and QuickTime files then have no such stream."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import av

from vidcolor.media.address import Address
from vidcolor.media.opening import open_film
from vidcolor.media.packets import SEEKABLE
from vidcolor.media.probe import FilmInfo, StreamInfo
from vidcolor.media.streams import MP4_FAMILY, plan_streams

_AROUND = 10  # seconds by which packets may lie before and after those of the film that belong to the same time


def empty_streams(info: FilmInfo, suffix: str, piece: tuple[int, int | None] | None) -> dict[int, str]:
    """The streams that a file with `suffix` will lack though it could hold them, by index: why, a sentence each.

    Read are the packets up to the first that each has: few, but where one has none. A film from a pipe is not looked at.

    Args:
        piece: first pts and end (exclusive; None: that of the film) of the part that is made; None: the whole film.
    """
    if suffix not in MP4_FAMILY or not (isinstance(info.path, Address) or info.path.is_file()):
        return {}
    return _found_empty(info, suffix, piece, info.size, info.changed)


@lru_cache(maxsize=2)  # a plan is told before the work and after it
def _found_empty(
    info: FilmInfo, suffix: str, piece: tuple[int, int | None] | None, size: int, changed: int
) -> dict[int, str]:
    """The same, looked for; by `size` and `changed` another file under the same name is known."""
    plans = [plan for plan in plan_streams(info, suffix) if plan.action in ("copy", "convert")]
    # FFmpeg always writes a sample of text subtitles, and covers are no tracks.
    tracks = [plan.stream for plan in plans if "mov_text" not in (plan.codec, plan.stream.codec)]
    empty = {stream.index: stream for stream in tracks if not stream.attached_picture}
    with open_film(info.path, info.protocols) as container:
        film, around = container.streams[info.film], round(_AROUND / info.time_base)
        if piece and info.container in SEEKABLE and not info.index_misleads:
            container.seek(piece[0] - around, stream=film)
        try:
            for packet in container.demux(film, *(container.streams[index] for index in empty)) if empty else ():
                time = None if packet.dts is None else packet.dts * packet.time_base / info.time_base
                if piece and piece[1] is not None and time is not None and time >= piece[1] + around:
                    break
                if packet.size and (piece is None or time is None or _holds(piece, time)):
                    empty.pop(packet.stream_index, None)
                if not empty:
                    break
        except av.error.FFmpegError:
            pass  # a damaged source ends here
    where = "in the piece" if piece else "in the film"
    return {
        index: f"{_name(stream)} is left out: it has nothing {where}, and {suffix} files hold no empty streams"
        for index, stream in empty.items()
    }


def _name(stream: StreamInfo) -> str:
    return f"{stream.kind} stream {stream.index} ({stream.codec})"


def _holds(piece: tuple[int, int | None], time: Fraction) -> bool:
    return piece[0] <= time and (piece[1] is None or time < piece[1])
