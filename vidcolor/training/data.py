"""Photographs as training batches: folders or webdataset shards in, (L*, ab) out.

Pictures stay as 8-bit sRGB in memory; a batch is cut, scaled and turned into Lab when it is asked for.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.color.lab import srgb_to_lab
from vidcolor.training.degrade import Degrade

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}
BLACK = 8.0  # L* below which colour fades out


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded training pictures: 8-bit sRGB arrays (H, W, 3), and why others were left out."""

    pictures: list[np.ndarray]
    skipped: Counter[str]


def _encoded(source: Path) -> Iterator[bytes]:
    if source.is_dir():
        for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES | {".tar"}):
            yield from _encoded(path)
    elif source.suffix == ".tar":
        with tarfile.open(source) as shard:
            for member in shard:
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                    yield shard.extractfile(member).read()
    else:
        yield source.read_bytes()


def _decode(data: bytes, max_short_side: int) -> np.ndarray | str:
    """8-bit sRGB (H, W, 3), or the reason why the picture is of no use."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        return "unreadable"
    height, width = picture.shape[:2]
    short = min(height, width)
    if short < 64:
        return "smaller than 64 pixels"
    if short > max_short_side:
        scale = max_short_side / short
        size = max(max_short_side, round(width * scale)), max(max_short_side, round(height * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if np.ptp(picture.astype(np.int16), axis=2).mean() < 4:
        return "grey"
    return picture


def load_pictures(sources: list[Path], max_short_side: int) -> Pictures:
    """Decode every picture of the given folders, shards and files; larger ones are scaled down once.

    Raises:
        FileNotFoundError: no picture that can be used, with the reasons counted.
    """
    with ThreadPoolExecutor() as pool:
        encoded = (data for source in sources for data in _encoded(source))
        decoded = list(pool.map(lambda data: _decode(data, max_short_side), encoded))
    skipped = Counter(item for item in decoded if isinstance(item, str))
    pictures = [item for item in decoded if not isinstance(item, str)]
    if not pictures:
        reasons = ", ".join(f"{count} {why}" for why, count in skipped.items()) or "no picture files"
        raise FileNotFoundError(f"no usable colour pictures in {', '.join(map(str, sources))}: {reasons}")
    return Pictures(pictures, skipped)


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
        rng = np.random.default_rng((self.seed, 2, number))
        rgb8 = np.stack([_random_crop(self.pictures[i], self.size, rng) for i in self._indices(number)])
        rgb = rgb8.astype(np.float32) / 255
        lab = srgb_to_lab(rgb)
        light, ab = lab[..., 0], lab[..., 1:]
        if self.degrade is not None:
            light = self.degrade(rgb, light, rng)
            ab = ab * np.minimum(light / BLACK, 1)[..., None]  # what the film shows as black has no colour to learn
        return np.ascontiguousarray(light[:, None]), np.ascontiguousarray(ab.transpose(0, 3, 1, 2))

    def stream(self, start: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches from number `start` on, the next ones prepared in a thread while one is used."""
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self.make, start + i) for i in range(3)]
            number = start + len(waiting)
            while True:
                yield waiting.pop(0).result()
                waiting.append(pool.submit(self.make, number))
                number += 1
