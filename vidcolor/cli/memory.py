"""How this process deals with freed memory. A command decides that, not a library inside another program."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def keep_freed_memory() -> None:
    """Have this process keep up to 256 MB that it frees, where the C library is glibc.

    Planes and tensors are freed and asked for again with every frame and every batch; glibc would hand each back to the
    system, whose pages are then cleared and mapped anew.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_TRIM_THRESHOLD, 256 << 20)
        libc.mallopt(_MMAP_THRESHOLD, 32 << 20)
