"""A film that comes from a pipe or goes into one: the same stages, once, with nothing kept to go on from.

From a pipe to a file, the film's chunks are made and joined as always, in a folder that lives no longer than the run.
Into a pipe, frames leave as soon as they are coloured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vidcolor.backends.base import Backend
from vidcolor.config import RunOptions, WorkOptions
from vidcolor.errors import UsageError
from vidcolor.files import short_name, whole_file
from vidcolor.film.chunk import Range, coloured_frames, make_chunks, open_at
from vidcolor.film.disk import told_when_full
from vidcolor.film.events import Event, Report, film_event, warning_event
from vidcolor.film.facts import choices, converted, facts_of_record, figures, nothing_made, plan_event, statement
from vidcolor.film.journal import ChunkRecord
from vidcolor.film.outputs import check_output
from vidcolor.film.pipeline import StageClock
from vidcolor.film.plan import Plan, make_plan, piece_of
from vidcolor.film.progress import Progress
from vidcolor.film.provenance import check_sidecar, write_record
from vidcolor.film.run import decoded_as_asked, open_network, tell_handed_over
from vidcolor.media.address import STANDARD_OUTPUT, Source
from vidcolor.media.damage import Damage, in_spans
from vidcolor.media.formats import choose_encoding
from vidcolor.media.pipe_in import PipeInput, PipeSource, is_pipe
from vidcolor.media.pipe_out import (
    FiledStreams,
    OtherStreams,
    PipedStreams,
    PipeWriter,
    refuse_terminal_output,
    standard_output,
)
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.remux import remux
from vidcolor.media.sequence_source import read_film
from vidcolor.media.source import FilmSource
from vidcolor.media.standin import StandIn
from vidcolor.media.streams import plan_streams
from vidcolor.media.uncompressed import pipe_encoding

_NOT_ENCODED = ("codec", "crf", "preset")  # options that mean nothing for raw frames


def is_stream(source: Source, output: Path | None) -> bool:
    """Whether a film comes from a pipe or goes into standard output."""
    return output == STANDARD_OUTPUT or is_pipe(source)


def colour_stream(
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
    """Colour one film from a pipe, into standard output, or both. Returns its `film` event.

    Raises:
        VidcolorError: it could not be done; nothing stands under the final name.
        BrokenPipeError: nobody reads the output any more.
    """
    started = time.monotonic()
    _check(source, output, options)
    if unused := [option for option in work.given() if option != "--workdir" or output == STANDARD_OUTPUT]:
        report(warning_event(source, f"of no use with a pipe, of which nothing is kept: {', '.join(unused)}"))
    with ExitStack() as stack:
        pipe = stack.enter_context(PipeInput(source, options.provenance)) if is_pipe(source) else None
        if pipe:
            info = probe(source, pipe.look, options.max_pixels)
        else:
            info = read_film(source, options.rate, options.max_pixels, options.allow_protocol)
            info = decoded_as_asked(info, options, report)
        plan = _plan(info, output, options, overwrite)
        backend = open_network(plan, report)
        report(plan_event(plan, output, backend, 0, dry_run=dry_run))
        if dry_run:
            return film_event(source, output=str(output), **choices(plan, backend), dry_run=True)
        film = stack.enter_context(
            PipeSource(plan.info, pipe, options.on_damage)
            if pipe
            else open_at(plan.info, plan.first_pts, plan.threads, options.on_damage)
        )
        clock, progress = StageClock(), Progress(plan, 0, report)
        if output == STANDARD_OUTPUT:
            length, damage = _into_pipe(plan, film, backend, clock, progress)
        else:
            records = _into_file(plan, film, backend, clock, progress, output, work.folder, report)
            length = records[-1].end_pts - records[0].first_pts
            damage = [item for record in records for item in record.damage]
        tell_handed_over(film, report)
        if options.provenance:
            facts = {**facts_of_record(plan, backend, records), "damaged": damage, "ledger": in_spans(damage, info)}
            write_record(pipe, output, output, options, facts)
    progress.show()
    return film_event(
        source,
        output=str(output),
        **choices(plan, backend),
        **figures(plan, progress.made, length, progress.made, time.monotonic() - started),
        stages={name: round(spent, 3) for name, spent in clock.seconds.items()},
        damaged=damage,
        ledger=in_spans(damage, info),
        converted=converted(plan),
    )


def refuse_several(inputs: tuple[Source, ...], output: Path | None) -> None:
    """Refuse a pipe beside other inputs: it has no name to call its output after, and holds no two films.

    Raises:
        UsageError: there is one.
    """
    if len(inputs) > 1 and (output == STANDARD_OUTPUT or any(map(is_pipe, inputs))):
        raise UsageError("a pipe holds one film", "there are several inputs", "Run vidcolor once for each.")


def _check(source: Source, output: Path | None, options: RunOptions) -> None:
    """Refuse what a pipe cannot do."""
    if output is None or output.is_dir():
        next_step = "Give a file with -o, or -o - for standard output."
        raise UsageError(f"{source} has no name to call its output after", "it is a pipe", next_step)
    if is_pipe(source) and (options.start is not None or options.end is not None):
        next_step = "Cut it before the pipe: ffmpeg -ss 1:30 -to 2:00 -i FILM ..."
        raise UsageError("--start and --end need a film that can be sought", f"{source} is a pipe", next_step)
    if is_pipe(source) and options.rate is not None:
        raise UsageError(f"--rate has no meaning for {source}", "a pipe holds no image sequence", "Leave it out.")
    if is_pipe(source) and options.decoder != "cpu":
        next_step = "Leave it out."
        raise UsageError(f"--decoder {options.decoder} is for files", f"{source} is a pipe", next_step)
    given = [name for name in _NOT_ENCODED if getattr(options, name) != getattr(RunOptions(), name)]
    if output == STANDARD_OUTPUT and given:
        why = "what goes to standard output is raw frames"
        raise UsageError(f"--{given[0]} has no meaning with -o -", why, "Encode it behind the pipe, or give a file.")


def _plan(info: FilmInfo, output: Path, options: RunOptions, overwrite: bool) -> Plan:
    if output == STANDARD_OUTPUT:
        refuse_terminal_output()
        form = options.stdout_format
        if form == "auto":
            form = "y4m" if info.container == "yuv4mpegpipe" else "nut"
        encoding = pipe_encoding(info, form, options.deinterlace)
    else:
        encoding = choose_encoding(info, options.codec, options.crf, options.preset, output.suffix, options.deinterlace)
        check_output(info.path, output, overwrite)
        check_sidecar(output, options, overwrite)
    return make_plan(encoding.prepare(info), options, encoding, options.threads or os.cpu_count() or 1)


def _into_pipe(
    plan: Plan, film: FilmSource, backend: Backend, clock: StageClock, progress: Progress
) -> tuple[int, list[Damage]]:
    """Colour the film into standard output. Returns its length in ticks, and its damage."""
    first = last = None
    with (
        standard_output() as out,
        _others(plan, film) as others,
        coloured_frames(plan, Range(plan.first_pts, plan.end_pts), film, backend, clock) as frames,
        PipeWriter(out, plan.encoding, plan.info, others, _offset(plan), statement(plan)) as writer,
    ):
        for item in frames:
            with clock("encode"):
                writer.write(item.frame.pts, item.frame.y, item.u, item.v)
            progress(item.frame, item.begins_shot)
            first, last = first or item.frame, item.frame
    if last is None:
        raise nothing_made(plan)
    return last.pts + last.duration - first.pts, list(film.take_damage(plan.first_pts, plan.end_pts))


def _into_file(
    plan: Plan,
    film: PipeSource,
    backend: Backend,
    clock: StageClock,
    progress: Progress,
    target: Path,
    folder: Path | None,
    report: Report,
) -> list[ChunkRecord]:
    """Colour the film of a pipe into a file, by way of chunks, which are returned in order."""
    with (
        told_when_full(target),
        TemporaryDirectory(prefix=f".{short_name(target.name)}.vidcolor-", dir=folder or target.parent) as name,
    ):
        work = Path(name)
        with StandIn(work / "others.nut", plan.info, film.container) as others:
            film.divert(others.add)
            span = Range(plan.first_pts, None)
            records = list(make_chunks(plan, span, work, backend, clock, progress, film))
        if not records:
            raise nothing_made(plan)
        chunks = [work / record.file for record in records]
        with whole_file(target) as temporary, clock("remux"):
            warn = lambda text: report(warning_event(plan.info.path, text))
            info = replace(plan.info, path=others.path)
            remux(info, plan.encoding, chunks, temporary, statement(plan), scratch=work, say=warn)
    return records


@contextmanager
def _others(plan: Plan, film: FilmSource) -> Iterator[OtherStreams | None]:
    """The streams that go through with the film: read with it from a pipe, beside it from a file; none of pictures."""
    if plan.info.sequence is not None:
        yield None
        return
    if isinstance(film, PipeSource):
        piped = PipedStreams(film.container)
        film.divert(piped.add)
        yield piped
        return
    info, piece = plan.info, piece_of(plan.info, plan.options)
    kept = [s.stream.index for s in plan_streams(info, plan.encoding.suffix) if s.action == "copy"]
    seconds = piece and (piece[0] * info.time_base, None if piece[1] is None else piece[1] * info.time_base)
    with FiledStreams(info, kept, seconds) as filed:
        yield filed


def _offset(plan: Plan) -> int:
    """Ticks by which everything is shown earlier: a piece begins when the film does, and nothing before 0."""
    piece = piece_of(plan.info, plan.options)
    return min(0, plan.info.start_pts) if piece is None else piece[0] - max(0, plan.info.start_pts)
