"""Tags of MP4 and QuickTime files: fields of their own for some, a newer form for any, but never both in one file.

FFmpeg writes cover pictures among the fields alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from vidcolor.media.probe import FilmInfo
from vidcolor.media.streams import MP4_FAMILY, plan_streams

_FIELDS = frozenset((
    "title", "artist", "album_artist", "composer", "album", "date", "encoder", "comment", "genre", "copyright",
    "grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "media_type",
    "hd_video", "gapless_playback", "compilation", "episode_sort", "season_number", "track", "disc", "major_brand",
    "minor_version", "compatible_brands", "creation_time", "location", "location-eng",
))  # fmt: skip


def without_field(names: Iterable[str]) -> list[str]:
    """The tags among these that only the newer form can hold."""
    return [name for name in names if name.lower() not in _FIELDS]


def holds_cover(info: FilmInfo, suffix: str) -> bool:
    """Whether an MP4 file of this film has a cover picture."""
    return suffix in MP4_FAMILY and any(
        plan.stream.attached_picture and plan.action == "copy" for plan in plan_streams(info, suffix)
    )


def lost_tags(info: FilmInfo, suffix: str) -> list[str]:
    """The film's tags that a file with `suffix` cannot have beside its cover picture."""
    return without_field(name for name, _ in info.container_tags) if holds_cover(info, suffix) else []
