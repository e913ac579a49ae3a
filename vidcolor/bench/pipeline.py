"""Speed of the whole command beside a plain ffmpeg transcode with the same encoder settings.

The transcode decodes and encodes and does nothing else, so a ratio of 1 is the physical limit. Both run as processes of
their own, in turn (A B A B …), so that a machine whose speed drifts drifts for both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.files import scratch_folder
from vidcolor.media.ffmpeg import find_ffmpeg
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import FilmInfo, probe


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: wall seconds, CPU seconds of its whole tree, peak resident bytes of its largest process."""

    wall: float
    cpu: float
    peak_rss: int


@dataclass(frozen=True, slots=True)
class PipelineBench:
    """All runs of one comparison. `summaries` are the films' entries of the summaries, one a run."""

    info: FilmInfo
    frames: int
    encoder: str
    ours: tuple[Measured, ...]
    plain: tuple[Measured, ...]
    summaries: tuple[dict, ...]

    def ratios(self) -> list[float]:
        """Our frames/s over the transcode's, pair by pair."""
        return [p.wall / o.wall for o, p in zip(self.ours, self.plain, strict=True)]

    def stage_ms(self) -> dict[str, float]:
        """Busy milliseconds a frame in each stage, median over the runs."""
        names = self.summaries[0]["stages"]
        return {n: 1e3 * statistics.median(s["stages"][n] for s in self.summaries) / self.frames for n in names}


def bench_pipeline(clip: Path, options: RunOptions, runs: int) -> PipelineBench:
    """Run both commands `runs` times each, after one warm-up each.

    Raises:
        MediaError: the clip cannot be coloured or transcoded.
    """
    info = probe(clip)
    encoding = choose_encoding(info, options.codec, options.crf, options.preset, None)
    settings = " ".join(f"{name}={value}" for name, value in encoding.options)
    ours, plain, summaries = [], [], []
    with scratch_folder() as folder:
        us = [sys.executable, "-m", "vidcolor", "run", str(clip), "-o", str(folder / f"ours{encoding.suffix}")]
        us += ["--json", "--quiet", "--overwrite", *_as_flags(options)]
        them = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", "-noautorotate", "-i", str(clip)]
        them += ["-map", f"0:{info.film}"]
        them += ["-c:v", encoding.encoder, "-pix_fmt", encoding.pix_fmt]
        them += [part for name, value in encoding.options for part in (f"-{name}", value)]
        them.append(str(folder / f"plain{encoding.suffix}"))
        for run in range(runs + 1):
            measured, printed = _measure(us)
            beside, _ = _measure(them)
            if run:
                ours.append(measured)
                plain.append(beside)
                summaries.append(json.loads(printed.splitlines()[-1])["films"][0])
    return PipelineBench(
        info,
        summaries[0]["frames"],
        f"{encoding.encoder} {encoding.pix_fmt} {settings}",
        tuple(ours),
        tuple(plain),
        tuple(summaries),
    )


def _as_flags(options: RunOptions) -> list[str]:
    flags = ["--model", options.model, "--backend", options.backend, "--res", options.res, "--smooth", options.smooth]
    flags += ["--codec", options.codec]
    flags += [] if options.weights is None else ["--weights", options.weights]
    flags += [] if options.crf is None else ["--crf", options.crf]
    flags += [] if options.preset is None else ["--preset", options.preset]
    return [str(flag) for flag in flags]


def _measure(command: list[str]) -> tuple[Measured, str]:
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        printed = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        if process.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise MediaError(f"{Path(command[0]).name} failed", f"exit status {process.returncode}: {' '.join(last)}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024), printed
