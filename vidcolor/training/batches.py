"""Batches (L* shown, true Lab), cut, degraded and turned into Lab on the device that trains, all pictures of a batch at once.

What is drawn for each picture comes from NumPy on the host, a few numbers a picture, so that it is the same on every device;
only grain is drawn where it is used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from vidcolor.training.degrade import Degrade
from vidcolor.training.lab import srgb_to_lab
from vidcolor.training.store import PictureStore

BLACK = 8.0  # L* below which colour fades out
SMALLEST_PART = 0.6  # of the short side, of pictures that are not shown whole
STRETCH = 0.25  # largest ln(height / width) / 2 of a part
AHEAD = 3  # batches whose pictures are fetched while one is used


def resampling(size: int, source: int, start: Tensor, extent: Tensor, limit: Tensor | None = None) -> Tensor:
    """Matrices (N, size, source) that scale `extent` (N,) samples from `start` (N,) to `size` samples.

    Each result is the mean over its footprint (what OpenCV calls INTER_AREA); enlarging is linear. A negative extent
    mirrors, and then `start` is its far end. Samples from `limit` (N,) on do not count.
    """
    scale = (extent / size)[:, None]
    at = torch.arange(size, device=start.device)
    centre = start[:, None] + (at + 0.5) * scale - 0.5  # (N, size)
    reach = (scale.abs().clamp(min=1) + 1) / 2
    place = torch.arange(source, device=start.device)
    weight = (reach[..., None] - (place - centre[..., None]).abs_()).clamp_(0, 1)
    if limit is not None:
        weight *= place < limit[:, None, None]
    return weight.div_(weight.sum(2, keepdim=True))


def random_parts(
    lengths: np.ndarray, short: int, upright: np.ndarray, whole: float, rng: np.random.Generator
) -> np.ndarray:
    """(N, 2, 2) float32: (start, extent) along the long and the short side of pictures, in pixels.

    Parts of at least `SMALLEST_PART` of the short side, mildly stretched, or, a share `whole` of them, whole pictures
    squashed to a square; mirrored half of the time.
    """
    n = len(lengths)
    sides = np.stack((lengths, np.full(n, short)), 1)
    stretch = np.exp(rng.uniform(-STRETCH, STRETCH, n) * np.where(upright, 1, -1))  # of the long side's direction
    wanted = short * rng.uniform(SMALLEST_PART, 1, n)[:, None] * np.stack((stretch, 1 / stretch), 1)
    extent = np.where(rng.random((n, 1)) < whole, sides, np.minimum(wanted, sides))
    start = rng.random((n, 2)) * (sides - extent)
    across = np.stack((~upright, upright), 1)  # the picture's horizontal direction
    mirrored = across & (rng.random((n, 1)) < 0.5)
    start, extent = np.where(mirrored, start + extent, start), np.where(mirrored, -extent, extent)
    return np.stack((start, extent), 2).astype(np.float32)


def cut(lines: Tensor, size: int, parts: Tensor, lengths: Tensor, upright: Tensor) -> Tensor:
    """The parts of pictures as sRGB 0…1 (N, 3, size, size), from their lines (N, L, 3, short) uint8."""
    n, longest, _, short = lines.shape
    along = resampling(size, longest, parts[:, 0, 0], parts[:, 0, 1], lengths)
    across = resampling(size, short, parts[:, 1, 0], parts[:, 1, 1]) / 255
    x = torch.bmm(along, lines.reshape(n, longest, 3 * short).float())  # N, size (long), 3 · short
    x = torch.bmm(x.view(n, size * 3, short), across.mT)  # N, size (long) · 3, size (short)
    x = x.view(n, size, 3, size)
    return torch.where(upright[:, None, None, None], x.permute(0, 2, 1, 3), x.permute(0, 2, 3, 1)).contiguous()


class Batches:
    """An endless, seeded stream of training batches; batch number n is a pure function of (seed, n).

    Yields what the network is shown, L* (N, 1, size, size), degraded as film is, and the clean truth, Lab
    (N, 3, size, size), both float32, on `device`.
    """

    def __init__(
        self,
        store: PictureStore,
        batch: int,
        size: int,
        seed: int,
        whole: float,
        degrade: Degrade | None,
        device: torch.device,
    ) -> None:
        self.store = store
        self.batch = batch
        self.size = size
        self.seed = seed
        self.whole = whole
        self.degrade = degrade
        self.device = device

    def indices(self, number: int) -> np.ndarray:
        """Which pictures batch `number` shows: positions in the stream of shuffled epochs."""
        count = len(self.store)
        positions = np.arange(number * self.batch, (number + 1) * self.batch)
        order = {e: np.random.default_rng((self.seed, 1, e)).permutation(count) for e in set(positions // count)}
        return np.array([order[p // count][p % count] for p in positions])

    def make(self, number: int) -> tuple[Tensor, Tensor]:
        """Batch `number`, from 0."""
        indices = self.indices(number)
        return self._finish(number, indices, self.store.take(indices, self.device))

    def _finish(self, number: int, indices: np.ndarray, lines: Tensor) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, 2, number))
        lengths, upright = self.store.lengths[indices], self.store.upright[indices]
        parts = random_parts(lengths, self.store.short, upright, self.whole, rng)
        there = (torch.from_numpy(array).to(self.device, non_blocking=True) for array in (parts, lengths, upright))
        rgb = cut(lines, self.size, *there)
        light, ab = srgb_to_lab(rgb)
        shown = light
        if self.degrade is not None:
            shown = self.degrade(rgb, light, rng)
            ab = ab * (shown / BLACK).clamp(max=1)[:, None]  # what the film shows as black has no colour to learn
        return shown[:, None], torch.cat((light[:, None], ab), 1)

    def stream(self, start: int, step: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches number `start`, `start` + `step`, …, the pictures of the next ones fetched by a thread meanwhile."""

        def fetch(number: int) -> tuple[int, np.ndarray, Tensor]:
            indices = self.indices(number)
            return number, indices, self.store.take(indices, self.device)

        with ThreadPoolExecutor(1) as pool:
            waiting = deque(pool.submit(fetch, start + i * step) for i in range(AHEAD))
            number = start + AHEAD * step
            while True:
                yield self._finish(*waiting.popleft().result())
                waiting.append(pool.submit(fetch, number))
                number += step
