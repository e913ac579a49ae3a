"""`vidcolor bench`: networks on every backend, or a whole run beside ffmpeg."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidcolor.cli import calibrate_option, res_option, verbose_option
from vidcolor.cli.bench_training import bench_training
from vidcolor.cli.run import DEFAULTS
from vidcolor.errors import UsageError

if TYPE_CHECKING:
    from vidcolor.bench.calibration import Divided

PAPERS_MODEL = "resnet38"  # whose speed Table 1 states
# The benches, by the option that asks for each, and the options that each has a use for.
ALONE = "the networks alone"
USES = {
    ALONE: {"weights", "backend", "batch", "repeats", "calibrate"},
    "--check": {"weights", "backend", "calibrate"},
    "--training": {"batch", "repeats"},
    "--pipeline": {"weights", "backend", "runs", "smooth", "codec", "crf", "preset"},
}


@click.command("bench")
@click.option("--model", default=DEFAULTS["model"], show_default=True, help="Network; see: vidcolor models.")
@click.option("--weights", type=click.Path(path_type=Path), help="Your own weights (ONNX from: vidcolor export).")
@res_option("Side of the network's picture, pixels.")
@click.option(
    "--backend",
    default="all",
    show_default=True,
    help="Backend to measure; for --pipeline, all means auto; with --check, also graph.",
)
@click.option("--batch", default="1,8,32", show_default=True, help="Batch sizes on GPUs, comma-separated.")
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Batches that are timed for each row, at least two of each that may be under way.",
)
@click.option("--check", is_flag=True, help="Compare every backend's colours with float32 instead of timing.")
@calibrate_option
@click.option(
    "--pipeline", "clip", type=click.Path(path_type=Path), metavar="CLIP", help="Measure the whole command on CLIP."
)
@click.option(
    "--training", is_flag=True, help="Measure training steps beside bare forward and backward passes, in turn."
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="With --pipeline: counted runs, after one warm-up.",
)
@click.option("--smooth", default=DEFAULTS["smooth"], show_default=True, help="With --pipeline: as for run.")
@click.option("--codec", default=DEFAULTS["codec"], show_default=True, help="With --pipeline: as for run.")
@click.option("--crf", type=float, help="With --pipeline: as for run.")
@click.option("--preset", help="With --pipeline: as for run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@verbose_option
@click.pass_context
def command(
    context: click.Context,
    clip: Path | None,
    check: bool,
    training: bool,
    calibrate: Path | None,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Measure how fast the network is on each backend, beside Table 1 of its paper.

    With --check: how near each comes to float32, and the graph that TensorRT engines are built from, computed without a
    GPU (backend "graph"); on noise, or with --calibrate on 8 pictures of the folder that calibrate nothing. With
    --calibrate: int8 and fp8 too, where a backend has them; the folder needs 16 pictures, 72 at most are used.

    With --pipeline CLIP: the whole command on CLIP, beside an ffmpeg transcode with the same encoder settings. With
    --training: how much of a training step is learning; --batch is pictures a step then [32], --repeats the steps.
    """
    asked = [name for name, given in (("--check", check), ("--training", training), ("--pipeline", clip)) if given]
    if len(asked) > 1:
        raise UsageError("one bench at a time", f"{' and '.join(asked)} were given", "Give one.")
    _refuse_others(context, asked[0] if asked else ALONE)
    if training:
        given = context.get_parameter_source("batch") != click.core.ParameterSource.DEFAULT
        batches = _numbers(options["batch"] if given else "32")
        bench_training(as_json, options["model"], options["res"], batches, options["repeats"], _say)
    elif clip is not None:
        _pipeline(clip, as_json, **options)
    elif check:
        _check(as_json, calibrate, **options)
    else:
        _network(as_json, calibrate, **options)


def _refuse_others(context: click.Context, bench: str) -> None:
    """Refuse an option that is given for another bench."""
    for name in sorted(set.union(*USES.values()) - USES[bench]):
        if context.get_parameter_source(name) != click.core.ParameterSource.DEFAULT:
            using = ", ".join(each for each, names in USES.items() if name in names)
            if bench == ALONE:
                raise UsageError(f"--{name} means nothing without {using}", f"{ALONE} are measured", "Leave it out.")
            raise UsageError(f"--{name} means nothing with {bench}", f"it is for {using}", "Leave it out.")


def _say(text: str) -> None:
    click.echo(f"  {text}", err=True)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise UsageError(f"--batch {text} cannot be meant", "it is one or more numbers", "Try: --batch 1,8,32")
    return numbers


def _network(
    as_json: bool,
    calibrate: Path | None,
    model: str,
    weights: Path | None,
    res: int,
    backend: str,
    batch: str,
    repeats: int,
    **_: Any,
) -> None:
    from vidcolor.backends.choose import choose_model
    from vidcolor.bench.network import bench, device_words, input_side
    from vidcolor.bench.subject import subject
    from vidcolor.bench.words import as_dict, network_tables
    from vidcolor.cli.ui import console, table
    from vidcolor.models.registry import find_spec

    spec, batches, machine = find_spec(choose_model(model).name), _numbers(batch), device_words()
    side = input_side(spec, res)
    pictures = _divided(calibrate, side)
    with subject(spec, weights) as (found, random):
        if random:
            _say(f"{spec.name} has no trained weights: timed with random ones, which take the same time")
        calibrating = pictures.calibrating if pictures else ()
        timings = list(bench(spec, found, res, backend, batches, repeats, _say, calibrating))
    if not timings:
        raise UsageError("nothing could be measured", "no backend works here", "See: vidcolor doctor")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "type": "bench",
                    "model": spec.name,
                    "res": res,
                    "random_weights": random,
                    "machine": machine,
                    "rows": [as_dict(t) for t in timings],
                }
            )
        )
        return
    out = console()
    out.print(
        f"{spec.name} at {side}×{side}, {spec.gflop_144 * (side / 144) ** 2:.3g} GFLOP a picture; {machine}",
        soft_wrap=True,
    )
    header, rows, verdict = network_tables(timings)
    out.print(table(header, rows))
    out.print(verdict, soft_wrap=True)
    if spec.name != PAPERS_MODEL:
        out.print(f"The paper's network is another: vidcolor bench --model {PAPERS_MODEL}", soft_wrap=True)


