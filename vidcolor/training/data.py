"""Photographs to learn from: folders or webdataset shards in, 8-bit sRGB pictures out; what is of no use is counted."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.errors import UsageError
from vidcolor.evaluation.photographs import Photograph, decode, encoded
from vidcolor.training.store import PictureStore

SMALLEST = 64  # pixels: shorter sides hold too little to learn from
GREY = 4  # 8-bit codes: mean difference of the largest and the smallest channel below which there is no colour


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded training pictures: 8-bit sRGB arrays (H, W, 3); why others were left out; what was done to some; and what
    tells the same file in another set."""

    pictures: list[np.ndarray] | PictureStore
    skipped: Counter[str]
    handled: Counter[str]
    hashes: set[bytes]

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


def load_pictures(sources: list[Path], max_short_side: int, into: PictureStore | None = None) -> Pictures:
    """Decode every picture of the given folders, shards and files; larger ones are scaled down once.

    Args:
        into: what keeps them; by default a list.

    Raises:
        UsageError: a source is not there, or no picture can be used, with the reasons counted.
        MediaError: a source cannot be read.
    """
    result = Pictures([] if into is None else into, Counter(), Counter(), set())

    def keep(future: Future, content: bytes) -> None:
        prepared = future.result()
        if isinstance(prepared, str):
            result.skipped[prepared] += 1
        else:
            result.pictures.append(prepared.rgb)
            result.handled.update(prepared.handled)
            result.hashes.add(content)

    with ThreadPoolExecutor() as pool:
        waiting = deque()  # bounded: the files of a large set do not fit into memory beside its pictures
        for source in sources:
            for _, data in encoded(source):
                waiting.append((pool.submit(_prepare, data, max_short_side), hashlib.sha256(data).digest()))
                if len(waiting) > 8 * (os.cpu_count() or 1):
                    keep(*waiting.popleft())
        while waiting:
            keep(*waiting.popleft())
    if not len(result.pictures):
        reasons = ", ".join(f"{count} {why}" for why, count in result.skipped.items()) or "no picture files in them"
        raise UsageError(
            f"no colour pictures in {', '.join(map(str, sources))}",
            reasons,
            "Give folders or .tar shards of colour photographs.",
        )
    return result
