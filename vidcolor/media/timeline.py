"""When the frames of a finished film are decoded and shown: the times of its chunks, put one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path

import av

from vidcolor.errors import MediaError
from vidcolor.media.opening import film_url
from vidcolor.media.sink import FIRST_PTS_TAG


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the coloured frames are decoded and shown, in units of `base` seconds."""

    base: Fraction
    pts: tuple[int, ...]  # in the order of decoding
    dts: tuple[int, ...]  # the same; rising, and never after the pts
    last: int  # pts of the frame that is shown last
    end: int  # when it ends

    def steps(self) -> list[int]:
        """How long each frame is shown, in the order in which they are."""
        shown = sorted(self.pts)
        return [after - time for time, after in zip(shown, (*shown[1:], self.end), strict=True)]

    def is_constant(self) -> bool:
        """Whether all frames are shown equally long, but for rounding."""
        steps = self.steps()
        return max(steps) - min(steps) <= 1

    def in_unit(self, base: Fraction | None) -> Timeline:
        """The same, rounded to nearest in the unit that a container counts in; None: it takes any."""
        if base is None or base == self.base:
            return self
        factor = self.base / base

        def rounded(time: int) -> int:
            return floor(time * factor + Fraction(1, 2))

        pts, dts = tuple(map(rounded, self.pts)), tuple(map(rounded, self.dts))
        return Timeline(base, pts, dts, rounded(self.last), rounded(self.end))

    def moved(self, seconds: Fraction) -> Timeline:
        """The same, so much later; a whole number of units."""
        late = int(seconds / self.base)
        pts, dts = (tuple(time + late for time in times) for times in (self.pts, self.dts))
        return Timeline(self.base, pts, dts, self.last + late, self.end + late)


def read_timeline(chunks: Sequence[Path], time_base: Fraction) -> Timeline:
    """Times of all packets of the chunks, in order.

    A chunk's own decoding times hold inside it alone. Over the whole film, the n-th packet is decoded when the
    (n - d)-th frame is shown, d being how many frames the encoder reorders by: the latest that is early enough.

    Raises:
        MediaError: a chunk cannot be read.
    """
    pts: list[int] = []
    last = 0
    for chunk in chunks:
        stored = [(packet.pts, packet.duration, packet.time_base, packet.stream.container) for packet in packets(chunk)]
        if not stored:
            continue
        first = min(time for time, *_ in stored)
        begin = int(stored[0][3].metadata[FIRST_PTS_TAG])
        pts += [begin + _ticks((time - first) * unit / time_base) for time, _, unit, _ in stored]
        last = _ticks(stored[-1][1] * stored[-1][2] / time_base)
    if not pts:
        raise MediaError("there is nothing to put together", "no frame was coloured", "Check --start and --end.")
    shown = sorted(pts)
    rank = {time: index for index, time in enumerate(shown)}
    delay = max(index - rank[time] for index, time in enumerate(pts))
    # The first are decoded before anything is shown, by as much as the last frames wait: else MP4 cuts the end off.
    step = max(1, -((shown[-1 - delay] - shown[-1]) // max(1, delay)), *(b - a for a, b in pairwise(shown[:2])))
    before = [shown[0] - (delay - index) * step for index in range(delay)]
    return Timeline(time_base, tuple(pts), tuple(before + shown[: len(shown) - delay]), shown[-1], shown[-1] + last)


def count_frames(chunk: Path) -> int:
    """How many frames a chunk file holds; they are not decoded.

    Raises:
        MediaError: it cannot be read.
    """
    return sum(1 for _ in packets(chunk))


def packets(chunk: Path) -> Iterator[av.Packet]:
    """A chunk's packets, as they are stored.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        with av.open(film_url(chunk)) as container:
            yield from (packet for packet in container.demux(video=0) if packet.size)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"cannot read the chunk {chunk}", str(error), "Run again with an empty work folder."
        ) from error


def _ticks(time: Fraction) -> int:
    if time.denominator != 1:
        raise MediaError("a chunk's times do not fit the film", f"{time} ticks", "Run again with an empty work folder.")
    return int(time)
