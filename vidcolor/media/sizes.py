"""How many bytes there are beside the film in its file."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av

from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo


def bytes_beside(info: FilmInfo, places: Sequence[tuple[int, int]], length: Fraction | None) -> int:
    """About how many bytes the streams other than the film have.

    Args:
        places: first pts and end (exclusive) of the stretches that are looked at; they stand for all of it.
        length: of the film, seconds. None: not known.

    Returns:
        Bytes; never more than the file has, and that where the file cannot be read there. A playlist does not say
        how much the files have that it names.
    """
    size = info.size
    if info.sequence is not None:
        return 0
    seen = sum(end - first for first, end in places) * info.time_base
    if not seen or length is None:
        return size
    try:
        found = sum(_bytes_between(info, first, end) for first, end in places)
    except av.error.FFmpegError:
        return size
    reckoned = round(found * length / seen)
    return reckoned if info.playlist else min(size, reckoned)


def _bytes_between(info: FilmInfo, first: int, end: int) -> int:
    """Bytes of packets of other streams that begin at pts of the film from `first` to before `end`."""
    found = 0
    with open_film(info.path, info.protocols) as container:
        container.seek(first, stream=container.streams[info.film])
        for packet in container.demux():
            if packet.dts is None or packet.time_base is None:
                continue
            time = packet.dts * packet.time_base / info.time_base
            if packet.stream.index != info.film:
                found += packet.size if first <= time < end else 0
            elif time >= end:
                break
    return found
