"""`vidcolor gpu-check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from vidcolor.cli import calibrate_option, verbose_option


@click.command("gpu-check")
@click.option(
    "--samples", default="samples", show_default=True, type=click.Path(path_type=Path), help="Folder with film.mp4."
)
@click.option(
    "--write", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Page whose figures are replaced."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="File for all figures.")
@calibrate_option
@verbose_option
def command(samples: Path, write: Path | None, json_file: Path | None, calibrate: Path | None, verbose: bool) -> None:
    """Measure all that docs/gpu.md states, on this machine's GPU, with what is installed. Fetches nothing.

    Figures are written as they come: what stops the check midway costs only what was not measured yet.
    """
    from vidcolor.bench.gpu_check import clips_to_measure, films_to_decode, gpu_report, require_gpu, scratch
    from vidcolor.bench.gpu_page import markdown, put_into
    from vidcolor.files import write_whole

    def say(text: str) -> None:
        click.echo(text, err=True)

    def keep(report: dict[str, Any]) -> None:
        if json_file is not None:
            write_whole(json_file, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())
        if write is not None:
            write_whole(write, put_into(write.read_text("utf-8"), markdown(report)).encode())

    require_gpu()
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
    with scratch() as folder:
        clips = clips_to_measure(samples, Path(folder), say)
        report = gpu_report(clips, films_to_decode(clips, Path(folder), say), say, keep=keep, calibrate=calibrate)
    keep(report)
    click.echo(markdown(report))
