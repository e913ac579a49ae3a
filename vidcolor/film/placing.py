"""The last step of a film that is written as numbered pictures: they appear under their names, each of them whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vidcolor.files import short_name, sync_folder, whole_file
from vidcolor.film.outputs import placing_mark
from vidcolor.film.plan import Plan
from vidcolor.media.frames import read_list
from vidcolor.media.sequences import Sequence, find_sequence


def place_pictures(plan: Plan, pattern: Path, chunks: Iterable[Path]) -> Sequence:
    """Give the pictures of all chunks their names: a sequence's own numbers, a film's from 1.

    A link costs no room and leaves the work folder whole until all is done, so an interruption here loses nothing.

    Returns:
        The pictures of this run, and no others that are there.

    Raises:
        MediaError: a chunk cannot be read.
    """
    named = find_sequence(pattern)
    mark = placing_mark(pattern)
    mark.touch()
    source, numbers = plan.info.sequence, []
    for chunk in chunks:
        for pts, picture, _ in read_list(chunk):
            numbers.append(len(numbers) + 1 if source is None else source.numbers[0] + pts)
            _put(picture, named.file(numbers[-1]))
    sync_folder(pattern.parent)
    mark.unlink()
    return replace(named, numbers=tuple(numbers))


def _put(picture: Path, final: Path) -> None:
    if final.exists() and final.samefile(picture):
        return  # an earlier run came as far; and renaming a link over another to the same file would leave both
    beside = final.with_name(f".{short_name(final.name)}.vidcolor")
    beside.unlink(missing_ok=True)
    try:
        os.link(picture, beside, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        with whole_file(final) as temporary:
            shutil.copyfile(picture, temporary)
    else:
        beside.replace(final)
