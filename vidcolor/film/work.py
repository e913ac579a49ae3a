"""The work folder of a job: beside the output, its own for every plan, and owned by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcolor.errors import UsageError
from vidcolor.film.plan import Plan
from vidcolor.files import sync_folder, write_whole


def work_folder(target: Path, plan: Plan) -> Path:
    """Another film, model or option is another folder, so finished chunks are never mixed and never deleted for it."""
    return target.with_name(f".{target.name}.vidcolor-{plan.fingerprint()[:12]}")


@contextmanager
def owned(folder: Path, plan: Plan, target: Path) -> Iterator[None]:
    """Make the folder, write the plan into it and lock it. A run that leaves no finished chunk leaves no folder.

    Raises:
        UsageError: another process is at the same job.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise UsageError(
                f"{target} is being made already", f"process {lock.read().strip() or 'unknown'} is at it", "Wait for it."
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        if not (folder / "plan.json").exists():
            write_whole(folder / "plan.json", plan.to_json().encode())
            sync_folder(folder.parent)
        try:
            yield
        finally:
            if folder.exists() and not any(folder.glob("chunk-*")):
                shutil.rmtree(folder)
