"""Disks that are too small or fill up: said plainly, nothing finished is lost, and the run goes on when there is room."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import pytest

from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.sink import ChunkWriter


@pytest.fixture(scope="module")
def film(samples, tmp_path_factory):
    """100 s in five chunks, of about 1 MB when coloured: two frames a second and sound."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", samples / "film.mp4", "-stream_loop", "-1", "-i",
            samples / "film.mp4", "-map", "0:v", "-map", "1:a", "-vf", "setpts=N/2/TB,scale=320:240", "-r", "2", "-t", "100",
            "-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-c:a", "copy", path,
        ],
        check=True,
    )  # fmt: skip
    return path


def command(film, output, *options):
    return [sys.executable, "-m", "vidcolor", "run", str(film), "-o", str(output), "--json", *map(str, options)]


def finished(result):
    """The events of a run that succeeded."""
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(result):
    """The one line that a run that failed ends with."""
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("vidcolor: ")]
    assert len(lines) == 1
    assert json.loads(result.stdout.splitlines()[-1])["error"] in lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def whole(film, tmp_path_factory):
    """The coloured film, made where there is room."""
    path = tmp_path_factory.mktemp("whole") / "film.mkv"
    finished(subprocess.run(command(film, path), capture_output=True, text=True))
    return path


class SmallDisk:
    """A file system of a few megabytes in memory, seen by the commands that are run on it alone."""

    def __init__(self, folder, size):
        self.folder = folder
        mount = f'mount -t tmpfs -o size={size} none "$0" && echo ready && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.ready = self._holder.stdout.readline() == "ready\n"
        self.inside = f"/proc/{self._holder.pid}/root{folder}"  # the same folder, for the test itself

    def start(self, arguments):
        enter = ["nsenter", "-t", str(self._holder.pid), "--user", "--mount", "--preserve-credentials"]
        return subprocess.Popen([*enter, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, arguments):
        process = self.start(arguments)
        said, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, said, errors)

    def resize(self, size):
        assert self.run(["mount", "-o", f"remount,size={size}", str(self.folder)]).returncode == 0

    def names(self):
        return sorted(os.listdir(self.inside))

    def hashes(self):
        """Of every finished chunk, by path."""
        found = {}
        for folder, _, files in os.walk(self.inside):
            for name in (name for name in files if name.startswith("chunk-")):
                with open(os.path.join(folder, name), "rb") as file:
                    found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        return found

    def read(self, name):
        with open(os.path.join(self.inside, name), "rb") as file:
            return file.read()

    def close(self):
        self._holder.communicate()


@pytest.fixture
def small_disk(tmp_path):
    disks = []

    def mount(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        try:
            disks.append(SmallDisk(folder, size))
        except FileNotFoundError:
            pytest.skip("there is no unshare program")
        if not disks[0].ready:
            pytest.skip("no file system can be mounted here")
        return disks[0]

    yield mount
    for disk in disks:
        disk.close()


def test_a_disk_that_is_far_too_small_is_refused_before_work_begins(film, whole, small_disk):
    disk = small_disk(whole.stat().st_size // 2)
    line = refused(disk.run(command(film, disk.folder / "film.mkv")))
    assert "room" in line and "--workdir" in line and "MB" in line
    assert disk.names() == []


def test_a_disk_that_fills_costs_no_finished_chunk(film, whole, small_disk):
    disk = small_disk(8 * whole.stat().st_size)
    process = disk.start(command(film, disk.folder / "film.mkv"))
    while process.poll() is None and len(disk.hashes()) < 2:
        time.sleep(0.005)
    balloon = os.path.join(disk.inside, "balloon")  # another program takes all that is left
    with open(balloon, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    said, errors = process.communicate()
    line = refused(subprocess.CompletedProcess([], process.returncode, said, errors))
    assert "the disk is full" in line and "Make room" in line
    kept = disk.hashes()
    assert len(kept) >= 2
    assert "film.mkv" not in disk.names()

    again = refused(disk.run(command(film, disk.folder / "film.mkv")))
    assert "room" in again
    assert disk.hashes() == kept

    os.unlink(balloon)
    events = finished(disk.run(command(film, disk.folder / "film.mkv")))
    assert events[0]["chunks_done"] == len(kept)
    assert disk.names() == ["film.mkv"]
    assert disk.read("film.mkv") == whole.read_bytes()


def test_a_disk_that_fills_while_the_film_is_put_together_costs_nothing(film, whole, small_disk):
    disk = small_disk(int(1.4 * whole.stat().st_size))
    result = disk.run(command(film, disk.folder / "film.mkv"))
    assert "the disk is full" in refused(result)
    assert any("disk may fill" in event.get("message", "") for event in map(json.loads, result.stdout.splitlines()))
    assert len(disk.hashes()) == 5
    assert len(disk.names()) == 1  # the work folder
    disk.resize(4 * whole.stat().st_size)
    events = finished(disk.run(command(film, disk.folder / "film.mkv")))
    assert events[0]["chunks_done"] == 5
    assert disk.read("film.mkv") == whole.read_bytes()


def test_beside_the_output_a_run_needs_no_more_than_its_size_and_a_tenth(film, whole, small_disk):
    disk = small_disk(int(2.1 * whole.stat().st_size) // 4096 * 4096)
    finished(disk.run(command(film, disk.folder / "film.mkv")))
    assert disk.read("film.mkv") == whole.read_bytes()


def test_the_work_can_be_on_another_disk_than_the_film(film, whole, small_disk, tmp_path):
    disk = small_disk(int(1.1 * whole.stat().st_size) // 4096 * 4096)
    finished(disk.run(command(film, tmp_path / "film.mkv", "--workdir", disk.folder)))
    assert (tmp_path / "film.mkv").read_bytes() == whole.read_bytes()
    assert disk.names() == []


def test_a_limit_on_files_stops_a_run_like_a_full_disk(film, whole, tmp_path):
    """Chunks fit and the film does not; this needs no right to mount."""
    limit = whole.stat().st_size - 1
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    arguments = command(film, tmp_path / "film.mkv")
    line = refused(subprocess.run(arguments, capture_output=True, text=True, preexec_fn=limited))
    assert "no larger file" in line and str(tmp_path) in line
    assert not (tmp_path / "film.mkv").exists()
    events = finished(subprocess.run(arguments, capture_output=True, text=True))
    assert events[0]["chunks_done"] == 5
    assert (tmp_path / "film.mkv").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("missing", [1, 4096, 40_000])
def test_a_chunk_that_does_not_fit_is_never_taken_for_whole(samples, tmp_path, missing):
    """Also where only the bytes that are written last, as the file is closed, find no room."""
    found = probe(samples / "vfr10.mkv")
    encoding = choose_encoding(found)
    info, form = encoding.prepare(found), encoding.format

    def write(path):
        chance = np.random.default_rng(1)
        grey = np.full((info.height // form.chroma_height, info.width // form.chroma_width), form.mid, form.dtype)
        with ChunkWriter(path, encoding, info, 2) as writer:
            for index in range(10):
                y = chance.integers(64, 900, (info.height, info.width)).astype(form.dtype)
                writer.write(index, 1, y, grey, grey)

    write(tmp_path / "whole.mp4")
    limit = (tmp_path / "whole.mp4").stat().st_size - missing
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError):
            write(tmp_path / "cut.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
