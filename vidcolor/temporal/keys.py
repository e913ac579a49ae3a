"""Which frames the network is shown: key frames at a steady pace, and those that motion explains too little of.

Key frames come at a steady pace in time, and at every cut. A frame between two of them takes its colours from the frames
1 or 2 before and after it: the one halfway between two key frames from those, the others from that and a key frame.
"""

from __future__ import annotations

import numpy as np

from vidcolor.temporal.motion import AFTER, BEFORE, Link, MotionWindow, luma_trust, warp

PACE = 4  # frames from one key frame to the next, where the film's clock is steady; a power of 2
TRUSTED = 0.5  # a pixel with at least this trust from one side is known
STRETCH = 16  # paces from one frame that colours are held by to the next (anchors.py)
LEAST_KNOWN = 0.8  # share of the picture that must be known for a frame to go without the network


class KeyFrames:
    """Decides which frames need the network, from motion alone, and where frames may take their colours from.

    Key frames need it, but for those that would show it the very same as the last did; other frames do where too much of
    their picture can be trusted from neither side, because something appears or moves too fast.

    Args:
        motion: of the same frames. A frame is decided when those REACH after it have been added.
        every: show the network every frame.
    """

    REACH = PACE // 2  # frames that a frame may take its colours from, either way
    LOOKBACK = 2 * PACE  # frames before a frame that decide about it: back to its key frame, and where that pace began

    def __init__(self, motion: MotionWindow, every: bool = False) -> None:
        self._motion, self._every = motion, every
        self._rank: dict[int, int] = {}  # frames since a pace or shot began
        self._same: dict[int, bool] = {}
        self._begins_stretch: dict[int, bool] = {}
        self._pace: int | None = None
        self._sides: dict[int, list[tuple[int, Link]]] = {}
        self._added = self._decided = self._oldest = 0

    def add(self, pace: int, same: bool = False) -> None:
        """The next frame that motion has: it begins a pace or a shot, or comes so many frames after one that does.

        Args:
            pace: a number that rises every PACE frames' worth of time.
            same: the network would be shown for it exactly what it would be shown for the frame before.
        """
        n = self._added
        self._added += 1
        self._same[n] = same
        begins_shot = self._pace is None or not self._motion.joined(n, BEFORE)
        self._rank[n] = 0 if begins_shot or pace != self._pace else self._rank[n - 1] + 1
        self._begins_stretch[n] = begins_shot or pace // STRETCH != self._pace // STRETCH
        self._pace = pace

    def decide(self, film_ends: bool = False) -> list[bool]:
        """Whether the network must be shown a frame, for those that are certain now; all of them if the film ends."""
        decisions = []
        while self._decided < self._added - (0 if film_ends else self.REACH):
            decisions.append(self._every or self._needed(self._decided))
            self._decided += 1
        return decisions

    def _needed(self, n: int) -> bool:
        if self.is_key(n):
            return self.copied(n) is None
        best = np.maximum.reduce([link.trust for _, link in self.sides(n)])
        return float((best >= TRUSTED).mean()) < LEAST_KNOWN

    def is_key(self, n: int) -> bool:
        return self._rank[n] % PACE == 0

    def begins_stretch(self, n: int) -> bool:
        """Whether a frame is the first of a shot or of STRETCH paces: a key frame, and one every few seconds."""
        return self._begins_stretch[n]

    def neighbour(self, side: int, key: int) -> int | None:
        """The key frame BEFORE or AFTER a key frame in its shot; None where the shot, or what is known of it, ends."""
        n = key
        while self._motion.joined(n, side):
            n += side
            if self.is_key(n):
                return n
        return None

    def copied(self, key: int) -> int | None:
        """The key frame before this one, if the network would be shown the same for both and all between.

        Its answer may be a copy itself: all are what the network would say, so none depends on where a piece begins.
        """
        before = self.neighbour(BEFORE, key)
        same = before is not None and all(self._same[n] for n in range(before + 1, key + 1))
        return before if same else None

    def sides(self, n: int) -> list[tuple[int, Link]]:
        """One or two frames that frame n, if no key, may take its colours from; links to them, trusted as luma agrees."""
        if n not in self._sides:
            self._sides[n] = [(other, self.agreeing(n, other)) for other in self._others(n)]
        return self._sides[n]

    def _others(self, n: int) -> list[int]:
        rank = self._rank[n]
        distance = rank % PACE & -(rank % PACE)
        others = []
        for side in (BEFORE, AFTER):
            within = all(self._motion.joined(n + side * i, side) for i in range(distance))
            other = n + side * distance
            if within and self._rank[other] in (0, rank + side * distance):
                others.append(other)
        return others

    def agreeing(self, n: int, other: int) -> Link:
        """The link from frame n to another of its shot, trusted as far as luma agrees."""
        link = self._motion.link(n, other)
        trust = luma_trust(self._motion.luma(n), warp(self._motion.luma(other), link))
        trust *= link.trust
        return Link(link.positions, trust)

    def forget(self, before: int) -> None:
        """Frames before this one are done with."""
        for n in range(self._oldest, before):
            del self._rank[n], self._same[n], self._begins_stretch[n]
            self._sides.pop(n, None)
        self._oldest = max(self._oldest, before)
