"""What every backend offers: batches of L* in, ab out, a few under way at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vidcolor.errors import BackendError


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What is running, said once to the user and written into the summary."""

    name: str
    device: str
    precision: str
    version: str


class Backend(Protocol):
    """A network compiled for one picture size.

    A result does not depend on what else is under way, so a film coloured in pieces equals the film coloured at once.
    """

    info: BackendInfo
    slots: int  # batches that may be under way: take the oldest's result before one more is started
    batch: int  # pictures in one batch that suit it best; any other number works too. May fall when memory runs out

    def start(self, lightness: np.ndarray) -> Callable[[], np.ndarray]:
        """Begin to colour ``lightness`` (N, 1, H, W), float32, L* 0…100; the array may change once this has returned.

        Returns:
            A function, to be called once, that waits for the result: ab (N, 2, h, w), float32, Lab units, owned by the
            caller.

        Raises:
            BackendError: the runtime failed (from either call), the answer is not finite, or more than `slots` batches
                are under way and the backend cannot wait by itself.
        """


def finite(ab: np.ndarray, info: BackendInfo) -> np.ndarray:
    """`ab` as it is: a network that overflows in half precision must not become colours without a word.

    Raises:
        BackendError: not all of it are finite numbers.
    """
    if not np.isfinite(ab).all():
        why = f"{info.name} in {info.precision} on {info.device} answered with what is no number"
        raise BackendError("the network's answer has no meaning", why, "Try another --backend; see: vidcolor doctor")
    return ab
