"""Everything of a film but its pictures, in a file: for the remux, where the film cannot be opened again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av

from vidcolor.media.probe import FilmInfo


def with_stand_in(info: FilmInfo, folder: Path) -> FilmInfo:
    """What the remux takes for `info`: itself where it is a file; for pictures, a file in `folder` without anything."""
    if info.sequence is None:
        return info
    with StandIn(folder / "others.nut", info) as others:
        return replace(info, path=others.path)


class StandIn:
    """A NUT file with the film's streams in their order, of the film itself one grey dot. Use it as a context manager.

    Args:
        path: where to write it.
        info: of the film.
        container: the film as it is read, where it has more than pictures.
    """

    def __init__(self, path: Path, info: FilmInfo, container: av.container.InputContainer | None = None) -> None:
        self.path = path
        self._out = av.open(str(path), "w", format="nut")
        self._streams: dict[int, av.stream.Stream] = {}
        for stream in info.streams:
            if stream.index == info.film:
                made = self._out.add_stream("rawvideo", rate=25)
                made.width = made.height = 2
                made.pix_fmt = "gray"
            else:
                made = self._out.add_stream_from_template(container.streams[stream.index], opaque=True)
            made.metadata.update(dict(stream.tags))
            self._streams[stream.index] = made
        self._out.metadata.update(dict(info.container_tags))
        if container is not None:
            self._out.set_chapters(container.chapters())
        picture = av.Packet(bytes(4))  # FFmpeg takes no file without any packet for a film
        picture.pts = picture.dts = 0
        picture.time_base, picture.stream = Fraction(1, 25), self._streams[info.film]
        self._out.mux(picture)

    def add(self, packet: av.Packet) -> None:
        """The next packet of a stream that is not the film."""
        packet.stream = self._streams[packet.stream_index]
        self._out.mux(packet)

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._out.close()
