"""Which frames the network is shown, and how the others get their colours along motion from those.

Key frames come at a steady pace in time, and at every cut. A frame between two key frames takes its ab from the frames
1, 2 or 4 before and after it (the one halfway between two key frames first, then those halfway between that and
its key frames), weighted by trust in the motion. Where too much of its picture can be trusted from neither side, because
something appears or moves too fast, the network is shown this frame too.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidcolor.temporal.motion import AFTER, BEFORE, Link, MotionWindow, luma_trust, warp

PACE = 4  # frames from one key frame to the next, where motion allows; a power of 2
TRUSTED = 0.5  # a pixel with at least this trust from one side is known
LEAST_KNOWN = 0.8  # share of the picture that must be known for a frame to go without the network
_SLIGHT = 1e-3  # weight of a side that is not trusted at all: what both sides lack is their mean


class KeyFrames:
    """Decides which frames need the network, from motion alone, and fills in the others.

    Args:
        motion: of the same frames. A frame is decided when those REACH after it have been added.
    """

    REACH = PACE // 2  # frames that a frame may take its colours from, either way
    LOOKBACK = 2 * PACE  # frames before a frame that decide about it: back to its key frame, and where that pace began
    DELAY = PACE  # answers pushed after a frame's before it comes out

    def __init__(self, motion: MotionWindow) -> None:
        self._motion = motion
        self._rank: dict[int, int] = {}  # frames since a pace or shot began
        self._sides: dict[int, list[tuple[int, Link, np.ndarray]]] = {}
        self._ab: dict[int, np.ndarray | None] = {}
        self._added = self._decided = self._answered = self._given = 0

    def add(self, begins_pace: bool) -> None:
        """The next frame that motion has: it begins a pace or a shot, or comes so many frames after one that does."""
        n = self._added
        self._added += 1
        self._rank[n] = 0 if begins_pace or n == 0 or self._motion.cut(n) else self._rank[n - 1] + 1

    def decide(self, film_ends: bool = False) -> list[bool]:
        """Whether the network must be shown a frame, for those that are certain now; all of them if the film ends."""
        decisions = []
        while self._decided < self._motion.count - (0 if film_ends else self.REACH):
            n = self._decided
            decisions.append(self._rank[n] % PACE == 0 or not self._known(n))
            self._decided += 1
        return decisions

    def _known(self, n: int) -> bool:
        """Whether enough of frame n can be had from its neighbours; what they are is kept for filling it in."""
        distance = self._rank[n] % PACE & -(self._rank[n] % PACE)
        level, luma, sides = distance.bit_length() - 1, self._motion.luma(n), []
        for side in (BEFORE, AFTER):
            other = n + side * distance
            link = self._motion.link(level, side, n) if other >= 0 else None
            if link is None or self._rank.get(other) not in (0, self._rank[n] + side * distance):
                continue
            trust = luma_trust(luma, warp(self._motion.luma(other), link))
            trust *= link.trust
            sides.append((other, link, trust))
        self._sides[n] = sides
        best = np.maximum.reduce([trust for *_, trust in sides]) if sides else np.zeros(1)
        return float((best >= TRUSTED).mean()) >= LEAST_KNOWN

    def push(self, ab: np.ndarray | None) -> list[np.ndarray]:
        """The network's answer (2, h, w) to the next frame, or None if it was not asked → ab of frames in order."""
        self._ab[self._answered] = ab
        self._answered += 1
        return self._give(self._answered - self.DELAY)

    def flush(self) -> list[np.ndarray]:
        """ab of the frames that remain."""
        return self._give(self._answered)

    def _give(self, end: int) -> list[np.ndarray]:
        given = []
        while self._given < end:
            given.append(self._filled(self._given))
            self._given += 1
            for store in (self._rank, self._sides, self._ab):
                store.pop(self._given - 1 - PACE, None)
        return given

    def _filled(self, n: int) -> np.ndarray:
        if self._ab[n] is None:
            total, weight = 0.0, 0.0
            for other, link, trust in self._sides[n]:
                ab = np.moveaxis(self._filled(other), 0, -1)
                if trust.shape != ab.shape[:2]:
                    link, trust = link.resized(*ab.shape[:2]), cv2.resize(trust, ab.shape[1::-1])
                trust = trust + np.float32(_SLIGHT)
                total = total + warp(ab, link) * trust[..., None]
                weight = weight + trust
            self._ab[n] = np.ascontiguousarray(np.moveaxis(total / weight[..., None], -1, 0))
        return self._ab[n]
