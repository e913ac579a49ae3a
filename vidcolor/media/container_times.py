"""What times a container can hold."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from vidcolor.media.probe import FilmInfo
from vidcolor.media.streams import MATROSKA_FAMILY, MP4_FAMILY, TRANSPORT_STREAM

CHAPTER_SLACK = Fraction(1, 1000)  # seconds; MP4 players and FFmpeg count chapters in milliseconds


def tick(suffix: str) -> Fraction | None:
    """The unit in which a container counts time, seconds; None where it takes any."""
    if suffix in MATROSKA_FAMILY:
        return Fraction(1, 1000)
    return Fraction(1, 90000) if suffix in TRANSPORT_STREAM else None


def earlier(info: FilmInfo, suffix: str, piece: tuple[int, int | None] | None) -> Fraction:
    """By how many seconds all streams begin before their own time in a file with `suffix`, in the unit that it counts in.

    A piece begins with the film; and of the containers, MPEG-TS alone has times before 0.

    Args:
        piece: first pts and end of the part that is made; None: the whole film.
    """
    begin = info.start_pts if suffix in TRANSPORT_STREAM else max(0, info.start_pts)
    time, unit = ((piece[0] if piece else info.start_pts) - begin) * info.time_base, tick(suffix)
    return time if unit is None else floor(time / unit + Fraction(1, 2)) * unit


def held_chapters(info: FilmInfo, suffix: str) -> list[tuple[Fraction, Fraction]]:
    """When each chapter begins and ends in a whole film with `suffix`, seconds.

    In MP4 and QuickTime files, as FFmpeg writes and reads them, the first begins at 0 and each lasts until the next.
    """
    early = earlier(info, suffix, None)
    spans = [(chapter.start - early, chapter.end - early) for chapter in info.chapters]
    if suffix not in MP4_FAMILY or not spans:
        return spans
    if len(spans) == 1:
        return [(Fraction(0), spans[0][1] - spans[0][0])]
    starts = [Fraction(0), *(start for start, _ in spans[1:])]
    return list(zip(starts, [*starts[1:], spans[-1][1]], strict=True))


def moves_chapters(info: FilmInfo, suffix: str) -> bool:
    """Whether chapters begin or end at other times in a whole film with `suffix` than the film's own move explains."""
    early = earlier(info, suffix, None)
    pairs = zip(info.chapters, held_chapters(info, suffix), strict=True)
    apart = (max(abs(c.start - early - start), abs(c.end - early - end)) for c, (start, end) in pairs)
    return max(apart, default=0) > CHAPTER_SLACK


def timing_loss(info: FilmInfo, suffix: str) -> str:
    """What becomes of a film's times in a file with `suffix`, a sentence; empty: they stay."""
    unit = tick(suffix)
    if suffix not in TRANSPORT_STREAM and info.start_pts < 0:
        return f"all times are moved by {-info.start_pts * info.time_base} s, because {suffix} files have none before 0"
    if unit is None or (info.time_base / unit).denominator == 1:
        return ""
    return (
        f"times are rounded to {unit} s, because {suffix} files count in it (the source counts in {info.time_base} s)"
    )
