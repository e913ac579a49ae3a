"""An exported network with its precision written into the graph, as strongly typed runtimes want it (TensorRT 11,
TensorRT-RTX): which tensors are float16 is a fact of the ONNX file, not a flag of the builder. Needs `onnx`, no torch.

Input and output stay float32. In a float16 graph the first layer and what scales the output may stay float32 too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vidcolor.errors import ModelError
from vidcolor.models.base import QUANTISED

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
# Inputs that ONNX wants in float32 whatever the other inputs are (operator: positions).
ALWAYS_FLOAT32 = {"Resize": (1, 2)}


@dataclass(frozen=True, slots=True)
class Fp32Layers:
    """What stays float32 in a float16 graph. The defaults are those that measured best (docs/gpu.md)."""

    first: bool = True  # everything up to and including the first convolution
    output: bool = True  # everything after the last convolution: the sigmoid, scaling to Lab units


def load_float32(path: Path) -> onnx.ModelProto:
    """The graph of an exported file in plain float32: weights that are stored as float16 are widened.

    Raises:
        ModelError: the file is no ONNX model.
    """
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, onnx and the file system each have their own
        raise ModelError(f"cannot read the network {path}", str(error).strip().splitlines()[0]) from error
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Cast" and node.input[0] in stored and _cast_type(node) == TensorProto.FLOAT:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            graph.node.remove(node)
    drop_unused(graph)
    return model


def typed_graph(path: Path, precision: str, calibration: Sequence[np.ndarray] = ()) -> bytes:
    """`typed_model`, ready for a builder."""
    return typed_model(path, precision, calibration).SerializeToString()


def typed_model(path: Path, precision: str, calibration: Sequence[np.ndarray] = ()) -> onnx.ModelProto:
    """An exported file as a strongly typed graph, which engines are built from.

    Args:
        precision: "fp32", "fp16", or "int8" and "fp8", which leave in float16 what is not quantised.
        calibration: L* (1, 1, H, W) float32 of real pictures, for int8 and fp8 alone.

    Raises:
        ModelError: the file is no network, does not fit into the precision, or there is nothing to calibrate with.
    """
    model = load_float32(path)
    if precision in QUANTISED:
        _quantise(model, precision, calibration)
    spell_out_prelu(model.graph)
    if precision != "fp32":
        model = to_float16(model)
    return model


def _quantise(model: onnx.ModelProto, precision: str, calibration: Sequence[np.ndarray]) -> None:
    if not calibration:
        raise ModelError(
            f"{precision} needs pictures to measure its ranges with",
            "none were given",
            "Add --calibrate FOLDER.",
        )
    try:
        from vidcolor.models.quantise import quantise, ranges, tolerant
    except ModuleNotFoundError as error:
        raise ModelError(
            f"cannot make {precision}", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'"
        ) from error
    magnitudes = ranges(model, precision, calibration)
    quantise(model, precision, magnitudes, tolerant(model, precision, magnitudes, calibration))


def spell_out_prelu(graph: onnx.GraphProto) -> None:
    """PRelu as max(x, 0) + slope · min(x, 0), which is the same. In place.

    TensorRT-RTX 1.7 runs PRelu as a kernel of its own, reading and writing every feature once more; spelled out it
    becomes the end of the convolution before it, with the residual sum: 41 layers instead of 74 in `resnet38`.
    """
    nodes = []
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope), y = node.input, node.output[0]
        parts = {part: f"{y}.{part}" for part in ("above", "below", "sloped")}
        nodes += [
            helper.make_node("Relu", [x], [parts["above"]], name=parts["above"]),
            helper.make_node("Min", [x, "prelu.zero"], [parts["below"]], name=parts["below"]),
            helper.make_node("Mul", [parts["below"], slope], [parts["sloped"]], name=parts["sloped"]),
            helper.make_node("Add", [parts["above"], parts["sloped"]], [y], name=node.name or y),
        ]
    if len(nodes) > len(graph.node):
        graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "prelu.zero"))
        del graph.node[:], graph.value_info[:]
        graph.node.extend(nodes)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the initializers that no node reads. In place."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)


def _cast_type(node: onnx.NodeProto) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == "to")


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    return {v.name: v.type.tensor_type.elem_type for v in values} | {t.name: t.data_type for t in graph.initializer}


def float32_nodes(graph: onnx.GraphProto, keep: Fp32Layers) -> set[str]:
    """Names of the first outputs of the nodes that stay float32."""
    convolutions = [index for index, node in enumerate(graph.node) if node.op_type == "Conv"]
    if not convolutions:
        return set()
    kept = _downstream(graph, graph.node[convolutions[-1]].output[0]) if keep.output else set()
    if keep.first:
        kept |= _upstream(graph, graph.node[convolutions[0]].output[0])
    return kept


def _downstream(graph: onnx.GraphProto, name: str) -> set[str]:
    reached = {name}
    for node in graph.node:
        if reached & set(node.input):
            reached |= set(node.output)
    return reached - {name}


def _upstream(graph: onnx.GraphProto, name: str) -> set[str]:
    reached = {name}
    for node in reversed(graph.node):
        if reached & set(node.output):
            reached |= set(node.input)
    return reached


def to_float16(model: onnx.ModelProto, keep: Fp32Layers = Fp32Layers()) -> onnx.ModelProto:
    """A float32 graph (`load_float32`) as a float16-typed one. Integer arithmetic on shapes is left alone."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return _Halving(result, keep).run()


