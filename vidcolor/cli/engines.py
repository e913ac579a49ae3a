"""`vidcolor engines`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING

import click

from vidcolor.cli import verbose_option
from vidcolor.errors import BackendError, UsageError

if TYPE_CHECKING:
    from vidcolor.backends.engine_cache import Engine


@click.command("engines")
@click.option("--verify", is_flag=True, help="Read every engine and compare it with its card.")
@click.option("--prune", is_flag=True, help="Delete those that are damaged or will never be used again.")
@click.option("--all", "everything", is_flag=True, help="With --prune: delete them all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
@verbose_option
def command(verify: bool, prune: bool, everything: bool, as_json: bool, verbose: bool) -> None:
    """List the TensorRT engines that are kept, with what they were built for. Exit code 1 if --verify finds damage."""
    from vidcolor.backends import engine_cache
    from vidcolor.backends.profiles import engine_folder
    from vidcolor.cli.ui import console, table
    from vidcolor.models.base import GRAPH_RECIPE

    if everything and not prune:
        raise UsageError("--all means nothing without --prune", "nothing is deleted", "Add --prune, or leave it out.")
    folder, versions = engine_folder(), _versions() if prune else {}
    rows, freed, bad = [], 0, 0
    for engine in list(engine_cache.engines(folder)):
        state = _state(engine) if verify or prune else "card missing" if engine.key is None else ""
        reason = engine_cache.stale(engine, versions, GRAPH_RECIPE) if prune else ""
        if prune and (reason or everything):
            freed += engine_cache.remove(engine)
            state = f"deleted: {reason or 'as asked'}"
        else:
            bad += bool(state) and state != "whole"
        if as_json:
            key = dataclasses.asdict(engine.key) if engine.key else None
            click.echo(
                json.dumps({"type": "engine", "path": str(engine.path), "key": key, "state": state, **engine.report})
            )
        rows.append(_row(engine, state))
    if not as_json and not rows:
        console().print(
            f"no engines in {folder}; `run` builds what it needs, or: vidcolor build-engine", soft_wrap=True
        )
    elif not as_json:
        console().print(
            table(("model", "precision", "pictures", "library", "for", "MB", "built", "state", "file"), rows)
        )
        freed_words = f"; {freed / 1e6:.0f} MB freed" if prune else ""
        console().print(f"{len(rows)} in {folder}{freed_words}", soft_wrap=True)
    raise click.exceptions.Exit(1 if verify and bad else 0)


def _versions() -> dict[str, str]:
    """Versions of the libraries that are installed and load."""
    from vidcolor.backends.trt_library import MODULES, is_installed, load_library

    found = {}
    for name, module in MODULES.items():
        with contextlib.suppress(BackendError):
            if is_installed(module):
                found[name] = load_library(name).version
    return found


def _state(engine: Engine) -> str:
    try:
        engine.check()
        return "whole"
    except BackendError as error:
        return error.why


def _row(engine: Engine, state: str) -> tuple[str, ...]:
    if engine.key is None:
        return ("?", "", "", "", "", "", "", state, engine.path.name)
    key, report = engine.key, engine.report
    size = f"{report.get('bytes', 0) / 1e6:.1f}"
    library = f"{key.library} {key.library_version}"
    return (
        key.model,
        key.precision,
        key.shapes.words(),
        library,
        key.gpu,
        size,
        str(report.get("built", ""))[:10],
        state,
        engine.path.name,
    )
