"""The TensorRT device's own steps, with a library and a CUDA that are pretended in host memory.

What a GPU does with them is not shown by this; that the calls fit together is.
"""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cuda.bindings")

from vidcolor.backends import cuda
from vidcolor.backends.runner import Runner
from vidcolor.backends.slots import OutOfMemory
from vidcolor.backends.tensorrt import TensorRtDevice
from vidcolor.backends.trt_library import Library
from vidcolor.errors import BackendError

HEIGHT, WIDTH, STRIDE = 8, 12, 2


class Memory:
    """Device and pinned memory alike."""

    room = held = 0

    def __init__(self, size):
        if isinstance(size, tuple):
            self.array = np.zeros(size, np.float32)
            self.size = self.array.nbytes
        else:
            if Memory.held + size > Memory.room:
                raise OutOfMemory("CUDA failed", "out of memory")
            self.array, self.size = np.zeros(size, np.uint8), size
            Memory.held += size
        self.address = self.array.ctypes.data
        self.on_device = not isinstance(size, tuple)

    def free(self):
        Memory.held -= self.size if self.on_device else 0
        self.size = 0


class Stream:
    handle = 7

    def upload(self, target, source, size):
        ctypes.memmove(target, source, size)

    download = upload

    def synchronize(self):
        pass

    def capture(self, work):
        return work

    def replay(self, graph):
        graph()

    wait = free = synchronize


class Context:
    def __init__(self, engine):
        self.engine, self.addresses, self.memory = engine, {}, 0

    def set_optimization_profile_async(self, index, stream):
        return True

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def set_input_shape(self, name, shape):
        self.shape = shape
        return shape[0] <= self.engine.most

    def update_device_memory_size_for_shapes(self):
        return 1000 * self.shape[0]

    def set_device_memory(self, address, size):
        self.memory = size

    def execute_async_v3(self, stream):
        assert self.memory >= 1000 * self.shape[0]
        count = self.shape[0]
        light = np.ctypeslib.as_array(
            ctypes.cast(self.addresses["lightness"], ctypes.POINTER(ctypes.c_float)), (self.shape)
        )
        ab = np.ctypeslib.as_array(
            ctypes.cast(self.addresses["ab"], ctypes.POINTER(ctypes.c_float)),
            (count, 2, HEIGHT // STRIDE, WIDTH // STRIDE),
        )
        ab[:] = np.repeat(light[:, :, ::STRIDE, ::STRIDE], 2, 1)
        self.engine.sizes.append(count)
        return True


class Engine:
    num_io_tensors = 2

    def __init__(self, most=64):
        self.most, self.sizes = most, []

    def get_tensor_name(self, index):
        return ("lightness", "ab")[index]

    def get_tensor_mode(self, name):
        return "in" if name == "lightness" else "out"

    def create_execution_context(self, strategy):
        return Context(self)


@pytest.fixture
def make(monkeypatch):
    for name, pretended in (("DeviceMemory", Memory), ("PinnedArray", Memory), ("Stream", Stream)):
        monkeypatch.setattr(cuda, name, pretended)
    monkeypatch.setattr(cuda, "destroy_graph", lambda graph: None)
    Memory.room, Memory.held = 10**9, 0

    def device(engine):
        logger = type("ILogger", (), {"Severity": SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)})
        runtime = SimpleNamespace(deserialize_cuda_engine=lambda data: engine)
        trt = SimpleNamespace(
            ILogger=logger,
            Runtime=lambda log: runtime,
            TensorIOMode=SimpleNamespace(INPUT="in"),
            ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=2),
        )
        return TensorRtDevice(Library("tensorrt", trt, "11"), b"engine", HEIGHT, WIDTH, STRIDE, "fp16")

    return device


def pictures(count):
    return np.arange(count * HEIGHT * WIDTH, dtype=np.float32).reshape(count, 1, HEIGHT, WIDTH)


def test_pictures_go_up_and_ab_comes_down(make):
    engine = Engine()
    runner = Runner(make(engine), 4, sizes=(1,))
    light = pictures(9)
    assert np.array_equal(runner.start(light)(), np.repeat(light[:, :, ::STRIDE, ::STRIDE], 2, 1))
    assert set(engine.sizes) == {1, 4}  # eight in fours, one by itself


def test_memory_is_stated_and_given_back(make):
    runner = Runner(make(Engine()), 4)
    runner.start(pictures(4))()
    assert runner.memory() == len(b"engine") + Memory.held > 3 * 4000
    runner.close()
    assert Memory.held == 0


def test_a_full_device_halves_the_batch_and_leaks_nothing(make):
    said = []
    device = make(Engine())
    Memory.room = 40_000
    runner = Runner(device, 32, say=said.append)
    assert 1 <= runner.batch < 32 and said and Memory.held <= Memory.room
    assert len(runner.start(pictures(40))()) == 40
    runner.close()
    assert Memory.held == 0


def test_a_batch_that_the_engine_does_not_take_is_refused(make):
    with pytest.raises(BackendError, match="does not take 8 pictures of 12×8"):
        Runner(make(Engine(most=4)), 8)
    assert Memory.held == 0


def test_an_engine_that_does_not_load_is_refused(make):
    with pytest.raises(BackendError, match="build-engine"):
        make(None)
