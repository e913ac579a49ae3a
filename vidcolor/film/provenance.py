"""Where the colours of a film or picture come from: the statement in its metadata, and the record beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidcolor import __version__
from vidcolor.config import RunOptions
from vidcolor.files import check_place, sha256, write_whole
from vidcolor.film.disk import told_when_full
from vidcolor.film.journal import ChunkRecord
from vidcolor.film.plan import Plan
from vidcolor.media.pipe_in import PipeInput
from vidcolor.media.sequences import Sequence

STATEMENT = "Colour added by a machine (vidcolor): a guess, not a record."


def sidecar(target: Path) -> Path:
    """Where the record of an output goes: beside it."""
    return target.with_name(f"{target.name}.provenance.json")


def check_sidecar(target: Path, options: RunOptions, overwrite: bool) -> None:
    """Refuse to replace a record unasked.

    Raises:
        UsageError: there is one already.
    """
    if options.provenance:
        check_place(sidecar(target), overwrite)


def write_record(
    source: Path | Sequence | PipeInput, target: Path, made: Path | Sequence, options: RunOptions, facts: dict[str, Any]
) -> None:
    """Write the record of a finished output, whole or not at all. docs/json.md describes it.

    Args:
        target: the output's name, or its pattern.
        made: what was written; of pictures, those of this run.
        facts: what only the caller knows: model, weights, what ran it, shots.
    """
    record = {
        "type": "provenance",
        "statement": STATEMENT,
        "vidcolor": __version__,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": _content(source),
        "output": _content(made),
        "options": {name: None if value is None else value for name, value in asdict(options).items()},
        **facts,
    }
    path = sidecar(target)
    with told_when_full(path):
        write_whole(path, (json.dumps(record, indent=2, default=str) + "\n").encode())


def _content(what: Path | Sequence | PipeInput) -> dict[str, Any]:
    if isinstance(what, PipeInput):
        size, digest = what.content()
        return {"name": what.path.name, "bytes": size, "sha256": digest}
    if isinstance(what, Sequence):
        ends = {"first": what.numbers[0], "last": what.numbers[-1], "pictures": len(what.numbers)}
        return {"name": what.pattern.name, **ends, "bytes": what.size(), "sha256": sha256(*what.files)}
    return {"name": what.name, "bytes": what.stat().st_size, "sha256": sha256(what)}


def shots_of_records(plan: Plan, records: list[ChunkRecord]) -> list[dict[str, Any]]:
    """The shots that were coloured each as one: times in seconds from the film's first frame, and the exact ones."""
    info = plan.info
    begins = [records[0].first_pts, *(pts for record in records for pts in record.shots if pts > records[0].first_pts)]
    ends = [*begins[1:], records[-1].end_pts]
    return [
        {
            "start_time": float((begin - info.start_pts) * info.time_base),
            "end_time": float((end - info.start_pts) * info.time_base),
            "kind": "cut" if number or begin in records[0].shots else "start",
            "start_pts": begin,
            "end_pts": end,
            "time_base": str(info.time_base),
        }
        for number, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]
