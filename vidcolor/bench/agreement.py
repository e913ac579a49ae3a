"""Do all backends colour alike? Each against float32 arithmetic, on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vidcolor.backends.choose import obstacle
from vidcolor.bench.calibration import Divided
from vidcolor.bench.network import GRAPH, Variant, can_quantise, input_side, light, opened, reason, variants
from vidcolor.color.gamut import lab_to_srgb8
from vidcolor.errors import UsageError
from vidcolor.evaluation.metrics import psnr
from vidcolor.models.base import QUANTISED, ModelSpec
from vidcolor.models.weights import Weights

PICTURES = 8  # of noise, where no folder gives real ones
NOISE = f"{PICTURES} pictures of noise"
WANTED_DB = {"fp32": 60.0, "bf16": 40.0, "fp16": 50.0, "int8": 38.0, "fp8": 38.0}  # PSNR against float32, at least


@dataclass(frozen=True, slots=True)
class Agreement:
    """One backend beside the reference."""

    backend: str
    precision: str
    largest: float  # |Δab|, Lab units
    mean: float
    psnr: float  # dB, of the coloured pictures at 8 bits, the lowest of all pictures
    wanted: float

    @property
    def finite_psnr(self) -> float:
        """`psnr`, at most 999: JSON has no infinity, which is that of equal pictures."""
        return min(self.psnr, 999.0)

    @property
    def holds(self) -> bool:
        return self.psnr >= self.wanted


def reference(weights: Weights, pictures: np.ndarray, say: Callable[[str], None]) -> np.ndarray:
    """ab in float32: by torch, or by OpenVINO where torch is not installed, which is said."""
    try:
        import torch

        from vidcolor.models.onnx_torch import OnnxNetwork
        from vidcolor.models.precision import load_float32
    except ModuleNotFoundError as error:
        from vidcolor.backends.openvino import OpenVinoBackend

        say(f"{error.name} is not installed: the reference is OpenVINO in float32, not torch")
        return OpenVinoBackend(weights, pictures.shape[3], pictures.shape[2], 1, "fp32").start(pictures)()
    with torch.inference_mode():
        return OnnxNetwork(load_float32(weights.path))(torch.from_numpy(pictures)).numpy()


def coloured(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """8-bit sRGB (N, h, w, 3) on the grid of ab; L* (N, 1, H, W) is averaged down to it."""
    n, _, h, w = ab.shape
    stride = lightness.shape[2] // h
    small = lightness.reshape(n, h, stride, w, stride).mean((2, 4))
    return lab_to_srgb8(np.stack((small, ab[:, 0], ab[:, 1]), -1))


def compare(backend: str, precision: str, lightness: np.ndarray, ab: np.ndarray, expected: np.ndarray) -> Agreement:
    difference = np.abs(ab - expected)
    pairs = zip(coloured(lightness, expected), coloured(lightness, ab), strict=True)
    lowest = min(psnr(truth, other) for truth, other in pairs)
    wanted = WANTED_DB[precision.split()[0]]
    return Agreement(backend, precision, float(difference.max()), float(difference.mean()), lowest, wanted)


def check(
    spec: ModelSpec,
    weights: Weights,
    res: int,
    asked: str,
    say: Callable[[str], None],
    folder: Divided | None = None,
) -> Iterator[Agreement]:
    """Every variant of the asked backends and the typed graph beside float32; one that fails is said.

    Args:
        asked: a backend's name, `GRAPH`, or "all".
        folder: pictures at res × res: int8 and fp8 too, and all is compared on those held back. None: on noise.

    Raises:
        UsageError: what was named cannot be used here.
    """
    side = input_side(spec, res)
    pictures = light(PICTURES, side, side) if folder is None else folder.held_back
    calibrating = () if folder is None else folder.calibrating
    chosen = [] if asked == GRAPH else variants(asked, weights, side, side, say, calibrating)
    if asked in ("all", GRAPH):
        chosen += _of_the_graph(asked, weights, calibrating, say)
    if folder is None and any(v.backend == GRAPH or can_quantise(v.backend) for v in chosen):
        say("int8 and fp8 are compared with --calibrate FOLDER alone: they are made with real pictures")
    expected = reference(weights, pictures, say)
    for variant in chosen:
        if calibrating and variant.label in QUANTISED:
            say(f"{variant.backend}: looking for what {variant.label} harms most, on {len(calibrating)} pictures")
        try:
            with opened(variant, len(pictures)) as backend:
                info, ab = backend.info, backend.start(pictures)()
        except Exception as error:
            say(f"{variant.backend} {variant.label}: not compared, {reason(error)}")
            continue
        yield compare(info.name, info.precision, pictures, ab, expected)


def _of_the_graph(
    asked: str, weights: Weights, calibrating: Sequence[np.ndarray], say: Callable[[str], None]
) -> list[Variant]:
    if problem := obstacle("torch"):
        if asked == GRAPH:
            raise UsageError("the graph that engines are built from cannot be computed here", *problem)
        say(f"{GRAPH}: not compared here, {'. '.join(problem)}")
        return []
    from vidcolor.bench.graph import graph_variants

    return graph_variants(weights, calibrating)
