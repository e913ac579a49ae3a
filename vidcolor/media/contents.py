"""What the streams of a file hold, packet by packet, without decoding anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo


@dataclass(slots=True)
class Content:
    """What a stream's packets hold, without how they are cut."""

    packets: int = 0
    start: Fraction | None = None  # seconds
    end: Fraction | None = None
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, data: bytes, pts: int | None, duration: int | None, base: Fraction) -> None:
        self.packets += 1
        self._digest.update(data)
        if pts is not None:
            time, end = pts * base, (pts + (duration or 0)) * base
            self.start = time if self.start is None else min(self.start, time)
            self.end = end if self.end is None else max(self.end, end)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def read_contents(info: FilmInfo, indexes: list[int]) -> dict[int, Content]:
    """Packets of some streams, as far as the film can be read."""
    contents = {index: Content() for index in indexes}
    if not indexes:
        return contents
    with open_film(info.path, info.protocols) as container:
        packed = []
        for index in indexes:
            stream = container.streams[index]
            if stream.type == "attachment":
                contents[index].add(stream.data, None, None, Fraction(1))
            else:
                packed.append(stream)
        try:
            for packet in container.demux(*packed) if packed else ():
                if packet.size:
                    contents[packet.stream_index].add(bytes(packet), packet.pts, packet.duration, packet.time_base)
        except av.error.FFmpegError:
            pass  # a damaged source ends here; `run` copies as far too
    return contents
