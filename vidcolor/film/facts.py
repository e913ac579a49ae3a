"""What is told of a run: its plan, what it was done with, its figures, what is not as in the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidcolor.backends.base import Backend
from vidcolor.errors import MediaError
from vidcolor.film.disk import estimate, free_bytes
from vidcolor.film.events import Event
from vidcolor.film.journal import ChunkRecord
from vidcolor.film.plan import CHUNK_SECONDS, Plan, piece_of
from vidcolor.film.provenance import STATEMENT, shots_of_records
from vidcolor.film.work import WorkPlace, find_others
from vidcolor.media.container_times import moves_chapters
from vidcolor.media.damage import in_spans
from vidcolor.media.empty_streams import empty_streams
from vidcolor.media.mp4_tags import lost_tags
from vidcolor.media.streams import plan_streams


def facts_of_record(plan: Plan, backend: Backend, records: list[ChunkRecord]) -> dict[str, Any]:
    """What made a film's colours, as its record says it."""
    return {**choices(plan, backend), "encoder": _encoder(plan), "shots": shots_of_records(plan, records)}


def damage_of(plan: Plan, records: list[ChunkRecord]) -> dict[str, Any]:
    """What of the film was damaged, frame by frame, and as spans of time."""
    damage = [item for record in records for item in record.damage]
    return {"damaged": damage, "ledger": in_spans(damage, plan.info)}


def estimated(plan: Plan, backend: Backend, place: WorkPlace) -> Event:
    """What `--dry-run` foretells: time and room; None where it cannot be known."""
    found = estimate(plan, backend)
    return {
        "estimated_seconds": found and found.seconds,
        "estimated_bytes": found and found.output_bytes,
        "peak_bytes": found and found.peak_bytes,
        "free_bytes": free_bytes(place.target.parent),
    }


def statement(plan: Plan) -> dict[str, str]:
    """The container's comment: the source's own, if it has one, and that the colour is not; nothing without `tag`."""
    if not plan.options.tag:
        return {}
    own = [value for name, value in plan.info.container_tags if name.lower() == "comment"]
    return {"comment": " ".join([*own[:1], STATEMENT])}


def converted(plan: Plan) -> list[str]:
    """What will not be in the output as it is in the source, a sentence each."""
    suffix, piece = plan.encoding.suffix, piece_of(plan.info, plan.options)
    lost = lost_tags(plan.info, suffix)
    why = f"beside a cover picture, a {suffix} file has no place for the tags {', '.join(lost)}: they are left out"
    notes = [stream.note for stream in plan_streams(plan.info, suffix) if stream.note]
    notes += empty_streams(plan.info, suffix, piece).values()
    if piece is None and moves_chapters(plan.info, suffix):
        notes.append(
            f"chapters get other times: in {suffix} files the first begins at 0, and each lasts until the next"
        )
    return [*plan.encoding.conversions, *notes, *([why] if lost else [])]


def choices(plan: Plan, backend: Backend) -> dict[str, Any]:
    """What a plan was done with, as its events say it."""
    return {
        "model": plan.spec.name,
        "weights": plan.weights.hash,
        "backend": backend.info.name,
        "precision": backend.info.precision,
        "device": backend.info.device,
    }


def figures(plan: Plan, frames: int, length: int, made: int, seconds: float) -> dict[str, Any]:
    """Frames and speed.

    Args:
        length: of what was coloured, in ticks of the film's time base.
        made: how many of the frames this run made, in `seconds`.
    """
    return {
        "frames": frames,
        "seconds": round(seconds, 3),
        "fps": round(made / seconds, 3),
        "times_real_time": round(float(length * plan.info.time_base) * made / frames / seconds, 4),
    }


def nothing_made(plan: Plan) -> MediaError:
    """Why there is nothing to join: no frame was coloured."""
    start, length = plan.options.start, plan.info.duration
    why = "none in the piece asked for could be decoded"
    if start is not None and length is not None and start >= length:
        why = f"it is {float(length):.3f} s long, and --start is {float(start):.3f} s"
    return MediaError(f"no frame of {plan.info.path} could be coloured", why)


def _encoder(plan: Plan) -> str:
    encoding = plan.encoding
    options = " ".join(f"{name}={value}" for name, value in encoding.options)
    return f"{encoding.encoder} {encoding.pix_fmt}{options and ', '}{options}"


def plan_event(
    plan: Plan, target: Path, backend: Backend, chunks_done: int, *, dry_run: bool, place: WorkPlace | None = None
) -> Event:
    """What will be done, before it is.

    Args:
        chunks_done: by an earlier run.
        place: of the work. None: none is kept.
    """
    info, encoding = plan.info, plan.encoding
    return {
        "type": "plan",
        "kind": "film",
        "input": str(info.path),
        "output": str(target),
        "dry_run": dry_run,
        "picture": f"{info.width}×{info.height} {info.pix_fmt}",
        "frames": plan.estimated_frames,
        "streams": [
            {
                "index": s.stream.index,
                "kind": s.stream.kind,
                "codec": s.stream.codec,
                "action": s.action,
                "note": s.note,
            }
            for s in plan_streams(info, encoding.suffix)
        ],
        **choices(plan, backend),
        "model_reason": plan.model.reason,
        "backend_reason": plan.backend.reason,
        "decoder": info.decoder,
        "encoder": f"{_encoder(plan)}: {encoding.reason}",
        "converted": converted(plan),
        "chunks": plan.estimated_chunks and max(plan.estimated_chunks, chunks_done),
        "chunks_done": chunks_done,
        "chunk_seconds": CHUNK_SECONDS,
        "work": place and str(place.folder),
        "other_work": [
            {"folder": str(o.folder), "chunks": o.chunks, "bytes": o.size, "differs": o.differs, "removal": o.removal}
            for o in (find_others(place, plan) if place else ())
        ],
    }
