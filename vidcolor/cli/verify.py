"""`vidcolor verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vidcolor.cli import max_pixels_option, verbose_option
from vidcolor.cli.run import FilmPath, Rate, Time
from vidcolor.config import ON_DAMAGE, PROTOCOLS, RunOptions
from vidcolor.media.address import Source


@click.command("verify")
@click.argument("source", type=FilmPath(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--codec", default="auto", help="Encoder of OUTPUT, where a codec has several: h264_nvenc.")
@click.option("--crf", type=float, help="Quality that OUTPUT was encoded with. [the codec's default]")
@click.option("--preset", help="Preset that OUTPUT was encoded with. [the codec's default]")
@click.option("--rate", type=Rate(), help="Frames a second, where SOURCE is an image sequence.")
@click.option("--start", type=Time(), help="OUTPUT is the piece of SOURCE from here.")
@click.option("--end", type=Time(), help="OUTPUT is the piece of SOURCE up to this time.")
@click.option("--deinterlace", is_flag=True, help="OUTPUT was made with --deinterlace.")
@click.option(
    "--on-damage", type=click.Choice(ON_DAMAGE), default="hold", show_default=True, help="As OUTPUT was made with."
)
@click.option("--allow-protocol", type=click.Choice(PROTOCOLS), multiple=True, help="As OUTPUT was made with.")
@click.option("--threads", type=click.IntRange(1), help="Threads to use. [one for every core]")
@max_pixels_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@verbose_option
def command(source: Source, output: Path, as_json: bool, verbose: bool, **options: object) -> None:
    """Compare OUTPUT with the SOURCE that it was coloured from: all but the colour.

    Frames, every timestamp, luma, streams, languages, dispositions, durations, chapters, attachments and tags. Luma of
    a lossless output must be equal bit for bit; of a lossy one, PSNR-Y is held against a plain transcode with the same
    encoder settings, which is made for it and takes its time. Either may be numbered pictures, by their pattern
    (out/frame.%06d.tif); luma of pictures must be equal within one code.

    Exit code 0: it conforms. 1: it does not. 2: usage.
    """
    from vidcolor.cli.ui import Ticker, console, findings_table
    from vidcolor.film.verify import verify

    ticker = Ticker()
    try:
        result = verify(source, output, RunOptions(**options), lambda what, n, total: ticker(f"{n} {what}", n, total))
    finally:
        ticker.close()
    if as_json:
        print(json.dumps(result.event()))
    else:
        console().print(findings_table(result.event()["findings"]))
        print(f"{output} {'conforms' if result.conforms else 'does not conform'} to {source}")
    raise click.exceptions.Exit(0 if result.conforms else 1)
