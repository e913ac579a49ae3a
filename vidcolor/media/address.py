"""Films that are no files: the address of one, with a name as a path has one, and standard output."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

STANDARD_OUTPUT = Path("/dev/stdout")
_HANDLE = re.compile(r"/dev/(stdin|fd/)|/proc/self/fd/")  # what these name is another file in ffmpeg's process
_ADDRESS = re.compile(r"(?!file:|pipe:)([a-z][a-z0-9+.-]*)://")


@dataclass(frozen=True, slots=True)
class Address:
    """PROTOCOL://..., as FFmpeg takes it; it may hold what a path would change, such as two slashes in a row."""

    url: str

    @property
    def protocol(self) -> str:
        return _ADDRESS.match(self.url)[1]

    @property
    def stem(self) -> str:
        """The last part of its path without the ending, as a file may be called; "film" where it has none."""
        return self._name.stem or "film"

    @property
    def suffix(self) -> str:
        """The ending of the last part of its path, such as ".mp4"."""
        return self._name.suffix

    @property
    def _name(self) -> PurePosixPath:
        return PurePosixPath(unquote(urlsplit(self.url).path).replace("\0", ""))

    def __str__(self) -> str:
        return self.url


Source = Path | Address
"""Where a film is."""


def source_of(source: str | os.PathLike[str] | Address) -> Source:
    """What a user means by a name: an address where it has the form of one and there is no such file, else a path, of an open file its own."""
    if isinstance(source, Address):
        return source
    text = os.fspath(source)
    if _ADDRESS.match(text) and not os.path.exists(text):
        return Address(text)
    path = Path(text)
    return path.resolve() if _HANDLE.match(text) and path.is_file() else path
