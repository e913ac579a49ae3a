"""What surrounds a run and is none of the film's: home folders, temporary files, the network, versions of packages."""

import json
import os
import subprocess
import sys

from test_cli import only_line

# The first version of imagesize that is admitted does not say which it is.
EARLY_IMAGESIZE = """
import imagesize
vars(imagesize).pop("__version__", None)
from vidcolor.cli import main
main(["doctor", "--json"])
"""
NO_TEMPORARY_FILES = """
import sys, tempfile
tempfile._candidate_tempdir_list = list
from vidcolor.cli import main
main(sys.argv[1:])
"""
WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        print(event, arguments, flush=True)
sys.addaudithook(watch)
from vidcolor.cli import main
main(sys.argv[1:])
"""


def test_a_run_tells_no_server_and_leaves_nothing_in_the_home_folder(tmp_path, samples):
    home = tmp_path / "home"
    home.mkdir()
    command = [
        sys.executable,
        "-c",
        WATCHED,
        "run",
        "-q",
        samples / "film.mp4",
        "--end",
        "0.4",
        "-o",
        tmp_path / "o.mp4",
    ]
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(command, capture_output=True, text=True, env={**env, "HOME": str(home)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_doctor_takes_the_earliest_imagesize():
    done = subprocess.run([sys.executable, "-c", EARLY_IMAGESIZE], capture_output=True, text=True)
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0 and found["pictures"]["works"], found["pictures"]


def test_without_a_folder_for_temporary_files_only_what_needs_one_fails(tmp_path, samples):
    def run(*arguments):
        command = [sys.executable, "-c", NO_TEMPORARY_FILES, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    out = tmp_path / "out.mp4"
    assert run("run", "-q", samples / "film.mp4", "--end", "0.4", "-o", out).returncode == 0
    for needing in (["run", samples / "film.mp4", "--dry-run"], ["verify", "--end", "0.4", samples / "film.mp4", out]):
        done = run(*needing)
        assert done.returncode == 1 and "TMPDIR" in only_line(done) and "fault of" not in done.stderr
    found = {row["name"]: row for row in map(json.loads, run("doctor", "--json").stdout.splitlines())}
    assert "TMPDIR" in found["encoder h264"]["found"] and found["OpenVINO"]["works"] and "GPU" in found
