"""TensorRT and TensorRT-RTX on an NVIDIA GPU: engine, execution contexts on their own streams, one graph a batch size."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor.backends import cuda
from vidcolor.backends.base import BackendInfo
from vidcolor.backends.engine_supply import Order, obtain
from vidcolor.backends.gpu import find_gpu
from vidcolor.backends.profiles import engine_folder, find_profile
from vidcolor.backends.runner import SLOTS, Runner, Say
from vidcolor.backends.slots import OutOfMemory, Slot
from vidcolor.backends.trt_library import Library, Messages, load_library
from vidcolor.errors import BackendError
from vidcolor.files import write_whole
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights

KERNELS = "kernels_{}.cache"  # what TensorRT-RTX compiled for this GPU while it ran


class TensorRtDevice:
    """A `Device`: one engine on one GPU, for one picture size.

    Args:
        library: the one that built the engine.
        engine: its bytes.
        height, width: of the network's input.
        stride: the ab grid is this many times coarser.
        precision: of the engine, for the record.
        kernels: file where TensorRT-RTX keeps what it compiles; None: nowhere.

    Raises:
        BackendError: the engine is of no use on this GPU, with the library's own reason.
    """

    def __init__(
        self,
        library: Library,
        engine: bytes,
        height: int,
        width: int,
        stride: int,
        precision: str,
        kernels: Path | None = None,
    ) -> None:
        self.library, self.height, self.width, self.stride = library, height, width, stride
        self.messages = Messages(library)
        self._runtime = library.trt.Runtime(self.messages.logger)
        self.engine = self._runtime.deserialize_cuda_engine(engine)
        if self.engine is None:
            raise BackendError(
                f"{library.name} cannot use the engine on this GPU",
                self.messages.take_error(),
                "Build it again: vidcolor build-engine",
            )
        gpu = find_gpu()
        self.info = BackendInfo(library.name, gpu.name if gpu else "unknown GPU", precision, library.version)
        self._engine_bytes = len(engine)
        self._kernels = kernels if library.is_rtx else None
        self._compiled: Any = None
        self._kept = b""
        self._slots: list[TensorRtSlot] = []

    def open_slots(self, batch: int, count: int) -> Sequence[Slot]:
        for _ in range(count):
            self._slots.append(TensorRtSlot(self, batch))
        return self._slots

    def context(self) -> Any:
        """An execution context whose memory is ours to give: so it is bounded, and running out of it is seen."""
        trt = self.library.trt
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if not self.library.is_rtx:
            context = self.engine.create_execution_context(strategy)
        else:
            config = self.engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(strategy)
            # Lazily, a shape would begin with general kernels and go on with special ones, whose results differ.
            config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
            if self._compiled is None:
                self._compiled = config.create_runtime_cache()
                if self._kernels is not None and self._kernels.is_file():
                    self._compiled.deserialize(self._kernels.read_bytes())  # refuses by itself what does not fit
            config.set_runtime_cache(self._compiled)
            context = self.engine.create_execution_context(config)
        if context is None:
            raise OutOfMemory(f"{self.library.name} cannot make an execution context", self.messages.take_error())
        return context

    def keep_kernels(self) -> None:
        """Write what TensorRT-RTX compiled, so that the next start need not compile it again."""
        if self._kernels is None or self._compiled is None:
            return
        compiled = bytes(self._compiled.serialize())
        if compiled != self._kept:
            with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone
                write_whole(self._kernels, compiled)
            self._kept = compiled

    def close_slots(self) -> None:
        for slot in self._slots:
            slot.close()
        self._slots = []

    def memory(self) -> int:
        return self._engine_bytes + sum(slot.memory() for slot in self._slots)


class TensorRtSlot:
    """See `Slot`: one stream with its buffers; an execution context and a graph for every batch size, which share its
    scratch memory, since a slot does one thing at a time. (A graph outlives no reshaping of its context.)"""

    def __init__(self, device: TensorRtDevice, batch: int) -> None:
        self._device, self._batch = device, batch
        self._held: list[Any] = []
        self._recorded: list[tuple[Any, Any]] = []  # graphs and the contexts they were captured from
        self._scratch: cuda.DeviceMemory | None = None
        h, w = device.height // device.stride, device.width // device.stride
        try:
            self._stream = self._hold(cuda.Stream())
            self._up = self._hold(cuda.PinnedArray((batch, 1, device.height, device.width)))
            self._down = self._hold(cuda.PinnedArray((batch, 2, h, w)))
            self._in = self._hold(cuda.DeviceMemory(self._up.size))
            self._out = self._hold(cuda.DeviceMemory(self._down.size))
            self._context = self._context_for(batch)
            self._scratch = self._hold(cuda.DeviceMemory(self._context.update_device_memory_size_for_shapes()))
        except BackendError:
            self.close()
            raise
        self.lightness, self.ab = self._up.array, self._down.array

    def _hold(self, resource: Any) -> Any:
        self._held.append(resource)
        return resource

    def _context_for(self, size: int) -> Any:
        """A context for batches of `size`, without scratch memory yet."""
        device = self._device
        engine, mode = device.engine, device.library.trt.TensorIOMode.INPUT
        context = device.context()
        context.set_optimization_profile_async(0, int(self._stream.handle))
        self._stream.synchronize()
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            if engine.get_tensor_mode(name) != mode:
                context.set_tensor_address(name, self._out.address)
                continue
            context.set_tensor_address(name, self._in.address)
            if not context.set_input_shape(name, (size, 1, device.height, device.width)):
                raise BackendError(
                    f"the engine does not take {size} pictures of {device.width}×{device.height}",
                    device.messages.take_error(),
                )
        return context

    def record(self, size: int) -> Any:
        context = self._context if size == self._batch else self._context_for(size)
        context.set_device_memory(self._scratch.address, self._scratch.size)
        self._infer(context, size)  # once outside: TensorRT prepares for a shape when it first sees it
        self._stream.synchronize()
        self._device.keep_kernels()
        graph = self._stream.capture(lambda: self._infer(context, size))
        self._recorded.append((graph, context))
        return graph

    def _infer(self, context: Any, size: int) -> None:
        up, down = self._up.size // self._batch * size, self._down.size // self._batch * size
        self._stream.upload(self._in.address, self._up.address, up)
        if not context.execute_async_v3(int(self._stream.handle)):
            raise self._failure()
        self._stream.download(self._down.address, self._out.address, down)

    def _failure(self) -> BackendError:
        why = self._device.messages.take_error()
        kind = OutOfMemory if "OutOfMemory" in why or "out of memory" in why else BackendError
        return kind(f"{self._device.library.name} failed during inference", why)

    def launch(self, recorded: Any) -> None:
        self._stream.replay(recorded)

    def wait(self) -> None:
        self._stream.wait()

    def memory(self) -> int:
        return self._in.size + self._out.size + (self._scratch.size if self._scratch else 0)

    def close(self) -> None:
        for graph, _ in self._recorded:
            cuda.destroy_graph(graph)
        self._recorded, self._context = [], None
        for resource in reversed(self._held):
            resource.free()
        self._held = []
        self.lightness = self.ab = None


def open_tensorrt(
    name: str,
    weights: Weights,
    width: int,
    height: int,
    say: Say,
    *,
    batch: int | None = None,
    sizes: Sequence[int] = (),
    slots: int = SLOTS,
    profile: str = "default",
    precision: str | None = None,
    calibration: tuple[np.ndarray, ...] = (),
) -> Runner:
    """A network on `tensorrt` or `tensorrt-rtx`; its engine is built first if there is none.

    Args:
        batch: pictures in a batch; None: what the profile is tuned for.
        sizes: batch sizes that get a graph of their own; by default `batch` alone.
        slots: execution contexts, each on its own stream.
        calibration: L* (1, 1, height, width) of real pictures, for int8 and fp8.

    Raises:
        BackendError: the engine cannot be built or run.
    """
    from dataclasses import replace

    library = load_library(name)
    spec = find_spec(weights.card["model"])
    chosen = find_profile(profile)
    chosen = chosen if precision is None else replace(chosen, precision=precision)
    batch = batch or chosen.batch[1]
    engine = obtain(Order(library, spec, weights, chosen, height, width, calibration), batch, say)
    kernels = engine_folder() / KERNELS.format(weights.hash[:8])
    device = TensorRtDevice(library, engine, height, width, spec.output_stride, chosen.precision, kernels)
    return Runner(device, batch, sizes, slots, say)
