"""Shots as an edit decision list (CMX3600), which every editing program reads: one event a shot, joined by cuts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from vidcolor.film.shots import Shot
from vidcolor.media.probe import FilmInfo

USUAL_RATE = Fraction(25)  # frames a second, where the film does not say


def edl(shots: Sequence[Shot], info: FilmInfo) -> str:
    """The list of a film's shots, source and record times alike.

    Timecode counts frames of the film's average rate from its first frame, in whole seconds of the rate rounded up or
    down (24 for 23.976), never dropping numbers. A film of variable rate has the times that it has once conformed to
    its average rate. A dissolve is a cut in its middle, its frames in a comment.
    """
    rate = info.average_rate or USUAL_RATE
    lines = [f"TITLE: {_plain(info.path.stem)}", "FCM: NON-DROP FRAME", ""]
    for number, shot in enumerate(shots, 1):
        start, end = (_timecode(pts - info.start_pts, info.time_base, rate) for pts in (shot.start_pts, shot.end_pts))
        lines.append(f"{number:03}  AX       V     C        {start} {end} {start} {end}")
        lines.append(f"* FROM CLIP NAME: {_plain(info.path.name)}")
        if shot.dissolve:
            lines.append(f"* BEGINS IN A DISSOLVE: FRAMES {shot.dissolve[0]} TO {shot.dissolve[1] - 1}")
    return "\n".join(lines) + "\n"


def _timecode(ticks: int, time_base: Fraction, rate: Fraction) -> str:
    frame, base = round(ticks * time_base * rate), max(1, round(rate))
    seconds, frames = divmod(frame, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"


def _plain(name: str) -> str:
    """A file's name on one line."""
    return "".join(c if c.isprintable() else " " for c in name)
