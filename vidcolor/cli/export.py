"""`vidcolor export`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vidcolor.cli import verbose_option
from vidcolor.errors import ModelError


@click.command("export")
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.argument("onnx", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--card", type=click.Path(exists=True, path_type=Path), help="JSON with more facts for the weights' card.")
@verbose_option
def command(checkpoint: Path, onnx: Path, card: Path | None, verbose: bool) -> None:
    """Turn a training CHECKPOINT into ONNX weights and their card, checked against torch before they are written."""
    try:
        from vidcolor.training.checkpoint import load_checkpoint
        from vidcolor.training.export import export
    except ModuleNotFoundError as error:
        raise ModelError("cannot export", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'") from error
    from vidcolor.models.registry import find_spec, load_network

    state = load_checkpoint(checkpoint)
    network = load_network(state["model"])
    network.load_state_dict(state["ema"])
    facts = {"steps": state["step"], "training": state["options"], **(json.loads(card.read_text()) if card else {})}
    written = export(network, find_spec(state["model"]), onnx, facts)
    click.echo(f"{onnx}: {written['largest_difference_to_torch']:.3f} Lab units at most from torch", err=True)
