"""Train the networks one after the other for a given time, on a machine that may be had only once.

    python scripts/train_on_gpu.py build/gpu-set --minutes 25

For each network: its speed is measured, the number of steps follows from it, two runs go their way, and the second is
exported. The first learns at a constant rate, mostly from parts of pictures; in the second the rate falls, pictures are whole,
and the loss is what they will be judged by.
Called again, it goes on where it was stopped.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import click

# What each network is given: share of the time, pictures a step, learning rate, loss, validations.
RECIPES = {
    "resnet38": {"share": 0.7, "batch": 64, "rate": 5e-4, "loss": "l1", "warmup": 500},
    "lite": {"share": 0.3, "batch": 256, "rate": 3e-3, "loss": "chroma-weighted", "warmup": 300},
}
FINISH = 0.3  # part of the steps that the second run takes
RESERVE = 0.9  # share of the time that goes into steps; the rest is validation, sheets and saving


def vidcolor(*arguments: object) -> str:
    """Run a command of vidcolor's, its words on standard error; returns its standard output."""
    command = [sys.executable, "-m", "vidcolor", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def steps_for(model: str, size: int, batch: int, seconds: float, repeats: int) -> int:
    """As many steps as fit, by a measurement."""
    flags = ["--model", model, "--res", size, "--batch", batch, "--repeats", repeats, "--json"]
    speed = json.loads(vidcolor("bench", "--training", *flags))["rows"][0]
    click.echo(f"{model}: {speed['whole']:.1f} pictures/s, {speed['ratio']:.0%} of bare passes", err=True)
    return max(1, math.floor(seconds * speed["whole"] / batch))


@click.command()
@click.argument("folder", metavar="SET", type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.option(
    "-o", "--output", default="runs/gpu", show_default=True, type=click.Path(path_type=Path), help="Folder of the runs."
)
@click.option("--minutes", default=25.0, show_default=True, help="For all networks together.")
@click.option(
    "--model", "models", multiple=True, default=tuple(RECIPES), show_default=True, type=click.Choice(list(RECIPES))
)
@click.option("--size", default=144, show_default=True, help="Side of the training pictures, pixels.")
@click.option("--batch", type=int, help="Pictures a step, instead of the recipe's.")
@click.option("--steps", type=int, help="Steps of each, instead of as many as fit.")
@click.option("--device", default="cuda", show_default=True, help="cuda, or cpu for a rehearsal.")
def main(
    folder: Path,
    output: Path,
    minutes: float,
    models: tuple[str, ...],
    size: int,
    batch: int | None,
    steps: int | None,
    device: str,
) -> None:
    """Train and export networks on the set SET (from scripts/train_gpu_set.py)."""
    shares = sum(RECIPES[model]["share"] for model in models)
    for model in models:
        recipe, began = RECIPES[model], time.monotonic()
        first, second = (output / model / part for part in ("first", "second"))
        places = ["--data", folder / "train.tar", "--val", folder / "val.tar"]
        kind = ["--model", model, "--size", size, "--batch", batch or recipe["batch"], "--device", device]
        kind += ["--rate", recipe["rate"]]
        if not (first / "last.pt").exists():
            seconds = RESERVE * 60 * minutes * recipe["share"] / shares
            count = steps or steps_for(model, size, batch or recipe["batch"], seconds, 5)
        else:
            count = round(steps_of(first) / (1 - FINISH))
        train(
            first,
            [*places, *kind, "--loss", recipe["loss"], "--cooldown", 0],
            max(1, round(count * (1 - FINISH))),
            recipe["warmup"],
        )
        finish = ["--loss", "decibel-vivid", "--cooldown", 1, "--whole", 0.9, "--start-from", first / "last.pt"]
        train(second, [*places, *kind, *finish], max(1, round(count * FINISH)), recipe["warmup"])
        vidcolor("export", second / "last.pt", output / f"{model}.onnx", "--overwrite")
        click.echo(f"{model}: {output / model}.onnx after {(time.monotonic() - began) / 60:.1f} minutes", err=True)


def train(run: Path, flags: list, steps: int, warmup: int) -> None:
    """Train a run to its end, from where it was stopped if it was."""
    if (run / "last.pt").exists():
        vidcolor("train", run)
        return
    rhythm = ["--warmup", min(warmup, steps // 10), "--steps-between-validations", max(1, steps // 6)]
    vidcolor("train", run, *flags, "--steps", steps, *rhythm)


def steps_of(run: Path) -> int:
    """Steps in all of a run that has begun."""
    return tomllib.loads((run / "options.toml").read_text("utf-8"))["steps"]


if __name__ == "__main__":
    main()
