"""Which files are coloured and where each result goes."""

from __future__ import annotations

import os
import shlex
from fractions import Fraction
from pathlib import Path

from vidcolor.errors import UsageError
from vidcolor.files import check_kind, check_place
from vidcolor.film.work import work_beside
from vidcolor.media.address import Address, Source
from vidcolor.media.codecs import FILM_SUFFIXES
from vidcolor.media.pictures import PICTURE_SUFFIXES
from vidcolor.media.sequences import SEQUENCE_SUFFIXES, find_sequence, is_pattern, sequence_in


class OutputExists(UsageError):
    """There is an `output` already, and nobody asked to replace it."""

    def __init__(self, output: Path, next_step: str) -> None:
        super().__init__(f"{output} exists already", "it was not touched", next_step)
        self.output = output


def holds_many(path: Source, rate: Fraction | None) -> bool:
    """Whether an input is a folder of films and pictures; with a rate, one of numbered pictures is one film."""
    return isinstance(path, Path) and os.path.isdir(path) and rate is None


def expand_inputs(inputs: tuple[Source, ...], rate: Fraction | None = None) -> list[Source]:
    """Files, addresses and patterns as they are; of a folder, the films and pictures that vidcolor did not make.

    Args:
        rate: frames a second. With it a folder is one film, that of the numbered pictures in it.

    Raises:
        UsageError: a folder without any.
    """
    found: list[Source] = []
    for path in inputs:
        if isinstance(path, Address) or not os.path.isdir(path):  # false, and no error, where nobody may look
            found.append(path)
            continue
        if rate is not None:
            found.append(sequence_in(path).pattern)
            continue
        known = FILM_SUFFIXES | PICTURE_SUFFIXES
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in known and p.is_file())
        inside = [p for p in inside if not p.stem.endswith(".color") and not p.name.startswith(".")]
        if not inside:
            scans = any(p.suffix.lower() in SEQUENCE_SUFFIXES for p in path.iterdir())
            next_step = "If it holds an image sequence, give its --rate." if scans else ""
            raise UsageError(
                f"no films or pictures in the folder {path}", "no file there has the suffix of one", next_step
            )
        found += inside
    return found


def output_for(source: Source, output: Path | None, many: bool, suffix: str) -> Path:
    """Where the coloured `source` goes: the file asked for, or NAME.color.EXT beside it or in the folder asked for.

    Beside an address is the working folder.

    Args:
        many: `output` is a folder, if it is given, whether it is there or not.
    """
    name = f"{source.absolute().parent.name if is_pattern(source) else source.stem}.color{suffix}"
    if output is None and is_pattern(source):
        next_step = "Give a film or a pattern, such as -o out.mkv or -o out/frame.%06d.tif"
        raise UsageError(f"{source} needs an output", "a sequence can become a film or a sequence", next_step)
    if output is None:
        return Path(name) if isinstance(source, Address) else source.with_name(name)
    if many or output.is_dir():
        return output / name
    return output


def placing_mark(pattern: Path) -> Path:
    """A file beside the pictures that is there while they get their names: those there are then of the same run."""
    return pattern.with_name(f".{pattern.name}.vidcolor.placing")


def _files_of(source: Source) -> list[Path]:
    if isinstance(source, Address):
        return []
    return find_sequence(source).files if is_pattern(source) else [*source.iterdir()] if source.is_dir() else [source]


def _check_pictures(source: Source, pattern: Path, overwrite: bool) -> None:
    if not pattern.parent.is_dir():
        return
    there = find_sequence(pattern)
    if {path.resolve() for path in _files_of(source)} & {path.resolve() for path in there.files}:
        raise UsageError(
            f"the output {pattern} is the input itself", "nothing was changed", "Give another name with -o."
        )
    if there.numbers and not overwrite and not placing_mark(pattern).exists():
        raise UsageError(
            f"{there.file(there.numbers[0])} exists already",
            f"{len(there.numbers)} pictures of that pattern were not touched",
            "Add --overwrite, or give another name with -o.",
        )


def check_output(source: Source, output: Path, overwrite: bool, option: str = "-o") -> None:
    """Refuse an output that would destroy something or cannot be written.

    Args:
        option: that names it, for the advice.

    Raises:
        UsageError: it is the source, it exists, it is no file, or its folder is missing or not writable.
    """
    if is_pattern(output):
        _check_pictures(source, output, overwrite)
    elif isinstance(source, Path) and output.exists() and source.exists() and output.samefile(source):
        next_step = f"Give another name with {option}."
        raise UsageError(f"the output {output} is the input itself", "nothing was changed", next_step)
    if output.is_dir():
        raise UsageError(f"the output {output} is a folder", "a file is needed", f"Try: {option} {output / 'NAME'}")
    check_kind(output, overwrite)
    if output.exists() and not overwrite:
        next_step = f"Add --overwrite, or give another name with {option}."
        for folder in work_beside(output):  # of a job that was stopped, or killed just after the film was finished
            next_step += f" There is earlier work beside it; to remove that: rm -r {shlex.quote(str(folder))}"
        raise OutputExists(output, next_step)
    check_place(output, overwrite)
