"""Checkpoint → ONNX with a card, checked against torch before anything appears under the final name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidcolor.errors import ModelError
from vidcolor.files import sha256, whole_file, write_whole
from vidcolor.models.base import ModelSpec
from vidcolor.models.weights import card_path

LARGEST_ERROR = 0.5  # Lab units between the file at fp32 arithmetic and torch; below what 8-bit chroma can hold


def fuse_batch_norms(network: nn.Module) -> None:
    """Fold every batch norm that follows a convolution in a `Sequential` into it, in place."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                first, second = module[index], module[index + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[index], module[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def store_as_half(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16 behind a Cast: half the file, the same float32 arithmetic. In place."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > 1024:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for index, node in enumerate(casts):
        graph.node.insert(index, node)


def _write_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        network,
        (torch.rand(2, 1, 10 * spec.stride, 12 * spec.stride) * 100,),
        dynamo=True,
        input_names=["lightness"],
        output_names=["ab"],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC, **sides},),
        verbose=False,
    )
    model = program.model_proto
    store_as_half(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


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
        _write_onnx(network, spec, temporary)
        difference = largest_difference(network, temporary, spec)
        if not difference <= LARGEST_ERROR:
            raise ModelError(
                f"{path} was not written", f"the exported network differs from torch by {difference:.3f} Lab units"
            )
    complete = {"model": spec.name, "sha256": sha256(path), "largest_difference_to_torch": difference, **card}
    write_whole(card_path(path), (json.dumps(complete, indent=2, ensure_ascii=False) + "\n").encode())
    return complete
