"""Damaged films by the thousand: what is mutated how, from a seed, and what a run of each has to be like."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SECONDS = 60  # that a run may take, on two cores that are shared; the usual is half a second
MEMORY = 1 << 30  # bytes that a run may need

_PICTURE = ("-vf", "scale=64:48", "-frames:v", "24")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2")
BASES: dict[str, tuple[str, ...]] = {
    "h264_aac.mp4": (*_X264, "-c:a", "aac"),
    "h264_index_last.mp4": (*_X264, "-c:a", "aac", "-movflags", "-faststart"),
    "prores_pcm.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "h264_flac.mkv": (*_X264, "-c:a", "flac"),
    "hevc.mkv": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12", "-an"),
    "ffv1_pcm.mkv": ("-c:v", "ffv1", "-level", "3", "-slicecrc", "1", "-c:a", "pcm_s16le"),
    "mpeg4_mp3.avi": ("-c:v", "mpeg4", "-g", "12", "-bf", "2", "-c:a", "libmp3lame"),
    "mjpeg_pcm.avi": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le"),
    "vp9_opus.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "12", "-c:a", "libopus"),
    "mpeg1_mp2.mpg": ("-c:v", "mpeg1video", "-g", "12", "-bf", "2", "-c:a", "mp2"),
    "mpeg2_mp2.ts": ("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-c:a", "mp2"),
    "h264_aac.ts": (*_X264, "-c:a", "aac"),
    "mpeg2_pcm.mxf": ("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-ar", "48000", "-c:a", "pcm_s16le"),
    "ffv1_pcm.nut": ("-c:v", "ffv1", "-level", "3", "-slicecrc", "1", "-c:a", "pcm_s16le"),
    "raw.y4m": ("-an",),
    "palette.gif": ("-an",),
}


def make_bases(film: Path, folder: Path, names: Iterable[str] = BASES) -> None:
    """The sound films that mutants are made of: a second of `film`, 64x48, in every container, with sound if it can."""
    for name in names:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-t", "1", "-i", film, *_PICTURE, *BASES[name]]
        command += ["-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact", folder / name]
        subprocess.run(command, check=True)


def small_network(path: Path) -> Path:
    """Weights for `lite`, with their card, that take no time: each colour is a multiple of the lightness there."""
    factor = helper.make_tensor("factor", TensorProto.FLOAT, (2, 1, 2, 2), [0.05] * 4 + [-0.03] * 4)
    sizes = (["N", 1, "H", "W"], ["N", 2, "h", "w"])
    named = zip(("lightness", "ab"), sizes, strict=True)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in named]
    layer = helper.make_node("Conv", ["lightness", "factor"], ["ab"], strides=[2, 2])
    graph = helper.make_graph([layer], "small", ends[:1], ends[1:], [factor])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"model": "lite", "sha256": digest}))
    return path


def mutate(data: bytes, random: np.random.Generator) -> tuple[bytes, str]:
    """A damaged copy of a file, and what was done to it."""
    size = len(data)
    at, length = int(random.integers(size)), int(np.exp(random.uniform(0, np.log(size))))
    kind = ("flip", "flip near an end", "truncate", "delete", "duplicate")[int(random.integers(5))]
    if kind == "truncate":
        return data[:at], f"cut off at byte {at} of {size}"
    if kind == "delete":
        return data[:at] + data[at + length :], f"{length} bytes deleted at {at} of {size}"
    if kind == "duplicate":
        return data[: at + length] + data[at:], f"{length} bytes twice at {at} of {size}"
    damaged, count = bytearray(data), int(np.exp(random.uniform(0, np.log(300))))
    places = random.integers(0, size, count)
    if kind != "flip":  # where headers and indexes are
        places = np.minimum(places % 1500, size - 1) if random.integers(2) else np.maximum(size - 1 - places % 1500, 0)
    for place in places:
        damaged[place] ^= 1 << int(random.integers(8))
    return bytes(damaged), f"{count} bits turned, {kind}"


Mutate = Callable[[bytes, np.random.Generator], tuple[bytes, str]]


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant: of the run in a process of its own, and of a plain decode in another."""

    index: int
    base: str
    done: str
    policy: str
    output: Path
    code: int | None  # None: it ran out of time
    signal: int | None
    seconds: float
    peak_bytes: int
    stdout: str
    stderr: str
    decodable: int | None  # frames that a plain decoder shows; None: it cannot open the file

    @property
    def film(self) -> dict:
        """Its entry in the summary."""
        lines = self.stdout.splitlines()
        return json.loads(lines[-1])["films"][0] if lines else {}

    def faults(self) -> list[str]:
        """What the run did that no run may do."""
        if self.code is None:
            return [f"killed by signal {self.signal}" if self.signal else "still at work when its time was over"]
        found = [f"needed {self.peak_bytes >> 20} MiB"] if self.peak_bytes > MEMORY else []
        if self.code == 1:
            return found + self._faults_of_failure()
        if self.code != 0:
            return [*found, f"ended with {self.code}"]
        return found + self._faults_of_success()

    def _faults_of_failure(self) -> list[str]:
        lines = self.stderr.splitlines()
        found = [] if len(lines) == 1 and lines[0].startswith("vidcolor: ") else [f"{len(lines)} lines: {self.stderr}"]
        if "unexpected" in self.stderr or "Traceback" in self.stderr:
            found.append(f"an error that is not explained: {self.stderr}")
        if self.output.exists():
            found.append("failed, and left a film")
        # A clock that jumps back for long is refused in whole films too, with the command that mends it.
        if self.policy == "hold" and (self.decodable or 0) > 2 and "clock jumps back" not in self.stderr:
            found.append(f"failed, though {self.decodable} frames can be decoded: {self.stderr}")
        return found

    def _faults_of_success(self) -> list[str]:
        film, found = self.film, []
        if self.stderr:
            found.append(f"succeeded, and said {self.stderr}")
        if film["error"] is not None or not self.output.exists():
            found.append("succeeded without a film")
        left_out = sum(entry["count"] for entry in film["ledger"] if "shown" not in entry["done"])
        if self.decodable is not None and film["frames"] + left_out < self.decodable:
            found.append(f"{film['frames']} frames, though {self.decodable} can be decoded")
        if self.policy == "fail" and any("shown longer" not in entry["done"] for entry in film["ledger"]):
            found.append("succeeded in spite of damage")
        return found


