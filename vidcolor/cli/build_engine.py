"""`vidcolor build-engine`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from vidcolor.cli import calibrate_option, res_option, verbose_option
from vidcolor.cli.run import DEFAULTS
from vidcolor.errors import UsageError


@click.command("build-engine")
@click.option("--model", default=DEFAULTS["model"], show_default=True, help="Network; see: vidcolor models.")
@click.option("--weights", type=click.Path(path_type=Path), help="Your own weights (ONNX from: vidcolor export).")
@res_option("Short side of what the network sees, pixels.")
@click.option("--size", help="WIDTHxHEIGHT of the network's picture, for a profile with exact shapes. [res × res]")
@click.option("--batch", help="Least, usual, most pictures in a batch: 1,8,32. [the profile's]")
@click.option("--precision", help="fp32, fp16, int8 or fp8. [the profile's]")
@calibrate_option
@click.option("--profile", default="default", show_default=True, help="A table of engines/profiles.toml.")
@click.option("--backend", help="tensorrt or tensorrt-rtx. [the one that is installed]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@verbose_option
def command(
    model: str,
    weights: Path | None,
    res: int,
    size: str | None,
    batch: str | None,
    precision: str | None,
    calibrate: Path | None,
    profile: str,
    backend: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Build the TensorRT engine of a network for this machine's GPU and keep it for `run`.

    TensorRT-RTX builds on a machine without a GPU too; such an engine is for any GPU that it supports.
    """
    from vidcolor.backends.choose import choose_model
    from vidcolor.backends.engine_cache import PORTABLE
    from vidcolor.backends.engine_supply import Order, make_and_store
    from vidcolor.backends.profiles import find_profile
    from vidcolor.backends.trt_library import choose_library
    from vidcolor.bench.calibration import calibration
    from vidcolor.cli.ui import BuildProgress
    from vidcolor.models.registry import find_spec
    from vidcolor.models.weights import find_weights

    chosen = find_profile(profile)
    changes = {"precision": precision or chosen.precision, "batch": parse_batch(batch) or chosen.batch}
    chosen = dataclasses.replace(chosen, **changes)
    chosen.validate()
    spec = find_spec(choose_model(model).name)
    width, height = parse_size(size) if size else (res, res)
    width, height = (-(-side // spec.stride) * spec.stride for side in (width, height))
    pictures = calibration(calibrate, height, width) if calibrate else ()
    order = Order(choose_library(backend), spec, find_weights(spec, weights), chosen, height, width, pictures)
    if pictures:
        click.echo(f"looking for what {chosen.precision} harms most, on {len(pictures)} pictures", err=True)
    progress = BuildProgress(f"{spec.name} {chosen.precision}, {order.library.name} {order.library.version}")
    try:
        engine = make_and_store(order, progress=progress)
    finally:
        progress.close()
    report = engine.report
    if as_json:
        key = dataclasses.asdict(engine.key)
        click.echo(
            json.dumps({"type": "engine", "path": str(engine.path), "key": key, "sha256": engine.sha256, **report})
        )
        return
    click.echo(str(engine.path))
    convolutions = ", ".join(f"{count} in {kind}" for kind, count in report["convolutions"].items())
    click.echo(
        f"{report['bytes'] / 1e6:.1f} MB, built in {report['seconds']:.1f} s; convolutions: {convolutions}", err=True
    )
    place = "any GPU that the library supports" if engine.key.gpu == PORTABLE else engine.key.gpu
    click.echo(f"for {place}; {engine.key.shapes.words()}", err=True)


def parse_batch(text: str | None) -> tuple[int, int, int] | None:
    """ "1,8,32" → (1, 8, 32); one number is all three."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3):
        raise UsageError(
            f"--batch {text} cannot be meant", "it is one number, or least, usual, most", "Try: --batch 1,8,32"
        )
    return tuple(numbers * 3 if len(numbers) == 1 else numbers)


def parse_size(text: str) -> tuple[int, int]:
    """ "192x144" → (192, 144)."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise UsageError(f"--size {text} cannot be meant", "it is width and height", "Try: --size 192x144")
    return int(sides[0]), int(sides[1])
