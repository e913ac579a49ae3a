"""How much room a film needs on disk, whether it is there, and what is said when it runs out."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidcolor.backends.base import Backend
from vidcolor.errors import MediaError, VidcolorError
from vidcolor.files import scratch_folder
from vidcolor.film.chunk import Range, make_chunks, open_at
from vidcolor.film.journal import Journal
from vidcolor.film.pipeline import StageClock
from vidcolor.film.plan import Plan
from vidcolor.film.work import WorkPlace
from vidcolor.media.frames import bytes_of
from vidcolor.media.sizes import bytes_beside

TRIAL_PLACES = 3  # spread over the film, at which a second is coloured for an estimate
TRIAL_SECONDS = 1
HOPELESS = 0.5  # of the room that is needed, below which a run is refused; up to all of it there is a warning
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "no larger file can be written there",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a film will take."""

    seconds: float | None  # of work; None where only its size was looked at
    chunk_bytes: int
    output_bytes: int
    same: bool = False  # the chunks, of pictures, become the output: in one file system they are only given their names

    @property
    def peak_bytes(self) -> int:
        """Of chunks and output together, when they are being joined, in one file system."""
        return self.chunk_bytes + (0 if self.same else self.output_bytes)


def estimate(plan: Plan, backend: Backend) -> Estimate | None:
    """Colour a second of the film here and there for real. None: the film does not say how long it is."""
    total, spans = plan.estimated_frames, _spans(plan)
    frames, size, started = 0, 0, time.monotonic()
    for span in spans:
        with (
            scratch_folder() as folder,
            open_at(plan.info, span.first_pts, plan.threads, plan.options.on_damage) as film,
        ):
            for record in make_chunks(plan, span, folder, backend, StageClock(), lambda *_: None, film):
                frames += record.frames
                size += bytes_of(folder / record.file)
    if not frames or not total:
        return None
    seconds = (time.monotonic() - started) / frames * total
    return _of_chunks(plan, round(size / frames * total), round(seconds, 1))


def _of_chunks(plan: Plan, chunk_bytes: int, seconds: float | None) -> Estimate:
    if plan.encoding.pictures:
        return Estimate(seconds, chunk_bytes, chunk_bytes, same=True)
    places = [(span.first_pts, span.end_pts) for span in _spans(plan)]
    return Estimate(seconds, chunk_bytes, chunk_bytes + bytes_beside(plan.info, places, plan.seconds))


def _spans(plan: Plan) -> list[Range]:
    """A second of film each, in the middle of equal parts; all of it where it is short, the first where that is unknown."""
    second = max(1, round(TRIAL_SECONDS / plan.info.time_base))
    length = round((plan.seconds or TRIAL_SECONDS) / plan.info.time_base)
    if length <= TRIAL_PLACES * second:
        return [Range(plan.first_pts, plan.first_pts + max(1, length))]
    firsts = [plan.first_pts + length * (2 * i + 1) // (2 * TRIAL_PLACES) for i in range(TRIAL_PLACES)]
    return [Range(first, first + second) for first in firsts]


def free_bytes(folder: Path) -> int:
    """Free space, in bytes, of the file system that `folder` is in."""
    return shutil.disk_usage(folder).free


def check_room(plan: Plan, place: WorkPlace, backend: Backend, journal: Journal) -> str | None:
    """Compare what the film will take with what is free; little of it is coloured for that, and only if room is scarce.

    Returns:
        A warning where the room may not suffice.

    Raises:
        MediaError: there is not even half of it.
    """
    total = plan.estimated_frames
    if not total:
        return None
    done = sum(bytes_of(place.folder / record.file) for record in journal.done.values())
    frames = sum(record.frames for record in journal.done.values())
    most = _frame_bytes(plan) * total
    if not any(_short_of(place, Estimate(None, most, most + plan.info.size), done)):
        return None
    known = _of_chunks(plan, round(done / frames * max(frames, total)), None) if frames else estimate(plan, backend)
    for folder, needed in _short_of(place, known, done) if known else ():
        free = free_bytes(folder)
        why = f"about {_size(needed)} more are needed while it is made, and {_size(free)} are free in {folder}"
        if free < HOPELESS * needed:
            next_step = "Make room, or give a --workdir on another disk."
            raise MediaError(f"there is too little room for {place.target}", why, next_step)
        return f"the disk may fill: {why}"
    return None


def _frame_bytes(plan: Plan) -> int:
    """Bytes of a frame that is not compressed: no encoder makes more of it."""
    info, form = plan.info, plan.encoding.format
    chroma = 2 * -(-info.width // form.chroma_width) * -(-info.height // form.chroma_height)
    return (info.width * info.height + chroma) * form.dtype().itemsize


def _short_of(place: WorkPlace, needed: Estimate, done: int) -> Iterator[tuple[Path, int]]:
    """Folders in whose file system there is less room than the bytes that it is to take."""
    chunks, output = max(0, needed.chunk_bytes - done), needed.output_bytes
    work, target = place.folder.parent, place.target.parent
    together = work.stat().st_dev == target.stat().st_dev
    both = chunks if needed.same else chunks + output
    for folder, size in [(target, both)] if together else [(work, chunks), (target, output)]:
        if free_bytes(folder) < size:
            yield folder, size


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def told_when_full(target: Path, work: Path | None = None) -> Iterator[None]:
    """Tell a disk that is full as one, however deep the error comes from.

    Args:
        target: what is being made.
        work: where finished chunks of it are kept, if it exists.

    Raises:
        MediaError: instead of the error.
    """
    try:
        yield
    except (OSError, VidcolorError) as error:
        number = _disk_error(error)
        if number is None:
            raise
        kept = f": finished chunks are kept in {work}" if work is not None and work.exists() else ""
        next_step = f"Make room and give the same command again{kept}."
        raise MediaError(f"{target} cannot be finished", _FULL[number], next_step) from error


def _disk_error(error: BaseException | None) -> int | None:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error.errno
        error = error.__cause__ or error.__context__
    return None
