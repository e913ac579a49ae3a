"""A typed ONNX graph → a serialised TensorRT engine, with progress, a timing cache, and a report on its layers."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidcolor.backends.gpu import find_gpu
from vidcolor.backends.profiles import Profile, Shapes
from vidcolor.backends.trt_library import Library, Messages
from vidcolor.errors import BackendError
from vidcolor.files import write_whole


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One step of a phase of the builder; phases may lie inside each other. `done` equals `steps` when it ends."""

    phase: str
    inside: str | None
    done: int
    steps: int


Progress = Callable[[BuildStep], None]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a finished engine, as the builder reports it (what an `EngineInspector` shows)."""

    name: str
    kind: str
    inputs: tuple[str, ...]  # element types: "Half", "Float", "Int8", "FP8"
    outputs: tuple[str, ...]
    from_onnx: str  # the ONNX nodes that became it


@dataclass(frozen=True, slots=True)
class Built:
    """An engine and how it came about."""

    data: bytes
    layers: tuple[Layer, ...]
    convolutions: dict[str, int]  # element type of the result → number of convolutions in the network as parsed
    seconds: float

    def report(self) -> dict[str, Any]:
        """For the engine's card."""
        kinds = Counter(f"{layer.kind} {'/'.join(sorted(set(layer.outputs)))}".strip() for layer in self.layers)
        return {
            "seconds": round(self.seconds, 2),
            "convolutions": self.convolutions,
            "layers": len(self.layers),
            "layer_kinds": dict(kinds.most_common()),
        }


def builder_options(library: Library, profile: Profile) -> dict[str, Any]:
    """Every option that the builder is given, by name: part of the engine's key."""
    options = {
        "optimization_level": profile.optimization_level,
        "workspace_mib": profile.workspace_mib,
        "tf32": profile.tf32,
    }
    # An engine that allocates nothing by itself while it runs can be captured into a CUDA graph (TensorRT-RTX 1.2).
    target = "this GPU" if find_gpu() else "portable"
    return options | ({"require_user_allocation": True, "target": target} if library.is_rtx else {})


def build(
    library: Library,
    graph: bytes,
    shapes: Shapes,
    profile: Profile,
    timing: Path | None = None,
    progress: Progress = lambda step: None,
) -> Built:
    """Build an engine for this machine's GPU; TensorRT-RTX builds one for any GPU where there is none.

    Args:
        graph: ONNX with its precision in it (`models/precision.py`); its input is L* (N, 1, H, W).
        shapes: inputs that the engine will take.
        timing: file in which TensorRT remembers what it measured, for later builds; TensorRT-RTX measures nothing.
        progress: called for every step, from this thread.

    Raises:
        BackendError: the library refuses the network or cannot build here.
        KeyboardInterrupt: the user interrupted the build.
    """
    started = time.monotonic()
    trt, messages = library.trt, Messages(library)
    builder = _builder(library, messages)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, messages.logger)
    if not parser.parse(graph):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise BackendError(f"{library.name} cannot read the network", reasons or messages.take_error())
    config = _configured(library, builder, profile)
    optimisation = builder.create_optimization_profile()
    optimisation.set_shape(
        network.get_input(0).name, *(_input(shape) for shape in (shapes.least, shapes.usual, shapes.most))
    )
    config.add_optimization_profile(optimisation)
    monitor = _monitor(trt, progress)
    config.progress_monitor = monitor
    if timing is not None and not library.is_rtx:
        known = b""
        with contextlib.suppress(OSError):  # none yet, or none that can be read
            known = timing.read_bytes()
        config.set_timing_cache(config.create_timing_cache(known) or config.create_timing_cache(b""), False)
    data = builder.build_serialized_network(network, config)
    if monitor.interrupted:
        raise KeyboardInterrupt
    if data is None:
        raise BackendError(f"{library.name} cannot build the engine", messages.take_error())
    if timing is not None and not library.is_rtx:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time alone, the engine is there
            write_whole(timing, bytes(config.get_timing_cache().serialize()))
    return Built(bytes(data), parse_layers(messages.layers), _convolutions(trt, network), time.monotonic() - started)


def _builder(library: Library, messages: Messages) -> Any:
    try:
        return library.trt.Builder(messages.logger)
    except (RuntimeError, TypeError) as error:  # pybind11's ways of saying that nothing was made
        raise BackendError(
            f"{library.name} cannot build engines here",
            messages.take_error() if messages.errors else str(error),
            "It needs an NVIDIA GPU and its driver; tensorrt-rtx builds without.",
        ) from error


def _configured(library: Library, builder: Any, profile: Profile) -> Any:
    trt, config = library.trt, builder.create_builder_config()
    options = builder_options(library, profile)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.builder_optimization_level = options["optimization_level"]
    if options["workspace_mib"]:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options["workspace_mib"] << 20)
    (config.set_flag if options["tf32"] else config.clear_flag)(trt.BuilderFlag.TF32)
    if library.is_rtx:
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
        if options["target"] == "this GPU":
            config.num_compute_capabilities = 1
            config.set_compute_capability(trt.ComputeCapability.CURRENT, 0)
    return config


def _input(shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    count, height, width = shape
    return count, 1, height, width


def _convolutions(trt: Any, network: Any) -> dict[str, int]:
    layers = (network.get_layer(index) for index in range(network.num_layers))
    types = (layer.get_output(0).dtype for layer in layers if layer.type == trt.LayerType.CONVOLUTION)
    return dict(Counter(kind.name.lower() for kind in types))


def _monitor(trt: Any, progress: Progress) -> Any:
    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self.interrupted = False
            self.phases: dict[str, tuple[str | None, int]] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.phases[phase_name] = (parent_phase, num_steps)
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return not self.interrupted

        def phase_finish(self, phase_name: str) -> None:
            self._tell(phase_name, self.phases[phase_name][1])
            del self.phases[phase_name]

        def _tell(self, name: str, done: int) -> None:
            # An exception must not travel through the builder; False stops it at the next step.
            try:
                inside, steps = self.phases.get(name, (None, done))
                progress(BuildStep(name, inside, min(done, steps), steps))
            except KeyboardInterrupt:
                self.interrupted = True

    return Monitor()


def parse_layers(report: str) -> tuple[Layer, ...]:
    """The layers in a builder's report (one line each: Name, LayerType, Inputs, Constants, Outputs, …)."""
    layers = []
    for line in report.splitlines():
        found = re.match(
            r"Name: (?P<name>.*?), LayerType: (?P<kind>\w*), Inputs: (?P<inputs>.*?)(, Constants: .*?)?, Outputs: (?P<outputs>.*)",
            line,
        )
        if found and found["kind"]:
            inputs, outputs = (tuple(re.findall(r"Datatype: (\w+)", found[part])) for part in ("inputs", "outputs"))
            onnx = ", ".join(re.findall(r"\[ONNX Layer: ([^\]]+)\]", line))
            layers.append(Layer(found["name"], found["kind"], inputs, outputs, onnx))
    return tuple(layers)
