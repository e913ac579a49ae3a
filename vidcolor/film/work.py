"""Where a job keeps what is not finished: a folder of its own for every plan, and one process at a time for an output."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vidcolor.errors import UsageError
from vidcolor.files import short_name, sync_folder, write_whole
from vidcolor.film.journal import JOURNAL
from vidcolor.film.plan import Plan

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """The paths of one job."""

    target: Path
    folder: Path  # holds the plan, the journal and the chunks
    part: Path  # the finished film until it takes the target's name, in the same file system
    lock: Path  # held by the process that makes the target, with whatever options


@dataclass(frozen=True, slots=True)
class OtherWork:
    """A work folder of the same output that another plan left."""

    folder: Path
    chunks: int
    size: int  # bytes
    differs: tuple[str, ...]  # what that plan has otherwise, a phrase each

    @property
    def removal(self) -> str:
        """The command that removes it."""
        return f"rm -r {shlex.quote(str(self.folder))}"


def work_place(target: Path, plan: Plan, workdir: str | os.PathLike[str] | None) -> WorkPlace:
    """Another film, model or option is another folder, so finished chunks are never mixed and never deleted for it.

    Args:
        workdir: where the folder is to be. None: beside the output, hidden.

    Raises:
        UsageError: `workdir` cannot be used, or something in the folder leads out of it.
    """
    beside = target.with_name(f".{short_name(target.name)}.vidcolor")
    if workdir is None:
        common = beside
    else:
        _check_workdir(Path(workdir))
        common = Path(workdir) / f"{short_name(target.name)}.{_hashed(str(target.resolve()))}.vidcolor"
    folder = common.with_name(f"{common.name}-{plan.fingerprint()[:12]}")
    part, lock = (beside.with_name(beside.name + end) for end in (f".part{target.suffix}", ".lock"))
    _refuse_links(folder, folder / PLAN, folder / JOURNAL, lock)
    return WorkPlace(target, folder, part, lock)


def _hashed(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]


def _check_workdir(workdir: Path) -> None:
    if workdir.exists() and not workdir.is_dir():
        raise UsageError(f"no work can be kept in {workdir}", "it is no folder", "Give another --workdir.")
    if not workdir.is_dir():
        raise UsageError(f"no work can be kept in {workdir}", "there is no such folder", f"Make it: mkdir -p {workdir}")
    if not os.access(workdir, os.W_OK | os.X_OK):
        raise UsageError(f"no work can be kept in {workdir}", "the folder is not writable", "Give another --workdir.")


def _refuse_links(folder: Path, *files: Path) -> None:
    for path in (folder, *files):
        try:
            kind = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not (stat.S_ISDIR(kind) if path == folder else stat.S_ISREG(kind)):
            what = "folder" if path == folder else "file"
            raise UsageError(
                f"{path} is not the {what} that a run leaves",
                "links are not followed",
                f"Remove it: rm {shlex.quote(str(path))}",
            )


@contextmanager
def owned(place: WorkPlace, plan: Plan, resume: bool) -> Iterator[None]:
    """Lock the output, make the work folder and write the plan into it. A run without a finished chunk leaves nothing.

    Args:
        resume: keep the chunks that an earlier run finished; else they are deleted.

    Raises:
        UsageError: another process makes the same output.
    """
    with _locked(place):
        _clear(place, resume)
        place.folder.mkdir(exist_ok=True)
        text = plan.to_json().encode()
        if not (place.folder / PLAN).exists() or (place.folder / PLAN).read_bytes() != text:
            write_whole(place.folder / PLAN, text)
            sync_folder(place.folder.parent)
        try:
            yield
        finally:
            if place.folder.exists() and not any(place.folder.glob("chunk-*")):
                shutil.rmtree(place.folder)


@contextmanager
def _locked(place: WorkPlace) -> Iterator[None]:
    """Hold the output's lock. The system lets go of it when a process ends, however it ends."""
    with _lock(place) as file:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            place.lock.unlink(missing_ok=True)


def _lock(place: WorkPlace) -> TextIO:
    while True:
        file = os.fdopen(os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with file:
                owner = file.read().strip() or "unknown"
            raise UsageError(
                f"{place.target} is being made already", f"process {owner} is at it", "Wait for it, or give another -o."
            ) from error
        if place.lock.exists() and os.path.samestat(os.fstat(file.fileno()), place.lock.stat()):
            return file
        file.close()  # its owner has just finished, and removed it


def _clear(place: WorkPlace, resume: bool) -> None:
    """Remove what a process that was killed had begun and nobody can use."""
    place.part.unlink(missing_ok=True)
    if not resume and place.folder.exists():
        shutil.rmtree(place.folder)
    for path in place.folder.glob(".*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def find_others(place: WorkPlace, plan: Plan) -> list[OtherWork]:
    """Work of the same output that this job does not use, there and beside the output. Nothing of it is touched."""
    common = place.folder.with_name(place.folder.name.rpartition("-")[0])
    folders = dict.fromkeys([*_folders(common), *work_beside(place.target)])
    return [
        OtherWork(folder, len(chunks), sum(path.lstat().st_size for path in chunks), tuple(_differences(folder, plan)))
        for folder in folders
        if folder != place.folder and (chunks := list(folder.glob("chunk-*")))
    ]


def work_beside(target: Path) -> list[Path]:
    """Work folders beside an output, of whatever job."""
    return _folders(target.with_name(f".{short_name(target.name)}.vidcolor"))


def _folders(common: Path) -> list[Path]:
    """Folders whose names are `common`, a dash and a job."""
    pattern = "".join(f"[{c}]" if c in "*?[" else c for c in common.name) + "-*"
    return [path for path in sorted(common.parent.glob(pattern)) if path.is_dir() and not path.is_symlink()]


def _differences(folder: Path, plan: Plan) -> list[str]:
    path = folder / PLAN
    readable = path.is_file() and not path.is_symlink()
    return plan.differences(path.read_bytes() if readable else b"") or ["it is the same job with another --workdir"]
