"""Several inputs, one after the other: each fails or succeeds alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from vidcolor.config import RunOptions, WorkOptions
from vidcolor.errors import MediaError, UsageError, VidcolorError
from vidcolor.film.events import Event, Report, film_event, summary_event
from vidcolor.film.outputs import OutputExists, expand_inputs, holds_many
from vidcolor.film.run import colour_film
from vidcolor.film.still import colour_still
from vidcolor.film.stream import colour_stream, is_stream, refuse_several
from vidcolor.media.address import STANDARD_OUTPUT, Source
from vidcolor.media.codecs import FILM_SUFFIXES
from vidcolor.media.pictures import OTHER_SUFFIXES, PICTURE_SUFFIXES
from vidcolor.media.sequences import is_pattern


def run_batch(
    inputs: tuple[Source, ...],
    output: Path | None,
    options: RunOptions,
    *,
    overwrite: bool,
    dry_run: bool,
    report: Report,
    into_folder: bool = False,
    work: WorkOptions = WorkOptions(),
) -> dict[str, Any]:
    """Colour every input; an input that fails does not stop the others. The last event is always `summary`.

    Of several, one whose output is there already is skipped: so the same command goes on with what is left.

    Args:
        into_folder: `output` is a folder, to be made if it is not there, for one input too. It is for several, and for a
            folder of them.

    Returns:
        The `summary` event: one entry a film, and `exit_code`, 0 (all done), 2 (nothing but usage errors) or 1.

    Raises:
        UsageError: options that no input could be run with.
    """
    films: list[dict[str, Any]] = []
    codes: list[int] = []
    stopped, new_folders = "interrupted", []
    try:
        options.validate()
        refuse_several(inputs, output)
        sources = expand_inputs(inputs, options.rate)
        many = into_folder or len(sources) > 1 or any(holds_many(path, options.rate) for path in inputs)
        if many and output is not None:
            new_folders = _make_folder(output, into_folder)
        made = _Made(report, several=len(sources) > 1)
        for source in sources:
            way = _way_of(source, output, work, options)
            try:
                film = made.by(way, source, output, many, options, overwrite=overwrite, dry_run=dry_run)
                codes.append(0)
            except BrokenPipeError:
                raise
            except (VidcolorError, OSError) as error:
                failure = _explained(error, source)
                film = film_event(source, error=str(failure))
                codes.append(failure.exit_code)
                if len(sources) == 1:
                    films.append(film)
                    raise failure from error
            films.append(film)
            report(film)
        stopped = None
    except Exception as failure:
        stopped = str(failure) or type(failure).__name__
        codes.append(getattr(failure, "exit_code", 1))
        raise
    finally:
        for folder in new_folders if dry_run else ():
            with suppress(OSError):  # somebody else uses it by now
                folder.rmdir()
        summary = summary_event(films, stopped, codes)
        report(summary)
    return summary


class _Made:
    """What a run has made, so that it neither replaces that nor takes it for another run's.

    Args:
        several: there is more than one input.
    """

    def __init__(self, report: Report, several: bool) -> None:
        self._report, self._several = report, several
        self._sources: dict[Path, str] = {}

    def by(self, way: Callable[..., Event], source: Source, *arguments: Any, **options: Any) -> Event:
        """Colour `source`. Returns its `film` event.

        Raises:
            UsageError: another input became its output.
            VidcolorError: it could not be done.
        """
        try:
            film = way(source, *arguments, report=self._told, **options)
        except OutputExists as there:
            self._refuse(there.output)
            if not self._several:
                raise
            return film_event(source, output=str(there.output), skipped=str(there))
        self._sources[Path(film["output"]).absolute()] = str(source)
        return film

    def _told(self, event: Event) -> None:
        if event["type"] == "plan":
            self._refuse(Path(event["output"]))
        self._report(event)

    def _refuse(self, output: Path) -> None:
        if (other := self._sources.get(output.absolute())) is not None:
            next_step = "Colour it into another folder, or rename it."
            raise UsageError(f"cannot write {output}", f"it was made from {other} in this run", next_step)


def _way_of(source: Source, output: Path | None, work: WorkOptions, options: RunOptions) -> Callable[..., Event]:
    """What colours `source`."""
    if options.stdout_format != RunOptions().stdout_format and output != STANDARD_OUTPUT:
        raise UsageError("--stdout-format needs -o -", "nothing goes to standard output", "Leave it out, or add -o -.")
    if is_stream(source, output):
        if options.verify:
            raise UsageError("--verify needs files", "a pipe cannot be read again", "Leave it out, or use files.")
        if options.provenance and output == STANDARD_OUTPUT:
            why = "its record stands beside it, and a pipe has no place"
            raise UsageError("--provenance needs a file as output", why, "Leave it out, or give a file with -o.")
        return partial(colour_stream, work=work)
    known = PICTURE_SUFFIXES | OTHER_SUFFIXES
    still = isinstance(source, Path) and source.suffix.lower() in known and not is_pattern(source)
    return partial(colour_still if still else colour_film, work=work)


def _make_folder(output: Path, named_as_folder: bool) -> list[Path]:
    """Make the folder of the outputs. Returns the folders that were not there, the innermost first."""
    if is_pattern(output):
        raise UsageError(
            f"-o {output} is the pattern of one sequence", "there are several inputs", "Give a folder with -o."
        )
    if output.exists() and not output.is_dir():
        raise UsageError(f"-o {output} is a file", "several inputs need a folder", "Give a folder with -o.")
    if not output.exists() and not named_as_folder and output.suffix.lower() in FILM_SUFFIXES | PICTURE_SUFFIXES:
        why = "several inputs need a folder, and that is the name of a file"
        raise UsageError(f"-o {output} cannot be meant", why, f"Give a folder; if that is one: -o {output}/")
    new = [folder for folder in (output, *output.parents) if not folder.exists()]
    output.mkdir(parents=True, exist_ok=True)
    return new


def _explained(error: VidcolorError | OSError, source: Source) -> VidcolorError:
    if isinstance(error, VidcolorError):
        return error
    where = f" ({error.filename})" if error.filename else ""
    return MediaError(f"cannot colour {source}", f"{error.strerror or error}{where}")
