"""Files that a film carries: fonts, notes, cover pictures; taken out so that Matroska can carry them again.

FFmpeg copies a cover picture into Matroska as a film of one frame; attached as a file, it stays a cover.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo, StreamInfo

_PICTURES = {
    "mjpeg": ("image/jpeg", "jpg"),
    "png": ("image/png", "png"),
    "bmp": ("image/bmp", "bmp"),
    "gif": ("image/gif", "gif"),
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a film, and where a copy of it is."""

    path: Path
    tags: tuple[tuple[str, str], ...]  # always with filename and mimetype


def take_out(info: FilmInfo, streams: Iterable[StreamInfo], folder: Path) -> list[Attachment]:
    """Write attachments and cover pictures to `folder`, under names that depend on nothing in the film."""
    found = []
    for stream in streams:
        path = folder / f"attachment-{stream.index}"
        with open_film(info.path, info.protocols) as container:
            source = container.streams[stream.index]
            if stream.kind == "attachment":
                data, kind, ending = source.data, source.mimetype or "application/octet-stream", "bin"
            else:
                data = next((bytes(packet) for packet in container.demux(source) if packet.size), b"")
                kind, ending = _PICTURES.get(stream.codec, ("application/octet-stream", stream.codec))
        path.write_bytes(data)
        tags = {"filename": f"cover.{ending}" if stream.attached_picture else path.name, "mimetype": kind}
        found.append(Attachment(path, tuple({**tags, **dict(stream.tags)}.items())))
    return found
