"""`vidcolor run`."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import click

from vidcolor.cli import max_pixels_option, overwrite_option, verbose_option
from vidcolor.cli.streams import check_output_is_open
from vidcolor.config import DECODERS, ON_DAMAGE, PROTOCOLS, STDOUT_FORMATS, RunOptions, WorkOptions
from vidcolor.errors import UsageError
from vidcolor.media.address import STANDARD_OUTPUT, Source, source_of

DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunOptions)}


class FilmPath(click.Path):
    """A path, or `-`: standard input as an argument, standard output as an option; an argument may be an address."""

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Source:
        if not str(value):
            self.fail("the name is empty.", param, ctx)
        if value != "-":
            return source_of(value) if isinstance(param, click.Argument) else super().convert(value, param, ctx)
        from vidcolor.media.pipe_in import standard_input

        return STANDARD_OUTPUT if isinstance(param, click.Option) else standard_input()


class Destination(NamedTuple):
    """Where outputs go: a file, or a folder, which a name that ends in a slash means, whether it is there or not."""

    path: Path
    is_folder: bool


class DestinationPath(FilmPath):
    """A path that keeps its slash at the end."""

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Destination:
        return Destination(super().convert(value, param, ctx), str(value).endswith("/"))


class Time(click.ParamType):
    """Seconds (12.5) or [hours:]minutes:seconds (1:02:03.5), each below 60 beside a larger unit; exact."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        *larger, last = str(value).split(":")
        try:
            numbers = [*map(int, larger), Fraction(last)]
            if len(numbers) > 3 or not all(map(str.isdecimal, larger)) or not all(0 <= n < 60 for n in numbers[1:]):
                raise ValueError
            return sum(number * 60**power for power, number in enumerate(reversed(numbers)))
        except (ValueError, ZeroDivisionError):
            self.fail(f"'{value}' is no time; write seconds (12.5) or h:mm:ss (1:02:03)", param, ctx)


class Rate(click.ParamType):
    """Frames a second: a number, a fraction, or a rounded form of one over 1.001, which is taken for that."""

    name = "rate"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        try:
            rate = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            self.fail(f"'{value}' is no rate; write 24, 23.976 or 24000/1001", param, ctx)
        exact = (Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60, 120))
        return next((r for r in exact if abs(r - rate) < Fraction(1, 200)), rate)


@click.command("run")
@click.argument("inputs", nargs=-1, required=True, type=FilmPath(path_type=Path), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=DestinationPath(path_type=Path),
    help="File, - for standard output, or folder for several inputs. [NAME.color.EXT beside the input]",
)
@click.option("--model", default=DEFAULTS["model"], show_default=True, help="Network; see: vidcolor models.")
@click.option("--weights", type=click.Path(path_type=Path), help="Your own weights (ONNX from: vidcolor export).")
@click.option("--backend", default=DEFAULTS["backend"], show_default=True, help="Runtime; see: vidcolor doctor.")
@click.option("--res", default=DEFAULTS["res"], show_default=True, help="Short side of what the network sees, pixels.")
@click.option("--saturation", default=DEFAULTS["saturation"], show_default=True, help="Factor on the colours, 0 to 4.")
@click.option("--smooth", default=DEFAULTS["smooth"], show_default=True, help="Steadiness over time, 0 (off) to 1.")
@click.option("--codec", default=DEFAULTS["codec"], show_default=True, help="Codec; see: vidcolor encoders.")
@click.option("--crf", type=float, help="Quality of the encoder, lower is better. [the codec's default]")
@click.option("--preset", help="Speed of the encoder. [the codec's default]")
@click.option("--rate", type=Rate(), help="Frames a second of an image sequence: 24, 23.976, 24000/1001.")
@click.option(
    "--stdout-format",
    type=click.Choice(STDOUT_FORMATS),
    default=DEFAULTS["stdout_format"],
    help="What -o - writes. [y4m where y4m comes in, else nut]",
)
@click.option("--start", type=Time(), help="Begin here: seconds or h:mm:ss.")
@click.option("--end", type=Time(), help="Stop before this time.")
@click.option("--threads", type=int, help="Threads to use. [one for every core]")
@click.option(
    "--on-damage",
    type=click.Choice(ON_DAMAGE),
    default=DEFAULTS["on_damage"],
    show_default=True,
    help="Frames that cannot be decoded: show the one before in their place, leave them out, or fail.",
)
@click.option(
    "--decoder",
    type=click.Choice(DECODERS),
    default=DEFAULTS["decoder"],
    show_default=True,
    help="What decodes films; nvdec (NVIDIA GPUs) takes H.264, HEVC, VP8 and VP9, and sees less damage.",
)
@click.option("--deinterlace", is_flag=True, help="Make interlaced frames whole (bwdif). [they stay interlaced]")
@click.option("--verify", is_flag=True, help="Compare the finished film with its source; see: vidcolor verify.")
@click.option("--provenance", is_flag=True, help="Write OUTPUT.provenance.json: hashes, model, options, shots.")
@click.option("--no-tag", is_flag=True, help="Leave out of the metadata that a machine chose the colours.")
@click.option(
    "--allow-protocol",
    type=click.Choice(PROTOCOLS),
    multiple=True,
    help="Read films at addresses, and what playlists name, by this protocol too. May be repeated. [files alone]",
)
@max_pixels_option
@click.option("--max-frames", default=DEFAULTS["max_frames"], show_default=True, help="Fail a film that has more.")
@click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    help="Folder for work that is not finished. [beside the output, hidden]",
)
@click.option(
    "--no-resume", is_flag=True, help="Begin again: delete the chunks that an earlier run of this job finished."
)
@click.option("--keep-work", is_flag=True, help="Leave the work folder when the film is finished.")
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Events as one JSON object a line on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on standard error but errors.")
@verbose_option
def command(
    inputs: tuple[Source, ...],
    output: Destination | None,
    workdir: Path | None,
    no_resume: bool,
    keep_work: bool,
    no_tag: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: object,
) -> None:
    """Colour films and pictures: files, every film and picture in a folder, or - for a film from a pipe (NUT or y4m).

    Numbered pictures are a film too: with --rate, by a pattern (scans/frame.%06d.dpx) or by their folder.

    The finished file appears under its name when it is whole. A run that was interrupted goes on where it stopped when
    the same command is given again.
    """
    target, into_folder = output or (None, False)
    if as_json and target == STANDARD_OUTPUT:
        next_step = "Write the film to a file, or leave out --json."
        raise UsageError("--json cannot be used with -o -", "the film is on standard output", next_step)
    if target == STANDARD_OUTPUT:
        check_output_is_open()
    from vidcolor.cli.memory import keep_freed_memory
    from vidcolor.cli.ui import JsonReport, TextReport
    from vidcolor.film.batch import run_batch

    reports = [JsonReport()] if as_json else []
    text = TextReport(verbose, errors_only=quiet)
    reports.append(text)

    def report(event: dict[str, object]) -> None:
        for each in reports:
            each(event)

    keep_freed_memory()
    work = WorkOptions(workdir, not no_resume, keep_work)
    try:
        chosen = RunOptions(tag=not no_tag, **options)
        ways = dict(overwrite=overwrite, dry_run=dry_run, into_folder=into_folder, work=work)
        summary = run_batch(inputs, target, chosen, report=report, **ways)
    finally:
        text.close()
    raise click.exceptions.Exit(summary["exit_code"])
