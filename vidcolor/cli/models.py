"""`vidcolor models`."""

from __future__ import annotations

import json

import click

from vidcolor.cli.ui import console, table


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
def command(as_json: bool) -> None:
    """List the networks: paper, size, cost, licence, and whether trained weights are there."""
    from vidcolor.models.registry import MODELS
    from vidcolor.models.weights import is_shipped

    if as_json:
        for spec in MODELS.values():
            row = {
                "type": "model",
                "name": spec.name,
                "summary": spec.summary,
                "paper": spec.paper,
                "parameters": spec.parameters,
                "gflop_144": spec.gflop_144,
                "licence": spec.licence,
                "weights": is_shipped(spec),
            }
            click.echo(json.dumps(row))
        return
    rows = [
        (
            spec.name,
            f"{spec.parameters / 1e6:.1f} M",
            f"{spec.gflop_144:.1f}",
            "shipped" if is_shipped(spec) else "none: give --weights",
            spec.licence,
            f"{spec.summary}. {spec.paper}",
        )
        for spec in MODELS.values()
    ]
    console().print(table(("model", "parameters", "GFLOP at 144×144", "weights", "licence", "what it is"), rows))
