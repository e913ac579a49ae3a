"""Checkpoint → ONNX with a card, checked against torch before anything appears under the final name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vidcolor.errors import ModelError
from vidcolor.files import sha256, whole_file, write_whole
from vidcolor.models.base import ModelSpec
from vidcolor.models.onnx_export import fuse_batch_norms, write_onnx
from vidcolor.models.onnx_torch import OnnxNetwork
from vidcolor.models.precision import load_float32
from vidcolor.models.weights import card_path

LARGEST_ERROR = 0.5  # Lab units between the file at fp32 arithmetic and torch; below what 8-bit chroma can hold
LARGEST_MEAN_ERROR_INT8 = 1.0  # Lab units, mean over real pictures

Compute = Callable[[np.ndarray], np.ndarray]  # L* → ab, as in `ModelSpec`, in float32 arithmetic


def by_openvino(path: Path, precision: str = "fp32") -> tuple[Compute, str]:
    """The file computed by OpenVINO, and how that is called in a card.

    Raises:
        ModuleNotFoundError: it is not installed.
        ModelError: it cannot run the file.
    """
    from vidcolor.backends.openvino import PRECISIONS, hint, ov

    try:
        compiled = ov.Core().compile_model(path, "CPU", {hint.inference_precision: PRECISIONS[precision]})
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1]
        raise ModelError(f"OpenVINO cannot run the exported network in {precision}", why) from error
    return lambda light: compiled(light)[0], f"OpenVINO {ov.get_version().split('-')[0]}"


def by_torch(path: Path) -> tuple[Compute, str]:
    """The file's own graph computed by torch, operator by operator, and how that is called in a card."""
    graph = OnnxNetwork(load_float32(path))

    @torch.inference_mode()
    def compute(light: np.ndarray) -> np.ndarray:
        return graph(torch.from_numpy(light)).numpy()

    return compute, f"torch {torch.__version__}"


def largest_difference(network: nn.Module, path: Path, spec: ModelSpec) -> tuple[float, str]:
    """Largest |Δab| in Lab units between the file and torch, at sizes other than the exported; and what computed the file."""
    try:
        compute, by = by_openvino(path)
    except ModuleNotFoundError:  # on a machine that only trains
        compute, by = by_torch(path)
    worst = 0.0
    for batch, height, width in ((1, 9, 16), (3, 9, 9), (2, 12, 5)):
        light = torch.rand(batch, 1, height * spec.stride, width * spec.stride) * 100
        with torch.inference_mode():
            expected = network(light).numpy()
        worst = max(worst, float(np.abs(compute(light.numpy()) - expected).max()))
    return worst, by


def mean_difference(network: nn.Module, path: Path, inputs: Sequence[np.ndarray]) -> tuple[float, str]:
    """Mean |Δab| in Lab units between the file, computed as `run` does it, and torch, over L* inputs (1, 1, H, W); and what
    computed the file."""
    from vidcolor.backends.openvino import precisions

    compute, by = by_openvino(path, precisions()[-1])
    with torch.inference_mode():
        each = [np.abs(compute(light) - network(torch.from_numpy(light)).numpy()).mean() for light in inputs]
    return float(np.mean(each)), by


def _check_int8(path: Path, inputs: Sequence[np.ndarray]) -> None:
    """Refuse what cannot be done before the minutes that it takes."""
    if len(inputs) < 2:
        raise ModelError(
            f"{path} was not written",
            "int8 is calibrated with real pictures and there are fewer than two",
            "Give --data.",
        )
    try:
        import vidcolor.backends.openvino  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{path} was not written", "int8 is for OpenVINO, which is not installed", "Try: pip install openvino"
        ) from error


def _quantise(path: Path, calibration: Sequence[np.ndarray]) -> None:
    """Replace the network in `path` by its int8 form."""
    import onnx

    from vidcolor.training.quantise import quantise

    onnx.save(quantise(load_float32(path), calibration), path)


def export(
    network: nn.Module,
    spec: ModelSpec,
    path: Path,
    card: dict[str, Any],
    precision: str = "fp32",
    inputs: Sequence[np.ndarray] = (),
) -> dict[str, Any]:
    """Write `path` (ONNX, dynamic batch, height and width) and its card. Returns the card.

    Args:
        precision: "fp32" (weights stored as float16, arithmetic in float32) or "int8".
        inputs: L* (1, 1, H, W) of real pictures, for int8: nine of ten calibrate, the rest are compared.

    Raises:
        ModelError: the file does not compute what the network computes, or int8 lacks pictures, NNCF or OpenVINO.
    """
    if precision == "int8":
        _check_int8(path, inputs)
    network = network.eval()
    fused = copy.deepcopy(network)
    fuse_batch_norms(fused)
    with whole_file(path) as temporary:
        write_onnx(fused, spec, temporary)
        if precision == "int8":
            _quantise(temporary, [light for i, light in enumerate(inputs) if i % 10])
            key, limit = "mean_difference_to_torch", LARGEST_MEAN_ERROR_INT8
            difference, by = mean_difference(network, temporary, inputs[::10])
        else:
            key, limit = "largest_difference_to_torch", LARGEST_ERROR
            difference, by = largest_difference(network, temporary, spec)
        if not difference <= limit:
            raise ModelError(
                f"{path} was not written",
                f"the exported network differs from torch by {difference:.3f} Lab units, more than {limit}",
            )
    facts = {"model": spec.name, "sha256": sha256(path), "precision": precision, key: difference, "compared_by": by}
    complete = facts | card | facts  # an older card may be given, which states another file's hash
    write_whole(card_path(path), (json.dumps(complete, indent=2, ensure_ascii=False) + "\n").encode())
    return complete
