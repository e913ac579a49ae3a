"""Pictures coloured and measured: one row of figures a picture and answer, and the summary that METRICS asks for.

An answer is whatever turns L* into ab: nothing (grey), the mean colour, the truth itself, or a network. Networks come in
as functions, so that nothing here knows about backends.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from vidcolor.color.gamut import lab_to_srgb8
from vidcolor.color.luma import both_ways
from vidcolor.evaluation import metrics
from vidcolor.evaluation.ciede2000 import delta_e
from vidcolor.evaluation.photographs import decode, encoded
from vidcolor.evaluation.piqe import piqe
from vidcolor.evaluation.prior import MEAN_AB, rarity_weights
from vidcolor.models.base import ModelSpec

GREY, MEAN, TRUTH = "grey", "mean ab", "truth"
SIZES_KEPT = 8  # compiled networks, which take up to some hundred MB each
SMALLEST_SIDE = 16  # pixels: below, SSIM has no whole window

Colour = Callable[[np.ndarray], np.ndarray]  # L* (H, W), 0…100 → ab (H, W, 2) in Lab units, both float32
Network = Callable[[np.ndarray], np.ndarray]  # (1, 1, H, W) → (2, h, w), as `ModelSpec` says of one picture


class Figures(NamedTuple):
    """What is measured on one picture, coloured against its truth; see docs/metrics.md."""

    psnr: float  # dB
    ssim: float
    piqe: float
    rmse: float  # of a*, b*, in Lab units
    mae: float
    delta_e: float
    cf: float
    auc: float
    rebalanced: float  # sum over pixels of weight × score
    weight: float  # sum of the weights; the same for every answer to one picture
    pixels: int


@dataclass(slots=True)
class Measured:
    """All figures of a set: `figures[answer]` is (pictures, len(Figures)), in the order of `names`."""

    names: list[str] = field(default_factory=list)
    chroma: list[float] = field(default_factory=list)  # mean chroma of the truth, in Lab units
    figures: dict[str, list[Figures]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    handled: Counter[str] = field(default_factory=Counter)

    def coloured(self) -> np.ndarray:
        """Whether each picture's truth is coloured, as booleans."""
        return np.array(self.chroma) >= metrics.COLOURED

    def column(self, answer: str, name: str) -> np.ndarray:
        """One figure of one answer over all pictures."""
        return np.array([getattr(row, name) for row in self.figures[answer]])


class NetworkColour:
    """A network as a `Colour`: sides padded to what it takes, ab enlarged bilinearly to the picture.

    Args:
        spec: what the network takes and returns.
        compile_for: (width, height) → the network compiled for that size; the last ones are kept.
        saturation: factor on a* and b*.
    """

    def __init__(self, spec: ModelSpec, compile_for: Callable[[int, int], Network], saturation: float = 1.0) -> None:
        self.spec, self.saturation = spec, saturation
        self._compiled = lru_cache(maxsize=SIZES_KEPT)(compile_for)

    def __call__(self, lightness: np.ndarray) -> np.ndarray:
        ab = both_ways(self._answer, np.asarray(lightness, np.float32))
        return ab.transpose(1, 2, 0) * np.float32(self.saturation)

    def _answer(self, lightness: np.ndarray) -> np.ndarray:
        """L* (H, W) → the network's own ab, enlarged: (2, H, W)."""
        height, width = lightness.shape
        below, right = -height % self.spec.stride, -width % self.spec.stride
        padded = cv2.copyMakeBorder(lightness, 0, below, 0, right, cv2.BORDER_REFLECT)  # as `LumaView` does
        size = padded.shape[::-1]
        ab = self._compiled(*size)(padded[None, None])
        return np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)[:height, :width] for plane in ab])


