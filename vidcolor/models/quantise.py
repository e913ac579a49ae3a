"""Explicit int8 and fp8: quantise-dequantise pairs in the graph, as strongly typed runtimes want them.

Needs torch, to measure the range of every feature on real pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from vidcolor.models.onnx_torch import OnnxNetwork

LIMITS = {
    "int8": 127.0,
    "fp8": 448.0,
}  # largest magnitude of a signed byte and of float8 E4M3 (OCP 8-bit floating point)
KINDS = {"int8": TensorProto.INT8, "fp8": TensorProto.FLOAT8E4M3FN}
SMALLEST = 1e-6  # scale: float16 still holds it, and a channel that is never on needs no more
KEPT = 1 / 3  # part of the convolutions that stay in float16 all the same: the least that measured well (docs/gpu.md)
LOOKED_AT = 8  # pictures on which it is found out which
RARE = 1e-4  # part of the values that int8 may clip: what few outliers gain in range all others lose in steps


def chosen(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The convolutions that may be quantised: all but the first and last, and none that is depthwise.

    A depthwise convolution costs little and, with few values in each sum, errs most.
    """
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    groups = [next((a.i for a in node.attribute if a.name == "group"), 1) for node in convolutions]
    return [node for node, group in list(zip(convolutions, groups, strict=True))[1:-1] if group == 1]


def ranges(model: onnx.ModelProto, precision: str, pictures: Sequence[np.ndarray]) -> dict[str, float]:
    """The magnitude up to which each quantised convolution's input is kept, by tensor.

    Args:
        pictures: L* (1, 1, H, W) float32; real ones, some dozens.
    """
    network = OnnxNetwork(model).eval()
    wanted = {node.input[0] for node in chosen(model.graph)}
    found: dict[str, list[float]] = {name: [] for name in wanted}

    def observe(name: str, value: torch.Tensor) -> None:
        if name in wanted:
            magnitudes = value.abs().flatten()
            rank = len(magnitudes) - (int(RARE * len(magnitudes)) if precision == "int8" else 0)
            found[name].append(float(magnitudes.kthvalue(max(1, rank)).values))

    with torch.inference_mode():
        for picture in pictures:
            network(torch.from_numpy(picture), observe)
    return {name: float(np.mean(values)) if precision == "int8" else max(values) for name, values in found.items()}


def tolerant(
    model: onnx.ModelProto, precision: str, magnitudes: dict[str, float], pictures: Sequence[np.ndarray]
) -> set[str]:
    """Outputs of the convolutions that bear it: all that are chosen but those that, quantised alone, move ab most.

    Args:
        magnitudes: from `ranges`.
        pictures: L* (1, 1, H, W) float32; some of them are looked at.
    """
    place = "cuda" if torch.cuda.is_available() else "cpu"
    some = [torch.from_numpy(p).to(place) for p in pictures[:: max(1, len(pictures) // LOOKED_AT)][:LOOKED_AT]]

    def coloured(graph: onnx.ModelProto) -> torch.Tensor:
        network = OnnxNetwork(graph).eval().to(place)
        with torch.inference_mode():
            return torch.cat([network(picture) for picture in some])

    exact, errors = coloured(model), {}
    for node in chosen(model.graph):
        trial = onnx.ModelProto()
        trial.CopyFrom(model)
        quantise(trial, precision, magnitudes, {node.output[0]})
        errors[node.output[0]] = float((coloured(trial) - exact).square().mean())
    by_error = sorted(errors, key=errors.__getitem__)
    return set(by_error[: len(by_error) - round(KEPT * len(by_error))])


def quantise(model: onnx.ModelProto, precision: str, magnitudes: dict[str, float], outputs: Collection[str]) -> None:
    """Put quantise-dequantise pairs before the convolutions that give `outputs`, and around their weights. In place.

    Symmetric, one scale for each feature tensor and one for each output channel of the weights, as TensorRT has it.
    """
    graph, limit = model.graph, LIMITS[precision]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    added: dict[str, list[onnx.NodeProto]] = {}  # pairs by the convolution they stand before
    done: set[str] = set()
    for node in [node for node in chosen(graph) if node.output[0] in outputs]:
        x, w = node.input[0], node.input[1]
        pairs = added[node.output[0]] = []
        if x not in done:
            pairs += _pair(graph, x, np.float32(max(magnitudes[x] / limit, SMALLEST)), precision, None)
            done.add(x)
        scale = np.maximum(np.abs(weights[w]).max((1, 2, 3)) / np.float32(limit), np.float32(SMALLEST))
        pairs += _pair(graph, w, scale, precision, 0)
        node.input[0], node.input[1] = f"{x}.rounded", f"{w}.rounded"
    nodes = [each for node in graph.node for each in (*added.get(node.output[0], ()), node)]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)


def _pair(
    graph: onnx.GraphProto, name: str, scale: np.ndarray, precision: str, axis: int | None
) -> list[onnx.NodeProto]:
    zero = helper.make_tensor(
        f"{name}.zero_point", KINDS[precision], np.shape(scale), np.zeros(np.size(scale), np.int8).tolist()
    )
    graph.initializer.extend([numpy_helper.from_array(np.asarray(scale), f"{name}.scale"), zero])
    options = {} if axis is None else {"axis": axis}
    constants = [f"{name}.scale", f"{name}.zero_point"]
    return [
        helper.make_node("QuantizeLinear", [name, *constants], [f"{name}.q"], name=f"{name}.q", **options),
        helper.make_node(
            "DequantizeLinear", [f"{name}.q", *constants], [f"{name}.rounded"], name=f"{name}.rounded", **options
        ),
    ]
