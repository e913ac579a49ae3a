"""Which backend and model a run uses, and why. The only place that chooses anything on its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from vidcolor.backends.base import Backend
from vidcolor.backends.gpu import Gpu, find_gpu
from vidcolor.backends.trt_library import is_installed, missing_packages, remedy
from vidcolor.errors import BackendError, UsageError
from vidcolor.models.weights import Weights

BACKENDS = ("tensorrt", "tensorrt-rtx", "torch", "openvino")  # `auto` takes the first that can be used
DEFAULT_MODEL = "lite"
# TensorRT-RTX 1.7 lists these (its enum ComputeCapability); others can be tried with --backend tensorrt-rtx.
RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
NO_GPU = "no NVIDIA GPU was found"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """A name and the reason for it, in words for the user."""

    name: str
    reason: str


def choose_model(asked: str) -> Choice:
    if asked != "auto":
        return Choice(asked, "as asked")
    return Choice(DEFAULT_MODEL, "the network whose weights colour best")


def obstacle(name: str) -> tuple[str, str] | None:
    """Why a backend cannot be used here, and what to do about it; None: it can. Loads nothing where there is no GPU.

    torch without a GPU is no obstacle: it runs on the CPU if it is asked for, never by `auto`.
    """
    if name == "openvino":
        return None if is_installed("openvino") else ("openvino is not installed", "Try: pip install openvino")
    if name == "torch":
        missing = [package for package in ("torch", "onnx") if not is_installed(package)]
        return (f"{' and '.join(missing)} not installed", "Try: pip install 'vidcolor[train]'") if missing else None
    missing = missing_packages(name)
    if missing:
        return f"{' and '.join(missing)} not installed", remedy(name)
    if find_gpu() is None:
        return NO_GPU, "Check the driver with: nvidia-smi. On a CPU, use --backend openvino"
    return None


def choose_backend(asked: str) -> Choice:
    """Resolve `auto`: TensorRT, TensorRT-RTX, torch on a GPU, else OpenVINO.

    Raises:
        UsageError: no such backend.
        BackendError: the one that was asked for cannot be used here.
    """
    if asked == "auto":
        gpu = find_gpu()
        return Choice("openvino", f"it runs the networks on this CPU; {NO_GPU}") if gpu is None else _choose_for(gpu)
    if asked not in BACKENDS:
        raise UsageError(
            f"no backend is named '{asked}'", f"there are auto, {', '.join(BACKENDS)}", "See: vidcolor doctor"
        )
    if problem := obstacle(asked):
        raise BackendError(f"backend '{asked}' cannot be used here", *problem)
    return Choice(asked, "as asked")


def _choose_for(gpu: Gpu) -> Choice:
    passed_over: list[str] = []
    for name in BACKENDS[:-1]:
        problem = obstacle(name)
        reason = problem[0] if problem else _unsuited(name, gpu)
        if not reason:
            return Choice(name, "; ".join([f"for the {gpu.name}", *passed_over]))
        passed_over.append(f"not {name}: {reason}")
    return Choice("openvino", "; ".join([f"on the CPU, though there is an {gpu.name}", *passed_over]))


def _unsuited(name: str, gpu: Gpu) -> str:
    """Why `auto` passes over a backend that is installed; empty: it does not."""
    if name == "tensorrt-rtx" and gpu.capability not in RTX_CAPABILITIES:
        return f"it does not list compute capability {gpu.capability}"
    if name == "torch" and not _torch_has_cuda():
        return "it was built without CUDA, or for another driver"
    return ""


def _torch_has_cuda() -> bool:
    import torch  # asked only where there is a GPU: its seconds are worth it then

    return torch.cuda.is_available()


def open_backend(
    name: str, weights: Weights, width: int, height: int, threads: int, say: Callable[[str], None] = log.warning
) -> Backend:
    """Compile the network for pictures of width × height.

    Args:
        threads: CPU threads to compute with.
        say: told in one sentence what the user should know: an engine is built, memory ran out.

    Raises:
        BackendError: the backend cannot be used here, or its runtime refuses the network.
    """
    if problem := obstacle(name):
        raise BackendError(f"backend '{name}' cannot be used here", *problem)
    if name == "openvino":
        from vidcolor.backends.openvino import OpenVinoBackend

        return OpenVinoBackend(weights, width, height, threads)
    if name == "torch":
        from vidcolor.backends.torch import open_torch

        return open_torch(weights, width, height, threads, say)
    from vidcolor.backends.tensorrt import open_tensorrt

    return open_tensorrt(name, weights, width, height, say)
