"""A device without a GPU: the same slots and queues, made of threads, with a memory that can run out.

So everything in `backends/runner.py` can be tried, on any machine, with any network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from vidcolor.backends.base import BackendInfo
from vidcolor.backends.slots import OutOfMemory, Slot
from vidcolor.errors import BackendError

Network = Callable[[np.ndarray], np.ndarray]


class RehearsalDevice:
    """A `Device` that computes with `network` on the CPU, one thread a slot.

    Args:
        network: L* (n, 1, height, width) float32 → ab (n, 2, h, w) float32.
        height, width: of the pictures.
        room: pictures, over all slots, that fit into its memory; None: no limit.
        recording_room: pictures over all recordings that fit; None: no limit.
    """

    def __init__(
        self, network: Network, height: int, width: int, room: int | None = None, recording_room: int | None = None
    ) -> None:
        self.info = BackendInfo("rehearsal", "rehearsal device", "fp32", "1")
        self.network, self.height, self.width = network, height, width
        self.room, self.recording_room = room, recording_room
        self.recordings: list[int] = []  # sizes, in the order of recording
        self._held = 0  # pictures, in slots
        self._recorded = 0  # pictures, in recordings
        self._slots: list[RehearsalSlot] = []

    def open_slots(self, batch: int, count: int) -> Sequence[Slot]:
        ab = self.network(np.zeros((1, 1, self.height, self.width), np.float32)).shape[1:]
        for _ in range(count):
            if self.room is not None and self._held + batch > self.room:
                raise OutOfMemory("the rehearsal device is out of memory", f"it has room for {self.room} pictures")
            self._held += batch
            self._slots.append(RehearsalSlot(self, batch, ab))
        return self._slots

    def recorded(self, size: int) -> None:
        """Room for one more recording, or `OutOfMemory`."""
        if self.recording_room is not None and self._recorded + size > self.recording_room:
            raise OutOfMemory(
                "the rehearsal device is out of memory", f"its recordings hold {self.recording_room} pictures"
            )
        self._recorded += size
        self.recordings.append(size)

    def close_slots(self) -> None:
        for slot in self._slots:
            slot.close()
        self._slots = []
        self._held = self._recorded = 0

    def memory(self) -> int:
        return self._held * self.height * self.width * 4


class RehearsalSlot:
    """See `Slot`. A queue of its own: one thread, first come, first served."""

    def __init__(self, device: RehearsalDevice, batch: int, ab: tuple[int, ...]) -> None:
        self.lightness = np.full((batch, 1, device.height, device.width), np.nan, np.float32)
        self.ab = np.full((batch, *ab), np.nan, np.float32)
        self._device = device
        self._queue = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def record(self, size: int) -> int:
        self._device.recorded(size)
        return size

    def launch(self, recorded: int) -> None:
        self._last = self._queue.submit(self._work, recorded)

    def _work(self, size: int) -> None:
        self.ab[:] = np.nan  # what is not written is seen to be missing
        self.ab[:size] = self._device.network(self.lightness[:size])

    def wait(self) -> None:
        try:
            self._last.result()
        except BackendError:
            raise
        except Exception as error:
            raise BackendError("the rehearsal device failed", str(error)) from error

    def close(self) -> None:
        self._queue.shutdown()
