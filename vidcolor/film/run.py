"""One film from end to end: plan, chunks, one remux, and only then its final name."""

from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from vidcolor.backends.base import Backend
from vidcolor.backends.choose import open_backend
from vidcolor.color.solve import ChromaTable
from vidcolor.config import RunOptions, WorkOptions
from vidcolor.errors import MediaError, UsageError
from vidcolor.files import whole_file
from vidcolor.film.chunk import Range, make_chunks, open_at, view_of
from vidcolor.film.disk import check_room, told_when_full
from vidcolor.film.events import Event, Report, film_event, warning_event
from vidcolor.film.facts import (
    choices,
    converted,
    damage_of,
    estimated,
    facts_of_record,
    figures,
    nothing_made,
    plan_event,
    statement,
)
from vidcolor.film.journal import ChunkRecord, Journal
from vidcolor.film.outputs import check_output, output_for
from vidcolor.film.pipeline import StageClock
from vidcolor.film.placing import place_pictures
from vidcolor.film.plan import Plan, make_plan, piece_of
from vidcolor.film.progress import Progress
from vidcolor.film.provenance import STATEMENT, check_sidecar, write_record
from vidcolor.film.unchanged import Stamp, check_unchanged, stamp_of
from vidcolor.film.work import WorkPlace, owned, work_place
from vidcolor.media.address import Address, Source
from vidcolor.media.formats import choose_encoding
from vidcolor.media.nvdec import choose_decoder
from vidcolor.media.probe import FilmInfo
from vidcolor.media.remux import remux
from vidcolor.media.sequence_source import read_film
from vidcolor.media.sequences import Sequence, is_pattern
from vidcolor.media.source import FilmSource
from vidcolor.media.standin import with_stand_in
from vidcolor.media.uncompressed import picture_encoding


def colour_film(
    source: Source,
    output: Path | None,
    many: bool,
    options: RunOptions,
    *,
    overwrite: bool,
    dry_run: bool,
    report: Report,
    work: WorkOptions = WorkOptions(),
) -> Event:
    """Colour one film. Returns its `film` event.

    Raises:
        VidcolorError: it could not be done; nothing stands under the final name, finished chunks stay for the next run.
            Or, with `options.verify`, the film is finished and stands there, but does not conform to its source.
    """
    started = time.monotonic()
    info = read_film(source, options.rate, options.max_pixels, options.allow_protocol)
    stamp = stamp_of(info)
    info = decoded_as_asked(info, options, report)
    named = output_for(source, output, many, "")
    suffix = named.suffix if output is not None and named == output else None
    choose = picture_encoding if is_pattern(named) else choose_encoding
    encoding = choose(info, options.codec, options.crf, options.preset, suffix, options.deinterlace)
    if encoding.pictures and options.tag:
        encoding = replace(encoding, comment=STATEMENT)
    target = output_for(source, output, many, encoding.suffix)
    check_output(source, target, overwrite)
    check_sidecar(target, options, overwrite)
    if options.provenance and (info.playlist or isinstance(source, Address)):
        why = f"what {'a playlist names' if info.playlist else 'is at an address'} has no hash of its own"
        raise UsageError(f"--provenance cannot be used with {source}", why, "Fetch the film first, or leave it out.")
    plan = make_plan(encoding.prepare(info), options, encoding, options.threads or os.cpu_count() or 1)
    threading.Thread(target=ChromaTable, args=(plan.encoding.format,)).start()  # ready when merge wants it
    backend = open_network(plan, report)
    plan = replace(plan, runtime=backend.info)
    place = work_place(target, plan, work.folder)
    if dry_run:
        facts = plan_event(plan, target, backend, len(_found(place, work).done), dry_run=True, place=place)
        report({**facts, **estimated(plan, backend, place)})
        return film_event(source, output=str(target), **choices(plan, backend), dry_run=True)
    clock = StageClock()
    with told_when_full(target, place.folder), owned(place, plan, work.resume):
        check_output(source, target, overwrite)  # again: another process may have made it before the lock was free
        journal = Journal(place.folder)
        report(plan_event(plan, target, backend, len(journal.done), dry_run=False, place=place))
        if warning := check_room(plan, place, backend, journal):
            report(warning_event(source, warning))
        with _told_when_interrupted(source, journal, report):
            made = _make_missing(plan, place, journal, backend, clock, report, stamp)
            check_unchanged(info, stamp)
            records, finished = _join(plan, place, journal, clock, report, stamp)
        if not work.keep:
            shutil.rmtree(place.folder)
    seconds = time.monotonic() - started
    if options.provenance:
        facts = {**facts_of_record(plan, backend, records), **damage_of(plan, records)}
        write_record(info.sequence or source, target, finished, options, facts)
    if options.verify:
        check_conformance(source, target, options, report)
    return film_event(
        source,
        output=str(target),
        **choices(plan, backend),
        **figures(
            plan,
            sum(record.frames for record in records),
            records[-1].end_pts - records[0].first_pts,
            made,
            seconds,
        ),
        stages={name: round(spent, 3) for name, spent in clock.seconds.items()},
        **damage_of(plan, records),
        converted=converted(plan),
    )


