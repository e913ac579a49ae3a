"""The fastest that a device multiplies matrices in a precision: what a network's speed is held against.

Measured by the same library, in the same process, as the network. No network reaches it; how near one comes says how
much a better implementation could still gain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from vidcolor.errors import BackendError

CPU_SIDE = 1536  # large enough to be bound by arithmetic, small enough to take a fraction of a second
GPU_SIDE = 8192
REPEATS = 10


def _tflops(side: int, seconds: float) -> float:
    return 2 * side**3 / seconds / 1e12


def openvino_ceiling(precision: str, threads: int) -> float:
    """TFLOP/s of a square product by OpenVINO on this CPU, in "fp32" or "bf16"; the best of a few runs."""
    import numpy as np

    from vidcolor.backends.openvino import PRECISIONS, hint, ov, properties

    ops = ov.opset13
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((CPU_SIDE, CPU_SIDE), np.float32) for _ in range(2))
    parameter = ops.parameter([CPU_SIDE, CPU_SIDE], ov.Type.f32)
    model = ov.Model([ops.matmul(parameter, ops.constant(right), False, False)], [parameter])
    settings = {
        hint.inference_precision: PRECISIONS[precision],
        properties.inference_num_threads: threads,
        properties.num_streams: 1,
    }
    compiled = ov.Core().compile_model(model, "CPU", settings)
    return _tflops(CPU_SIDE, _best(lambda: compiled(left)))


def torch_ceiling(precision: str, place: str) -> float:
    """TFLOP/s of a square product by torch (cuBLAS on a GPU), in "fp32", "fp16", "bf16"; the best of a few runs.

    On a GPU float32 may use TF32 if torch is set to.
    """
    import torch

    side = GPU_SIDE if place == "cuda" else CPU_SIDE
    kind = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    left, right = (torch.randn(side, side, device=place, dtype=kind) for _ in range(2))

    def product() -> None:
        torch.mm(left, right)
        if place == "cuda":
            torch.cuda.synchronize()

    return _tflops(side, _best(product))


def _best(work: Callable[[], object]) -> float:
    for _ in range(2):
        work()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)  # a ceiling is what can be reached; whatever else runs only ever lowers it


@cache
def ceiling_for(backend: str, precision: str, threads: int) -> float | None:
    """TFLOP/s that bound a network on `backend` at `precision`; None: nothing here can measure it.

    TensorRT's own ceiling is that of cuBLAS in the same precision. For int8 and fp8 there is no such product in torch's
    public interface, so none is given rather than one of another precision.

    Raises:
        BackendError: the device failed.
    """
    precision = precision.split()[0]
    if backend == "openvino":
        return openvino_ceiling(precision, threads)
    try:
        import torch
    except ModuleNotFoundError:
        return None
    on_gpu = torch.cuda.is_available()
    if precision not in ("fp32", "fp16", "bf16") or (backend != "torch" and not on_gpu):
        return None
    try:
        return torch_ceiling(precision, "cuda" if on_gpu else "cpu")
    except RuntimeError as error:
        raise BackendError("torch cannot multiply matrices here", str(error).splitlines()[0]) from error
