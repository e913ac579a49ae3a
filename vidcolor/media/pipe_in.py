"""A film that comes through a pipe: once, from front to back, as fast as it is taken."""

from __future__ import annotations

import hashlib
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import av

from vidcolor.errors import MediaError, UsageError
from vidcolor.media.address import Address, Source
from vidcolor.media.opening import why_not_open
from vidcolor.media.probe import FilmInfo
from vidcolor.media.source import FilmSource

STANDARD_INPUT = Path("/dev/stdin")
DEMUXERS = "nut,yuv4mpegpipe"  # what needs no index and no second look
_READ = 1 << 20  # bytes that FFmpeg asks for at once
_REMEDY = "Send it as NUT: ffmpeg -i FILM -f nut -c:v rawvideo -c:a copy - | vidcolor run - ..."


def is_pipe(path: Source) -> bool:
    """Whether a source can be read once only."""
    if isinstance(path, Address):
        return False
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def standard_input() -> Path:
    """What standard input is: the file that the shell has opened for it, else the pipe.

    Raises:
        UsageError: it is closed, or a terminal.
    """
    if sys.stdin is None:
        raise UsageError("cannot read standard input", "it is closed", "Leave out <&-, or give a file.")
    if STANDARD_INPUT.is_char_device() and os.isatty(0):
        raise UsageError("standard input is a terminal", "no film comes from there", _REMEDY)
    return STANDARD_INPUT if is_pipe(STANDARD_INPUT) else STANDARD_INPUT.resolve()


class PipeInput:
    """The bytes of a pipe. What is read of them to learn what film they are is kept, and read again with the film.

    Use it as a context manager; open the film by `look`, then by `read_on`.

    Args:
        hashed: keep a hash of all that comes, for `content`.
    """

    def __init__(self, path: Path, hashed: bool = False) -> None:
        self.path = path
        self._digest = hashlib.sha256() if hashed else None
        self._size = 0
        self._pipe = os.dup(0) if path == STANDARD_INPUT else os.open(path, os.O_RDONLY)
        self._stopped, self._stop = os.pipe()
        self._head = bytearray()
        self._place = 0  # in the head
        self._keep = True

    def __enter__(self) -> PipeInput:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in (self._pipe, self._stopped, self._stop):
            os.close(handle)

    def stop(self) -> None:
        """The film ends here, even for who waits for its next byte."""
        os.write(self._stop, b".")

    def look(self, _path: Path) -> av.container.InputContainer:
        """Open the film to learn what it is.

        Raises:
            MediaError: nothing came, or nothing that can be read from a pipe.
        """
        try:
            return self._open()
        except (av.error.FFmpegError, OSError) as error:
            what = f"cannot read {self.path}"
            if not self._head:
                why = "nothing came through the pipe (0 bytes)"
                raise MediaError(what, why, "The program before it may have said why.") from error
            why = f"only NUT and y4m can be read from a pipe; {why_not_open(bytes(self._head[:4096]), error)}"
            raise MediaError(what, why, _REMEDY) from error

    def read_on(self) -> av.container.InputContainer:
        """Open the film once more, from its beginning, to read all of it."""
        self._place, self._keep = 0, False
        return self._open()

    def _open(self) -> av.container.InputContainer:
        options = {"format_whitelist": DEMUXERS}
        return av.open(self, options=options, metadata_errors="replace", buffer_size=_READ)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end."""
        if self._place < len(self._head):
            data = bytes(self._head[self._place : self._place + size])
            self._place += len(data)
            if not self._keep and self._place == len(self._head):
                self._head.clear()
                self._place = 0
            return data
        ready, _, _ = select.select([self._pipe, self._stopped], [], [])
        if self._stopped in ready:
            return b""
        data = self._next(size)
        if self._keep:
            self._head += data
            self._place += len(data)
        return data

    def _next(self, size: int) -> bytes:
        data = os.read(self._pipe, size)
        self._size += len(data)
        if self._digest is not None:
            self._digest.update(data)
        return data

    def content(self) -> tuple[int, str]:
        """How many bytes came, and their SHA-256; what comes behind the film is waited for, and counts."""
        while self._next(_READ):
            pass
        return self._size, self._digest.hexdigest()


class PipeSource(FilmSource):
    """The frames of a film from a pipe, and the packets of its other streams as they come by.

    Args:
        info: from `probe` with `PipeInput.look`.
        on_damage: as of `FilmSource`.
    """

    reopens = False

    def __init__(self, info: FilmInfo, pipe: PipeInput, on_damage: str) -> None:
        self._pipe = pipe
        self._divert: Callable[[av.Packet], None] | None = None
        super().__init__(info, 1, None, on_damage)

    @property
    def container(self) -> av.container.InputContainer:
        """The film as it is read: its streams and what is said of them."""
        return self._container

    def divert(self, to: Callable[[av.Packet], None]) -> None:
        """Hand all packets of other streams to `to`, in the thread that reads the film; else they are passed over."""
        self._divert = to

    def stop(self) -> None:
        self._pipe.stop()

    def _note_gap(self, pts: int) -> None:
        """NUT does not say how long a frame is shown: that one is shown longer is no sign of damage."""

    def _open_container(self) -> av.container.InputContainer:
        return self._pipe.read_on()

    def _demux(self) -> Iterator[av.Packet]:
        for packet in self._container.demux():
            if packet.stream_index == self.info.film:
                yield packet
            elif packet.size and self._divert is not None:
                self._divert(packet)
