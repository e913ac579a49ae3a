"""Everything that docs/gpu.md states about a GPU, measured in one go, with nothing fetched."""

from __future__ import annotations

import datetime
import importlib.metadata
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vidcolor.backends.gpu import Gpu, find_gpu
from vidcolor.backends.trt_library import MODULES
from vidcolor.bench.agreement import NOISE, check
from vidcolor.bench.calibration import Divided, divided
from vidcolor.bench.network import bench, device_words, input_side, reason
from vidcolor.bench.subject import subject
from vidcolor.bench.words import as_dict, network_tables
from vidcolor.config import RunOptions
from vidcolor.errors import BackendError
from vidcolor.models.registry import find_spec

NETWORKS = ("resnet38", "lite")
BATCHES = (1, 8, 32, 128)
RES = 144
_DEEP = ("-c:v", "libx265", "-preset", "fast", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error")
REPEATS = 100
PACKAGES = ("torch", *MODULES, "cuda-bindings", "onnx", "openvino", "av", "numpy")
Say = Callable[[str], None]


def gpu_report(
    clips: Sequence[Path],
    films: Sequence[Path],
    say: Say,
    networks: Sequence[str] = NETWORKS,
    repeats: int = REPEATS,
    keep: Callable[[dict[str, Any]], None] = lambda report: None,
    calibrate: Path | None = None,
) -> dict[str, Any]:
    """All figures, as plain data; what could not be measured is in `notes`, with the reason.

    Args:
        clips: films to colour with the whole command.
        films: to decode, by the GPU and by the CPU.
        say: told what is being done, what came of it, and what cannot be.
        keep: given the report so far after every figure: the machine may be had for a while only.
        calibrate: folder of pictures, with which int8 and fp8 are measured too.

    Raises:
        BackendError: there is no NVIDIA GPU.
        UsageError: the folder has too few pictures.
    """
    gpu = require_gpu()
    notes: list[str] = []

    def note(text: str) -> None:
        if text not in notes:
            notes.append(text)
            say(text)

    report: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "res": RES,
        "repeats": repeats,
        "machine": device_words(),
        "gpu": {"name": gpu.name, "capability": gpu.capability, "memory": gpu.memory, "cuda": gpu.driver},
        "versions": versions(),
        "networks": [],
        "decoding": [],
        "clips": [],
        "notes": notes,
    }
    for name in networks:
        result = {"model": name, "random_weights": False, "rows": [], "agreement": [], "table": []}
        report["networks"].append(result)
        side = input_side(find_spec(name), RES)
        pictures = divided(calibrate, side, side) if calibrate else None
        _network(result, repeats, say, note, lambda: keep(report), pictures)
    for film in films:
        say(f"{film.name}: decoded by NVDEC and by the CPU")
        if (figures := _decoding(film, note)) is not None:
            report["decoding"].append(figures)
        keep(report)
    for clip in clips:
        say(f"{clip.name}: the whole command")
        if (figures := _whole_command(clip, note)) is not None:
            report["clips"].append(figures)
        keep(report)
    return report


def require_gpu() -> Gpu:
    """The GPU to be measured.

    Raises:
        BackendError: there is none.
    """
    gpu = find_gpu()
    if gpu is None:
        raise BackendError("there is no GPU to check", "no NVIDIA GPU was found", "Look at: nvidia-smi")
    return gpu


def versions() -> dict[str, str]:
    """Installed packages that matter here."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _network(
    result: dict[str, Any], repeats: int, say: Say, note: Say, keep: Callable[[], None], pictures: Divided | None
) -> None:
    """Fill in the figures of one network, row by row."""
    name, timings = result["model"], []
    calibrating = pictures.calibrating if pictures else ()
    result["compared_on"] = pictures.words() if pictures else NOISE
    spec = find_spec(name)
    say(f"{name}: speed at {RES}×{RES}")
    try:
        with subject(spec, None) as (weights, result["random_weights"]):
            for timing in bench(spec, weights, RES, "all", BATCHES, repeats, note, calibrating):
                timings.append(timing)
                result["rows"].append(as_dict(timing))
                _, result["table"], result["verdict"] = network_tables(timings)
                say(
                    f"  {timing.backend} {timing.precision}, batch {timing.batch}: {timing.frames_per_second:.1f} frames/s"
                )
                keep()
            say(f"{name}: agreement with float32")
            for a in check(spec, weights, RES, "all", note, pictures):
                compared = {"backend": a.backend, "precision": a.precision, "max": a.largest, "mean": a.mean}
                result["agreement"].append({**compared, "psnr": a.finite_psnr, "wanted": a.wanted})
                keep()
    except Exception as error:
        note(f"{name}: not all was measured, {reason(error)}")


def _decoding(clip: Path, note: Say) -> dict[str, Any] | None:
    try:
        from vidcolor.bench.decoding import bench_decoding

        result = bench_decoding(clip, 3)
    except Exception as error:
        note(f"{clip.name}: NVDEC was not measured, {reason(error)}")
        return None
    info = result.info
    return {
        "clip": clip.name,
        "film": f"{info.film_stream.codec}, {info.width}×{info.height} {info.pix_fmt}",
        "frames": result.frames,
        "same": result.same,
        "cpu_frames_per_second": result.cpu,
        "nvdec_frames_per_second": result.gpu,
    }


def _whole_command(clip: Path, note: Say) -> dict[str, Any] | None:
    try:
        from vidcolor.bench.pipeline import bench_pipeline

        result = bench_pipeline(clip, RunOptions(), 3)
    except Exception as error:
        note(f"{clip.name}: the whole command was not measured, {reason(error)}")
        return None
    info, summary = result.info, result.summaries[0]
    return {
        "clip": clip.name,
        "size": f"{info.width}×{info.height}",
        "frames": result.frames,
        "backend": f"{summary['backend']} {summary['precision']}",
        "frames_per_second": statistics.median(result.frames / m.wall for m in result.ours),
        "ratio": statistics.median(result.ratios()),
        "stage_ms": result.stage_ms(),
    }


def enlarged(clip: Path, folder: Path, name: str, *options: str) -> Path:
    """The clip at 1920×1080, as a film of that size to measure with."""
    from vidcolor.media.ffmpeg import find_ffmpeg

    target = folder / f"{clip.stem}-{name}"
    command = [find_ffmpeg(), "-v", "error", "-y", "-i", clip, "-an", "-vf", "scale=1920:1080", *options, target]
    subprocess.run(command, check=True)
    return target


def clips_to_measure(samples: Path, folder: Path, say: Say) -> list[Path]:
    """The sample film as it is and at 1080p, if they can be had."""
    film = samples / "film.mp4"
    if not film.is_file():
        say("the whole command is not measured: there is no samples/film.mp4 here")
        return []
    try:
        return [film, enlarged(film, folder, "1080p.mp4", "-c:v", "libx264")]
    except Exception as error:
        say(f"no clip at 1080p: {reason(error)}")
        return [film]


def films_to_decode(clips: Sequence[Path], folder: Path, say: Say) -> list[Path]:
    """The clips, and the first at 1080p as 10-bit HEVC."""
    try:
        return [*clips, *(enlarged(clip, folder, "1080p-10bit.mkv", *_DEEP) for clip in clips[:1])]
    except Exception as error:
        say(f"no clip of 10 bits: {reason(error)}")
        return list(clips)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for clips that are made for the measurement."""
    return tempfile.TemporaryDirectory(prefix="vidcolor-gpu-check-")
