"""One film from end to end: plan, chunks, one remux, and only then its final name."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidcolor.backends.base import Backend
from vidcolor.backends.choose import open_backend
from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.film.chunk import Range, make_chunks, view_of
from vidcolor.film.events import Event, Report, film_event, free_bytes, warning_event
from vidcolor.film.journal import Journal
from vidcolor.film.outputs import check_output, output_for
from vidcolor.film.pipeline import StageClock
from vidcolor.film.plan import CHUNK_SECONDS, Plan, make_plan
from vidcolor.film.work import owned, work_folder
from vidcolor.files import whole_file
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.remux import remux
from vidcolor.media.source import LumaFrame
from vidcolor.media.streams import plan_streams

PROGRESS_SECONDS = 0.25  # between two progress events
TRIAL_SECONDS = 1  # of film coloured by a dry run, for its estimate
LOOK_FOR_COLOUR = 50  # frames at the beginning in which a source that has colour already shows it
STATEMENT = "Colour added by a machine (vidcolor): a guess, not a record."


class Progress:
    """Counts frames and reports them; time left is reckoned from this run's own work alone."""

    def __init__(self, plan: Plan, frames_before: int, report: Report) -> None:
        self.plan, self.report = plan, report
        self.frames = frames_before
        self.made = 0
        self._coloured = False
        self._started = self._shown = time.monotonic()

    def __call__(self, frame: LumaFrame, begins_shot: bool) -> None:
        source = self.plan.info.path
        if self.made == 0 or begins_shot:
            seconds = float((frame.pts - self.plan.first_pts) * self.plan.info.time_base)
            kind = "cut" if begins_shot else "start"
            self.report(
                {"type": "shot", "input": str(source), "start_frame": self.frames, "start_time": seconds, "kind": kind}
            )
        if not self._coloured and self.made < LOOK_FOR_COLOUR and frame.carries_colour():
            self._coloured = True
            self.report(warning_event(source, "the source has colour already; it is coloured anew from its luma alone"))
        self.frames += 1
        self.made += 1
        if time.monotonic() - self._shown >= PROGRESS_SECONDS:
            self.show()

    def show(self) -> None:
        self._shown = time.monotonic()
        total = self.plan.estimated_frames
        fps = self.made / max(1e-9, self._shown - self._started)
        left = (total - self.frames) / fps if total and fps and self.frames <= total else None
        self.report(
            {
                "type": "progress",
                "input": str(self.plan.info.path),
                "frames": self.frames,
                "total": total,
                "fps": round(fps, 2),
                "seconds_left": None if left is None else round(left, 1),
            }
        )


def colour_film(
    source: Path,
    output: Path | None,
    many: bool,
    options: RunOptions,
    *,
    overwrite: bool,
    dry_run: bool,
    report: Report,
) -> Event:
    """Colour one film. Returns its `film` event.

    Raises:
        VidcolorError: it could not be done; nothing stands under the final name, finished chunks stay for the next run.
    """
    started = time.monotonic()
    info = probe(source)
    named = output_for(source, output, many, "")
    suffix = named.suffix if output is not None and named == output else None
    encoding = choose_encoding(info, options.codec, options.crf, options.preset, suffix)
    target = output_for(source, output, many, encoding.suffix)
    check_output(source, target, overwrite)
    plan = make_plan(encoding.prepare(info), options, encoding, options.threads or os.cpu_count() or 1)
    backend = open_network(plan, report)
    work = work_folder(target, plan)
    if dry_run:
        report({**plan_event(plan, target, backend, len(Journal(work).done), dry_run=True), **estimate(plan, target, backend)})
        return film_event(source, output=str(target), **choices(plan, backend), dry_run=True)
    clock = StageClock()
    with owned(work, plan, target):
        journal = Journal(work)
        report(plan_event(plan, target, backend, len(journal.done), dry_run=False))
        progress = Progress(plan, sum(record.frames for record in journal.done.values()), report)
        for span in missing(plan, journal):
            for record in make_chunks(plan, span, work, backend, clock, progress):
                journal.add(record)
        progress.show()
        records = [journal.done[index] for index in sorted(journal.done)]
        if not records:
            raise MediaError(f"no frame of {source} could be coloured", "none in the piece asked for could be decoded")
        with whole_file(target) as temporary, clock("remux"):
            remux(plan.info, encoding, [work / r.file for r in records], temporary, statement(plan), _piece(plan))
        shutil.rmtree(work)
    return film_event(
        source,
        output=str(target),
        **choices(plan, backend),
        **figures(
            plan,
            sum(record.frames for record in records),
            records[-1].end_pts - records[0].first_pts,
            progress.made,
            time.monotonic() - started,
        ),
        stages={name: round(spent, 3) for name, spent in clock.seconds.items()},
        damaged=[item for record in records for item in record.damage],
        converted=converted(plan),
    )


