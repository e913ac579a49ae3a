"""The ffmpeg program: where it is, and one run of it with its errors told."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import BinaryIO

import av
import imageio_ffmpeg

from vidcolor.errors import MediaError

_TAIL = 8  # lines of standard error that are kept


def find_ffmpeg() -> str:
    """The ffmpeg program: what IMAGEIO_FFMPEG_EXE names, else that of the package imageio-ffmpeg, else the system's.

    In this order, because FFmpeg 5 moves Opus sound by its priming when it copies it into Matroska; the package's is
    newer, and the same on every machine.

    Raises:
        MediaError: there is none.
    """
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise MediaError(
            "there is no ffmpeg program", str(error), "Install one, or set IMAGEIO_FFMPEG_EXE to its path."
        ) from error


def run_ffmpeg(arguments: list[str], what: str, feed: Callable[[BinaryIO], None] | None = None) -> None:
    """Run ffmpeg to its end.

    Args:
        arguments: the whole command, as a list: no shell is involved.
        what: what is being done, for the error.
        feed: writes the program's standard input; the pipe is closed after it.

    Raises:
        MediaError: it failed; with its exit status and the last lines it said. Where the disk was full, its cause is
            that OSError.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    said: deque[bytes] = deque(maxlen=_TAIL)
    listener = threading.Thread(target=said.extend, args=(process.stderr,), name="ffmpeg-stderr", daemon=True)
    listener.start()
    broken: Exception | None = None
    try:
        if feed:
            try:
                feed(process.stdin)
            except (OSError, av.error.FFmpegError) as error:  # it ended early: its own words say why
                broken = error
            with suppress(OSError):
                process.stdin.close()
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        listener.join(timeout=5)
        process.stderr.close()
    if status or broken:
        broken = _disk_error(status, said) or broken
        lines = " | ".join(line.decode(errors="replace").strip() for line in said if line.strip())
        raise MediaError(what, f"ffmpeg ended with status {status}: {lines or broken}") from broken


def _disk_error(status: int, said: Iterable[bytes]) -> OSError | None:
    """The error of the file system that ended ffmpeg, if it was one that making room mends."""
    number = errno.EFBIG if status == -signal.SIGXFSZ else None
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if any(os.strerror(code).encode() in line for line in said):
            number = code
    return None if number is None else OSError(number, os.strerror(number))
