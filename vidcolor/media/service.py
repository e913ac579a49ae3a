"""The service that a film is in an MPEG transport stream: a programme, with the number and names of its broadcaster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import av
import av.logging

from vidcolor.media.ffmpeg_words import logged

TRANSPORT_STREAM = frozenset({".ts", ".m2ts", ".mts"})

_OF_THE_FILE = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands"})  # tags; not of the film
_BECOMES = {"title": "service_name", "comment": "service_provider"}  # where the source has no such name
_MADE_UP = {"service_name": "Service01", "service_provider": "FFmpeg"}  # what FFmpeg writes where it is told nothing
_PIDS = range(0x20, 0x1FFF)  # that streams may have
_LONGEST = 200  # bytes of a name


@dataclass(frozen=True, slots=True)
class Service:
    """A programme of a transport stream."""

    number: int
    names: tuple[tuple[str, str], ...]  # tags: service_name, service_provider
    others: int = 0  # services beside it


def read_service(container: av.container.InputContainer, film: int) -> Service | None:
    """The service that the stream `film` belongs to, from FFmpeg's own words: PyAV does not expose it."""
    if container.format.name != "mpegts":
        return None
    with logged(av.logging.INFO):
        listed = container.dumps_format()
    _, *programs = re.split(r"^  (?=Program \d+|No Program)", listed, flags=re.MULTILINE)
    own = next((p for p in programs if re.search(rf"^ +Stream #0:{film}\b", p, re.MULTILINE)), "")
    number = re.match(r"Program (\d+)", own)
    names = re.findall(r"^ +(service_name|service_provider) *: (.+)$", own, re.MULTILINE)
    others = sum(each is not own and each.startswith("Program ") for each in programs)
    return number and Service(int(number[1]), tuple(n for n in names if _MADE_UP[n[0]] != n[1]), others)


def service_options(
    service: Service | None, pids: Sequence[int | None], statement: str, suffix: str
) -> list[tuple[str, str]]:
    """Options that make a transport stream say what the source's did.

    Args:
        pids: the source's, of the streams that are written; None: of another container.
        statement: the comment, with where colours come from. It is written where the source names no provider.
    """
    if suffix not in TRANSPORT_STREAM:
        return []
    names = dict(service.names) if service else {}
    if statement:  # of a longer one, with the source's own comment before it, the end
        names.setdefault("service_provider", statement.encode()[-_LONGEST:].decode(errors="ignore"))
    options = [("-metadata", f"{name}={value}") for name, value in names.items()]
    if service and service.number:
        options.append(("-mpegts_service_id", str(service.number)))
    table = 0x1000 if suffix == ".ts" else 0x100  # PID of FFmpeg's table of streams
    if len({*pids, table}) == len(pids) + 1 and all(pid in _PIDS for pid in pids):
        options += [("-streamid", f"{place}:{pid}") for place, pid in enumerate(pids)]
    return options


def unsaid(service: Service | None, tags: Iterable[tuple[str, str]], chapters: int, suffix: str) -> list[str]:
    """What a file with `suffix` does not say of a film as its source did, a sentence each; nothing but of transport streams.

    Args:
        tags: of the source's container.
        chapters: how many the source has.
    """
    if suffix not in TRANSPORT_STREAM:
        return []
    names = dict(service.names) if service else {}
    moved = [tag for tag, name in _BECOMES.items() if name not in names]
    of_film = [name for name, _ in tags if name.lower() not in _OF_THE_FILE]
    lost = [f"the tag '{name}'" for name in of_film if name.lower() not in moved]
    lost += [f"{chapters} chapters"] if chapters else []
    said = [f"left out, because {suffix} files have no place for it: {', '.join(lost)}"] if lost else []
    said += [f"the {name.lower()} becomes the {_BECOMES[name.lower()]}" for name in of_film if name.lower() in moved]
    if "service_provider" in names:
        said.append(f"nothing in the file says that colour was added: {suffix} files have no comment")
    if service and service.others:
        said.append(
            f"the streams of {service.others + 1} services become those of the film's: its number and names alone stay"
        )
    return said
