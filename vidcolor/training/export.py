"""Checkpoint → ONNX with a card, checked against torch before anything appears under the final name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vidcolor.errors import ModelError
from vidcolor.files import sha256, whole_file, write_whole
from vidcolor.models.base import ModelSpec
from vidcolor.models.onnx_export import fuse_batch_norms, write_onnx
from vidcolor.models.weights import card_path

LARGEST_ERROR = 0.5  # Lab units between the file at fp32 arithmetic and torch; below what 8-bit chroma can hold


def largest_difference(network: nn.Module, path: Path, spec: ModelSpec) -> float:
    """Largest |Δab| in Lab units between the file in OpenVINO at float32 and torch, at sizes other than the exported."""
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    worst = 0.0
    for batch, height, width in ((1, 9, 16), (3, 9, 9), (2, 12, 5)):
        light = torch.rand(batch, 1, height * spec.stride, width * spec.stride) * 100
        with torch.inference_mode():
            expected = network(light).numpy()
        worst = max(worst, float(np.abs(compiled(light.numpy())[0] - expected).max()))
    return worst


def export(network: nn.Module, spec: ModelSpec, path: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write `path` (ONNX, dynamic batch, height and width) and its card. Returns the card.

    Raises:
        ModelError: the file does not compute what the network computes.
    """
    network = network.eval()
    fuse_batch_norms(network)
    with whole_file(path) as temporary:
        write_onnx(network, spec, temporary)
        difference = largest_difference(network, temporary, spec)
        if not difference <= LARGEST_ERROR:
            raise ModelError(
                f"{path} was not written", f"the exported network differs from torch by {difference:.3f} Lab units"
            )
    complete = {"model": spec.name, "sha256": sha256(path), "largest_difference_to_torch": difference, **card}
    write_whole(card_path(path), (json.dumps(complete, indent=2, ensure_ascii=False) + "\n").encode())
    return complete
