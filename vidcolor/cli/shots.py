"""`vidcolor shots`."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from vidcolor.cli import max_pixels_option, overwrite_option, verbose_option
from vidcolor.config import RunOptions
from vidcolor.errors import MediaError, UsageError

Event = dict[str, Any]


@click.command("shots")
@click.argument("film", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a shot on standard output, as they are found.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on standard output.")
@click.option("--edl", type=click.Path(path_type=Path), metavar="FILE", help="Also write an edit list (CMX3600).")
@overwrite_option
@click.option("--threads", type=click.IntRange(1), help="Threads to use. [one for every core]")
@max_pixels_option
@verbose_option
def command(
    film: Path,
    as_json: bool,
    as_csv: bool,
    edl: Path | None,
    overwrite: bool,
    threads: int | None,
    max_pixels: int,
    verbose: bool,
) -> None:
    """List the shots of FILM, found in its luma alone: no network is needed.

    A shot ends before the next one begins. After a dissolve, it begins in the dissolve's middle.
    """
    from vidcolor.cli.ui import Ticker, counted
    from vidcolor.files import write_whole
    from vidcolor.film.edl import edl as edit_list
    from vidcolor.film.outputs import check_output
    from vidcolor.film.shots import shot_event, shots_of
    from vidcolor.media.probe import probe
    from vidcolor.media.source import FilmSource

    if as_json and as_csv:
        raise UsageError("cannot print both", "--json and --csv were given", "Give one of them.")
    RunOptions(max_pixels=max_pixels).validate()
    if edl is not None:
        check_output(film, edl, overwrite, "--edl")
    info = probe(film, max_pixels=max_pixels)
    show = _print_json if as_json else _print_csv if as_csv else _print_table
    ticker, shots = Ticker(), []

    def found(source: FilmSource) -> Iterable[Event]:
        for shot in shots_of(source, lambda n: ticker(f"{n} frames read, {len(shots)} shots ended", n, info.frames)):
            shots.append(shot)
            yield shot_event(shot, info)

    with FilmSource(info, threads or os.cpu_count() or 1) as source:
        try:
            show(found(source), ticker.close)
        finally:
            ticker.close()
        if source.damaged:
            where = counted(source.damaged, "place")
            ticker.say(f"  warning: {film} is damaged in {where}; these are the shots of what can be decoded")
    if not shots:
        raise MediaError(f"no frame of {film} could be decoded", "", "Check that it plays.")
    if edl is not None:
        write_whole(edl, edit_list(shots, info).encode())


def _print_json(events: Iterable[Event], _close: Callable[[], None]) -> None:
    for event in events:
        print(json.dumps(event), flush=True)


def _print_csv(events: Iterable[Event], _close: Callable[[], None]) -> None:
    columns = ("shot", "start_frame", "end_frame", "start_time", "end_time", "kind", "dissolve_start", "dissolve_end")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for number, event in enumerate(events, 1):
        first, end = event["dissolve"] or ("", "")
        facts = (event[name] for name in columns[1:3])
        times = (f"{event[name]:.6f}" for name in columns[3:5])
        writer.writerow((number, *facts, *times, event["kind"], first, end))


def _print_table(events: Iterable[Event], close: Callable[[], None]) -> None:
    from vidcolor.cli.ui import clock, console, table

    rows = []
    for number, event in enumerate(events, 1):
        kind = event["kind"]
        if event["dissolve"]:
            kind += f", frames {event['dissolve'][0]}–{event['dissolve'][1] - 1}"
        numbers = (number, event["start_frame"], event["end_frame"] - 1, event["end_frame"] - event["start_frame"])
        rows.append((*map(str, numbers), clock(event["start_time"]), clock(event["end_time"]), kind))
    close()
    console().print(table(("shot", "first frame", "last", "frames", "from", "to", "begins with"), rows))