class _Halving:
    """One pass over the nodes in order: which type each tensor has now, and the casts where the types meet."""

    def __init__(self, model: onnx.ModelProto, keep: Fp32Layers) -> None:
        self.model, self.graph = model, model.graph
        self.types = _types(model)
        self.constants = {tensor.name: tensor for tensor in self.graph.initializer}
        self.kept = float32_nodes(self.graph, keep)
        self.outputs = {output.name for output in self.graph.output}
        self.nodes: list[onnx.NodeProto] = []
        self.made: dict[tuple[str, int], str] = {}  # (tensor, type) → the name of its version in that type

    def run(self) -> onnx.ModelProto:
        for node in self.graph.node:
            self._node(node)
        del self.graph.node[:], self.graph.value_info[:]
        self.graph.node.extend(self.nodes)
        drop_unused(self.graph)
        onnx.checker.check_model(self.model)
        onnx.shape_inference.infer_shapes(self.model, strict_mode=True)  # raises where two types meet in one operator
        return self.model

    def _node(self, node: onnx.NodeProto) -> None:
        whole = self.types[node.output[0]] not in FLOATS and node.op_type != "QuantizeLinear"
        wide = node.output[0] in self.kept or whole or node.op_type == "Cast"
        wanted = TensorProto.FLOAT if wide else TensorProto.FLOAT16
        for index, name in enumerate(node.input):
            if name and self.types[name] in FLOATS and node.op_type != "Shape":
                fixed = index in ALWAYS_FLOAT32.get(node.op_type, ())
                node.input[index] = self._as(name, TensorProto.FLOAT if fixed else wanted)
        if wanted == TensorProto.FLOAT16:
            for name in node.output:
                if self.types[name] == TensorProto.FLOAT:
                    self.types[name] = TensorProto.FLOAT16
            if set(node.output) & self.outputs:
                self._widen_output(node)
                return
        self.nodes.append(node)

    def _as(self, name: str, wanted: int) -> str:
        if self.types[name] == wanted:
            return name
        if (name, wanted) not in self.made:
            made = f"{name}.{'fp16' if wanted == TensorProto.FLOAT16 else 'fp32'}"
            if name in self.constants:
                kind = np.float16 if wanted == TensorProto.FLOAT16 else np.float32
                values = numpy_helper.to_array(self.constants[name])
                if kind is np.float16 and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
                    raise ModelError(
                        "the network does not fit into fp16",
                        f"'{name}' holds values beyond 65504",
                        "Use --precision fp32.",
                    )
                self.graph.initializer.append(numpy_helper.from_array(values.astype(kind), made))
            else:
                self.nodes.append(helper.make_node("Cast", [name], [made], name=made, to=wanted))
            self.types[made] = wanted
            self.made[name, wanted] = made
        return self.made[name, wanted]

    def _widen_output(self, node: onnx.NodeProto) -> None:
        name = node.output[0]
        node.output[0] = f"{name}.fp16"
        self.nodes += [
            node,
            helper.make_node("Cast", [f"{name}.fp16"], [name], name=f"{name}.widened", to=TensorProto.FLOAT),
        ]
