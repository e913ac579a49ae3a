"""Which backend and model a run uses, and why. The only place that chooses anything on its own."""

from __future__ import annotations

from dataclasses import dataclass

from vidcolor.backends.base import Backend
from vidcolor.errors import UsageError
from vidcolor.models.weights import Weights

BACKENDS = ("openvino",)
DEFAULT_MODEL = "lite"


@dataclass(frozen=True, slots=True)
class Choice:
    """A name and the reason for it, in words for the user."""

    name: str
    reason: str


def choose_model(asked: str) -> Choice:
    if asked != "auto":
        return Choice(asked, "as asked")
    return Choice(DEFAULT_MODEL, "the network made for CPUs")


def choose_backend(asked: str) -> Choice:
    """Resolve `auto`.

    Raises:
        UsageError: no such backend.
    """
    if asked == "auto":
        return Choice("openvino", "it runs the networks on this CPU")
    if asked not in BACKENDS:
        raise UsageError(
            f"no backend is named '{asked}'", f"there are auto, {', '.join(BACKENDS)}", "See: vidcolor doctor"
        )
    return Choice(asked, "as asked")


def open_backend(name: str, weights: Weights, width: int, height: int, threads: int) -> Backend:
    """Compile the network for pictures of width × height.

    Raises:
        BackendError: the runtime refuses the network.
    """
    from vidcolor.backends.openvino import OpenVinoBackend

    return {"openvino": OpenVinoBackend}[name](weights, width, height, threads)
