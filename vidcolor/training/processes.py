"""One process, or several by `torchrun`; alone in the folder of a run; and how a run is asked to stop."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vidcolor.errors import UsageError, VidcolorError


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among all that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process speaks, validates and saves."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over all processes."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, device_ids=[self.device.index] if self.device.type == "cuda" else None)

    def agree(self, loss: torch.Tensor, stop: bool) -> tuple[float, bool]:
        """(mean loss of all processes, whether any of them was asked to stop)."""
        if self.count == 1:
            return loss.item(), stop
        both = torch.tensor([loss.item() / self.count, float(stop)], dtype=torch.float64, device=self.device)
        dist.all_reduce(both)
        return both[0].item(), both[1].item() > 0


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started; alone where it started none.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises:
        UsageError: a GPU is asked for where there is none.
        VidcolorError: another of them has ended.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "cannot train on a GPU", "torch finds none", "Use --device cpu, or install a CUDA build of torch."
        )
    count, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(rank, count, chosen)
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):  # gloo's have no type of their own
            raise
        raise VidcolorError(
            "training stopped",
            "another process of this run has ended",
            "Its own message says why; the same command goes on from the last checkpoint.",
        ) from error
    finally:
        dist.destroy_process_group()


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Make the folder of a run and hold its lock. The system lets go of it when a process ends, however it ends.

    Raises:
        UsageError: another process trains there.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"cannot train in {run}", "another process trains there", "Wait for it, or give another folder."
            ) from error
        yield


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set, so that a step is finished before the run is saved; a second one interrupts.

    Those that are ignored (SIGHUP, with nohup) stay so.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return

    def handle(number: int, _frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    asked = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in asked}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
