"""How much of a training run is learning: whole steps beside bare forward and backward passes, in turn, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from vidcolor.training.batches import Batches
from vidcolor.training.degrade import Degrade
from vidcolor.training.learner import STEPS_BETWEEN_LOOKS, Learner, first_network
from vidcolor.training.options import TrainOptions
from vidcolor.training.processes import Processes, joined
from vidcolor.training.store import PictureStore

STORED = 256  # made-up pictures, enough for batches not to be the same ones
SIDES = (160, 224)  # of those, pixels


@dataclass(frozen=True, slots=True)
class Effort:
    """Seconds of one step: on the clock, and of all of this process's threads."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class TrainingSpeed:
    """One entry a round; both kinds of steps alternate, so that what else the machine does weighs on both."""

    device: str
    batch: int
    bare: tuple[Effort, ...]  # forward and backward pass on a batch that is in memory
    whole: tuple[Effort, ...]  # what a run does: make the batch, both passes, clip, optimiser, average

    def pictures_per_second(self, steps: tuple[Effort, ...]) -> float:
        return self.batch / statistics.median(step.wall for step in steps)

    def ratio(self, of: str = "wall") -> float:
        """Share of a whole step that is bare, from the medians of "wall" or "cpu" seconds."""
        bare, whole = (statistics.median(getattr(step, of) for step in steps) for steps in (self.bare, self.whole))
        return bare / whole


def made_up_pictures() -> PictureStore:
    """Noise of the size of real pictures, half of them upright: their content takes no time."""
    rng, store = np.random.default_rng(0), PictureStore(min(SIDES))
    for number in range(STORED):
        store.append(rng.integers(0, 256, (*(SIDES if number % 2 else SIDES[::-1]), 3), np.uint8))
    return store


def measure(options: TrainOptions, rounds: int, say: Callable[[str], None] = print) -> TrainingSpeed:
    """`rounds` steps of both kinds, in turn, after one of each that does not count. Nothing is read from `options.data`.

    Raises:
        ModelError: the network cannot be made, or compiled if that was asked for.
    """
    options.validate()
    with joined(options.device) as processes:
        return _measure(options, rounds, say, processes)


def _measure(options: TrainOptions, rounds: int, say: Callable[[str], None], processes: Processes) -> TrainingSpeed:
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    store, device = made_up_pictures(), processes.device
    say(store.settle(device))
    degrade = Degrade() if options.degrade else None
    batches = Batches(store, options.batch, options.size, options.seed, options.whole, degrade, device)
    learner = Learner(first_network(options, None), options, processes)
    shown, truth = batches.make(0)
    learner.compile(shown, truth, say)
    stream = batches.stream(0)

    def bare() -> None:
        learner.backward(shown, truth)

    def whole() -> None:
        learner.backward(*next(stream))
        learner.clip()
        learner.update(0.0, options.ema)

    pairs = [(_time(bare, device), _time(whole, device)) for _ in range(rounds + 1)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {options.threads} threads"
    return TrainingSpeed(name, options.batch, *zip(*pairs[1:], strict=True))


def _time(work: Callable[[], None], device: torch.device) -> Effort:
    """The effort of one step; on a GPU of the mean of a few, since a step is not waited for there."""
    repeats = 1 if device.type == "cpu" else STEPS_BETWEEN_LOOKS["cuda"]
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return Effort((time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats)