def at_size(picture: np.ndarray, res: int, keep_aspect: bool = False) -> np.ndarray:
    """The truth at the size it is measured at: squashed to res × res by area, or its short side brought to `res`."""
    height, width = picture.shape[:2]
    scale = res / min(height, width)
    size = (max(res, round(width * scale)), max(res, round(height * scale))) if keep_aspect else (res, res)
    return picture if (width, height) == size else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def coloured(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """L* (H, W) and ab (H, W, 2) → 8-bit sRGB, the gamut kept by reducing chroma at constant L* and hue."""
    return lab_to_srgb8(np.concatenate((lightness[..., None], ab), -1, dtype=np.float32))


def basic_answers() -> dict[str, Colour]:
    """The rows that every table begins with, but the truth: what an answer without any knowledge scores."""
    return {
        GREY: lambda light: np.zeros((*light.shape, 2), np.float32),
        MEAN: lambda light: np.broadcast_to(np.float32(MEAN_AB), (*light.shape, 2)),
    }


def figures_of(truth: np.ndarray, lab: np.ndarray, weights: np.ndarray, other: np.ndarray) -> Figures:
    """Measure one 8-bit picture against its truth, whose Lab and rarity weights are given."""
    other_lab = metrics.lab_of(other)
    scores = metrics.auc_scores(lab, other_lab)
    return Figures(
        psnr=metrics.psnr(truth, other, metrics.SMALLEST_MSE),
        ssim=metrics.ssim(truth, other),
        piqe=piqe(other),
        **dict(zip(("rmse", "mae"), metrics.ab_errors(lab, other_lab), strict=True)),
        delta_e=float(delta_e(lab, other_lab).mean(dtype=np.float64)),
        cf=metrics.colourfulness(other),
        auc=float(scores.mean(dtype=np.float64)),
        rebalanced=float((weights * scores).sum(dtype=np.float64)),
        weight=float(weights.sum(dtype=np.float64)),
        pixels=scores.size,
    )


def _measure_all(truth: np.ndarray, lab: np.ndarray, abs_: Mapping[str, np.ndarray]) -> dict[str, Figures]:
    weights = rarity_weights(lab)
    pictures = {name: coloured(lab[..., 0], ab) for name, ab in abs_.items()} | {TRUTH: truth}
    return {name: figures_of(truth, lab, weights, picture) for name, picture in pictures.items()}


def read_pictures(sources: Iterable[Path], measured: Measured) -> Iterator[tuple[str, np.ndarray]]:
    """(name, 8-bit sRGB) of every usable picture; the others are counted in `measured`."""
    for source in sources:
        for name, data in encoded(source):
            photograph = decode(data)
            if isinstance(photograph, str):
                measured.skipped[photograph] += 1
            elif min(photograph.rgb.shape[:2]) < SMALLEST_SIDE:
                measured.skipped[f"smaller than {SMALLEST_SIDE} pixels"] += 1
            else:
                measured.handled.update(photograph.handled)
                yield name, photograph.rgb


def measure(
    sources: Iterable[Path],
    models: Mapping[str, Colour],
    res: int,
    keep_aspect: bool = False,
    threads: int = 1,
    progress: Callable[[int], None] = lambda done: None,
    look: Callable[[str, np.ndarray], None] | None = None,
) -> Measured:
    """Colour and measure every picture of `sources` with the basic answers and with `models`.

    Args:
        models: by the name of their row.
        threads: that measure; the networks run in the calling thread.
        progress: called with the number of pictures done.
        look: called with (answer, 8-bit picture) of every answer and the truth, picture by picture, in order: a classifier.
    """
    measured = Measured()
    answers = basic_answers() | dict(models)
    waiting: deque[Future] = deque()

    def take() -> None:
        for name, figures in waiting.popleft().result().items():
            measured.figures.setdefault(name, []).append(figures)
        progress(len(measured.figures[GREY]))

    with ThreadPoolExecutor(threads) as pool:
        for name, picture in read_pictures(sources, measured):
            truth = at_size(picture, res, keep_aspect)
            lab = metrics.lab_of(truth)
            measured.names.append(name)
            measured.chroma.append(metrics.mean_chroma(lab))
            abs_ = {answer: colour(lab[..., 0]) for answer, colour in answers.items()}
            waiting.append(pool.submit(_measure_all, truth, lab, abs_))
            if look:
                for answer, ab in abs_.items():
                    look(answer, coloured(lab[..., 0], ab))
                look(TRUTH, truth)
            if len(waiting) > 2 * threads:
                take()
        while waiting:
            take()
    return measured
