"""8-bit integer weights and activations by NNCF, calibrated with real pictures. For OpenVINO on CPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np
import onnx

from vidcolor.errors import ModelError
from vidcolor.evaluation.metrics import lab_of
from vidcolor.models.quantise import chosen

CALIBRATION = 200  # pictures at most: NNCF advises a few hundred


def calibration_inputs(pictures: Sequence[np.ndarray], size: int, stride: int) -> list[np.ndarray]:
    """L* (1, 1, side, side), float32, of pictures squashed to a side that suits the network, spread over the set."""
    side = -(-size // stride) * stride
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(CALIBRATION, len(pictures))).astype(int))
    squashed = (cv2.resize(pictures[i], (side, side), interpolation=cv2.INTER_AREA) for i in chosen)
    return [np.ascontiguousarray(lab_of(picture)[None, None, ..., 0]) for picture in squashed]


def quantise(model: onnx.ModelProto, inputs: Sequence[np.ndarray]) -> onnx.ModelProto:
    """A float32 graph as one with quantised convolutions: those that `models/quantise.py` chooses.

    The first and the last stay float32: the first sees a single channel, and the last makes small ab from large features; with
    them quantised, `lite` errs by 6 Lab units on average. Depthwise ones do too: with them quantised it errs by 0.36
    instead of 0.20, and is no faster. Features are quantised symmetrically (NNCF's preset PERFORMANCE): with zero points
    (MIXED) OpenVINO 2026.4 cannot compile the graph in bf16 on CPUs with AMX, and it is no nearer to torch.
    Their ranges are the largest values that the pictures call forth: from means of every picture's, as NNCF takes by itself, vivid
    pictures are cut off (0.43 Lab units instead of 0.28 on average, and a twentieth of the colourfulness).

    Raises:
        ModelError: NNCF is not installed.
    """
    os.environ.setdefault("NNCF_CI", "1")  # keeps its usage statistics from being sent
    try:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ModuleNotFoundError as error:
        raise ModelError(
            "cannot quantise", f"{error.name} is not installed", "Try: pip install nncf onnxruntime"
        ) from error
    outputs = {node.output[0] for node in chosen(model.graph)}
    kept = [n.name for n in model.graph.node if n.op_type == "Conv" and n.output[0] not in outputs]
    return nncf.quantize(
        model,
        nncf.Dataset(list(inputs), lambda light: {model.graph.input[0].name: light}),
        subset_size=len(inputs),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        ignored_scope=nncf.IgnoredScope(names=kept),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )
