"""`vidcolor train`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import click

from vidcolor.cli import verbose_option
from vidcolor.errors import ModelError, VidcolorError
from vidcolor.training.options import TrainOptions, make_options, read_toml

DEFAULTS = {field.name: field.default for field in dataclasses.fields(TrainOptions)}


def setting(name: str, help: str, **kind: object) -> Callable:
    """An option that overrides the TOML file; without it, the file's or the default's value holds."""
    default = DEFAULTS[name]
    if default is not dataclasses.MISSING:
        kind = {"type": type(default), **kind}
        help = f"{help} [{default}]"
    flag = "--" + name.replace("_", "-")
    return click.option(
        f"{flag}/--no-{flag[2:]}" if kind.get("type") is bool else flag, name, default=None, help=help, **kind
    )


@click.command("train")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of options; those given here override it.",
)
@setting("model", "Network; see: vidcolor models. [lite]")
@click.option("--data", multiple=True, help="Folder or .tar shard of photographs; may be repeated.")
@click.option("--val", "validation", multiple=True, help="The same, for validation.")
@setting("steps", "Steps in all.")
@setting("batch", "Pictures a step and process.")
@setting("size", "Side of the training pictures, pixels.")
@setting("rate", "Learning rate.")
@setting("encoder_rate", "× rate, for a pretrained encoder; 0 freezes it.")
@setting("recall", "Weight of keeping what the pretrained encoder knows; docs/training.md.")
@setting("weight_decay", "Of matrices.")
@setting("warmup", "Steps in which the rate rises.")
@setting("cooldown", "Last part of the run in which the rate falls, 0 to 1.")
@setting("loss", "Loss; docs/training.md lists them.")
@setting("ema", "Decay of the average of the weights, 0 to 1.")
@setting("seed", "Of the weights, the order and the changes of the pictures.")
@setting("threads", "Threads that torch uses.")
@setting("device", "auto, cpu or cuda.")
@setting("precision", "Of the forward pass: bf16 or fp32.")
@setting("compile", "torch.compile: auto (on a GPU, where it works), on, off.")
@setting("whole", "Share of the pictures that are shown whole, 0 to 1; others are cut.")
@setting("degrade", "Show the network worn film instead of clean luma.")
@setting("pretrained", "Begin with ImageNet weights where the network can.")
@setting("minutes_between_checkpoints", "How much work an accident may cost.")
@setting("steps_between_validations", "Steps from one validation to the next.")
@setting("steps_between_logs", "Steps from one line of log.csv to the next.")
@setting("samples", "Pictures on the sheet of each validation; 0 for none.")
@click.option("--start-from", type=click.Path(exists=True, path_type=Path), help="Checkpoint to take the weights from.")
@verbose_option
def command(run: Path, config: Path | None, start_from: Path | None, verbose: bool, **given: object) -> None:
    """Train a network; checkpoints, curves and sample pictures go to the folder RUN.

    A folder with a checkpoint is gone on with, by the options stored in it. Ctrl-C finishes the step and saves. Several
    GPUs: torchrun --nproc-per-node N -m vidcolor train RUN …
    """
    from vidcolor.cli.memory import keep_freed_memory
    from vidcolor.cli.ui import Ticker

    try:
        from vidcolor.training.checkpoint import load_checkpoint
        from vidcolor.training.loop import train
    except ModuleNotFoundError as error:
        raise ModelError(
            "cannot train", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'"
        ) from error

    stored = load_checkpoint(run / "last.pt")["options"] if (run / "last.pt").exists() else {}
    stored = {name: value for name, value in stored.items() if name in DEFAULTS}  # an older version may have had others
    given = {name: value or None if isinstance(value, tuple) else value for name, value in given.items()}
    options = make_options(stored, read_toml(config) if config else {}, given)
    ticker = Ticker()
    keep_freed_memory()
    try:
        for name, value in stored.items():
            if getattr(options, name, value) != (tuple(value) if isinstance(value, list) else value):
                ticker.say(f"changed since the checkpoint: {name} {value} → {getattr(options, name)}")
        last = train(options, run, start_from, ticker.say, ticker)
    except OSError as error:
        if error.filename is not None:
            raise
        again = "Make room, and give the same command again."  # writing to a full disk names no file
        raise VidcolorError(f"cannot write into {run}", error.strerror or str(error), again) from error
    finally:
        ticker.close()
    ticker.say(f"{last}\nNext: vidcolor export {last} {options.model}.onnx")
