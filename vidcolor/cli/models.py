"""`vidcolor models`."""

from __future__ import annotations

import json

import click

from vidcolor.cli.ui import console, table


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
def command(as_json: bool) -> None:
    """List the networks: paper, size, cost, licence, and how well the weights colour, if there are any."""
    from vidcolor.models.registry import MODELS
    from vidcolor.models.weights import find_weights, is_shipped

    measured = {
        name: find_weights(spec, None).card["metrics"]["saturation 1.0"]
        for name, spec in MODELS.items()
        if is_shipped(spec)
    }
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
                "weights": spec.name in measured,
                "metrics": measured.get(spec.name),
            }
            click.echo(json.dumps(row))
        return
    rows = [
        (
            spec.name,
            f"{spec.parameters / 1e6:.1f} M",
            f"{spec.gflop_144:.1f}",
            _words(measured.get(spec.name)),
            spec.licence,
            f"{spec.summary}. {spec.paper}",
        )
        for spec in MODELS.values()
    ]
    console().print(table(("model", "parameters", "GFLOP at 144×144", "weights", "licence", "what it is"), rows))


def _words(metrics: dict[str, float] | None) -> str:
    if metrics is None:
        return "none: give --weights"
    return f"{metrics['gain_db']:.2f} dB over grey at {metrics['cf_ratio']:.2f} of the truth's colourfulness"