def decoded_as_asked(info: FilmInfo, options: RunOptions, report: Report) -> FilmInfo:
    """The film with what decodes it; that it is not what `options` ask for is reported.

    Raises:
        UsageError: this machine has no such decoder.
    """
    info, otherwise = choose_decoder(info, options.decoder)
    if otherwise:
        report(warning_event(info.path, otherwise))
    return info


def tell_handed_over(film: FilmSource, report: Report) -> None:
    """Report where a GPU's decoder did not go on."""
    for text in film.take_handed_over():
        report(warning_event(film.info.path, text))


def check_conformance(source: Source, target: Path, options: RunOptions, report: Report) -> None:
    """Compare a finished film with its source, and report a `verify` event.

    Raises:
        MediaError: it does not conform.
    """
    from vidcolor.film.verify import verify

    result = verify(source, target, options)
    report(result.event())
    if not result.conforms:
        wrong = "; ".join(f"{f.what} ({f.note})" if f.note else f.what for f in result.findings if f.differs)
        again = shlex.join(["vidcolor", "verify", str(source), str(target), *_given_to_verify(options)])
        raise MediaError(f"{target} does not conform to {source}", wrong, f"It is kept: {again}")


def _given_to_verify(options: RunOptions) -> list[str]:
    """Those of a run's options that `vidcolor verify` must know, as they are typed, where they are not the default."""
    given = []
    for name in ("codec", "crf", "preset", "rate", "start", "end", "on_damage", "max_pixels"):
        if (value := getattr(options, name)) != getattr(RunOptions(), name):
            given += [f"--{name.replace('_', '-')}", str(float(value) if name in ("start", "end") else value)]
    given += ["--deinterlace"] * options.deinterlace
    return given + [word for protocol in options.allow_protocol for word in ("--allow-protocol", protocol)]


def open_network(plan: Plan, report: Report) -> Backend:
    """The plan's network, ready for the film's frames; what should be known about it is reported.

    Raises:
        BackendError, ModelError: it cannot run here.
    """
    width, height = view_of(plan).size
    warn = lambda text: report(warning_event(plan.info.path, text))
    return open_backend(plan.backend.name, plan.weights, width, height, max(1, plan.threads // 2), warn)


def _make_missing(
    plan: Plan,
    place: WorkPlace,
    journal: Journal,
    backend: Backend,
    clock: StageClock,
    report: Report,
    stamp: Stamp,
) -> int:
    """Make every chunk that is not done. Returns how many frames that were."""
    progress = Progress(plan, sum(record.frames for record in journal.done.values()), report)
    for span in missing(plan, journal):
        progress.number = sum(record.frames for record in journal.done.values() if record.first_pts < span.first_pts)
        with (
            open_at(plan.info, span.first_pts, plan.threads, plan.options.on_damage) as film,
            closing(make_chunks(plan, span, place.folder, backend, clock, progress, film)) as records,
        ):
            for record in records:
                if plan.info.sequence is None:  # of that, every picture would be asked each time
                    check_unchanged(plan.info, stamp)
                journal.add(record)
                tell_handed_over(film, report)
            tell_handed_over(film, report)
    progress.show()
    return progress.made


def _join(
    plan: Plan, place: WorkPlace, journal: Journal, clock: StageClock, report: Report, stamp: Stamp
) -> tuple[list[ChunkRecord], Path | Sequence]:
    """Make the finished film of all chunks. Returns them, in order, and the film or its pictures."""
    records = [journal.done[index] for index in sorted(journal.done)]
    if not records:
        raise nothing_made(plan)
    chunks = [place.folder / record.file for record in records]
    if plan.encoding.pictures:
        with clock("name"):
            return records, place_pictures(plan, place.target, chunks)
    with whole_file(place.target, place.part) as temporary, clock("remux"):
        warn = lambda text: report(warning_event(plan.info.path, text))
        others = with_stand_in(plan.info, place.folder)
        remux(
            others,
            plan.encoding,
            chunks,
            temporary,
            statement(plan),
            piece_of(plan.info, plan.options),
            place.folder,
            warn,
        )
        check_unchanged(plan.info, stamp)
    return records, place.target


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


def _found(place: WorkPlace, work: WorkOptions) -> Journal:
    """The journal that a run would go on from."""
    return Journal(place.folder if work.resume else place.folder / "none")


@contextmanager
def _told_when_interrupted(source: Path, journal: Journal, report: Report) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if done := len(journal.done):
            chunks = "1 finished chunk is" if done == 1 else f"{done} finished chunks are"
            report(warning_event(source, f"interrupted: {chunks} kept; the same command goes on from there"))
        raise
