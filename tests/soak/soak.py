"""`make soak`: a two-hour film's worth of frames in one run, and what the process holds meanwhile: plot and figures.

The film is the sample, made small and repeated: its frames, cuts and sound come again and again, so whatever grows over
the run grows because of the run. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from vidcolor.media.ffmpeg import find_ffmpeg
from vidcolor.training.curves import Panel, plot

SAMPLES = Path(__file__).parents[2] / "samples"
EVERY = 5.0  # seconds between samples
STEADY = 0.1  # share of the samples at the beginning that belong to starting up


def make_film(folder: Path, frames: int, size: str) -> Path:
    """The sample film at `size`, again and again, until it has so many frames."""
    once, film = folder / "once.mkv", folder / "film.mkv"
    small = ("-vf", f"scale={size}", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "32k")
    ffmpeg = (find_ffmpeg(), "-nostdin", "-v", "error", "-y")
    subprocess.run([*ffmpeg, "-i", SAMPLES / "film.mp4", *small, once], check=True)
    length = ("-frames:v", str(frames), "-t", str(frames / 24))
    subprocess.run([*ffmpeg, "-stream_loop", "-1", "-i", once, *length, "-c", "copy", film], check=True)
    return film


def held_by(process: int, temporary: Path) -> dict[str, float]:
    """What a process holds now: resident megabytes, open files, threads, files in its folder of temporary files."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":" in line
    )
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1000,
        "files": len(os.listdir(f"/proc/{process}/fd")),
        "threads": int(status["Threads"]),
        "temporary": sum(len(names) for _, _, names in os.walk(temporary)),
    }


def soak(frames: int, size: str, res: int, folder: Path) -> tuple[list[dict[str, float]], dict]:
    """Run it, sampling as it goes. Returns the samples and the film's entry in the summary."""
    film, temporary = make_film(folder, frames, size), folder / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-m", "vidcolor", "run", film, "-o", folder / "out.mkv", "--json", "--quiet"]
    command += ["--res", res, "--preset", "ultrafast"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    samples, events = [], [{"type": "progress", "frames": 0}]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment) as process:

        def listen() -> None:
            for line in process.stdout:
                event = json.loads(line)
                if event["type"] in ("progress", "summary"):
                    events[0 if event["type"] == "progress" else 1 :] = [event]

        listener = threading.Thread(target=listen)
        listener.start()
        while process.poll() is None:
            time.sleep(EVERY)
            try:
                samples.append({"frames": events[0]["frames"], **held_by(process.pid, temporary)})
            except (OSError, KeyError):  # it has just ended
                break
        listener.join()
    if process.returncode:
        raise SystemExit(f"the run failed with exit code {process.returncode}")
    return samples, events[-1]["films"][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=172_800, help="two hours at 24 a second")
    parser.add_argument("--size", default="64:48")
    parser.add_argument("--res", type=int, default=32, help="of the network: small, for speed")
    parser.add_argument("--plot", type=Path, default=Path("docs/soak.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        samples, film = soak(arguments.frames, arguments.size, arguments.res, Path(folder))
    titles = {"rss_mb": "resident memory, MB", "files": "open files", "threads": "threads"}
    titles["temporary"] = "temporary files"
    steps = [sample["frames"] for sample in samples]
    panels = [Panel(f"{title}, over frames", steps, [s[name] for s in samples]) for name, title in titles.items()]
    plot(arguments.plot, panels)
    print(f"{film['frames']} frames in {film['seconds']:.0f} s, {film['fps']:.0f} frames/s, {len(samples)} samples")
    coloured = [
        sample for sample in samples if sample["frames"] < film["frames"]
    ]  # while it is joined, another thing is held
    steady = coloured[int(len(coloured) * STEADY) :]
    for name, title in titles.items():
        values = [sample[name] for sample in steady]
        slope = np.polyfit([sample["frames"] for sample in steady], values, 1)[0] * 100_000 if len(steady) > 2 else 0
        print(f"{title}: {min(values):g} to {max(values):g}, {slope:+.2f} for 100,000 frames")


if __name__ == "__main__":
    main()
