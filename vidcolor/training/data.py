"""Photographs as training batches: folders or webdataset shards in, (L*, ab) out.

Pictures stay as 8-bit sRGB in memory; a batch is cut, scaled and turned into Lab when it is asked for.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.color.lab import srgb_to_lab
from vidcolor.errors import UsageError
from vidcolor.evaluation.photographs import Photograph, decode, encoded
from vidcolor.training.degrade import Degrade

BLACK = 8.0  # L* below which colour fades out
SMALLEST = 64  # pixels: shorter sides hold too little to learn from
GREY = 4  # 8-bit codes: mean difference of the largest and the smallest channel below which there is no colour


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded training pictures: 8-bit sRGB arrays (H, W, 3); why others were left out; what was done to some."""

    pictures: list[np.ndarray]
    skipped: Counter[str]
    handled: Counter[str]

    def __str__(self) -> str:
        parts = [f"{len(self.pictures)} pictures"]
        for what, counts in (("left out", self.skipped), ("handled", self.handled)):
            if counts:
                parts.append(f"{what}: " + ", ".join(f"{number} {why}" for why, number in counts.most_common()))
        return "; ".join(parts)


def _prepare(data: bytes, max_short_side: int) -> Photograph | str:
    """A picture that is no larger than needed, or the reason why it is of no use."""
    photograph = decode(data)
    if isinstance(photograph, str):
        return photograph
    picture = photograph.rgb
    height, width = picture.shape[:2]
    short = min(height, width)
    if short < SMALLEST:
        return f"smaller than {SMALLEST} pixels"
    if short > max_short_side:
        scale = max_short_side / short
        size = max(max_short_side, round(width * scale)), max(max_short_side, round(height * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if np.ptp(picture.astype(np.int16), axis=2).mean() < GREY:
        return "grey"
    return Photograph(picture, photograph.handled)


def load_pictures(sources: list[Path], max_short_side: int) -> Pictures:
    """Decode every picture of the given folders, shards and files; larger ones are scaled down once.

    Raises:
        UsageError: a source is not there, or no picture can be used, with the reasons counted.
        MediaError: a source cannot be read.
    """
    result = Pictures([], Counter(), Counter())

    def keep(prepared: Photograph | str) -> None:
        if isinstance(prepared, str):
            result.skipped[prepared] += 1
        else:
            result.pictures.append(prepared.rgb)
            result.handled.update(prepared.handled)

    with ThreadPoolExecutor() as pool:
        waiting = deque()  # bounded: the files of a large set do not fit into memory beside its pictures
        for source in sources:
            for _, data in encoded(source):
                waiting.append(pool.submit(_prepare, data, max_short_side))
                if len(waiting) > 8 * (os.cpu_count() or 1):
                    keep(waiting.popleft().result())
        while waiting:
            keep(waiting.popleft().result())
    if not result.pictures:
        reasons = ", ".join(f"{count} {why}" for why, count in result.skipped.items()) or "no picture files in them"
        raise UsageError(f"no colour pictures in {', '.join(map(str, sources))}", reasons, "Give folders or .tar shards of colour photographs.")
    return result


def _random_crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of at least 60 % of each side with mild stretching, mirrored half of the time, as (size, size, 3)."""
    height, width = picture.shape[:2]
    if rng.random() < 0.35:  # the whole picture, squashed: what METRICS.md measures
        part = picture
    else:
        side = min(height, width) * rng.uniform(0.6, 1.0)
        stretch = float(np.exp(rng.uniform(-0.25, 0.25)))
        h = min(height, round(side * stretch))
        w = min(width, round(side / stretch))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        part = picture[top : top + h, left : left + w]
    part = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
    return part[:, ::-1] if rng.random() < 0.5 else part


class Batches:
    """An endless, seeded stream of training batches; batch number n is a pure function of (seed, n).

    Yields ``lightness`` (N, 1, size, size), degraded as film is, and the clean ``ab``
    (N, 2, size, size), both float32 in Lab units.
    """

    def __init__(self, pictures: list[np.ndarray], batch: int, size: int, seed: int, degrade: Degrade | None) -> None:
        self.pictures = pictures
        self.batch = batch
        self.size = size
        self.seed = seed
        self.degrade = degrade

    def _indices(self, number: int) -> np.ndarray:
        """Positions of batch `number` in the stream of shuffled epochs."""
        count = len(self.pictures)
        positions = np.arange(number * self.batch, (number + 1) * self.batch)
        order = {e: np.random.default_rng((self.seed, 1, e)).permutation(count) for e in set(positions // count)}
        return np.array([order[p // count][p % count] for p in positions])

    def make(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `number`, from 0."""
        rng = np.random.default_rng((self.seed, 2, number))
        rgb8 = np.stack([_random_crop(self.pictures[i], self.size, rng) for i in self._indices(number)])
        rgb = rgb8.astype(np.float32) / 255
        lab = srgb_to_lab(rgb)
        light, ab = lab[..., 0], lab[..., 1:]
        if self.degrade is not None:
            light = self.degrade(rgb, light, rng)
            ab = ab * np.minimum(light / BLACK, 1)[..., None]  # what the film shows as black has no colour to learn
        return np.ascontiguousarray(light[:, None]), np.ascontiguousarray(ab.transpose(0, 3, 1, 2))

    def stream(self, start: int, step: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches number `start`, `start` + `step`, …, the next ones prepared in a thread while one is used."""
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.make, start + i * step) for i in range(3)]
            number = start + len(waiting) * step
            while True:
                yield waiting.pop(0).result()
                waiting.append(pool.submit(self.make, number))
                number += step
