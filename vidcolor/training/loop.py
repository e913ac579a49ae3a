"""Training, in one loop that reads from top to bottom."""

from __future__ import annotations

import copy
import csv
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vidcolor.color.gamut import lab_to_srgb8
from vidcolor.color.lab import srgb_to_lab
from vidcolor.evaluation.metrics import colourfulness, psnr
from vidcolor.models.registry import load_network
from vidcolor.training.checkpoint import load_checkpoint, save_checkpoint
from vidcolor.training.data import Batches, load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.losses import LOSSES


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Everything that determines a run; stored in its checkpoints."""

    model: str
    data: tuple[str, ...]
    validation: tuple[str, ...]
    steps: int
    batch: int = 32
    size: int = 144
    rate: float = 2e-3
    encoder_rate: float = 0.3  # × rate; 0 freezes the encoder
    weight_decay: float = 0.01
    warmup: int = 200
    cooldown: float = 1.0  # the last part of the run, 0…1, in which the rate falls as a half cosine
    loss: str = "chroma-weighted"
    ema: float = 0.999
    seed: int = 0
    threads: int = 2
    minutes_between_checkpoints: float = 3.0
    steps_between_validations: int = 1000


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


@torch.inference_mode()
def validate(network: nn.Module, pictures: list[np.ndarray], size: int) -> dict[str, float]:
    """Gain over grey in dB and colourfulness against the truth (METRICS.md, stills) on squashed pictures."""
    network.eval()
    gains, ours, true = [], [], []
    for start in range(0, len(pictures), 32):
        rgb8 = [cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in pictures[start : start + 32]]
        lab = srgb_to_lab(np.stack(rgb8).astype(np.float32) / 255)
        light = torch.from_numpy(np.ascontiguousarray(lab[..., 0])[:, None])
        ab = F.interpolate(network(light).float(), (size, size), mode="bilinear").permute(0, 2, 3, 1).numpy()
        coloured = lab_to_srgb8(np.concatenate((lab[..., :1], ab), -1))
        grey = lab_to_srgb8(lab * np.array([1, 0, 0], np.float32))
        for truth, c, g in zip(rgb8, coloured, grey, strict=True):
            gains.append(psnr(truth, c) - psnr(truth, g))
            ours.append(colourfulness(c))
            true.append(colourfulness(truth))
    network.train()
    return {"gain_db": float(np.mean(gains)), "cf_ratio": float(np.mean(ours) / np.mean(true))}


def train(options: TrainOptions, run: Path, start_from: Path | None = None, say=print) -> Path:
    """Train until `options.steps`, resuming from `run/last.pt` if it is there. Returns the checkpoint's path.

    Raises:
        FloatingPointError: the loss is not a number; the last good checkpoint stays.
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    run.mkdir(parents=True, exist_ok=True)

    # data
    loaded = load_pictures([Path(p) for p in options.data], max_short_side=max(160, options.size))
    say(f"{len(loaded.pictures)} pictures; left out: {dict(loaded.skipped) or 'none'}")
    validation = load_pictures([Path(p) for p in options.validation], max_short_side=max(160, options.size)).pictures
    batches = Batches(loaded.pictures, options.batch, options.size, options.seed, Degrade())

    # network, optimiser, moving average
    network = load_network(options.model)
    if hasattr(network, "load_imagenet_encoder"):
        network.load_imagenet_encoder()
    if start_from:
        network.load_state_dict(load_checkpoint(start_from, options.model)["ema"])
    network = network.to(memory_format=torch.channels_last).train()
    ema = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(parameter_groups(network, options), lr=options.rate, betas=(0.9, 0.99))
    loss_of = LOSSES[options.loss]
    step, last = 0, run / "last.pt"
    if last.exists():
        state = load_checkpoint(last, options.model)
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
        say(f"resumed at step {step}")

    def save() -> None:
        save_checkpoint(last, options.model, asdict(options), step, network, ema, optimiser)

    # loop
    log = (run / "log.csv").open("a", newline="")
    rows = csv.writer(log)
    started, saved, seen, running = time.monotonic(), time.monotonic(), 0, None
    try:
        for light, ab in batches.stream(step):
            if step >= options.steps:
                break
            for group in optimiser.param_groups:
                group["lr"] = rate_at(step, options) * group["scale"]
            light, ab = torch.from_numpy(light), torch.from_numpy(ab)
            with torch.autocast("cpu", torch.bfloat16):
                predicted = network(light.contiguous(memory_format=torch.channels_last))
            ab = F.adaptive_avg_pool2d(ab, predicted.shape[-2:])
            loss = loss_of(predicted.float(), ab)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            value = loss.item()
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} at step {step}; {last} holds the last good state")
            optimiser.step()
            step += 1
            seen += options.batch
            decay = min(options.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for mean, now in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
                    mean.lerp_(now, 1 - decay) if mean.is_floating_point() else mean.copy_(now)
            running = value if running is None else 0.98 * running + 0.02 * value

            if step % 50 == 0:
                rate = seen / (time.monotonic() - started)
                left = (options.steps - step) * options.batch / rate / 60
                say(f"step {step}/{options.steps}  loss {running:.5f}  {rate:.1f} pictures/s  {left:.0f} min left")
                rows.writerow([step, f"{running:.6f}", f"{rate:.1f}"])
                log.flush()
            if step % options.steps_between_validations == 0 or step == options.steps:
                figures = validate(ema, validation, options.size)
                say(f"step {step}  gain {figures['gain_db']:.3f} dB at CF/truth {figures['cf_ratio']:.3f}")
            if time.monotonic() - saved > options.minutes_between_checkpoints * 60:
                save()
                saved = time.monotonic()
    finally:
        log.close()
        if running is not None and math.isfinite(running):
            save()
    return last