def _divided(folder: Path | None, side: int) -> Divided | None:
    if folder is None:
        return None
    from vidcolor.bench.calibration import divided

    return divided(folder, side, side)


def _check(
    as_json: bool, calibrate: Path | None, model: str, weights: Path | None, res: int, backend: str, **_: Any
) -> None:
    from vidcolor.backends.choose import choose_model
    from vidcolor.bench.agreement import NOISE, PICTURES, check
    from vidcolor.bench.network import input_side
    from vidcolor.bench.subject import subject
    from vidcolor.cli.ui import console, table
    from vidcolor.models.registry import find_spec

    spec = find_spec(choose_model(model).name)
    side = input_side(spec, res)
    pictures = _divided(calibrate, side)
    with subject(spec, weights) as (found, random):
        if random:
            _say(f"{spec.name} has no trained weights: compared with random ones, whose colours mean nothing")
        results = list(check(spec, found, res, backend, _say, pictures))
    if not results:
        raise UsageError("nothing could be compared", "no backend works here", "See: vidcolor doctor")
    if as_json:
        rows = [
            {
                "backend": r.backend,
                "precision": r.precision,
                "max_ab": r.largest,
                "mean_ab": r.mean,
                "psnr_db": r.finite_psnr,
                "wanted_db": r.wanted,
                "holds": r.holds,
            }
            for r in results
        ]
        facts = {"type": "check", "model": spec.name, "res": res, "random_weights": random}
        calibrated = {} if pictures is None else {"folder": str(calibrate), "calibrating": len(pictures.calibrating)}
        compared = PICTURES if pictures is None else len(pictures.held_back)
        click.echo(json.dumps({**facts, "pictures": {"compared": compared, **calibrated}, "rows": rows}))
    else:
        rows = [
            (
                r.backend,
                r.precision,
                f"{r.largest:.3f}",
                f"{r.mean:.4f}",
                f"{r.psnr:.1f}",
                f"{r.wanted:.0f}",
                "yes" if r.holds else "NO",
            )
            for r in results
        ]
        header = ("backend", "precision", "max |Δab|", "mean |Δab|", "PSNR, dB", "wanted", "holds")
        compared_on = NOISE if pictures is None else pictures.words()
        console().print(f"{spec.name} at {side}×{side} against float32, on {compared_on}", soft_wrap=True)
        console().print(table(header, rows))
    raise click.exceptions.Exit(0 if all(r.holds for r in results) else 1)


def _pipeline(clip: Path, as_json: bool, runs: int, backend: str, **options: Any) -> None:
    from vidcolor.backends.choose import choose_backend, choose_model
    from vidcolor.bench.pipeline import bench_pipeline
    from vidcolor.cli.ui import console, table
    from vidcolor.config import RunOptions
    from vidcolor.models.registry import find_spec
    from vidcolor.models.weights import find_weights

    kept = {name: options[name] for name in ("model", "weights", "res", "smooth", "codec", "crf", "preset")}
    run = RunOptions(backend="auto" if backend == "all" else backend, **kept)
    run.validate()  # here, in plain words, and not by the runs
    find_weights(find_spec(choose_model(run.model).name), run.weights)
    choose_backend(run.backend)
    result = bench_pipeline(clip, run, runs)
    n = result.frames
    figures = {
        "frames/s": [n / m.wall for m in result.ours],
        "frames/s, plain transcode": [n / m.wall for m in result.plain],
        "ratio": result.ratios(),
        "× real time": [s["times_real_time"] for s in result.summaries],
        "CPU ms a frame": [1e3 * m.cpu / n for m in result.ours],
        "CPU ms a frame, plain transcode": [1e3 * m.cpu / n for m in result.plain],
        "peak memory, MB": [m.peak_rss / 1e6 for m in result.ours],
    }
    if as_json:
        first = {"type": "bench", "clip": str(clip), "frames": n, "runs": runs, "encoder": result.encoder}
        rest = {"cores": os.cpu_count(), "device": result.summaries[0]["device"], "stage_ms": result.stage_ms()}
        click.echo(json.dumps({**first, **rest, "figures": figures}))
        return
    out = console()
    info, summary = result.info, result.summaries[0]
    out.print(f"{clip.name}: {info.width}×{info.height}, {n} frames; {result.encoder}")
    out.print(
        f"{summary['model']} on {summary['backend']} {summary['precision']}, {summary['device']}, {os.cpu_count()} cores; {runs} runs each, in turn"
    )
    out.print(
        table(("figure", "median", "least", "most"), [(name, *_three(values)) for name, values in figures.items()])
    )
    stages = [(name, f"{ms:.2f}") for name, ms in result.stage_ms().items()]
    out.print(table(("stage", "busy ms a frame"), stages))


def _three(values: Sequence[float]) -> tuple[str, str, str]:
    return tuple(f"{v:.2f}" for v in (statistics.median(values), min(values), max(values)))
