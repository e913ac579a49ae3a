"""`vidcolor export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidcolor.cli import overwrite_option, verbose_option
from vidcolor.errors import ModelError, UsageError
from vidcolor.files import check_no_input, check_place
from vidcolor.models.weights import card_path

if TYPE_CHECKING:
    import numpy as np


@click.command("export")
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path, dir_okay=False))
@click.argument("onnx", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="int8 is for OpenVINO on CPUs.",
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Pictures that calibrate int8. [the training pictures]",
)
@click.option(
    "--card", type=click.Path(exists=True, path_type=Path), help="JSON with more facts for the weights' card."
)
@overwrite_option
@verbose_option
def command(
    checkpoint: Path,
    onnx: Path,
    precision: str,
    data: tuple[Path, ...],
    card: Path | None,
    overwrite: bool,
    verbose: bool,
) -> None:
    """Turn a training CHECKPOINT into ONNX weights and their card, checked against torch before they are written."""
    if card_path(onnx) == onnx:
        raise UsageError(f"cannot write {onnx}", "its card would have the same name", "Name it .onnx.")
    for output in (onnx, card_path(onnx)):
        check_place(output, overwrite)
        check_no_input(output, [checkpoint, *filter(None, [card])])
    more = _read_card(card) if card else {}
    try:
        from vidcolor.training.checkpoint import fill, load_checkpoint
        from vidcolor.training.export import export
    except ModuleNotFoundError as error:
        raise ModelError(
            "cannot export", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'"
        ) from error
    from vidcolor.models.registry import find_spec, load_network

    state = load_checkpoint(checkpoint)
    spec, options = find_spec(state["model"]), dict(state["options"])
    if data and precision != "int8":
        click.echo(f"--data is of no use with {precision}: nothing is calibrated", err=True)
    network = load_network(spec.name)
    fill(network, state, "ema")
    trained_on = [Path(p) for p in options.pop("data", ())]  # paths of one machine: not for the card
    options.pop("validation", None)
    facts = {"steps": state["step"], "training": options, **more}
    inputs = (
        _calibration(list(data) or trained_on, options.get("size", spec.default_res), spec.stride)
        if precision == "int8"
        else []
    )
    written = export(network, spec, onnx, facts, precision, inputs)
    kind = "mean" if precision == "int8" else "largest"
    click.echo(
        f"{onnx}: {precision}, {kind} difference to torch {written[f'{kind}_difference_to_torch']:.3f} Lab units",
        err=True,
    )


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read the card {path}", str(error), "Give a JSON object.") from error
    if not isinstance(card, dict):
        raise UsageError(f"cannot use the card {path}", "it holds no JSON object", "Give one: {…}.")
    return card


def _calibration(sources: list[Path], size: int, stride: int) -> list[np.ndarray]:
    from vidcolor.training.data import load_pictures
    from vidcolor.training.quantise import calibration_inputs

    return calibration_inputs(load_pictures(sources, max(160, size)).pictures, size, stride)
