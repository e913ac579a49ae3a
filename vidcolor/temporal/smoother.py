"""Colour made steady: key frames are averaged along motion inside their shot, the frames between take theirs from them.

Answers far from the others count less, as in a bilateral filter (Tomasi & Manduchi 1998). Their mean is paler than they are
where their hues differ, so it is brought nearer to their root mean square. What is averaged was drawn towards the anchors of its shot
(anchors.py) before. Nothing is recursive: a frame's result depends on LOOKBACK frames before it and DELAY after, and is the same
wherever a chunk begins. Why so: docs/temporal.md.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vidcolor.errors import UsageError
from vidcolor.temporal.anchors import Anchors
from vidcolor.temporal.keys import PACE, KeyFrames
from vidcolor.temporal.motion import AFTER, BEFORE, Link, MotionWindow, chain, planes_of, warp

NEIGHBOURS = 5  # key frames on either side that are averaged with one; the further, the less they weigh
ALIKE = 5.0  # Lab units: the standard deviation of the weight by distance from the mean
STRENGTH_KEPT = 0.65  # how far a mean of colours is brought from its own strength to their root mean square, 0…1
MOST_STRENGTH = 1.5  # × the mean's: that root is not taken to be more, so that contradictory colours stay muted
REPEATS = 7  # frames: how far back the first of a run of equal pictures is looked for
_SLIGHT = 1e-3  # weight of what is not trusted, or not alike, at all: where all is so, the mean of all


class Smoother:
    """Push the network's answer for every frame in order; get smoothed ab in order, DELAY frames later.

    Args:
        motion, keys: of the same frames. A frame is decided there before its answer is pushed here.
        strength: 0 hands the answers through untouched; at 1 neighbours weigh as much as they are trusted.
    """

    RADIUS = NEIGHBOURS * PACE  # frames from a key frame to the furthest that is averaged with it
    DELAY = RADIUS + PACE
    LOOKBACK = RADIUS + PACE + REPEATS + Anchors.REACH + RADIUS
    _KEPT = RADIUS + PACE + REPEATS  # frames before the one that is given next

    def __init__(self, motion: MotionWindow, keys: KeyFrames, strength: float = 1.0) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"cannot smooth with strength {strength:g}", "it goes from 0 (off) to 1", "Try --smooth 1")
        self._motion, self._keys, self._strength = motion, keys, float(strength)
        self._own: dict[int, np.ndarray | None] = {}
        self._answers: dict[int, np.ndarray] = {}
        self._held: dict[int, np.ndarray] = {}
        self._anchors = Anchors(motion, keys, self.RADIUS, self._strength)
        self._links: dict[tuple[int, int, int], tuple[int, Link] | None] = {}
        self._steady: dict[int, np.ndarray] = {}
        self._pushed = self._given = 0

    def push(self, ab: np.ndarray | None) -> list[np.ndarray]:
        """The network's answer (2, h, w) float32 in Lab units to the next frame, None if it was not asked."""
        n = self._pushed
        if ab is None and self._keys.is_key(n):
            ab = self._own[self._keys.copied(n)]
        self._own[n] = ab
        self._pushed += 1
        return self._give(self._pushed - self.DELAY)

    def flush(self) -> list[np.ndarray]:
        """Smoothed ab of the frames that remain."""
        return self._give(self._pushed)

    def _give(self, end: int) -> list[np.ndarray]:
        given = []
        while self._given < end:
            n = self._given
            if self._anchors.wants(n):
                self._anchors.keep(n, twice(*self._average(n, self._answer)))
            given.append(self._own[n] if self._strength == 0 else self._result(n))
            self._given += 1
            self._forget(self._given - self._KEPT)
        return given

    def _result(self, n: int) -> np.ndarray:
        """(2, h, w). Pictures that repeat take the result of the first of them."""
        first = n
        while first > n - REPEATS and self._motion.repeats(first):
            first -= 1
        return planes_of(self._steadied(first))[:2]

    def _steadied(self, n: int) -> np.ndarray:
        """(h, w, 4) of a frame: smoothed a and b, two spare."""
        if n not in self._steady:
            is_key = self._keys.is_key(n)
            self._steady[n] = twice(*(self._average(n, self._held_answer) if is_key else self._between(n)))
        return self._steady[n]

    def _between(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """What the frames around say, weighted by trust in the motion; the network's own answer where there is none."""
        own, seen, unknown = self._own[n], [], 1.0
        for other, link in self._keys.sides(n):
            planes = self._steadied(other)
            link = link.resized(*planes.shape[:2])
            a, b, *_ = planes_of(warp(planes, link))
            trust = link.trust + np.float32(_SLIGHT)
            if own is not None:
                trust *= self._strength
                unknown = np.minimum(unknown, np.maximum(1 - trust, 0))
            seen.append((a, b, trust))
        if own is not None:
            seen.append((*own, np.broadcast_to(np.float32(unknown), own[0].shape)))
        return weighted_mean(*map(np.stack, zip(*seen, strict=True)))

    def _average(self, key: int, answer: Callable[[int], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """A key frame's own answer and those of the key frames around it, (h, w, 4) each."""
        own_a, own_b, *_ = planes_of(answer(key))
        seen = [(own_a, own_b, np.ones_like(own_a))]
        for side in (BEFORE, AFTER):
            for distance in range(1, NEIGHBOURS + 1):
                reached = self._reached(key, side, distance)
                if reached is None:
                    break
                other, link = reached
                link = link.resized(*own_a.shape)
                a, b, *_ = planes_of(warp(answer(other), link))
                share = self._strength * (1 - distance / (NEIGHBOURS + 1))
                seen.append((a, b, link.trust * np.float32(share)))
        return agreed(*map(np.stack, zip(*seen, strict=True)))

    def _reached(self, key: int, side: int, distance: int) -> tuple[int, Link] | None:
        """The key frame so many before or after one, and the link to it, from one to the next; None where the shot ends."""
        place = key, side, distance
        if place not in self._links:
            nearest = self._keys.neighbour(side, key)
            reached = None
            if nearest is not None and distance == 1:
                reached = nearest, self._keys.agreeing(key, nearest)
            elif nearest is not None and (beyond := self._reached(nearest, side, distance - 1)):
                reached = beyond[0], chain(self._reached(key, side, 1)[1], beyond[1])
            self._links[place] = reached
        return self._links[place]

    def _answer(self, key: int) -> np.ndarray:
        """(h, w, 4): the network's a and b, twice."""
        if key not in self._answers:
            self._answers[key] = twice(*self._own[key])
        return self._answers[key]

    def _held_answer(self, key: int) -> np.ndarray:
        """The same, drawn towards the anchors of the shot."""
        if key not in self._held:
            a, b = self._own[key]
            seen = [(a, b, np.ones_like(a)), *self._anchors.seen_from(key, a, b)]
            alone = len(seen) == 1
            self._held[key] = (
                self._answer(key) if alone else twice(*strong_mean(*map(np.stack, zip(*seen, strict=True))))
            )
        return self._held[key]

    def _forget(self, before: int) -> None:
        for store in (self._own, self._steady, self._answers, self._held):
            store.pop(before - 1, None)
        self._links = {place: reached for place, reached in self._links.items() if place[0] >= before}
        self._keys.forget(before - PACE)  # of which the oldest frame takes its colours
        self._motion.forget(before - PACE)


def twice(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(h, w, 4): a and b interleaved, each there twice, for four planes are warped faster than two."""
    return cv2.merge((a, b, a, b))


def agreed(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What answers for one thing agree on, nearly as strong as they are: its a and b, (h, w) float32 in Lab units.

    Args:
        a, b, weight: (n, h, w) float32, one plane for each answer. No place has weight 0 in all of them.
    """
    mean_a, mean_b = weighted_mean(a, b, weight)
    distance = np.square(a - mean_a)
    distance += np.square(b - mean_b)
    distance *= -0.5 / ALIKE**2
    return strong_mean(a, b, weight * (cv2.exp(distance.reshape(-1)).reshape(distance.shape) + np.float32(_SLIGHT)))


def strong_mean(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean, brought nearer to the strength of what it is of; as `agreed`."""
    mean_a, mean_b = weighted_mean(a, b, weight)
    mean_strength = np.sqrt(mean_a * mean_a + mean_b * mean_b) + np.float32(_SLIGHT)
    root_mean_square = np.sqrt(sum(weighted_mean(a * a, b * b, weight)))
    gain = 1 + np.float32(STRENGTH_KEPT) * (np.clip(root_mean_square / mean_strength, 1, MOST_STRENGTH) - 1)
    return mean_a * gain, mean_b * gain


def weighted_mean(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a and of b, (n, h, w) each, over n: (h, w) each."""
    total = weight.sum(0)
    return tuple(np.einsum("nhw,nhw->hw", plane, weight) / total for plane in (a, b))
