"""TensorRT and TensorRT-RTX on an NVIDIA GPU: engine, execution contexts on their own streams, one graph each."""

from __future__ import annotations

import contextlib
import hashlib
import logging
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
log = logging.getLogger(__name__)


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
        try:
            self._runtime = library.trt.Runtime(self.messages.logger)
        except (RuntimeError, TypeError) as error:  # pybind11's ways of saying that nothing was made
            why = self.messages.take_error() if self.messages.errors else str(error)
            raise BackendError(f"{library.name} does not run here", why, "Check the driver with: nvidia-smi") from error
        self.engine = self._runtime.deserialize_cuda_engine(engine)
        if self.engine is None:
            raise BackendError(
                f"{library.name} cannot use the engine on this GPU",
                self.messages.take_error(),
                "Build it again: vidcolor build-engine",
            )
        gpu = find_gpu()
        # An engine that was built anew rounds otherwise: a film that was begun with another one is begun again.
        version = f"{library.version}, engine {hashlib.sha256(engine).hexdigest()[:12]}"
        self.info = BackendInfo(library.name, gpu.name if gpu else "unknown GPU", precision, version)
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
                    if not self._compiled.deserialize(self._kernels.read_bytes()):
                        self.messages.errors.clear()  # another driver's or version's: it compiles again
            if not config.set_runtime_cache(self._compiled):
                log.warning(
                    "%s compiles its kernels anew in every run: %s", self.library.name, self.messages.take_error()
                )
                self._kernels = None
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
    """See `Slot`: one stream with its buffers, an execution context for the batch, and what was captured of it.
    (A graph outlives no reshaping of its context.)"""

    def __init__(self, device: TensorRtDevice, batch: int) -> None:
        self._device = device
        self._held: list[Any] = []
        self._graph: Any = None
        self._scratch: cuda.DeviceMemory | None = None
        h, w = device.height // device.stride, device.width // device.stride
        try:
            self._stream = self._hold(cuda.Stream())
            self._up = self._hold(cuda.PinnedArray((batch, 1, device.height, device.width)))
            self._down = self._hold(cuda.PinnedArray((batch, 2, h, w)))
            self._in = self._hold(cuda.DeviceMemory(self._up.size))
            self._out = self._hold(cuda.DeviceMemory(self._down.size))
            self._context = self._context_for(batch)
            self._scratch = self._hold(self._scratch_memory())
        except Exception:
            self.close()
            raise
        self.lightness, self.ab = self._up.array, self._down.array

    def _hold(self, resource: Any) -> Any:
        self._held.append(resource)
        return resource

    def _context_for(self, batch: int) -> Any:
        """A context with shapes and buffers, without scratch memory yet."""
        device = self._device
        engine, context = device.engine, device.context()
        self._must(context.set_optimization_profile_async(0, int(self._stream.handle)), "the engine has no profile")
        self._stream.synchronize()
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            is_input = engine.get_tensor_mode(name) == device.library.trt.TensorIOMode.INPUT
            address = (self._in if is_input else self._out).address
            self._must(context.set_tensor_address(name, address), f"the engine does not take memory for '{name}'")
            if is_input:
                shape = (batch, 1, device.height, device.width)
                refusal = f"the engine does not take {batch} pictures of {device.width}×{device.height}"
                self._must(context.set_input_shape(name, shape), refusal)
        return context

    def _must(self, done: bool, refusal: str) -> None:
        if not done:
            raise BackendError(refusal, self._device.messages.take_error())

    def _scratch_memory(self) -> cuda.DeviceMemory:
        """As much as the context says it needs for its shapes. A library that refuses that little, as the documentation of
        `set_device_memory` allows it to, gets what the engine needs for its largest shapes."""
        context, messages = self._context, self._device.messages
        messages.errors.clear()
        size = context.update_device_memory_size_for_shapes()  # 0 with an error: it cannot say
        memory = cuda.DeviceMemory(size)
        context.set_device_memory(memory.address, size)
        if messages.errors:
            memory.free()
            messages.errors.clear()
            memory = cuda.DeviceMemory(self._device.engine.device_memory_size_v2)
            context.set_device_memory(memory.address, memory.size)
        if messages.errors:
            memory.free()
            raise self._failure("cannot take scratch memory")
        return memory

    def record(self, size: int) -> Any:
        self._infer()  # once outside: TensorRT prepares for a shape when it first sees it
        self._stream.synchronize()
        self._device.keep_kernels()
        self._graph = self._stream.capture(self._infer)
        return self._graph

    def _infer(self) -> None:
        self._stream.upload(self._in.address, self._up.address, self._up.size)
        if not self._context.execute_async_v3(int(self._stream.handle)):
            raise self._failure("failed during inference")
        self._stream.download(self._down.address, self._out.address, self._down.size)

    def _failure(self, what: str) -> BackendError:
        why = self._device.messages.take_error()
        kind = OutOfMemory if "OutOfMemory" in why or "out of memory" in why else BackendError
        return kind(f"{self._device.library.name} {what}", why)

    def launch(self, recorded: Any) -> None:
        self._stream.replay(recorded)

    def wait(self) -> None:
        self._stream.wait()

    def memory(self) -> int:
        return self._in.size + self._out.size + (self._scratch.size if self._scratch else 0)

    def close(self) -> None:
        if self._graph is not None:
            cuda.destroy_graph(self._graph)
        self._graph = self._context = None
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
    slots: int = SLOTS,
    profile: str = "default",
    precision: str | None = None,
    calibration: tuple[np.ndarray, ...] = (),
) -> Runner:
    """A network on `tensorrt` or `tensorrt-rtx`; its engine is built first if there is none.

    Args:
        batch: pictures in a batch; None: what the profile is tuned for.
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
    return Runner(device, batch, slots, say)
