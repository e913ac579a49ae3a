"""`vidcolor encoders`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from vidcolor.cli.ui import console, table


@click.command("encoders")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
def command(as_json: bool) -> None:
    """List the codecs that films can be written with, and what each can hold."""
    from vidcolor.media.codecs import CODECS

    if as_json:
        for codec in CODECS.values():
            click.echo(json.dumps({"type": "encoder", **asdict(codec)}))
        return
    rows = [
        (
            codec.name,
            codec.encoder,
            "lossless" if codec.lossless else f"crf {codec.crf:g}" if codec.crf is not None else "fixed quality",
            codec.preset or "",
            ", ".join(map(str, codec.depths)),
            " ".join({(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 1): "4:4:4"}[chroma] for chroma in codec.chromas),
            " ".join(codec.suffixes),
        )
        for codec in CODECS.values()
    ]
    console().print(table(("--codec", "encoder", "quality", "preset", "bits", "chroma", "files"), rows))
    console().print(
        "auto: h264 for 8-bit films, hevc for deeper ones but where they are interlaced or small; av1 for .webm"
    )
