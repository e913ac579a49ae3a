"""torch on an NVIDIA GPU (float16, channels last, CUDA graphs) or on the CPU (float32, for comparison).

It runs the same graph as every other backend (`models/onnx_torch.py`), through the same runner as TensorRT.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from vidcolor.backends.base import BackendInfo
from vidcolor.backends.runner import SLOTS, Runner, Say
from vidcolor.backends.slots import OutOfMemory, Slot
from vidcolor.errors import BackendError
from vidcolor.models.onnx_torch import OnnxNetwork
from vidcolor.models.precision import load_float32, to_float16
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights

DEFAULT_BATCH = 8


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What torch raises, as our errors: `OutOfMemory` where a smaller batch may help."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory("CUDA is out of memory", _reason(error)) from error
    except RuntimeError as error:
        raise BackendError(what, _reason(error)) from error


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def compiled(network: nn.Module) -> nn.Module:
    """The network by torch.compile: the whole of it or an error, never a part, and never layer by layer.

    All networks share the code of one `forward`, and torch stops compiling a code after 8 variants without a word: so
    it forgets those of networks before. (What was captured of them stays.)
    """
    torch.compiler.reset()
    return torch.compile(network, dynamic=False, fullgraph=True)


class TorchDevice:
    """A `Device` made of torch.

    Args:
        weights: the network.
        height, width: of its input.
        place: "cuda" or "cpu".
        precision: "fp16" or "fp32".
        mode: "eager": layer by layer; "graph": one captured CUDA graph; "compile": torch.compile, then a graph.

    Raises:
        BackendError: torch cannot do this here.
    """

    def __init__(
        self, weights: Weights, height: int, width: int, place: str, precision: str, mode: str = "eager"
    ) -> None:
        if precision not in ("fp16", "fp32"):
            raise BackendError(
                f"torch does not run {precision} here", "it runs fp16 and fp32", "Use --backend tensorrt."
            )
        if place == "cpu" and mode != "eager":
            raise BackendError(f"torch has no {mode} mode on the CPU", "a CUDA graph needs a GPU")
        model = load_float32(weights.path)
        network = OnnxNetwork(to_float16(model) if precision == "fp16" else model).eval()
        self.place = torch.device(place)
        with _refusals(f"torch cannot use the device {place}"):
            self.network = network.to(self.place, memory_format=torch.channels_last)
            name = torch.cuda.get_device_name(0) if place == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        self.run = compiled(self.network) if mode == "compile" else self.network
        self.mode, self.height, self.width = mode, height, width
        self.stride = find_spec(weights.card["model"]).output_stride
        self.info = BackendInfo("torch", name, f"{precision} {mode}", torch.__version__)
        self._slots: list[TorchSlot] = []

    def open_slots(self, batch: int, count: int) -> Sequence[Slot]:
        with _refusals("torch cannot make room for batches"):
            for _ in range(count):
                self._slots.append(TorchSlot(self, batch))
        return self._slots

    def close_slots(self) -> None:
        self._slots.clear()
        if self.place.type == "cuda":
            torch.cuda.empty_cache()

    def memory(self) -> int:
        return torch.cuda.memory_reserved() if self.place.type == "cuda" else 0


class TorchSlot:
    """See `Slot`."""

    def __init__(self, device: TorchDevice, batch: int) -> None:
        self._device = device
        cuda = device.place.type == "cuda"
        self._up = torch.zeros(batch, 1, device.height, device.width, pin_memory=cuda)
        h, w = device.height // device.stride, device.width // device.stride
        self._down = torch.zeros(batch, 2, h, w, pin_memory=cuda)
        self.lightness, self.ab = self._up.numpy(), self._down.numpy()
        self._stream = torch.cuda.Stream() if cuda else None
        self._in = torch.zeros_like(self._up, device=device.place)

    def record(self, size: int) -> Any:
        if self._stream is None:
            return size
        try:
            self._stream.wait_stream(torch.cuda.current_stream())  # on which weights and buffers were made
            with torch.cuda.stream(self._stream):
                with torch.inference_mode():
                    self._device.network(self._in[:size])  # works out the shapes, which is nothing to compile
                for _ in range(3):  # cuDNN chooses its kernels and torch.compile compiles before anything is captured
                    self._infer(size)
            self._stream.synchronize()
            if self._device.mode == "eager":
                return size
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                self._infer(size)
            return graph
        except torch.OutOfMemoryError as error:
            raise OutOfMemory("CUDA is out of memory", _reason(error)) from error
        except Exception as error:  # what torch.compile and its compilers raise has no base in common
            raise BackendError(f"torch cannot prepare its {self._device.mode} mode here", _reason(error)) from error

    @torch.inference_mode()
    def _infer(self, size: int) -> None:
        self._in[:size].copy_(self._up[:size], non_blocking=True)
        self._down[:size].copy_(self._device.run(self._in[:size]), non_blocking=True)

    def launch(self, recorded: Any) -> None:
        with _refusals("torch failed during inference"):
            if self._stream is None:
                self._infer(recorded)
                return
            with torch.cuda.stream(self._stream):
                if isinstance(recorded, int):
                    self._infer(recorded)
                else:
                    recorded.replay()

    def wait(self) -> None:
        if self._stream is not None:
            with _refusals("torch failed during inference"):
                self._stream.synchronize()


def open_torch(
    weights: Weights,
    width: int,
    height: int,
    threads: int,
    say: Say,
    *,
    batch: int | None = None,
    slots: int = SLOTS,
    precision: str | None = None,
    mode: str | None = None,
) -> Runner:
    """A network in torch: on the GPU if torch has one, else on the CPU.

    Raises:
        BackendError: torch cannot do what was asked.
    """
    cuda = torch.cuda.is_available()
    if not cuda:
        torch.set_num_threads(min(threads, os.cpu_count() or 1))
    precision = precision or ("fp16" if cuda else "fp32")
    mode = mode or ("graph" if cuda else "eager")
    device = TorchDevice(weights, height, width, "cuda" if cuda else "cpu", precision, mode)
    return Runner(device, batch or (DEFAULT_BATCH if cuda else 1), slots if cuda else 1, say)
