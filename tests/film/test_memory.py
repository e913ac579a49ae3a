"""Memory stays flat however long the film is."""

import os
import subprocess
import sys

import pytest


def looped(sample, path, frames, size):
    """The sample film again and again until it has so many frames."""
    command = ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", sample, "-map", "0:v", "-frames:v", str(frames)]
    subprocess.run([*command, "-vf", f"scale={size}", "-c:v", "libx264", "-preset", "ultrafast", path], check=True)


def peak_rss(film, out):
    """Bytes that the largest process of a run needed at most."""
    command = [sys.executable, "-m", "vidcolor", "run", film, "-o", out, "--quiet", "--preset", "ultrafast"]
    process = subprocess.Popen([str(part) for part in command])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize(
    ("short", "long", "size"),
    [(250, 1000, "160:120"), pytest.param(500, 5000, "640:480", marks=pytest.mark.long)],
)
def test_memory_does_not_grow_with_the_film(samples, tmp_path, short, long, size):
    peaks = []
    for frames in (short, long):
        film = tmp_path / f"{frames}.mp4"
        looped(samples / "film.mp4", film, frames, size)
        peaks.append(peak_rss(film, tmp_path / f"{frames}.color.mp4"))
    print(f"{short} frames: {peaks[0] / 1e6:.0f} MB, {long} frames: {peaks[1] / 1e6:.0f} MB")
    assert peaks[1] < 1.1 * peaks[0]
