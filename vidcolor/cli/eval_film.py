"""`vidcolor eval FILM`: figures of one film as tables, JSON or CSV."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidcolor.config import RunOptions
from vidcolor.errors import UsageError

if TYPE_CHECKING:
    from vidcolor.evaluation.shot_meter import Figures
    from vidcolor.film.evaluate import FilmReport

# heading, figure, factor, digits
COLOUR = (
    ("frames", "frames", 1, 0),
    ("coloured", "coloured", 1, 0),
    ("PSNR dB", "psnr_ours", 1, 2),
    ("unsmoothed", "psnr_unsmoothed", 1, 2),
    ("grey", "psnr_grey", 1, 2),
    ("gain dB", "gain", 1, 2),
    ("CF/truth", "cf_truth_ratio", 1, 2),
    ("CF/unsmoothed", "cf_unsmoothed_ratio", 1, 3),
    ("ΔE00", "delta_e", 1, 2),
)
STEADINESS = (
    ("flicker", "flicker_ours", 1, 3),
    ("unsmoothed", "flicker_unsmoothed", 1, 3),
    ("ratio", "flicker_ratio", 1, 3),
    ("truth", "flicker_truth", 1, 3),
    ("CDC 10⁻³", "cdc_ours", 1e3, 2),
    ("unsmoothed", "cdc_unsmoothed", 1e3, 2),
    ("truth", "cdc_truth", 1e3, 2),
    ("E_warp 10⁻³", "e_warp_ours", 1e3, 2),
    ("truth", "e_warp_truth", 1e3, 2),
    ("drift", "drift", 1, 2),
    ("unsmoothed", "drift_unsmoothed", 1, 2),
)
HOW_TO_READ = (
    "Read gain over grey together with CF/truth, and steadiness together with CF/unsmoothed: grey is perfectly steady. "
    "Gain and CF are over the coloured frames (mean chroma of the truth ≥ 4). Definitions: docs/metrics.md."
)


def measure_film(inputs: tuple[Path, ...], options: RunOptions, as_json: bool, as_csv: bool) -> None:
    """Measure one film and print what was found."""
    from vidcolor.cli.ui import Ticker, counted
    from vidcolor.film.evaluate import evaluate_film

    if len(inputs) > 1:
        given = f"{len(inputs)} were given"
        raise UsageError("cannot measure a film beside other inputs", given, "Give one film at a time.")
    ticker = Ticker()
    try:
        report = evaluate_film(inputs[0], options, lambda n, total: ticker(f"{n} frames measured", n, total))
    finally:
        ticker.close()
    if report.damaged:
        where = counted(report.damaged, "place")
        ticker.say(f"  warning: {inputs[0]} is damaged in {where}; the figures are of what can be decoded")
    show = _print_json if as_json else _print_csv if as_csv else _print_tables
    show(report)


def _rows(report: FilmReport) -> list[tuple[str, Figures]]:
    shots = [(str(number), shot.figures) for number, shot in enumerate(report.shots, 1)]
    return [*shots, ("all", report.film)]


def _print_json(report: FilmReport) -> None:
    facts: dict[str, Any] = {
        "type": "eval",
        "kind": "film",
        "input": str(report.info.path),
        "size": list(report.size),
        "smooth": report.options.smooth,
        "saturation": report.options.saturation,
        "model": report.model,
        "weights": report.weights,
        "backend": dataclasses.asdict(report.backend),
        "damaged": report.damaged,
        "shots": [
            {"start_frame": s.start_frame, "end_frame": s.end_frame, "start_time": s.start_time, **s.figures}
            for s in report.shots
        ],
        "all": report.film,
    }
    print(json.dumps(facts))


def _print_csv(report: FilmReport) -> None:
    names = list(report.film)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("shot", "start_frame", "end_frame", *names))
    ends = [(s.start_frame, s.end_frame) for s in report.shots] + [(0, report.film["frames"])]
    for (shot, figures), span in zip(_rows(report), ends, strict=True):
        writer.writerow((shot, *span, *("" if figures[name] is None else f"{figures[name]:.6g}" for name in names)))


def _print_tables(report: FilmReport) -> None:
    from vidcolor.cli.ui import console, table

    out, options, backend = console(), report.options, report.backend
    for line in (
        f"{report.info.path}: {report.film['frames']} frames at {report.size[0]}×{report.size[1]}; "
        f"smooth {options.smooth:g}, saturation {options.saturation:g}",
        f"{report.model}, weights {report.weights[:12]}…, {backend.name} {backend.precision}, {backend.device}",
        "",
    ):
        out.print(line, markup=False, highlight=False)
    for columns in (COLOUR, STEADINESS):
        lines = [
            [shot, *(_cell(figures[name], factor, digits) for _, name, factor, digits in columns)]
            for shot, figures in _rows(report)
        ]
        out.print(table(("shot", *(title for title, *_ in columns)), lines))
        out.print()
    out.print(HOW_TO_READ, markup=False, highlight=False)


def _cell(value: float | None, factor: float, digits: int) -> str:
    return "–" if value is None else f"{value * factor:.{digits}f}"
