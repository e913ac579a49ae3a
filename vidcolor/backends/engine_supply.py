"""The engine for a network, a precision and a picture size: from the cache if it is there and whole, else built."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidcolor.backends import engine_cache
from vidcolor.backends.engine_build import Progress, build, builder_options
from vidcolor.backends.engine_cache import PORTABLE, Engine, EngineKey
from vidcolor.backends.gpu import find_gpu
from vidcolor.backends.profiles import Profile, engine_folder, shapes_for
from vidcolor.backends.trt_library import Library
from vidcolor.errors import BackendError
from vidcolor.models.base import GRAPH_RECIPE, QUANTISED, ModelSpec
from vidcolor.models.weights import Weights

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What an engine is wanted for."""

    library: Library
    spec: ModelSpec
    weights: Weights
    profile: Profile
    height: int  # of the network's input, a multiple of the spec's stride
    width: int
    calibration: tuple[np.ndarray, ...] = ()  # L* (1, 1, H, W) of real pictures, for int8 and fp8

    def key(self) -> EngineKey:
        """The key of the engine that would be built for this order on this machine."""
        gpu = find_gpu()
        pictures = self.calibration if self.profile.precision in QUANTISED else ()
        return EngineKey(
            model=self.spec.name,
            weights=self.weights.hash,
            recipe=GRAPH_RECIPE,
            precision=self.profile.precision,
            library=self.library.name,
            library_version=self.library.version,
            gpu=gpu.name if gpu else PORTABLE,
            capability=gpu.capability if gpu else PORTABLE,
            shapes=shapes_for(self.profile, self.height, self.width, self.spec.stride),
            builder=tuple(builder_options(self.library, self.profile).items()),
            calibration=hashlib.sha256(b"".join(map(bytes, pictures))).hexdigest() if pictures else "",
        )


def make(order: Order, folder: Path, progress: Progress = lambda step: None) -> tuple[bytes, EngineKey, dict]:
    """Build an engine. Nothing but TensorRT's timing cache is written.

    Returns:
        The engine, its key, and the report for its card.
    """
    from vidcolor.models.precision import typed_graph

    key = order.key()
    built = build(
        order.library,
        typed_graph(order.weights.path, key.precision, order.calibration),
        key.shapes,
        order.profile,
        folder / f"{_plain(f'timing_{key.library}{key.library_version}_{key.gpu}')}.cache",
        progress,
    )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return built.data, key, {"built": now, "profile": order.profile.name, **built.report()}


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name)


def make_and_store(order: Order, folder: Path | None = None, progress: Progress = lambda step: None) -> Engine:
    """Build an engine and keep it.

    Raises:
        BackendError: it cannot be built or written.
    """
    folder = folder or engine_folder()
    data, key, report = make(order, folder, progress)
    return engine_cache.store(folder, key, data, report)


def obtain(order: Order, count: int, say: Say, folder: Path | None = None) -> bytes:
    """The engine for batches of `count` pictures, built if need be; what happens is said.

    A damaged engine is never run: it is replaced, and so is one that another process removes meanwhile. An engine that
    cannot be written (a full disk) is used all the same.

    Raises:
        BackendError: it cannot be built.
    """
    folder = folder or engine_folder()
    wanted = order.key()
    try:
        engine = engine_cache.find(folder, wanted, count, order.height, order.width)
        if engine is not None:
            engine.check()
            return engine.path.read_bytes()
        differences = engine_cache.nearest(folder, wanted)
        reason = f"; the nearest one's {', '.join(differences[:3])}" if differences else ""
        say(f"building a TensorRT engine for {order.spec.name} once, kept for later runs{reason}")
    except BackendError as error:
        say(f"{error.what} ({error.why}); building it again")
    except OSError as error:
        say(f"the engine cannot be read ({error.strerror}: {error.filename}); building it again")
    data, key, report = make(_widened(order, count), folder)
    try:
        engine_cache.store(folder, key, data, report)
    except BackendError as error:
        say(f"{error}; going on without keeping it")
    return data


def _widened(order: Order, count: int) -> Order:
    """The order with a profile that takes batches of `count`; one that did not take them is tuned for them."""
    least, _, most = order.profile.batch
    if least <= count <= most:
        return order
    return replace(order, profile=replace(order.profile, batch=(min(least, count), count, max(most, count))))
