"""Films as numbered pictures: which files belong together, by a pattern such as scans/frame.%06d.dpx."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from vidcolor.errors import UsageError
from vidcolor.media.address import Address, Source

SEQUENCE_SUFFIXES = frozenset([".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg"])
_PATTERN = re.compile(r"([^%]*)%(?:0([1-9]\d?))?d([^%]*)")
_NUMBERED = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Pictures of one name but for the number in it."""

    folder: Path
    prefix: str
    width: int  # digits that a number is filled up to with zeros
    suffix: str  # with what stands between it and the number
    numbers: tuple[int, ...] = field(repr=False)  # those that are there, rising

    @property
    def pattern(self) -> Path:
        """As it is written: PREFIX%06dSUFFIX in the folder."""
        field = "%d" if self.width == 1 else f"%0{self.width}d"
        return self.folder / f"{self.prefix}{field}{self.suffix}"

    @property
    def files(self) -> list[Path]:
        """The pictures in order."""
        return [self.file(number) for number in self.numbers]

    def file(self, number: int) -> Path:
        """The picture of that number, whether it is there or not."""
        return self.folder / f"{self.prefix}{number:0{self.width}}{self.suffix}"

    @property
    def missing(self) -> list[tuple[int, int]]:
        """First and last number of every stretch that is not there, between numbers that are."""
        pairs = zip(self.numbers, self.numbers[1:], strict=False)
        return [(before + 1, after - 1) for before, after in pairs if after > before + 1]

    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(path.stat().st_size for path in self.files)

    def changed(self) -> int:
        """When the picture that was written to last was, in nanoseconds since the epoch."""
        return max(path.stat().st_mtime_ns for path in self.files)


def is_pattern(path: Source) -> bool:
    """Whether a path is a pattern of numbered pictures: PREFIX%dSUFFIX or %06d, and no file of just that name."""
    if isinstance(path, Address):
        return False
    return path.suffix.lower() in SEQUENCE_SUFFIXES and bool(_PATTERN.fullmatch(path.name)) and not path.exists()


def find_sequence(pattern: Path) -> Sequence:
    """The pictures that a pattern means, few or many; none is no error.

    Raises:
        UsageError: its folder is not there.
    """
    prefix, width, suffix = _PATTERN.fullmatch(pattern.name).groups()
    if not pattern.parent.is_dir():
        raise UsageError(f"cannot read {pattern}", f"there is no folder {pattern.parent}", "Check the name.")
    return _sequence(pattern.parent, prefix, int(width or 1), suffix)


def sequence_in(folder: Path) -> Sequence:
    """The one sequence that a folder holds. Files that are no pictures do not matter.

    Raises:
        UsageError: there is none, or more than one, or pictures that belong to none.
    """
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in SEQUENCE_SUFFIXES and not p.name.startswith(".")]
    if not names:
        why = f"there is no picture ({', '.join(sorted(SEQUENCE_SUFFIXES))}) in it"
        raise UsageError(f"the folder {folder} holds no sequence", why, "Give another folder.")
    numbered: dict[tuple[str, str], list[str]] = {}
    for name in names:
        prefix, digits, suffix = (_NUMBERED.fullmatch(name) or re.fullmatch("(.*)()()", name, re.DOTALL)).groups()
        numbered.setdefault((prefix, suffix), []).append(digits)
    (prefix, suffix), digits = max(numbered.items(), key=lambda item: len(item[1]))
    found = _sequence(folder, prefix, min((len(d) for d in digits if d.startswith("0")), default=1), suffix)
    if len(found.numbers) < len(names):
        kinds = [f"{prefix}…{suffix} ({len(them)})" for (prefix, suffix), them in sorted(numbered.items())[:4]]
        raise UsageError(
            f"the folder {folder} holds more than one sequence",
            f"its pictures are {', '.join(kinds)}{' and others' if len(numbered) > 4 else ''}",
            f"Give one by its pattern, such as {folder / 'frame.%06d.dpx'}; without --rate each is a still.",
        )
    return found


def _sequence(folder: Path, prefix: str, width: int, suffix: str) -> Sequence:
    named = re.compile(re.escape(prefix) + "([0-9]+)" + re.escape(suffix))
    found = (named.fullmatch(path.name) for path in folder.iterdir())
    numbers = sorted(int(m[1]) for m in found if m and f"{int(m[1]):0{width}}" == m[1])
    return Sequence(folder, prefix, width, suffix, tuple(numbers))
