"""Whether a film is still the one that a run began with: its pictures and all the rest are read at different times."""

from __future__ import annotations

from vidcolor.errors import MediaError
from vidcolor.media.probe import FilmInfo

Stamp = tuple[int, int]  # bytes, and when it was last written to, as in the plan


def stamp_of(info: FilmInfo) -> Stamp:
    """What is compared. Of an address it is always the same."""
    return info.size, info.changed


def check_unchanged(info: FilmInfo, stamp: Stamp) -> None:
    """Refuse to go on with a film that is being recorded or copied still, or that another has taken the name of.

    Raises:
        MediaError: its stamp is another now, or it is not there any more.
    """
    try:
        if stamp_of(info) == stamp:
            return
        why = "it was written to or replaced"
    except FileNotFoundError:
        why = "it is not there any more"
    next_step = "When nothing writes to it any more, give the same command again."
    raise MediaError(f"{info.path} did not stay the same while it was coloured", why, next_step)