def open_network(plan: Plan, report: Report) -> Backend:
    """The plan's network, ready for the film's frames; what should be known about it is reported.

    Raises:
        BackendError, ModelError: it cannot run here.
    """
    width, height = view_of(plan).size
    warn = lambda text: report(warning_event(plan.info.path, text))  # noqa: E731
    return open_backend(plan.backend.name, plan.weights, width, height, max(1, plan.threads // 2), warn)


def missing(plan: Plan, journal: Journal) -> Iterator[Range]:
    """The stretches of film between finished chunks, in order; the last one is open unless the plan has an end.

    The chunk last recorded may have been cut short by nothing but the film's end, so a journal whose film is finished
    still yields one last stretch, in which no frame is found.
    """
    expected = 0
    for index in sorted(journal.done):
        if index > expected:
            yield Range(plan.chunk_start(expected), plan.chunk_start(index))
        expected = index + 1
    if plan.end_pts is None or plan.chunk_start(expected) < plan.end_pts:
        yield Range(plan.chunk_start(expected), plan.end_pts)


def estimate(plan: Plan, target: Path, backend: Backend) -> Event:
    """Time and disk for the film, from colouring its first second for real."""
    clock, frames, size = StageClock(), 0, 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vidcolor-") as folder:
        end = plan.first_pts + max(1, round(TRIAL_SECONDS / plan.info.time_base))
        span = Range(plan.first_pts, end if plan.end_pts is None else min(end, plan.end_pts))
        for record in make_chunks(plan, span, Path(folder), backend, clock, lambda *_: None):
            frames += record.frames
            size += (Path(folder) / record.file).stat().st_size
    seconds = time.monotonic() - started
    total = plan.estimated_frames
    known = bool(frames and total)
    return {
        "estimated_seconds": round(seconds / frames * total, 1) if known else None,
        "estimated_bytes": round(size / frames * total) if known else None,
        "free_bytes": free_bytes(target),
    }


def _piece(plan: Plan) -> tuple[int, int | None] | None:
    """First pts and end of the part that is made; None: the whole film."""
    whole = plan.options.start is None and plan.end_pts is None
    return None if whole else (plan.first_pts, plan.end_pts)


def statement(plan: Plan) -> dict[str, str]:
    """The container's comment: the source's own, if it has one, and that the colour is not."""
    own = [value for name, value in plan.info.container_tags if name.lower() == "comment"]
    return {"comment": " ".join([*own[:1], STATEMENT])}


def converted(plan: Plan) -> list[str]:
    """What will not be in the output as it is in the source, a sentence each."""
    return [*plan.encoding.conversions, *(s.note for s in plan_streams(plan.info, plan.encoding.suffix) if s.note)]


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


def plan_event(plan: Plan, target: Path, backend: Backend, chunks_done: int, *, dry_run: bool) -> Event:
    """What will be done, before it is."""
    info, encoding = plan.info, plan.encoding
    options_in_words = " ".join(f"{name}={value}" for name, value in encoding.options)
    return {
        "type": "plan",
        "kind": "film",
        "input": str(info.path),
        "output": str(target),
        "dry_run": dry_run,
        "picture": f"{info.width}×{info.height} {info.pix_fmt}",
        "frames": plan.estimated_frames,
        "streams": [
            {"index": s.stream.index, "kind": s.stream.kind, "codec": s.stream.codec, "action": s.action, "note": s.note}
            for s in plan_streams(info, encoding.suffix)
        ],
        **choices(plan, backend),
        "model_reason": plan.model.reason,
        "backend_reason": plan.backend.reason,
        "encoder": f"{encoding.encoder} {encoding.pix_fmt}, {options_in_words}: {encoding.reason}",
        "converted": converted(plan),
        "chunks": plan.estimated_chunks,
        "chunks_done": chunks_done,
        "chunk_seconds": CHUNK_SECONDS,
    }
