"""`vidcolor train`."""

from __future__ import annotations

from pathlib import Path

import click

from vidcolor.cli import verbose_option
from vidcolor.errors import ModelError


@click.command("train")
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", default="lite", show_default=True, help="Network; see: vidcolor models.")
@click.option("--data", required=True, multiple=True, type=click.Path(exists=True), help="Folder or .tar shard of photographs; may be repeated.")
@click.option("--val", "validation", required=True, multiple=True, type=click.Path(exists=True), help="The same, for validation.")
@click.option("--steps", default=20_000, show_default=True)
@click.option("--batch", default=32, show_default=True)
@click.option("--size", default=128, show_default=True, help="Side of the training pictures, pixels.")
@click.option("--rate", default=2e-3, show_default=True, help="Learning rate.")
@click.option("--encoder-rate", default=0.3, show_default=True, help="× rate, for a pretrained encoder; 0 freezes it.")
@click.option("--cooldown", default=1.0, show_default=True, help="Last part of the run in which the rate falls, 0 to 1.")
@click.option("--loss", default="chroma-weighted", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--start-from", type=click.Path(exists=True, path_type=Path), help="Checkpoint to take the weights from.")
@verbose_option
def command(run: Path, start_from: Path | None, verbose: bool, **options: object) -> None:
    """Train a network; checkpoints and the loss curve go to the folder RUN.

    A folder with a checkpoint is gone on with. Ctrl-C saves first.
    """
    try:
        from vidcolor.training.loop import TrainOptions, train
    except ModuleNotFoundError as error:
        raise ModelError("cannot train", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'") from error

    last = train(TrainOptions(**options), run, start_from, say=lambda line: click.echo(line, err=True))
    click.echo(f"{last}\nNext: vidcolor export {last} lite.onnx", err=True)
