"""`vidcolor bench`."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

import click

from vidcolor.cli import verbose_option
from vidcolor.cli.run import DEFAULTS


@click.command("bench")
@click.option("--pipeline", "clip", required=True, type=click.Path(path_type=Path), metavar="CLIP", help="Film to colour.")
@click.option("--runs", default=5, show_default=True, help="Counted runs of each command, after one warm-up.")
@click.option("--model", default=DEFAULTS["model"], show_default=True)
@click.option("--res", default=DEFAULTS["res"], show_default=True)
@click.option("--smooth", default=DEFAULTS["smooth"], show_default=True)
@click.option("--codec", default=DEFAULTS["codec"], show_default=True)
@click.option("--crf", type=float)
@click.option("--preset")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@verbose_option
def command(clip: Path, runs: int, as_json: bool, verbose: bool, **options: object) -> None:
    """Measure the whole command on CLIP beside an ffmpeg transcode with the same encoder settings.

    Both run in turn; 1.0 would be the speed of decoding and encoding alone.
    """
    from vidcolor.bench.pipeline import bench_pipeline
    from vidcolor.cli.ui import console, table
    from vidcolor.config import RunOptions

    result = bench_pipeline(clip, RunOptions(**options), runs)
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
    out.print(f"{summary['model']} on {summary['backend']} {summary['precision']}, {summary['device']}, {os.cpu_count()} cores; {runs} runs each, in turn")
    out.print(table(("figure", "median", "least", "most"), [(name, *_three(values)) for name, values in figures.items()]))
    stages = [(name, f"{ms:.2f}") for name, ms in result.stage_ms().items()]
    out.print(table(("stage", "busy ms a frame"), stages))


def _three(values: Sequence[float]) -> tuple[str, str, str]:
    return tuple(f"{v:.2f}" for v in (statistics.median(values), min(values), max(values)))
