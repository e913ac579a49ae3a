"""Standard output and error as commands use them: never a file that was opened later, and faults told in plain words."""

from __future__ import annotations

import codecs
import errno
import fcntl
import io
import os
import sys
from contextlib import suppress

from vidcolor.errors import UsageError, VidcolorError


class Output(io.TextIOWrapper):
    """Standard output; that it does not take what is written is a VidcolorError. That nobody reads it is none."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _told(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _told(error) from error


class Messages(io.TextIOWrapper):
    """Standard error; what it does not take goes nowhere: no film is lost because nobody can be told of it."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _told(error: OSError) -> VidcolorError:
    why = "it is closed" if error.errno == errno.EBADF else error.strerror
    return VidcolorError("cannot write to standard output", why, "Send it to another place.")


def set_up() -> None:
    """Make both fit for use, also where the shell closed them.

    Libraries print there whatever it is: so their numbers are kept from files that are opened later. What is written to a
    closed standard output then fails; what standard error does not take goes nowhere.
    """
    for number, stream, mode in ((1, sys.stdout, os.O_RDONLY), (2, sys.stderr, os.O_WRONLY)):
        if stream is None:
            held = os.open(os.devnull, mode)
            if held != number:
                os.dup2(held, number)
                os.close(held)
            os.set_inheritable(number, True)
    if sys.stderr is sys.__stderr__:
        encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        out = open(2, "wb", closefd=False)
        sys.stderr = Messages(out, encoding=encoding, errors="backslashreplace", line_buffering=True)
    if sys.stdout is sys.__stdout__:  # and no test's
        encoding, errors = (sys.stdout.encoding, sys.stdout.errors) if sys.stdout else ("utf-8", "strict")
        if errors == "strict" or (errors == "surrogateescape" and codecs.lookup(encoding).name != "utf-8"):
            errors = "backslashreplace"  # names of files need not be text, nor does × fit everywhere
        out = open(1, "wb", closefd=False)
        sys.stdout = Output(out, encoding=encoding, errors=errors, line_buffering=out.raw.isatty())


def forget_output() -> None:
    """Let what could not be written go nowhere: Python would complain at exit otherwise."""
    try:
        sys.stdout.flush()
    except (BrokenPipeError, VidcolorError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def check_output_is_open() -> None:
    """Refuse a film for standard output where that is closed, before work starts.

    Raises:
        UsageError: nothing can be written there.
    """
    if fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise UsageError("cannot write to standard output", "it is closed", "Leave out >&-, or give a file with -o.")
