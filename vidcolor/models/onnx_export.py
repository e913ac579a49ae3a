"""A torch module → the ONNX file that every backend runs."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidcolor.models.base import ModelSpec


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


def forget_origin(model: onnx.ModelProto) -> None:
    """Drop what torch notes of where each node came from: stack traces with the paths of one machine. In place."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def write_onnx(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write a network in evaluation mode as ONNX with dynamic batch, height and width. Needs the `train` extra."""
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of every torchvision operator that is not there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, about itself
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
    forget_origin(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)
