"""Whole-or-nothing writes, hashes, and where caches live."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vidcolor.errors import UsageError, VidcolorError

_LONGEST = 160  # bytes of a name in names made from it; file systems take 255


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_kind(path: Path, overwrite: bool) -> None:
    """Refuse a place where something is that a file would replace, not fill.

    Raises:
        UsageError: a pipe, a device or a folder is there, or a link that leads nowhere and may not be replaced.
    """
    what, next_step = f"cannot write {path}", "Give another name."
    if path.exists() and not path.is_file():
        raise UsageError(what, "what is there is no file, and would be replaced by one", next_step)
    if path.is_symlink() and not path.exists() and not overwrite:
        raise UsageError(what, "a link is there that leads nowhere", f"{next_step} Or add --overwrite to replace it.")


def check_place(path: Path, overwrite: bool) -> None:
    """Refuse a place for a file before the work for it is done.

    Raises:
        UsageError: something is there that cannot or may not be replaced, or the folder is missing or not writable.
    """
    check_kind(path, overwrite)
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already", "it was not touched", "Add --overwrite, or give another name.")
    folder = path.parent
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"cannot write {path}", f"{folder} is no folder", "Give another place.")
        raise UsageError(f"cannot write {path}", f"there is no folder {folder}", f"Make it: mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}", f"the folder {folder} is not writable", "Give another place.")


def check_no_input(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, or lies in one that is a folder and has a file there already.

    Raises:
        UsageError: it would destroy what is read.
    """
    for path in inputs if output.exists() else ():
        if path.exists() and (output.samefile(path) or (path.is_dir() and path.resolve() in output.resolve().parents)):
            raise UsageError(f"the output {output} is an input itself", "nothing was changed", "Give another name.")


def short_name(name: str) -> str:
    """A file's name, cut where names made from it would be too long for a file system."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST else f"{name[:30]}-{hashlib.sha256(encoded).hexdigest()[:8]}"


@contextmanager
def whole_file(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Give a temporary path beside `path`; at a clean exit it is flushed to disk and takes the final name.

    When the block raises, the temporary file is removed and nothing appears under the final name.

    Args:
        temporary: in the same file system; what is left there of a process that was killed is removed first. None: a
            new name that keeps the suffix, because muxers choose their format by it.
    """
    if temporary is None:
        temporary = path.with_name(f".{short_name(path.stem)}.{secrets.token_hex(4)}{path.suffix}")
    else:
        temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less the umask
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files, where the system keeps those; it is gone at exit.

    Raises:
        VidcolorError: none can be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="vidcolor-")
    except OSError as error:
        next_step = "Let TMPDIR name a folder that can be written to."
        raise VidcolorError("no folder for temporary files can be made", error.strerror, next_step) from error
    with folder as name:
        yield Path(name)


def sha256(*paths: Path) -> str:
    """Hexadecimal SHA-256 of the content of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def cache_folder(name: str) -> Path:
    """The user's cache folder for `name`, made if it is not there (XDG base directory specification)."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "vidcolor" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
