"""What of a film is damaged, when, and what is done about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vidcolor.errors import MediaError
from vidcolor.media.address import Address
from vidcolor.media.probe import FilmInfo
from vidcolor.media.stored_tags import stated_length

Damage = tuple[int, str]
"""A pts, in units of the film's time base, and a sentence: what is damaged; what was done."""

HELD = "the frame before it is shown in its place"
LEFT_OUT = "left out"
MENDED = "shown as far as it can be decoded"
MISSING = "the film ends there"
PLACED = "shown after the frame before it"
LASTING = "the frame before is shown longer"

_MAX_KEPT = 10_000  # entries that wait to be taken; all are counted
_APART = 1  # second between two entries, from which on they are told separately

# Containers whose header says, from the film's own making, how long it is; elsewhere FFmpeg guesses from what is there.
_PROMISES = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mxf"})
_EARLY = 4  # frames that may be missing at the end: durations are rounded, and encoders cut


class Ledger:
    """The damage of one film, in the order in which it is met.

    Args:
        info: of the film.
        policy: "hold", "skip" or "fail", as `RunOptions.on_damage`.
    """

    def __init__(self, info: FilmInfo, policy: str) -> None:
        self.entries: list[Damage] = []
        self.count = 0
        self._info, self._policy = info, policy

    def add(self, pts: int, what: str, done: str, certain: bool = True) -> None:
        """Write an entry.

        Args:
            certain: that it is damage; films are also made so.

        Raises:
            MediaError: the policy is to fail; or the rest of the film is missing, and it is no file: then it is the
                server that fails, not the film.
        """
        if done == MISSING and isinstance(self._info.path, Address):
            next_step = "Finished chunks are kept: the same command goes on when it can be read again."
            raise MediaError(f"cannot read {self._info.path} to its end", what, next_step)
        if certain and self._policy == "fail":
            raise MediaError(
                f"{self._info.path} is damaged",
                f"at {seconds(pts, self._info):.3f} s, {what}",
                "Use --on-damage hold to show the frame before in its place, or skip to leave it out.",
            )
        self.count += 1
        if len(self.entries) < _MAX_KEPT:
            self.entries.append((pts, f"{what}; {done}"))

    def take(self, first: int | None, end: int | None) -> tuple[Damage, ...]:
        """Remove the entries before `end` (None: all), and give those from `first` on, sorted by time.

        Another thread may add entries at the same time.
        """
        taken = [entry for entry in list(self.entries) if end is None or entry[0] < end]
        for entry in taken:
            self.entries.remove(entry)
        return tuple(sorted(entry for entry in taken if first is None or entry[0] >= first))


def seconds(pts: int, info: FilmInfo) -> float:
    """A time on the film's own clock, in seconds."""
    return float(pts * info.time_base)


def in_spans(damage: Iterable[Damage], info: FilmInfo) -> list[dict[str, Any]]:
    """Neighbouring entries that say the same put together, as docs/json.md describes `ledger`."""
    spans: list[dict[str, Any]] = []
    apart = _APART / info.time_base
    for pts, sentence in sorted(damage):
        what, _, done = sentence.rpartition("; ")
        near = next((s for s in reversed(spans) if (s["what"], s["done"]) == (what, done)), None)
        if near is not None and pts - near["last_pts"] <= apart:
            near["last_pts"], near["count"] = pts, near["count"] + 1
        else:
            spans.append({"first_pts": pts, "last_pts": pts, "count": 1, "what": what, "done": done})
    for span in spans:
        begin, end = (seconds(span[name] - info.start_pts, info) for name in ("first_pts", "last_pts"))
        span.update(first_time=round(begin, 6), last_time=round(end, 6))
    return spans


def promised_end(info: FilmInfo) -> int | None:
    """The pts at which the film ends if nothing of it is missing, less a few frames; None where no header says."""
    stream = info.film_stream
    if info.container not in _PROMISES:
        return None
    # Matroska's header says it in a tag alone: what FFmpeg gives for a stream of a single frame is the whole file's.
    told = None if info.container == "matroska,webm" else stream.duration
    end = None if told is None else (stream.start or 0) + told
    end = stated_length(stream.tags) if end is None else end
    if end is None:
        return None
    return int((end - _EARLY / (info.average_rate or 25)) / info.time_base)
