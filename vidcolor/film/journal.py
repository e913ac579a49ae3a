"""Which chunks of a plan are done, recorded so that a crash or a power cut cannot lose or invent one.

The journal is a text file of one JSON object a line, appended and flushed to disk by one writer. A torn last line, all
that an interruption can leave, is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcolor.files import sha256, sync_folder


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
    """The chunks done so far of the plan in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal.ndjson"
        self.done: dict[int, ChunkRecord] = {record.index: record for record in self._read()}

    def _read(self) -> Iterator[ChunkRecord]:
        if not self.path.exists():
            return
        for line in self.path.read_bytes().split(b"\n"):
            try:
                fields = json.loads(line)
                record = ChunkRecord(
                    **{
                        **fields,
                        "damage": tuple((pts, str(what)) for pts, what in fields["damage"]),
                        "shots": tuple(fields["shots"]),
                    }
                )
            except (ValueError, TypeError, KeyError):
                continue
            if self._is_intact(record):
                yield record

    def _is_intact(self, record: ChunkRecord) -> bool:
        path = self.folder / Path(record.file).name
        return path.is_file() and not path.is_symlink() and sha256(path) == record.hash

    def add(self, record: ChunkRecord) -> None:
        """Record a chunk whose file is complete and on disk."""
        line = json.dumps(asdict(record)) + "\n"
        with self.path.open("ab") as file:
            if file.tell() and not self._ends_with_newline():
                file.write(b"\n")
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.folder)
        self.done[record.index] = record

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
