"""The graph that TensorRT engines are built from, computed by torch on the CPU: what its types cost, without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from vidcolor.backends.base import BackendInfo
from vidcolor.bench.network import GRAPH, Variant
from vidcolor.models.base import QUANTISED
from vidcolor.models.onnx_torch import OnnxNetwork
from vidcolor.models.precision import typed_model
from vidcolor.models.weights import Weights


class TypedGraph:
    """A `Backend` that sums in float32 and rounds the result of every operator to the type that the graph gives it.

    An engine may differ: what lies between layers that it joins is not rounded, and its kernels sum in the order, and
    some of them in the precision, that is fastest.

    Raises:
        ModelError: the network cannot be made in that precision.
    """

    slots = 1

    def __init__(self, weights: Weights, precision: str, calibrating: Sequence[np.ndarray], batch: int) -> None:
        self.batch = batch
        self.info = BackendInfo(GRAPH, "CPU", precision, torch.__version__)
        self._network = OnnxNetwork(typed_model(weights.path, precision, calibrating), rounded=True).eval()

    def start(self, lightness: np.ndarray) -> Callable[[], np.ndarray]:
        with torch.inference_mode():
            ab = self._network(torch.from_numpy(lightness)).numpy()
        return lambda: ab


def graph_variants(weights: Weights, calibrating: Sequence[np.ndarray]) -> list[Variant]:
    """fp16, and with pictures to calibrate with int8 and fp8."""
    precisions = ("fp16", *(QUANTISED if calibrating else ()))
    return [Variant(GRAPH, p, partial(TypedGraph, weights, p, calibrating)) for p in precisions]
