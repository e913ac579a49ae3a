"""Speed of the networks alone, on every backend: pictures of L* in, ab out, as a run gives and takes them."""

from __future__ import annotations

import os
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from vidcolor.backends.base import Backend
from vidcolor.backends.choose import BACKENDS, obstacle
from vidcolor.backends.gpu import find_gpu
from vidcolor.bench.ceiling import ceiling_for
from vidcolor.errors import UsageError, VidcolorError
from vidcolor.models.base import QUANTISED, ModelSpec
from vidcolor.models.weights import Weights

# papers/000, Table 1: images/s at 144×144, "the hardware same" for all four (which hardware, it does not say).
PAPER = (("Zhang 2016", 8.0), ("Zhang 2017", 5.0), ("DeOldify", 3.0), ("Ambadkar & Bhatt (resnet38)", 15.0))
RATES = (24, 25, 30, 60)  # frames/s that films have
GRAPH = "graph"  # asked for like a backend: the graph that engines are built from
PICTURES = 4  # different ones, in turn
LONGEST = 20.0  # seconds for one row, however slow the machine


@dataclass(frozen=True, slots=True)
class Timing:
    """One network on one backend with one batch size."""

    backend: str
    device: str
    precision: str
    version: str
    batch: int
    repeats: int  # batches that were timed, after the warm-up
    frames_per_second: float  # with as many batches under way as the backend allows
    median_ms: float  # a picture, over stretches of as many batches as may be under way
    p95_ms: float
    tflops: float
    ceiling_tflops: float | None  # of a matrix product in this precision, on this device, in this process
    memory_mb: float  # device memory on a GPU, growth of resident memory on a CPU

    @property
    def share(self) -> float | None:
        return None if self.ceiling_tflops is None else self.tflops / self.ceiling_tflops

    def real_time(self) -> dict[int, bool]:
        """For each usual rate of films, whether the network alone keeps up with it."""
        return {rate: self.frames_per_second >= rate for rate in RATES}


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run a network that the bench can try: `open(batch)` gives the backend."""

    backend: str
    label: str
    open: Callable[[int], Backend]


def input_side(spec: ModelSpec, res: int) -> int:
    """The side of the square pictures that a bench at `res` shows the network."""
    return -(-res // spec.stride) * spec.stride


def can_quantise(backend: str) -> bool:
    """Whether a backend runs int8 and fp8, given pictures to calibrate them with."""
    return backend.startswith("tensorrt")


def reason(error: Exception) -> str:
    """Why a figure is missing. Libraries and drivers of GPUs raise what they like; one row's failure is no more than that."""
    if isinstance(error, VidcolorError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"


def variants(
    asked: str,
    weights: Weights,
    width: int,
    height: int,
    say: Callable[[str], None],
    calibrating: tuple[np.ndarray, ...] = (),
) -> list[Variant]:
    """What can be measured here for `asked`, a backend's name or "all". What cannot is said.

    Args:
        calibrating: L* (1, 1, height, width) of real pictures; with them, TensorRT in int8 and fp8 too.

    Raises:
        UsageError, BackendError: one that was named cannot be used.
    """
    if asked != "all" and asked not in BACKENDS:
        raise UsageError(f"no backend is named '{asked}'", f"there are all, {', '.join(BACKENDS)}")
    found = []
    for name in BACKENDS if asked == "all" else (asked,):
        if problem := obstacle(name):
            if asked != "all":
                raise UsageError(f"backend '{name}' cannot be measured here", *problem)
            say(f"{name}: not measured here, {problem[0]}")
            continue
        found += _variants_of(name, weights, width, height, say, calibrating)
    return found


def _variants_of(
    name: str,
    weights: Weights,
    width: int,
    height: int,
    say: Callable[[str], None],
    calibrating: tuple[np.ndarray, ...],
) -> list[Variant]:
    threads = os.cpu_count() or 1
    if name == "openvino":
        from vidcolor.backends.openvino import OpenVinoBackend, precisions

        make = partial(OpenVinoBackend, weights, width, height, threads)
        return [Variant(name, p, lambda batch, p=p: make(p)) for p in precisions()]
    if name == "torch":
        import torch

        from vidcolor.backends.torch import open_torch

        ways = (
            (("fp32", "eager"), ("fp16", "graph"), ("fp16", "compile"))
            if torch.cuda.is_available()
            else (("fp32", "eager"),)
        )
        make = partial(open_torch, weights, width, height, threads, say)
        return [
            Variant(name, f"{p} {m}", lambda batch, p=p, m=m: make(batch=batch, precision=p, mode=m)) for p, m in ways
        ]
    from vidcolor.backends.tensorrt import open_tensorrt

    make = partial(open_tensorrt, name, weights, width, height, say, profile="throughput", calibration=calibrating)
    precisions = ("fp16", "fp32", *(QUANTISED if calibrating else ()))
    return [Variant(name, p, lambda batch, p=p: make(batch=batch, precision=p)) for p in precisions]


def resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def light(count: int, height: int, width: int) -> np.ndarray:
    """L* (count, 1, height, width), float32: noise that falls off as 1/f, as photographs do."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(height) * height, np.fft.rfftfreq(width) * width, indexing="ij"))
    spectrum = np.fft.rfft2(rng.standard_normal((count, 1, height, width))) / np.maximum(1, frequency)
    plain = np.fft.irfft2(spectrum, s=(height, width))
    return np.clip(50 + 20 * plain / plain.std(), 0, 100).astype(np.float32)


def time_backend(
    backend: Backend, pictures: np.ndarray, batch: int, repeats: int, limit: float = LONGEST
) -> tuple[int, float, list[float]]:
    """Time batches with all slots kept busy, `repeats` of them or as many as `limit` seconds allow, but two a slot.

    Returns:
        How many were timed; seconds a batch, the mean over all stretches of as many batches as there are slots, and in
        each stretch: results come in bunches, because batches are computed beside each other, so that a single gap, or
        one stretch, says nothing.
    """
    shifted = (np.roll(pictures, shift, 0) for shift in range(2))
    batches = [np.ascontiguousarray(np.resize(each, (batch, *pictures.shape[1:]))) for each in shifted]
    under_way = deque(backend.start(batches[index % 2]) for index in range(backend.slots))
    under_way.popleft()()
    started = time.perf_counter()
    ends = [started]
    while len(ends) < 2 * backend.slots or (len(ends) <= repeats and ends[-1] - started < limit):
        under_way.append(backend.start(batches[len(ends) % 2]))
        under_way.popleft()()
        ends.append(time.perf_counter())
    while under_way:
        under_way.popleft()()
    stretches = [(last - first) / backend.slots for first, last in zip(ends, ends[backend.slots :], strict=False)]
    return len(ends) - 1, statistics.mean(stretches), stretches


@contextmanager
def opened(variant: Variant, batch: int) -> Iterator[Backend]:
    """The variant's backend, whose memory is given back whatever happens."""
    backend = variant.open(batch)
    try:
        yield backend
    finally:
        if hasattr(backend, "close"):
            backend.close()


def measure(variant: Variant, spec: ModelSpec, height: int, width: int, batch: int, repeats: int) -> Timing:
    """Time one variant.

    Raises:
        BackendError: it cannot be opened or fails.
    """
    before, pictures = resident_bytes(), light(PICTURES, height, width)
    with opened(variant, batch) as backend:
        info = backend.info
        time_backend(backend, pictures, batch, 2)  # warm-up: kernels are chosen, graphs captured
        timed, seconds, stretches = time_backend(backend, pictures, batch, repeats)
        on_device = backend.memory() if hasattr(backend, "memory") else 0
    rate = batch / seconds
    gflop = spec.gflop_144 * height * width / 144**2
    return Timing(
        backend=info.name,
        device=info.device,
        precision=info.precision,
        version=info.version,
        batch=batch,
        repeats=timed,
        frames_per_second=rate,
        median_ms=1e3 * statistics.median(stretches) / batch,
        p95_ms=1e3 * float(np.percentile(stretches, 95)) / batch,
        tflops=rate * gflop / 1e3,
        ceiling_tflops=ceiling_for(info.name, info.precision, os.cpu_count() or 1),
        memory_mb=(on_device or max(0, resident_bytes() - before)) / 1e6,
    )


def bench(
    spec: ModelSpec,
    weights: Weights,
    res: int,
    asked: str,
    batches: Sequence[int],
    repeats: int,
    say: Callable[[str], None],
    calibrating: tuple[np.ndarray, ...] = (),
) -> Iterator[Timing]:
    """Every variant with every batch size, res × res pictures; one that fails is said, and the others go on.

    Args:
        calibrating: see `variants`.

    Raises:
        UsageError: a named backend cannot be used here.
    """
    side = input_side(spec, res)
    chosen = variants(asked, weights, side, side, say, calibrating)
    if calibrating and not any(can_quantise(variant.backend) for variant in chosen):
        say("--calibrate is of no use here: int8 and fp8 run on TensorRT alone")
    for variant in chosen:
        # A CPU is no faster with batches.
        on_cpu = variant.backend == "openvino" or find_gpu() is None
        for batch in (1,) if on_cpu else batches:
            try:
                timing = measure(variant, spec, side, side, batch, repeats)
            except Exception as error:
                say(f"{variant.backend} {variant.label}, batch {batch}: not measured, {reason(error)}")
                continue
            yield timing


def device_words() -> str:
    """This machine, in words, and how busy it is: with a load above 0 before a measurement, something else takes part."""
    gpu = find_gpu()
    named = f"{gpu.name} ({gpu.memory / 2**30:.0f} GiB, CUDA {gpu.driver})" if gpu else "no NVIDIA GPU"
    return f"{os.cpu_count()} CPU cores, {named}, load {os.getloadavg()[0]:.1f} at the start"
