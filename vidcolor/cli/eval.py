"""`vidcolor eval`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidcolor.cli import overwrite_option, res_option, verbose_option
from vidcolor.errors import UsageError

if TYPE_CHECKING:
    from vidcolor.evaluation.report import Model, Report
    from vidcolor.evaluation.stills import Colour


@click.command("eval")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PICTURES...|FILM")
@click.option("--model", default="auto", show_default=True, help="Networks, comma-separated; see: vidcolor models.")
@click.option(
    "--weights",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Your own weights; once for each network, in order.",
)
@click.option("--backend", default="auto", show_default=True, help="Runtime; see: vidcolor doctor.")
@res_option("Size that pictures are measured at, pixels.")
@click.option("--keep-aspect", is_flag=True, help="Bring the short side to --res instead of squashing to a square.")
@click.option(
    "--saturation", default=1.0, show_default=True, type=click.FloatRange(0, 4), help="Factor on the colours."
)
@click.option("--smooth", type=click.FloatRange(0, 1), help="Of a film: steadiness over time, 0 (off) to 1. [1]")
@click.option("--classifier", help="Also top-1/top-5 and FD with this classifier: efficientnet-lite0.")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="CSV of picture name, ImageNet class 0-999, for the classifier."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on standard output.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write one HTML page.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a PNG: grey, ours, truth; worst and best.",
)
@overwrite_option
@click.option("--threads", type=click.IntRange(1), help="Threads to use. [one for every core]")
@verbose_option
def command(
    inputs: tuple[Path, ...], as_json: bool, as_csv: bool, smooth: float | None, verbose: bool, **options: object
) -> None:
    """Measure networks on PICTURES: files, folders or .tar shards of colour photographs, which are the truth.

    Each is made grey, coloured and compared. Read gain over grey together with CF/truth: docs/metrics.md.

    Or measure one network on a FILM in colour, shot by shot: its colours, and how steady they are.
    """
    from vidcolor.cli.ui import Ticker, console, table
    from vidcolor.evaluation import report as reports

    if as_json and as_csv:
        raise UsageError("cannot print both", "--json and --csv were given", "Give one of them.")
    if _names_film(inputs):
        _measure_film(inputs, as_json, as_csv, smooth, **options)
        return
    if smooth is not None:
        raise UsageError("cannot use --smooth", "no film was given", "Pictures have no time to be steady over.")
    _refuse_others(inputs)
    ticker = Ticker()
    try:
        report = _measure(inputs, ticker, **options)
    finally:
        ticker.close()
    if as_json:
        click.echo(json.dumps(reports.to_json(report)))
    elif as_csv:
        click.echo(reports.to_csv(report), nl=False)
    else:
        out = console()
        for line in report.facts():
            out.print(line, markup=False, highlight=False)
        for over, title in reports.titles(report).items():
            out.print(f"\n{title}", markup=False, highlight=False)
            out.print(table(*reports.cells(report, over)))
        out.print(f"\n{reports.HOW_TO_READ}\n\n{reports.published.SOURCE}", markup=False, highlight=False)
        out.print(table(*reports.published_cells()))


def _names_film(inputs: Sequence[Path]) -> bool:
    from vidcolor.media.codecs import FILM_SUFFIXES

    return any(path.suffix.lower() in FILM_SUFFIXES and not path.is_dir() for path in inputs)


def _measure_film(
    inputs: tuple[Path, ...], as_json: bool, as_csv: bool, smooth: float | None, weights: Sequence[Path], **options: Any
) -> None:
    from vidcolor.cli.eval_film import measure_film
    from vidcolor.config import RunOptions

    for name in ("keep_aspect", "classifier", "labels", "html", "sheet", "overwrite"):
        if options.pop(name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"cannot use {option} with a film", "it is for pictures", "Leave it out.")
    if len(weights) > 1 or "," in options["model"]:
        raise UsageError("cannot compare networks on a film", "several were given", "Give one --model at a time.")
    given = {} if smooth is None else {"smooth": smooth}
    run = RunOptions(weights=weights[0] if weights else None, **given, **options)
    measure_film(inputs, run, as_json, as_csv)


def _refuse_others(inputs: Sequence[Path]) -> None:
    from vidcolor.evaluation.photographs import SUFFIXES, is_shard

    for path in inputs:
        if path.is_file() and not (path.suffix.lower() in SUFFIXES or is_shard(path)):
            raise UsageError(
                f"cannot measure {path}",
                "it is neither a film nor a picture nor a .tar shard",
                f"Known are {' '.join(sorted(SUFFIXES))}.",
            )


def _measure(
    inputs: Sequence[Path],
    ticker: Callable[..., None],
    *,
    model: str,
    weights: Sequence[Path],
    backend: str,
    res: int,
    keep_aspect: bool,
    saturation: float,
    classifier: str | None,
    labels: Path | None,
    html: Path | None,
    sheet: Path | None,
    overwrite: bool,
    threads: int | None,
) -> Report:
    import cv2

    from vidcolor.evaluation.photographs import is_picture
    from vidcolor.evaluation.report import Report, to_html
    from vidcolor.evaluation.sheet import encode_png, sheet_of
    from vidcolor.evaluation.stills import measure
    from vidcolor.evaluation.summary import summarise
    from vidcolor.files import check_no_input, check_place, write_whole

    if html and sheet and html.resolve() == sheet.resolve():
        raise UsageError(f"cannot write two things to {html}", "--html and --sheet name it", "Give two names.")
    for output in filter(None, (html, sheet)):
        check_place(output, overwrite)  # before minutes of work, not after
        read = [path for path in inputs if is_picture(output) or not path.is_dir()]  # pages may lie beside pictures
        check_no_input(output, [*read, *weights, *filter(None, [labels])])
    threads = threads or os.cpu_count() or 1
    cv2.setNumThreads(1)  # pictures are measured beside each other
    colours, opened = _open_networks(model.split(","), weights, backend, saturation, threads)
    look = _open_classifier(classifier, labels)
    measured = measure(
        inputs, colours, res, keep_aspect, threads, progress=lambda n: ticker(f"{n} pictures measured", n), look=look
    )
    if not measured.names:
        reasons = ", ".join(f"{n} {why}" for why, n in measured.skipped.items()) or "no picture files in them"
        raise UsageError(f"nothing to measure in {', '.join(map(str, inputs))}", reasons, "Give colour photographs.")
    rows = summarise(measured)
    if look:
        look.fill(rows, measured)
    report = Report(
        tuple(str(path) for path in inputs), res, keep_aspect, saturation, measured,
        tuple(model() for model in opened), tuple(rows), look and look.description,
    )  # fmt: skip
    png = encode_png(sheet_of(inputs, measured, colours, res, keep_aspect)) if sheet or html else None
    if sheet:
        write_whole(sheet, png)
    if html:
        write_whole(html, to_html(report, png).encode("utf-8", "backslashreplace"))  # names of files need not be text
    return report


def _open_networks(
    names: Sequence[str], weights: Sequence[Path], backend: str, saturation: float, threads: int
) -> tuple[dict[str, Colour], list[Callable[[], Model]]]:
    """Every network as a function by the name of its row, and what to say about it once it has run."""
    from vidcolor.backends.choose import choose_backend, choose_model, open_backend
    from vidcolor.evaluation.report import Model
    from vidcolor.evaluation.stills import NetworkColour
    from vidcolor.models.registry import find_spec
    from vidcolor.models.weights import find_weights

    if weights and len(weights) != len(names):
        raise UsageError(
            "cannot tell which weights belong to which network",
            f"there are {len(names)} networks and {len(weights)} --weights",
            "Give --weights once for each network, or not at all.",
        )
    runtime = choose_backend(backend).name
    specs = [find_spec(choose_model(name.strip()).name) for name in names]
    colours: dict[str, Colour] = {}
    opened = []
    for index, spec in enumerate(specs):
        found = find_weights(spec, weights[index] if weights else None)
        row = spec.name if specs.count(spec) == 1 else f"{spec.name} {found.hash[:6]}"
        if row in colours:
            raise UsageError("cannot compare a network with itself", f"{row} was given twice", "Give other --weights.")
        infos = []

        def compile_for(width: int, height: int, found=found, infos=infos):
            running = open_backend(runtime, found, width, height, threads)
            infos.append(running.info)
            return lambda lightness: running.start(lightness)()[0]

        def describe(row=row, spec=spec, found=found, infos=infos) -> Model:
            info = infos[0]
            return Model(row, spec.name, found.hash, info.name, info.precision, info.device)

        colours[row] = NetworkColour(spec, compile_for, saturation)
        opened.append(describe)
    return colours, opened


def _open_classifier(name: str | None, labels: Path | None):
    if name is None:
        if labels:
            raise UsageError(
                "cannot use --labels", "no classifier was asked for", "Add --classifier efficientnet-lite0."
            )
        return None
    from vidcolor.evaluation.classifier import Classification

    return Classification.open(name, labels)
