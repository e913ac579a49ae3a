"""What FFmpeg says in its log about something, where PyAV has no other way to learn it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

_ONE_AT_A_TIME = threading.RLock()  # the level is FFmpeg's, for the whole process


@contextmanager
def logged(level: int) -> Iterator[list[tuple[int, str, str]]]:
    """Take what FFmpeg logs in this thread up to `level`: (level, name, message). Afterwards it logs as before."""
    with _ONE_AT_A_TIME:
        before = av.logging.get_level()
        av.logging.set_level(level)
        try:
            with av.logging.Capture() as messages:
                yield messages
        finally:
            av.logging.set_level(before)