def run_mutants(
    indices: Iterable[int], bases: Path, folder: Path, bend: Mutate = mutate, seed: int = 12
) -> Iterator[Outcome]:
    """Make and run the mutants with these numbers, one after the other, each in processes of its own.

    Args:
        bases: where `make_bases` left the sound films; those that are there are used.
        folder: for mutants and what becomes of them; only the last one's files are left there.
    """
    names = [name for name in BASES if (bases / name).exists()]
    worker = [sys.executable, Path(__file__).with_name("mutant_worker.py"), str(SECONDS), *(bases / n for n in names)]
    network = small_network(folder / "network.onnx")
    with subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for index in indices:
            base = names[index % len(names)]
            random = np.random.default_rng([seed, index])
            data, done = bend((bases / base).read_bytes(), random)
            source = folder / f"mutant{Path(base).suffix}"
            output = folder / "out.mkv"
            source.write_bytes(data)
            output.unlink(missing_ok=True)
            policy = ("hold", "hold", "hold", "skip", "fail")[int(random.integers(5))]
            options = ["--on-damage", policy, "--res", "32", "--preset", "ultrafast", "--threads", "1"]
            options += ["--weights", str(network), "--no-resume"]
            arguments = ["run", str(source), "-o", str(output), "--json", "-q", *options]
            job = {"source": str(source), "arguments": arguments}
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            yield Outcome(index, base, done, policy, output, **json.loads(process.stdout.readline()))
        process.stdin.close()
