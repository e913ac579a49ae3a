"""A run that is killed, at whatever moment and however often, goes on and ends as if nothing had been."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest


def make_film(samples, path, seconds):
    """Two small frames a second, so that there are many chunks (of 20 s), and sound that is not compressed, so that
    remuxing takes a moment."""
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", samples / "film.mp4", "-f", "lavfi", "-i", "sine=440:r=48000",
            "-map", "0:v", "-map", "1:a", "-vf", "setpts=N/2/TB,scale=96:72", "-r", "2", "-t", str(seconds),
            "-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-ac", "2", "-c:a", "pcm_s16le", path,
        ],
        check=True,
    )  # fmt: skip
    return path


class Job:
    """The same command in a folder of its own, again and again."""

    def __init__(self, film, folder):
        self.output, self.temporary = folder / "out" / "film.mkv", folder / "tmp"
        self.output.parent.mkdir(parents=True)
        self.temporary.mkdir()
        self.command = [sys.executable, "-m", "vidcolor", "run", str(film), "-o", str(self.output), "--json"]

    def start(self):
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )

    def finish(self):
        """Run to the end; the events."""
        said, errors = (process := self.start()).communicate()
        assert process.returncode == 0, errors
        return [json.loads(line) for line in said.splitlines()]

    def recorded(self):
        """How many chunks the journal has; a torn last line is none."""
        return sum(path.read_bytes().count(b"\n") for path in self.output.parent.glob(".*/journal.txt"))

    def remuxing(self):
        return bool(list(self.output.parent.glob(".*.part.mkv")))

    def left(self):
        """Names of all that is there."""
        return sorted(p.name for p in [*self.output.parent.iterdir(), *self.temporary.iterdir()])

    def kill(self, seconds, in_remux):
        """Start and kill after so many seconds, or so many after remuxing began. False: it was finished before."""
        process = self.start()
        begun = time.monotonic()
        while in_remux and process.poll() is None and not self.remuxing():
            time.sleep(0.001)
        begun = time.monotonic() if in_remux else begun
        while process.poll() is None and time.monotonic() - begun < seconds:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packets(path):
    """Times, sizes and SHA-256 of every packet of the film stream."""
    arguments = ["-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "sha256", "-"]
    return subprocess.run(["ffmpeg", "-v", "error", "-i", path, *arguments], capture_output=True, check=True).stdout


@pytest.mark.parametrize(("kills", "seconds"), [(4, 80), pytest.param(60, 240, marks=pytest.mark.long)])
def test_a_run_that_is_killed_goes_on_and_ends_the_same(samples, tmp_path, kills, seconds):
    film, chance = make_film(samples, tmp_path / "film.mkv", seconds), random.Random(kills)
    whole = Job(film, tmp_path / "whole")
    begun = time.monotonic()
    events = whole.finish()
    length, remux = time.monotonic() - begun, events[-1]["films"][0]["stages"]["remux"]
    assert events[0]["chunks_done"] == 0
    where, jobs = Counter(), 0
    while sum(where.values()) < kills:
        job, jobs = Job(film, tmp_path / f"job{jobs}"), jobs + 1
        while sum(where.values()) < kills and not job.output.exists():
            in_remux = sum(where.values()) % 4 == 3
            if not job.kill(chance.uniform(0, remux if in_remux else length), in_remux):
                break
            if job.output.exists():
                where["after the last moment"] += 1
                break
            where["remux" if job.remuxing() else "chunks" if job.recorded() else "before the first chunk"] += 1
            if chance.random() < 0.5:
                break
        if not job.output.exists():
            done = job.recorded()
            events = job.finish()
            assert events[0]["chunks_done"] == done
            assert sum(event["type"] == "plan" for event in events) == 1
            assert job.left() == ["film.mkv"]
        assert packets(job.output) == packets(whole.output)
        assert digest(job.output) == digest(whole.output)
        job.output.unlink()
    print(f"{kills} kills in {jobs} films of {seconds // 20} chunks, which took {length:.1f} s each: {dict(where)}")
    assert where["remux"] >= kills // 8
