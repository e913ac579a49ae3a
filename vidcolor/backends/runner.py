"""Batches through the slots of a device: order, rings, padding, one recording a slot, and what to do when memory runs
out. No device call is made here; see `slots.py`."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import numpy as np

from vidcolor.backends.base import finite
from vidcolor.backends.slots import Device, OutOfMemory, Slot
from vidcolor.errors import BackendError

Say = Callable[[str], None]
log = logging.getLogger(__name__)
SLOTS = 3  # while one batch is computed, one is copied down and one is filled


class _Piece:
    """A batch under way in a slot, or its outcome."""

    def __init__(self, slot: Slot, count: int) -> None:
        self.slot: Slot | None = slot
        self._count = count
        self._ab: np.ndarray | None = None
        self._error: BackendError | None = None

    def settle(self) -> None:
        """Wait, and copy the result out of the slot, which is free from then on."""
        if self.slot is None:
            return
        try:
            self.slot.wait()
            self._ab = self.slot.ab[: self._count].copy()
        except BackendError as error:
            self._error = error
        self.slot = None

    def result(self) -> np.ndarray:
        if self._error is not None:
            raise self._error
        return self._ab


class Runner:
    """A `Backend` over a `Device`.

    Every batch is brought to the size `batch` by repeating its last picture, so every picture goes through the same
    kernels, whatever the batches it comes in. The work is recorded once for every slot.

    Args:
        device: what computes.
        batch: pictures in a batch; halved as often as the device has no room for it.
        slots: batches under way.
        say: told in one sentence when something is done otherwise than asked.

    Raises:
        BackendError: the device has no room for a single picture.
    """

    def __init__(self, device: Device, batch: int, slots: int = SLOTS, say: Say = log.warning) -> None:
        self.device, self.info = device, device.info
        self.slots = slots
        self._say = say
        self._under_way: deque[_Piece] = deque()
        self._open(batch)

    def _open(self, batch: int) -> None:
        while True:
            try:
                self._free = deque(self.device.open_slots(batch, self.slots))
                break
            except OutOfMemory as error:
                self.device.close_slots()
                batch = self._halved(batch, error)
        self.batch = batch
        self._recorded: dict[int, object] = {}

    def _halved(self, batch: int, error: OutOfMemory) -> int:
        if batch == 1:
            raise BackendError(
                f"{self.info.device} has no memory for a single picture",
                str(error),
                "Close what else uses it, or lower --res.",
            ) from error
        self._say(f"{self.info.device} is out of memory at batches of {batch}; going on with batches of {batch // 2}")
        return batch // 2

    def start(self, lightness: np.ndarray) -> Callable[[], np.ndarray]:
        """See `Backend.start`. More pictures than a batch holds become several batches. Not for several threads at once."""
        pieces: list[_Piece] = []
        done = 0
        while done < len(lightness):
            part = lightness[done : done + self.batch]
            piece = self._launch(part)
            if piece is not None:
                pieces.append(piece)
                done += len(part)

        def result() -> np.ndarray:
            for piece in pieces:
                self._settle(piece)
            parts = [piece.result() for piece in pieces]
            return finite(parts[0] if len(parts) == 1 else np.concatenate(parts), self.info)

        return result

    def _launch(self, pictures: np.ndarray) -> _Piece | None:
        """None: there was no room, and batches are smaller now."""
        if not self._free:
            self._settle(self._under_way[0])
        slot = self._free[0]
        slot.lightness[: len(pictures)] = pictures
        slot.lightness[len(pictures) :] = pictures[-1]
        try:
            if id(slot) not in self._recorded:
                self._recorded[id(slot)] = slot.record(self.batch)
            slot.launch(self._recorded[id(slot)])
        except OutOfMemory as error:
            self._shrink(error)
            return None
        piece = _Piece(self._free.popleft(), len(pictures))
        self._under_way.append(piece)
        return piece

    def _settle(self, piece: _Piece) -> None:
        slot = piece.slot
        if slot is not None:
            piece.settle()
            self._under_way.remove(piece)
            self._free.append(slot)

    def _shrink(self, error: OutOfMemory) -> None:
        """Bring home what is under way, then open smaller slots."""
        while self._under_way:
            self._settle(self._under_way[0])
        batch = self._halved(self.batch, error)
        self._give_back()
        self._open(batch)

    def memory(self) -> int:
        """Bytes of device memory that the network and its batches take."""
        return self.device.memory()

    def close(self) -> None:
        """Give the device's memory back. The backend is of no use afterwards."""
        while self._under_way:
            self._settle(self._under_way[0])
        self._give_back()

    def _give_back(self) -> None:
        self._free.clear()
        self._recorded.clear()  # torch's graphs hold the memory that they were captured in
        self.device.close_slots()

    def __del__(self) -> None:
        if hasattr(self, "_free"):
            self.close()
