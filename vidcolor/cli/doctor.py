"""`vidcolor doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import click

from vidcolor import __version__
from vidcolor.cli import verbose_option
from vidcolor.errors import UsageError
from vidcolor.files import scratch_folder

_PACKAGES = {"cv2": "opencv-python-headless", "ffmpeg": "ffmpeg-python"}  # by module
Check = tuple[str, bool | None, str]  # what, whether it works (None: not needed), what was found or how to mend it


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on standard output.")
@verbose_option
def command(as_json: bool, verbose: bool) -> None:
    """Check this machine: what is found, what is missing, and the command that installs it.

    OpenVINO, every encoder and the GPU's decoder are tried with two frames. Exit code 1 if something that `run` needs does
    not work.
    """
    import json

    from vidcolor.cli.ui import console, table

    checks = []
    for check in _checks():
        checks.append(check)
        if as_json:
            click.echo(json.dumps({"type": "check", "name": check[0], "works": check[1], "found": check[2]}))
    if not as_json:
        words = {True: "works", False: "FAILS", None: "unavailable"}
        console().print(
            table(("", "", "found, or how to install it"), [(n, words[ok], text) for n, ok, text in checks])
        )
    raise click.exceptions.Exit(1 if any(ok is False for _, ok, _ in checks) else 0)


def _checks() -> Iterator[Check]:
    from vidcolor.media.codecs import CODECS

    yield "vidcolor", True, f"{__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"
    yield "PyAV", *_tried(_pyav)
    yield "ffmpeg", *_tried(_ffmpeg)
    yield "pictures", *_tried(_pictures)
    yield "run", *_tried(_auto)
    yield "OpenVINO", *_tried(_openvino)
    for name, codec in CODECS.items():
        works, found = _tried(partial(_encoder, name))
        yield f"encoder {name}", None if codec.hardware and not works else works, found
    works, found = _tried(_nvdec)
    yield "decoder nvdec", works or None, found
    yield "torch", *_optional("torch", "pip install 'vidcolor[train]'   (training, export, GPUs without TensorRT)")
    yield "TensorRT", *_engines("tensorrt", "pip install 'vidcolor[tensorrt]'   (NVIDIA GPUs)")
    yield "TensorRT-RTX", *_engines("tensorrt-rtx", "pip install 'vidcolor[tensorrt-rtx]'   (GeForce and RTX GPUs)")
    yield "GPU", *_gpu()


def _tried(action: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, action()
    except UsageError as error:  # what it could not be asked for; that is known here
        return False, error.why
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name, error.name.replace("_", "-"))
        return False, f"{error.name} is not installed: pip install {package}"
    except Exception as error:
        return False, " ".join(str(error).split())


def _pyav() -> str:
    import av

    return f"{av.__version__} with FFmpeg's libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"


def _ffmpeg() -> str:
    import vidcolor.media.remux  # noqa: F401
    from vidcolor.media.ffmpeg import find_ffmpeg

    program = find_ffmpeg()
    shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stdout
    return f"{shown.splitlines()[0].split(' Copyright')[0]}, {program}"


def _pictures() -> str:
    import vidcolor.media.pictures  # noqa: F401

    return f"imagesize {importlib.metadata.version('imagesize')}"  # early versions do not know their own


def _encoder(name: str) -> str:
    from vidcolor.media.trial import encode_two_frames

    with scratch_folder() as folder:
        return encode_two_frames(name, folder)


def _auto() -> str:
    from vidcolor.backends.choose import choose_backend, choose_model

    model, backend = choose_model("auto"), choose_backend("auto")
    return f"by itself takes {model.name} ({model.reason}) on {backend.name} ({backend.reason})"


def _openvino() -> str:
    """Two pictures through the shipped network."""
    import numpy as np

    from vidcolor.backends.choose import choose_model, open_backend
    from vidcolor.models.registry import find_spec
    from vidcolor.models.weights import find_weights

    weights = find_weights(find_spec(choose_model("auto").name), None)
    backend = open_backend("openvino", weights, 192, 144, 1)
    for level in (20, 70):
        backend.start(np.full((1, 1, 144, 192), level, np.float32))()
    return f"{backend.info.version}, 2 frames in {backend.info.precision} on {backend.info.device}"


def _nvdec() -> str:
    """Two frames of H.264, which must be those of the CPU."""
    from vidcolor.errors import MediaError
    from vidcolor.media.nvdec import choose_decoder
    from vidcolor.media.probe import probe
    from vidcolor.media.trial import encode_two_frames

    with scratch_folder() as folder:
        encode_two_frames("h264", folder)
        _, otherwise = choose_decoder(probe(next(folder.glob("coloured*"))), "nvdec")
    if otherwise:
        raise MediaError("two frames of H.264 were not decoded by it", otherwise)
    return "h264, 2 frames as the CPU decodes them"


def _optional(package: str, remedy: str) -> tuple[bool | None, str]:
    try:
        return True, importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None, remedy


def _engines(package: str, remedy: str) -> tuple[bool | None, str]:
    """A TensorRT and whether it can run engines here; without a GPU, TensorRT-RTX can still build them."""
    from vidcolor.backends.choose import obstacle

    installed, found = _optional(package, remedy)
    problem = obstacle(package)
    return (installed, found) if not (installed and problem) else (None, f"{found} is installed, but {problem[0]}")


def _gpu() -> tuple[bool | None, str]:
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        return True, subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None, "no NVIDIA driver; films are coloured on the CPU"
