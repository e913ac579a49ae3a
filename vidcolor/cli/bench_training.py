"""`vidcolor bench --training`: a step of training beside forward and backward passes alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence

import click


def bench_training(
    as_json: bool, model: str, res: int, batches: Sequence[int], repeats: int, say: Callable[[str], None]
) -> None:
    """Measure how much of a training step is learning, and show it; `say` is told how it goes."""
    from vidcolor.backends.choose import choose_model
    from vidcolor.cli.memory import keep_freed_memory
    from vidcolor.cli.ui import console, table
    from vidcolor.errors import ModelError

    try:
        from vidcolor.training.options import make_options
        from vidcolor.training.speed import measure
    except ModuleNotFoundError as error:
        raise ModelError(
            "cannot measure training", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'"
        ) from error

    keep_freed_memory()  # as `train` does
    rows = []
    for batch in batches:
        options = make_options(
            {"data": ("-",), "validation": ("-",), "model": choose_model(model).name, "size": res, "batch": batch}
        )
        speed = measure(options, repeats, say)
        bare, whole = (speed.pictures_per_second(steps) for steps in (speed.bare, speed.whole))
        rows.append(
            {
                "batch": batch,
                "device": speed.device,
                "bare": bare,
                "whole": whole,
                "ratio": speed.ratio(),
                "cpu_ratio": speed.ratio("cpu"),
            }
        )
    if as_json:
        click.echo(
            json.dumps(
                {
                    "type": "training",
                    "model": options.model,
                    "size": res,
                    "steps": repeats,
                    "load": os.getloadavg()[0],
                    "rows": rows,
                }
            )
        )
        return
    out = console()
    out.print(
        f"{options.model} at {res}×{res} on {rows[0]['device']}; {repeats} steps of both kinds, in turn; load {os.getloadavg()[0]:.1f}"
    )
    header = ("pictures a step", "bare passes, pictures/s", "whole steps, pictures/s", "ratio", "ratio in CPU time")
    out.print(
        table(
            header,
            [
                (str(r["batch"]), f"{r['bare']:.1f}", f"{r['whole']:.1f}", f"{r['ratio']:.3f}", f"{r['cpu_ratio']:.3f}")
                for r in rows
            ],
        )
    )
