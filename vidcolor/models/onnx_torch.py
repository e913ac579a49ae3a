"""An exported network as a torch module: the ONNX file that every backend runs, executed by torch.

It knows the operators that `vidcolor export` writes. Arithmetic on shapes (integers) is done once for every input shape
and remembered, so that what is captured into a CUDA graph or compiled consists of the network's own layers alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from vidcolor.errors import ModelError

# Tensors and floats are the network's numbers, arrays the integers of its shapes; tuples are either, once known.
Value = Tensor | np.ndarray | float | tuple
INTEGERS = (np.ndarray, np.generic)
TYPES = {TensorProto.FLOAT: torch.float32, TensorProto.FLOAT16: torch.float16}


class OnnxNetwork(nn.Module):
    """L* (N, 1, H, W), 0…100 → ab (N, 2, H / output_stride, W / output_stride) in Lab units, as the graph computes it,
    in the precision that is written in the graph (`models/precision.py`).

    Args:
        rounded: compute every operator in float32 and round its result once, to the type that the graph gives it. So a
            float16 graph means the same on every device; otherwise the device's own kernels decide how they sum.

    Raises:
        ModelError: the graph has an operator that is not known here.
    """

    def __init__(self, model: onnx.ModelProto, rounded: bool = False) -> None:
        super().__init__()
        graph = model.graph
        unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS))
        if unknown:
            raise ModelError("torch cannot run this network", f"it has the operators {', '.join(unknown)}")
        self._nodes = [
            (
                _rounding(OPERATORS[n.op_type]) if rounded and n.op_type != "Cast" else OPERATORS[n.op_type],
                tuple(n.input),
                n.output[0],
                {a.name: _attribute(a) for a in n.attribute},
            )
            for n in graph.node
        ]
        stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
        for node, (_, inputs, _, attributes) in zip(graph.node, self._nodes, strict=True):
            if node.op_type == "QuantizeLinear":
                attributes["to"] = stored[inputs[2]]  # the zero point is what says the type
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._numbers: dict[str, float | tuple[float, ...]] = {}
        self._integers: dict[str, np.ndarray] = {}
        self._places: dict[str, str] = {}  # tensor → the parameter that holds it
        scales = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
        for index, tensor in enumerate(graph.initializer):
            values = numpy_helper.to_array(tensor)
            if values.dtype.kind != "f":
                self._integers[tensor.name] = values
            elif values.ndim == 0:
                self._numbers[tensor.name] = float(values)
            elif tensor.name in scales:
                self._numbers[tensor.name] = tuple(map(float, values))
            else:
                self._places[tensor.name] = f"p{index}"
                self.register_parameter(f"p{index}", nn.Parameter(torch.from_numpy(values.copy()), requires_grad=False))
        self._known: dict[tuple[int, ...], dict[str, tuple[int, ...]]] = {}  # all integers, by input shape

    def forward(self, lightness: Tensor, observe: Callable[[str, Tensor], None] | None = None) -> Tensor:
        """See the class. `observe` is shown every feature by name."""
        shape = tuple(lightness.shape)
        known = self._known.get(shape)
        values: dict[str, Value] = {**self._numbers, **(self._integers if known is None else known)}
        values[self._input] = lightness
        for name, place in self._places.items():
            values[name] = getattr(self, place)
        for operator, inputs, output, attributes in self._nodes:
            if output not in values:
                values[output] = operator(*(values[name] if name else None for name in inputs), **attributes)
                if observe is not None and isinstance(values[output], Tensor):
                    observe(output, values[output])
        if known is None:
            self._known[shape] = {n: tuple(_ints(v)) for n, v in values.items() if isinstance(v, INTEGERS)}
        return values[self._output]


def _rounding(operator: Callable[..., Value]) -> Callable[..., Value]:
    """The operator in float32; its result has the type of its inputs, which for all but Cast is that of the graph."""

    def compute(*inputs: Value, **attributes: object) -> Value:
        halves = [isinstance(x, Tensor) and x.dtype == torch.float16 for x in inputs]
        if not any(halves):
            return operator(*inputs, **attributes)
        wide = (x.float() if half else x for x, half in zip(inputs, halves, strict=True))
        result = operator(*wide, **attributes)
        return result.half() if isinstance(result, Tensor) else result

    return compute


def _attribute(attribute: onnx.AttributeProto) -> object:
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _ints(value: Value) -> list[int]:
    return list(value) if isinstance(value, tuple) else [int(v) for v in np.atleast_1d(value)]


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1, **_: object) -> Tensor:  # fmt: skip
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, tuple(strides), (top, left), tuple(dilations), group)


def _resize(
    x: Tensor, _roi: object, scales: Value | None, sizes: Value | None = None, *, mode: str, **how: object
) -> Tensor:
    if mode == "nearest" and scales:
        return F.interpolate(x, scale_factor=scales[2:], mode="nearest")
    if mode == "linear" and sizes is not None and how["coordinate_transformation_mode"] == "half_pixel":
        return F.interpolate(x, _ints(sizes)[2:], mode="bilinear", align_corners=False)
    raise ModelError("torch cannot run this network", f"it resizes by '{mode}'")


def _cast(x: Value, *, to: int) -> Value:
    return x.to(TYPES[to]) if isinstance(x, Tensor) else x


def _quantise(x: Tensor, scale: Tensor | float, _zero: object, *, to: int, axis: int = 1, **_: object) -> Tensor:
    """The codes, as floats: int8 rounded to the nearest, or what float8 E4M3 can hold. Symmetric."""
    codes = x / _along(scale, x, axis)
    if to == TensorProto.INT8:
        return codes.round().clamp(-128, 127)
    return codes.clamp(-448, 448).to(torch.float8_e4m3fn).to(x.dtype)


def _along(scale: Tensor | float, x: Tensor, axis: int) -> Tensor | float:
    return scale if isinstance(scale, float) else scale.reshape([-1 if i == axis else 1 for i in range(x.ndim)])


def _slice(x: Value, starts: Value, ends: Value, axes: Value | None = None, steps: Value | None = None) -> Value:
    index = [slice(None)] * x.ndim
    axes = range(len(_ints(starts))) if axes is None else _ints(axes)
    steps = [1] * len(_ints(starts)) if steps is None else _ints(steps)
    for axis, start, end, step in zip(axes, _ints(starts), _ints(ends), steps, strict=True):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def _divide(a: Value, b: Value) -> Value:
    return a // b if isinstance(a, INTEGERS) else a / b


def _unsqueeze(x: Value, axes: Value) -> Value:
    for axis in sorted(_ints(axes)):
        x = np.expand_dims(x, axis) if isinstance(x, INTEGERS) else x.unsqueeze(axis)
    return x


def _expand(x: Tensor, shape: Value) -> Tensor:
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(_ints(shape))))


def _gemm(a: Tensor, b: Tensor, c: Tensor, *, transB: int = 0, **_: object) -> Tensor:
    return a @ (b.T if transB else b) + c


def _concat(*parts: Value, axis: int) -> Value:
    return np.concatenate(parts, axis) if isinstance(parts[0], INTEGERS) else torch.cat(parts, axis)


def _reshape(x: Value, shape: Value, **_: object) -> Value:
    return x.reshape(_ints(shape))


OPERATORS: dict[str, Callable[..., Value]] = {
    "Add": lambda a, b: a + b,
    "Cast": _cast,
    "Clip": torch.clamp,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": lambda x, scale, _zero, axis=1, **_: x * _along(scale, x, axis),
    "Div": _divide,
    "Expand": _expand,
    "Gemm": _gemm,
    "Min": lambda a, b: torch.clamp(a, max=b),
    "Mul": lambda a, b: a * b,
    "PRelu": lambda x, slope: F.prelu(x, slope.reshape(-1)),
    "QuantizeLinear": _quantise,
    "ReduceMean": lambda x, axes, keepdims=1, **_: x.mean(_ints(axes), keepdim=bool(keepdims)),
    "Relu": F.relu,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda x, start=0, end=None: np.array(x.shape[start:end], np.int64),
    "Sigmoid": torch.sigmoid,
    "Slice": _slice,
    "Squeeze": lambda x, *_: x.squeeze(),
    "Sub": lambda a, b: a - b,
    "Unsqueeze": _unsqueeze,
}
