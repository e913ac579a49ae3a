"""What surrounds a run and is none of the film's: home folders, temporary files, the network, versions of packages."""

import json
import os
import subprocess
import sys

# The first version of imagesize that is admitted does not say which it is.
EARLY_IMAGESIZE = """
import imagesize
vars(imagesize).pop("__version__", None)
from vidcolor.cli import main
main(["doctor", "--json"])
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
