"""Training, in one loop that reads from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from vidcolor.errors import UsageError, VidcolorError
from vidcolor.files import write_whole
from vidcolor.models.registry import find_spec, load_network
from vidcolor.training.batches import Batches
from vidcolor.training.checkpoint import load_checkpoint, save_checkpoint
from vidcolor.training.curves import LOSS_COLUMNS, VALIDATION_COLUMNS, Table, plot_run
from vidcolor.training.data import load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.learner import STEPS_BETWEEN_LOOKS, Learner, first_network
from vidcolor.training.losses import find_loss
from vidcolor.training.options import TrainOptions, to_toml
from vidcolor.training.processes import Processes, alone_in, asked_to_stop, joined
from vidcolor.training.store import PictureStore
from vidcolor.training.validation import sample_sheet, validate

__all__ = ["TrainOptions", "TrainingStopped", "train", "validate"]

STORED_SIDE = 160  # short side of the pictures in memory, pixels, where training pictures are not larger still
KEPT = 0.98  # of the running mean of the loss, a step


class TrainingStopped(VidcolorError, FloatingPointError):
    """The loss or its gradient is not a number: nothing after it would be worth anything."""


def rate_at(step: int, options: TrainOptions) -> float:
    """Linear warm-up, constant, then a half cosine to 0 over the last `cooldown` of the run."""
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    fall = options.steps * options.cooldown
    done = 1 - (options.steps - step) / fall if fall else 0.0
    return options.rate * warm * (0.5 + 0.5 * math.cos(math.pi * max(0.0, done)))


def train(
    options: TrainOptions,
    run: Path,
    start_from: Path | None = None,
    say: Callable[[str], None] = print,
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> Path:
    """Train until `options.steps`, resuming from `run/last.pt` if it is there. Returns the checkpoint's path.

    The folder `run` gets options.toml, log.csv, validation.csv, curves.png, samples/ and last.pt. Under `torchrun` every
    process takes its own batches, and the first one writes.

    Args:
        say: called with lines worth keeping.
        progress: called with (text, step, steps) at every log entry.

    Raises:
        UsageError: another process trains in the folder.
        TrainingStopped: the loss is not a number; the last good checkpoint stays.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; the step was finished and the checkpoint saved.
    """
    options.validate()
    find_spec(options.model)
    find_loss(options.loss)
    with joined(options.device) as processes, alone_in(run) if processes.first else nullcontext():
        silent = (lambda *_: None) if not processes.first else None
        return _train(options, run, start_from, silent or say, silent or progress, processes)


def _train(
    options: TrainOptions,
    run: Path,
    start_from: Path | None,
    say: Callable[[str], None],
    progress: Callable[[str, int, int], None],
    processes: Processes,
) -> Path:
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    torch.manual_seed(options.seed)
    device, last = processes.device, run / "last.pt"

    # where an earlier run stopped
    state = load_checkpoint(last, options.model) if last.exists() else None
    if state and state.get("processes", 1) != processes.count:
        was = state.get("processes", 1)
        raise UsageError(
            f"cannot go on from {last}", f"it was trained by {was} processes, not {processes.count}", f"Start {was}."
        )
    if state and state["step"] > options.steps:
        next_step = "Give more --steps, or begin another run with --start-from."
        raise UsageError(
            f"cannot train to step {options.steps}", f"{last} is at step {state['step']} already", next_step
        )

    # data
    side = max(STORED_SIDE, options.size)
    store = PictureStore(side)
    learnt = load_pictures([Path(p) for p in options.data], side, store)
    say(f"training: {learnt}; {store.settle(device)}")
    held_back = load_pictures([Path(p) for p in options.validation], side)
    say(f"validation: {held_back}")
    if known := len(learnt.hashes & held_back.hashes):
        say(f"warning: {known} of the validation pictures are trained on too: figures on those say nothing")
    degrade = Degrade() if options.degrade else None
    batches = Batches(store, options.batch, options.size, options.seed, options.whole, degrade, device)

    # network, optimiser, moving average
    network = load_network(options.model) if state else first_network(options, start_from)
    learner = Learner(network, options, processes)
    step, running = 0, None
    if state:
        learner.load(state)
        step, running = state["step"], state.get("running_loss")
        say(f"resumed at step {step} of {options.steps}")
        if (before := state.get("pictures")) not in (None, len(store)):
            say(f"changed since the checkpoint: {before} → {len(store)} training pictures, and so the batches to come")
        del state
    learner.compile(*batches.make(0), say)

    # files
    if processes.first:
        (run / "samples").mkdir(exist_ok=True)
        write_whole(run / "options.toml", to_toml(options).encode())
        losses = Table(run / "log.csv", LOSS_COLUMNS, step)
        validations = Table(run / "validation.csv", VALIDATION_COLUMNS, step)

    def save() -> None:
        if processes.first:
            done = {"model": options.model, "options": asdict(options), "step": step, "running_loss": running}
            taken = {"processes": processes.count, "pictures": len(store)}
            save_checkpoint(last, {**done, **taken, **learner.state()})

    def look() -> None:
        figures = validate(learner.ema, held_back.pictures, options.size)
        validations.add(step=step, **figures)
        say(
            f"step {step}: gain {figures['gain_db']:.3f} dB at CF/truth {figures['cf_ratio']:.3f}, ΔE00 {figures['delta_e']:.2f}"
        )
        if options.samples:
            png = sample_sheet(learner.ema, held_back.pictures, options.size, options.samples, f"step {step}")
            write_whole(run / "samples" / f"{step:08}.png", png)
        plot_run(run)

    # loop
    started = saved = time.monotonic()
    seen, looked = 0, 0.0  # pictures trained on, seconds spent validating
    losses_since, steps_since = torch.zeros((), device=device), 0  # since the loss was looked at
    stream = batches.stream(step * processes.count + processes.rank, processes.count)

    def due(every: int) -> bool:
        return step % every == 0 or step == options.steps

    with asked_to_stop() as stop:
        while step < options.steps:
            shown, truth = next(stream)
            rate = rate_at(step, options)
            loss, norm = learner.backward(shown, truth), learner.clip()
            losses_since, steps_since = losses_since + loss, steps_since + 1
            step += 1
            seen += options.batch * processes.count
            log_due, validation_due = due(options.steps_between_logs), due(options.steps_between_validations)
            heed = log_due or validation_due or due(STEPS_BETWEEN_LOOKS[device.type])
            if heed:
                value, leave = processes.agree(losses_since / steps_since, stop.is_set())
                if not (math.isfinite(value) and math.isfinite(norm.item())):
                    raise TrainingStopped(
                        f"training stopped at step {step}",
                        f"the loss is {value} and its gradient {norm.item()}",
                        f"{last} holds the last good state: go on from there with a lower --rate or --precision fp32."
                        if last.exists()
                        else "Begin again with a lower --rate or --precision fp32.",
                    )
                kept = KEPT**steps_since
                running = value if running is None else kept * running + (1 - kept) * value
                losses_since, steps_since = torch.zeros_like(losses_since), 0
            learner.update(rate, min(options.ema, (1 + step) / (10 + step)))

            if processes.first and log_due:
                speed = seen / (time.monotonic() - started - looked)
                losses.add(step=step, loss=value, running_loss=running, rate=rate, pictures_per_second=speed)
                left = (options.steps - step) * options.batch * processes.count / speed / 60
                text = f"step {step}/{options.steps}  loss {running:.5f}  {speed:.1f} pictures/s  {left:.0f} min left"
                progress(text, step, options.steps)
            if processes.first and validation_due:
                begun = time.monotonic()
                look()
                looked += time.monotonic() - begun
            if heed and leave:
                save()
                say(f"stopped at step {step}; the same command goes on from there")
                raise KeyboardInterrupt
            if heed and time.monotonic() - saved > options.minutes_between_checkpoints * 60:
                save()
                saved = time.monotonic()
        save()
    return last
