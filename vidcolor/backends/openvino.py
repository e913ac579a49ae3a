"""OpenVINO on CPUs: the backend of the base install."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from vidcolor.backends.base import BackendInfo, finite
from vidcolor.backends.openvino_library import without_telemetry
from vidcolor.errors import BackendError
from vidcolor.models.weights import Weights

with without_telemetry():
    import openvino as ov
    from openvino import properties
    from openvino.properties import hint

PRECISIONS = {"bf16": ov.Type.bf16, "fp32": ov.Type.f32}


def natural_precision(core: ov.Core) -> str:
    """bf16 where the CPU multiplies it natively, else fp32."""
    return "bf16" if "BF16" in core.get_property("CPU", properties.device.capabilities) else "fp32"


def precisions() -> list[str]:
    """Those that this CPU has, the exact one first."""
    return list(dict.fromkeys(("fp32", natural_precision(ov.Core()))))


class OpenVinoBackend:
    """See `Backend`. One single-threaded stream a thread: less CPU time a picture than several threads on one."""

    batch = 1  # larger batches cost the same CPU time a picture

    def __init__(self, weights: Weights, width: int, height: int, threads: int, precision: str | None = None) -> None:
        precision = precision or natural_precision(ov.Core())
        compiled, device = _compiled(weights.path, weights.hash, width, height, threads, precision)
        self.info = BackendInfo("openvino", device, precision, ov.get_version().split("-")[0])
        self.slots = threads + 1  # one waiting, so that no stream idles
        self._free = [compiled.create_infer_request() for _ in range(self.slots)]

    def start(self, lightness: np.ndarray) -> Callable[[], np.ndarray]:
        if not self._free:
            raise BackendError("OpenVINO has no free slot", f"{self.slots} batches are under way")
        request = self._free.pop()
        try:
            request.start_async([ov.Tensor(lightness)])  # a copy: what nobody waits for is computed all the same
        except RuntimeError as error:
            self._free.append(request)
            raise _failure(error) from error

        def result() -> np.ndarray:
            try:
                request.wait()
                return finite(np.array(request.get_output_tensor(0).data), self.info)
            except RuntimeError as error:
                raise _failure(error) from error
            finally:
                self._free.append(request)

        return result


@lru_cache(maxsize=4)
def _compiled(
    path: Path, digest: str, width: int, height: int, threads: int, precision: str
) -> tuple[ov.CompiledModel, str]:
    """The network, and the name of the CPU. Four are kept for films and pictures to come: compiling takes 0.2 s.

    Args:
        digest: of the file, by which another one in its place is known.
    """
    core = ov.Core()
    try:
        model = core.read_model(path)
        model.reshape([-1, 1, height, width])
        compiled = core.compile_model(
            model,
            "CPU",
            {
                hint.inference_precision: PRECISIONS[precision],
                properties.inference_num_threads: threads,
                properties.num_streams: threads,
            },
        )
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot compile {path.name}", str(error).strip().splitlines()[-1]) from error
    return compiled, core.get_property("CPU", properties.device.full_name).strip()


_of_parents = []  # never freed: that would wait for threads


def _compile_anew() -> None:
    """In a forked process: the threads that run what its parent compiled are not there."""
    global _compiled
    _of_parents.append(_compiled)
    _compiled = lru_cache(maxsize=4)(_compiled.__wrapped__)


os.register_at_fork(after_in_child=_compile_anew)


def _failure(error: RuntimeError) -> BackendError:
    return BackendError(
        "OpenVINO failed during inference", (str(error).strip().splitlines() or ["it gave no reason"])[-1]
    )
