"""Typed graphs in ONNX Runtime, with every tensor truly rounded: an implementation that has nothing of ours in it.

On a CPU, ONNX Runtime computes float16 operators in float32 and leaves out the rounding between them. So the types are
turned into what it does keep: a float32 graph with a Cast to float16 and back after every tensor that was float16.
"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

HALF, WIDE = TensorProto.FLOAT16, TensorProto.FLOAT


def run(model, pictures):
    """L* (N, 1, H, W) through the graph → ab (N, 2, h, w), every tensor rounded to the type that the graph gives it."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = onnx.load_from_string(model) if isinstance(model, bytes) else model
    return ort.InferenceSession(_explicit(model).SerializeToString(), options).run(None, {"lightness": pictures})[0]


def _explicit(typed):
    model = onnx.ModelProto()
    model.CopyFrom(onnx.shape_inference.infer_shapes(typed, strict_mode=True))
    graph = model.graph
    halves = {v.name for v in graph.value_info if v.type.tensor_type.elem_type == HALF}
    for tensor in graph.initializer:
        if tensor.data_type == HALF:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    nodes = []
    for node in graph.node:
        name = node.output[0]
        if node.op_type == "Cast":
            nodes += _rounded(node.input[0], name) if name in halves else [node]
        elif name in halves:
            node.output[0] = f"{name}.exact"
            nodes += [node, *_rounded(f"{name}.exact", name)]
        else:
            nodes.append(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return model


def _rounded(source, name):
    return [
        helper.make_node("Cast", [source], [f"{name}.half"], to=HALF),
        helper.make_node("Cast", [f"{name}.half"], [name], to=WIDE),
    ]
