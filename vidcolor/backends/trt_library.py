"""The two libraries that run TensorRT engines, `tensorrt` and `tensorrt-rtx`: one API, two packages."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from typing import Any

from vidcolor.errors import BackendError, UsageError

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


@dataclass(frozen=True, slots=True)
class Library:
    """An imported library. `trt` is its module."""

    name: str
    trt: Any
    version: str

    @property
    def is_rtx(self) -> bool:
        return self.name == "tensorrt-rtx"


def is_installed(module: str) -> bool:
    """Whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def missing_packages(name: str) -> list[str]:
    """What `name` needs and is not installed, as pip calls it."""
    wanted = {MODULES[name]: name, "onnx": "onnx", "cuda.bindings": "cuda-bindings"}
    return [package for module, package in wanted.items() if not is_installed(module)]


def remedy(name: str) -> str:
    return f"Try: pip install 'vidcolor[{name}]'"


@cache
def load_library(name: str) -> Library:
    """Import `tensorrt` or `tensorrt-rtx`.

    Raises:
        BackendError: it is not installed, or its libraries do not load.
    """
    if not is_installed(MODULES[name]):
        raise BackendError(f"{name} is not there", f"the package {name} is not installed", remedy(name))
    try:
        module = importlib.import_module(MODULES[name])
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendError(
            f"{name} is installed but does not load", str(error), "Install it again for this driver."
        ) from error
    return Library(name, module, module.__version__)


def choose_library(asked: str | None) -> Library:
    """The library that was asked for, else the one that is installed, TensorRT before TensorRT-RTX.

    Raises:
        UsageError: no library of that name.
        BackendError: it is not installed, or none is.
    """
    if asked is not None:
        if asked not in MODULES:
            raise UsageError(f"--backend {asked} builds no engines", f"these do: {', '.join(MODULES)}")
        return load_library(asked)
    for name, module in MODULES.items():
        if is_installed(module):
            return load_library(name)
    raise BackendError(
        "no TensorRT is installed",
        "neither tensorrt nor tensorrt-rtx is there",
        "Try: pip install 'vidcolor[tensorrt]' or 'vidcolor[tensorrt-rtx]'",
    )


class Messages:
    """What a library said: its errors, and the builder's report on the layers of an engine."""

    LAYERS = "Layers:"  # begins the report that a builder at detailed verbosity logs: what an inspector prints

    def __init__(self, library: Library) -> None:
        self.errors: list[str] = []
        self.layers = ""
        severity = library.trt.ILogger.Severity
        messages = self

        class Logger(library.trt.ILogger):
            def __init__(self) -> None:
                super().__init__()

            def log(self, level: Any, text: str) -> None:
                if level in (severity.ERROR, severity.INTERNAL_ERROR):
                    messages.errors.append(text)
                elif text.startswith(messages.LAYERS):
                    messages.layers = text

        self.logger = Logger()

    def take_error(self) -> str:
        """Why something failed: the first error since the last call is the cause, those after it follow from it."""
        first = self.errors[0] if self.errors else "it gave no reason"
        self.errors.clear()
        return first
