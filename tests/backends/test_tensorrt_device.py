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
        return self.engine.refuses != "profile"

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return self.engine.refuses != "address"

    def set_input_shape(self, name, shape):
        self.shape = shape
        return shape[0] <= self.engine.most

    def update_device_memory_size_for_shapes(self):
        return 1000 * self.shape[0]

    def set_device_memory(self, address, size):
        if size < self.engine.least_memory:
            self.engine.device.messages.errors.append(f"condition: size >= {self.engine.least_memory}")
        else:
            self.memory = size

    def execute_async_v3(self, stream):
        assert self.memory >= max(1000 * self.shape[0], self.engine.least_memory)
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
    device_memory_size_v2 = 50_000

    def __init__(self, most=64, refuses="", least_memory=0):
        self.most, self.refuses, self.least_memory, self.sizes = most, refuses, least_memory, []

    def get_tensor_name(self, index):
        return ("lightness", "ab")[index]

    def get_tensor_mode(self, name):
        return "in" if name == "lightness" else "out"

    def create_execution_context(self, strategy):
        return Context(self)

    def create_runtime_config(self):
        self.configs.append(Config(self))
        return self.configs[-1]


class Config:
    """Of TensorRT-RTX: it takes what was compiled in earlier runs."""

    def __init__(self, engine):
        self.engine = engine

    def set_execution_context_allocation_strategy(self, strategy):
        assert strategy == 2

    def create_runtime_cache(self):
        return Kernels(self.engine)

    def set_runtime_cache(self, kernels):
        self.kernels = kernels
        return self.engine.refuses != "kernels"


class Kernels:
    def __init__(self, engine):
        self.engine, self.known = engine, b""

    def deserialize(self, data):
        self.known = data if data.startswith(b"compiled") else b""
        return bool(self.known)

    def serialize(self):
        return self.known or b"compiled for %d" % max(self.engine.sizes)


@pytest.fixture
def make(monkeypatch):
    for name, pretended in (("DeviceMemory", Memory), ("PinnedArray", Memory), ("Stream", Stream)):
        monkeypatch.setattr(cuda, name, pretended)
    monkeypatch.setattr(cuda, "destroy_graph", lambda graph: None)
    Memory.room, Memory.held = 10**9, 0

    def device(engine, name="tensorrt", kernels=None, runtime=None):
        logger = type("ILogger", (), {"Severity": SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)})
        found = SimpleNamespace(deserialize_cuda_engine=lambda data: engine)
        trt = SimpleNamespace(
            ILogger=logger,
            Runtime=runtime or (lambda log: found),
            DynamicShapesKernelSpecializationStrategy=SimpleNamespace(EAGER=1),
            TensorIOMode=SimpleNamespace(INPUT="in"),
            ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=2),
        )
        made = TensorRtDevice(Library(name, trt, "11"), b"engine", HEIGHT, WIDTH, STRIDE, "fp16", kernels)
        engine.device, engine.configs = made, []
        return made

    return device


def pictures(count):
    return np.arange(count * HEIGHT * WIDTH, dtype=np.float32).reshape(count, 1, HEIGHT, WIDTH)


def test_pictures_go_up_and_ab_comes_down(make):
    engine = Engine()
    runner = Runner(make(engine), 4)
    light = pictures(9)
    assert np.array_equal(runner.start(light)(), np.repeat(light[:, :, ::STRIDE, ::STRIDE], 2, 1))
    assert set(engine.sizes) == {4}  # the ninth goes the way of the others


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


@pytest.mark.parametrize(("refuses", "words"), [("profile", "no profile"), ("address", "memory for 'lightness'")])
def test_what_the_library_refuses_is_an_error_and_not_used(make, refuses, words):
    with pytest.raises(BackendError, match=words):
        Runner(make(Engine(refuses=refuses)), 4)
    assert Memory.held == 0


def test_a_library_that_wants_memory_for_its_largest_shapes_gets_it(make):
    runner = Runner(make(Engine(least_memory=50_000)), 4)
    assert len(runner.start(pictures(4))()) == 4
    assert Memory.held >= 3 * 50_000 and runner.memory() == len(b"engine") + Memory.held
    runner.close()
    assert Memory.held == 0


def test_an_error_of_before_costs_no_memory(make):
    device = make(Engine())
    device.messages.errors.append("of something that is over")
    runner = Runner(device, 4)
    assert 0 < runner.memory() - len(b"engine") == Memory.held < 50_000


def test_a_library_that_takes_no_memory_at_all_is_refused_in_its_own_words(make):
    with pytest.raises(BackendError, match="cannot take scratch memory.*size >= 60000"):
        Runner(make(Engine(least_memory=60_000)), 4)
    assert Memory.held == 0


def test_what_rtx_compiled_is_kept_for_the_next_run(make, tmp_path):
    file, engine = tmp_path / "kernels.cache", Engine()
    Runner(make(engine, "tensorrt-rtx", file), 4).start(pictures(4))()
    assert file.read_bytes() == b"compiled for 4"
    assert len({id(config.kernels) for config in engine.configs}) == 1  # the slots share them
    again = Engine()
    Runner(make(again, "tensorrt-rtx", file), 8).start(pictures(8))()
    assert again.configs[0].kernels.known == b"compiled for 4"
    file.write_bytes(b"of no use")
    Runner(make(Engine(), "tensorrt-rtx", file), 8).start(pictures(8))()
    assert file.read_bytes() == b"compiled for 8"


def test_tensorrt_itself_keeps_no_kernels(make, tmp_path):
    Runner(make(Engine(), "tensorrt", tmp_path / "kernels.cache"), 4).start(pictures(4))()
    assert not list(tmp_path.iterdir())


def test_a_refused_cache_of_kernels_costs_time_alone_and_is_said(make, tmp_path, caplog):
    runner = Runner(make(Engine(refuses="kernels"), "tensorrt-rtx", tmp_path / "kernels.cache"), 4)
    assert len(runner.start(pictures(4))()) == 4 and not list(tmp_path.iterdir())
    assert "compiles its kernels anew" in caplog.text


def test_an_engine_that_does_not_load_is_refused(make):
    with pytest.raises(BackendError, match="build-engine"):
        make(None)


def test_a_library_that_does_not_start_is_refused(make):
    def nothing(log):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(BackendError, match="tensorrt does not run here.*nullptr"):
        make(Engine(), runtime=nothing)
