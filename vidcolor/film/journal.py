"""Which chunks of a plan are done, recorded so that a crash or a power cut cannot lose or invent one.

The journal is a text file, appended and flushed to disk by one writer: a line is a chunk, a JSON object after its own
check sum. A line that is torn (all that an interruption can leave) or damaged is ignored: its chunk is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcolor.errors import MediaError
from vidcolor.files import sha256, sync_folder
from vidcolor.media.frames import count_in

JOURNAL = "journal.txt"
_FILE = re.compile(r"chunk-[0-9]{6,12}\.[a-z0-9]{2,4}")


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A finished chunk: its file (in the work folder), what is in it, and what was damaged in its source."""

    index: int
    file: str
    frames: int
    first_pts: int
    end_pts: int  # of the last frame, plus its duration
    hash: str
    damage: tuple[tuple[int | None, str], ...]
    shots: tuple[int, ...] = ()  # pts of the frames in it that begin a shot


class Journal:
    """The chunks done so far of the plan in `folder`; each is there whole: the same bytes, the same number of frames."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.done: dict[int, ChunkRecord] = {record.index: record for record in self._read()}

    def _read(self) -> Iterator[ChunkRecord]:
        """The last record of every chunk, if the chunk is as it says."""
        if not self.path.is_file() or self.path.is_symlink():
            return
        records = map(parse_line, self.path.read_bytes().split(b"\n"))
        latest = {record.index: record for record in records if record is not None}
        yield from filter(self._is_intact, latest.values())

    def _is_intact(self, record: ChunkRecord) -> bool:
        path = self.folder / record.file
        if not path.is_file() or path.is_symlink() or sha256(path) != record.hash:
            return False
        try:
            return count_in(path) == record.frames
        except MediaError:
            return False

    def add(self, record: ChunkRecord) -> None:
        """Record a chunk whose file is complete and on disk."""
        with open(self.path, "ab", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o666)) as file:
            if file.tell() and not self._ends_with_newline():
                file.write(b"\n")
            file.write(to_line(record))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)
        self.done[record.index] = record

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def to_line(record: ChunkRecord) -> bytes:
    """The journal's line for a chunk, with its newline."""
    text = json.dumps(asdict(record)).encode()
    return _check_sum(text) + b" " + text + b"\n"


def parse_line(line: bytes) -> ChunkRecord | None:
    """The chunk that a line of a journal (without its newline) tells of; None where it is anything else."""
    check, _, text = line.partition(b" ")
    if check != _check_sum(text):
        return None
    try:
        found = json.loads(text)
        found["damage"] = tuple((pts, str(what)) for pts, what in found["damage"])
        found["shots"] = tuple(found["shots"])
        record = ChunkRecord(**found)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return record if _is_plain(record) else None


def _check_sum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()


def _is_plain(record: ChunkRecord) -> bool:
    """Whether every field has the type that it should have, and the file the name of one in the work folder."""
    times = [*record.shots, *(time for time, _ in record.damage if time is not None)]
    numbers = (record.index, record.frames, record.first_pts, record.end_pts, *times)
    texts = (record.file, record.hash)
    plain = all(type(number) is int for number in numbers) and all(type(text) is str for text in texts)
    return plain and record.index >= 0 and _FILE.fullmatch(record.file) is not None
