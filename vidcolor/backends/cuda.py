"""The few calls of the CUDA runtime that the TensorRT backend makes, each checked. Needs `cuda-bindings`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime

from vidcolor.backends.slots import OutOfMemory
from vidcolor.errors import BackendError


def check(result: tuple[Any, ...]) -> Any:
    """What a call of the runtime returned, without its status.

    Raises:
        OutOfMemory, BackendError: the status is an error.
    """
    status, *values = result
    if status != runtime.cudaError_t.cudaSuccess:
        text = runtime.cudaGetErrorString(status)[1].decode()
        kind = OutOfMemory if status == runtime.cudaError_t.cudaErrorMemoryAllocation else BackendError
        raise kind("CUDA failed", f"{text} ({status.name})")
    return values[0] if len(values) == 1 else values or None


class DeviceMemory:
    """`size` bytes on the device."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = int(check(runtime.cudaMalloc(size))) if size else 0

    def free(self) -> None:
        if self.address:
            runtime.cudaFree(self.address)
            self.address = 0


class PinnedArray:
    """A float32 array in page-locked host memory, which the device reads and writes while the CPU does other things."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.size = int(np.prod(shape)) * 4
        self.address = int(check(runtime.cudaHostAlloc(self.size, runtime.cudaHostAllocDefault)))
        flat = (ctypes.c_float * (self.size // 4)).from_address(self.address)
        self.array = np.frombuffer(flat, np.float32).reshape(shape)

    def free(self) -> None:
        if self.address:
            self.array = None
            runtime.cudaFreeHost(self.address)
            self.address = 0


class Stream:
    """A queue of work, with the event that tells when what was put in last is done."""

    def __init__(self) -> None:
        self.handle = check(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))
        # Sleeps while it waits: the CPU has films to decode.
        flags = runtime.cudaEventDisableTiming | runtime.cudaEventBlockingSync
        self._done = check(runtime.cudaEventCreateWithFlags(flags))

    def upload(self, target: int, source: int, size: int) -> None:
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        check(runtime.cudaMemcpyAsync(target, source, size, kind, self.handle))

    def download(self, target: int, source: int, size: int) -> None:
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        check(runtime.cudaMemcpyAsync(target, source, size, kind, self.handle))

    def synchronize(self) -> None:
        check(runtime.cudaStreamSynchronize(self.handle))

    def capture(self, work: Callable[[], None]) -> Any:
        """A graph that does what `work` puts into this stream."""
        # This thread's calls alone: other threads may allocate meanwhile.
        check(
            runtime.cudaStreamBeginCapture(self.handle, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        )
        try:
            work()
        finally:
            ended = runtime.cudaStreamEndCapture(self.handle)
        graph = check(ended)
        try:
            return check(runtime.cudaGraphInstantiate(graph, 0))
        finally:
            runtime.cudaGraphDestroy(graph)

    def replay(self, graph: Any) -> None:
        check(runtime.cudaGraphLaunch(graph, self.handle))
        self.mark()

    def mark(self) -> None:
        check(runtime.cudaEventRecord(self._done, self.handle))

    def wait(self) -> None:
        check(runtime.cudaEventSynchronize(self._done))

    def free(self) -> None:
        if self.handle is not None:
            runtime.cudaEventDestroy(self._done)
            runtime.cudaStreamDestroy(self.handle)
            self.handle = None


def destroy_graph(graph: Any) -> None:
    runtime.cudaGraphExecDestroy(graph)
