"""Tags that say how a stream is stored, as Matroska has them; mkvmerge writes them with a language: BPS-eng."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

_OF_THE_BYTES = frozenset(
    "BPS NUMBER_OF_BYTES _STATISTICS_WRITING_APP _STATISTICS_WRITING_DATE_UTC _STATISTICS_TAGS ENCODER ALPHA_MODE".split()
)


def stated(tags: Iterable[tuple[str, str]], name: str) -> list[str]:
    """The values of the tag `name`, in capitals, with and without a language."""
    return [value for tag, value in tags if tag.upper().split("-")[0] == name]


def stated_length(tags: Iterable[tuple[str, str]]) -> Fraction | None:
    """How long a stream lasts by its tag DURATION, seconds ("0:00:06.103000000"); None where there is none or no time."""
    try:
        hours, minutes, seconds = stated(tags, "DURATION")[0].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except (IndexError, ValueError, ZeroDivisionError):
        return None


def is_of_the_bytes(tag: str) -> bool:
    """Whether a tag of a film's stream describes how that was stored, not the film."""
    return tag.upper().split("-")[0] in _OF_THE_BYTES
