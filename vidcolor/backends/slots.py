"""What the runner needs of a device: slots, each a place for one batch with a queue of its own. Nothing else.

A slot is one execution context on one stream, with buffers on both sides; `tensorrt.py` and `torch.py` make them of
CUDA, `tests/rehearsal.py` of threads, so that all that is decided in `runner.py` can be tried without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from vidcolor.backends.base import BackendInfo
from vidcolor.errors import BackendError


class OutOfMemory(BackendError):
    """The device has no room for what was asked; a smaller batch may fit."""


class Slot(Protocol):
    """One batch under way at a time: `launch`, then `wait`."""

    lightness: np.ndarray  # (batch, 1, H, W) float32, L* 0…100: host memory that the device reads (pinned)
    ab: np.ndarray  # (batch, 2, h, w) float32, Lab units: host memory that the device writes (pinned)

    def record(self, size: int) -> object:
        """Prepare the work: copy up, infer, copy down. Done once for every slot.

        Args:
            size: the batch that the slot was opened for.

        Returns:
            What `launch` wants: a captured CUDA graph, for instance.

        Raises:
            OutOfMemory: there is no room for it.
        """

    def launch(self, recorded: object) -> None:
        """Begin the recorded work; returns at once."""

    def wait(self) -> None:
        """Until the work launched last is done and `ab` holds its result.

        Raises:
            BackendError: the device failed.
        """


class Device(Protocol):
    """A network on a device, for one picture size."""

    info: BackendInfo

    def open_slots(self, batch: int, count: int) -> Sequence[Slot]:
        """`count` slots for up to `batch` pictures each.

        Raises:
            OutOfMemory: there is no room for all of them; what was taken for some is given back by `close_slots`.
        """

    def close_slots(self) -> None:
        """Give back all that `open_slots` took. May be called at any time, and twice."""

    def memory(self) -> int:
        """Bytes of device memory that the network and the open slots take."""
