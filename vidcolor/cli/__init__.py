"""The command line: the group of commands, and the one place where errors are shown and exit codes chosen."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from vidcolor import __version__
from vidcolor.cli import streams
from vidcolor.config import MAX_PIXELS, RES, RunOptions
from vidcolor.errors import VidcolorError

COMMANDS = {
    "run": "Colour films and pictures.",
    "models": "List the networks: paper, size, cost, licence, weights.",
    "encoders": "List the codecs that films can be written with.",
    "doctor": "Check this machine: what is found, what is missing, how to install it.",
    "verify": "Compare a coloured film with its source: frames, times, luma, streams, tags.",
    "shots": "List the shots of a film.",
    "eval": "Measure colours on photographs or on a colour film: gain over grey, steadiness, and more.",
    "bench": "Measure speed: of networks on every backend, or of a whole run beside ffmpeg.",
    "build-engine": "Build the TensorRT engine of a network for this GPU.",
    "gpu-check": "Measure all that the documentation states about GPUs, on this one.",
    "engines": "List, verify and prune TensorRT engines.",
    "train": "Train a network on photographs.",
    "export": "Turn a checkpoint into weights that `run` can use.",
}
INTERRUPTED = 130  # 128 + SIGINT, what shells expect
NOT_READ = 141  # 128 + SIGPIPE, the same


class LazyGroup(click.Group):
    """Imports a command's module only when that command is used, so that help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return import_module(f"vidcolor.cli.{name.replace('-', '_')}").command

    def invoke(self, ctx: click.Context) -> object:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:  # whoever read standard output has gone: nothing is left to say
            raise click.exceptions.Exit(NOT_READ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vidcolor")
def group() -> None:
    """Colour black-and-white films. Luma, timing, sound and subtitles stay as they are.

    Begin with: vidcolor run FILM
    """


def verbose_option(command: click.Command) -> click.Command:
    """-v for any command: more detail, and the traceback of an error."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
        ctx.find_root().obj["verbose"] = value
        return value

    return click.option("-v", "--verbose", is_flag=True, callback=remember, help="Say more; show tracebacks.")(command)


def max_pixels_option(command: click.Command) -> click.Command:
    """--max-pixels, for every command that reads films."""
    words = "Refuse frames and pictures of more pixels."
    return click.option("--max-pixels", default=MAX_PIXELS, show_default=True, help=words)(command)


def res_option(words: str) -> Callable[[click.Command], click.Command]:
    """--res in the range that `run` takes, with the words for its help."""
    return click.option("--res", type=click.IntRange(*RES), default=RunOptions().res, show_default=True, help=words)


def overwrite_option(command: click.Command) -> click.Command:
    """--overwrite, for every command that writes files the user names."""
    return click.option("--overwrite", is_flag=True, help="Replace existing output.")(command)


def calibrate_option(command: click.Command) -> click.Command:
    """--calibrate FOLDER, for every command that makes int8 and fp8."""
    folder = click.Path(path_type=Path, exists=True, file_okay=False)
    return click.option("--calibrate", type=folder, help="Folder of pictures, for int8 and fp8.")(command)


def show_error(error: BaseException, verbose: bool) -> None:
    """One line for people on standard error; the traceback only if it was asked for."""
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, VidcolorError):
        line = str(error)
    elif isinstance(error, OSError) and error.filename is not None:  # no permission, no room, no such place
        line = f"cannot use {error.filename}: {error.strerror}"
    else:
        line = f"unexpected {type(error).__name__}: {error}. This is a fault of vidcolor; -v shows where."
    print(f"vidcolor: {' '.join(line.split())}", file=sys.stderr)


def _end_like_ctrl_c() -> None:
    """Let a polite kill, or a terminal that is closed, end a command as Ctrl-C does; who ignores them (nohup) goes on."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _end_at_once_if_asked_again() -> None:
    """Nothing is left to be tidied up: a second Ctrl-C or `kill` has no traceback to show."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.default_int_handler:
            signal.signal(number, signal.SIG_DFL)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0 done, 1 a film failed, 2 usage, 130 interrupted, 141 not read."""
    state = {"verbose": False}
    _end_like_ctrl_c()
    streams.set_up()
    os.environ.setdefault("SVT_LOG", "1")  # its errors alone: SVT-AV1 writes to standard error by itself
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what it says of a picture is told by us, in one line
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's matrices are 3×3 here: more threads would only spin
    try:
        code = group.main(arguments, prog_name="vidcolor", standalone_mode=False, obj=state) or 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _end_at_once_if_asked_again()
        print("vidcolor: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except Exception as error:
        show_error(error, state["verbose"])
        code = getattr(error, "exit_code", 1)
    streams.forget_output()
    sys.exit(code)
