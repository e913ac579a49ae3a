"""What surrounds a run and is none of the film's: home folders, temporary files, the network, versions of packages."""

import json
import os
import subprocess
import sys

import pytest
from test_cli import only_line, vidcolor_run

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
TWICE = """
import os, signal
from vidcolor import cli
signal.signal(signal.SIGINT, signal.default_int_handler)
ctrl_c = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGINT)
cli.group.main = cli.streams.forget_output = ctrl_c
cli.main([])
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


@pytest.fixture
def film(samples, tmp_path):
    """Six small frames with sound."""
    path = tmp_path / "film.mkv"
    small = ("-vf", "scale=64:48", "-frames:v", "6", "-t", "0.25", "-c:v", "ffv1", "-c:a", "copy")
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *small, path], check=True)
    return path


def test_an_empty_name_is_not_the_working_folder(film, tmp_path):
    for arguments in (["run", ""], ["run", film, "-o", ""]):  # a script's variable that is not set
        done = vidcolor_run(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and "the name is empty" in done.stderr
    assert list(tmp_path.iterdir()) == [film]


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "-"])
def test_an_open_file_is_that_file_whatever_it_is_called(name, film, tmp_path):
    command = [sys.executable, "-m", "vidcolor", "run", "-q", name, "-o", tmp_path / "out.mkv"]
    with film.open("rb") as source:
        done = subprocess.run(command, stdin=source, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_standard_input_without_a_film_is_told_as_what_it_is(tmp_path):
    command = [sys.executable, "-m", "vidcolor", "run", "-", "-o", tmp_path / "out.mkv"]
    empty = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert empty.returncode == 2 and "it is a device" in only_line(empty)
    closed = subprocess.run(command, preexec_fn=lambda: os.close(0), capture_output=True, text=True)
    assert closed.returncode == 2 and "cannot read standard input: it is closed" in only_line(closed)


def test_what_is_no_file_is_not_replaced_by_one(film, tmp_path):
    pipe, lost = tmp_path / "pipe.mkv", tmp_path / "lost.mkv"
    os.mkfifo(pipe)
    lost.symlink_to("not mounted/film.mkv")
    for output, options in ((pipe, []), (pipe, ["--overwrite"]), (lost, [])):
        done = vidcolor_run("run", film, "-o", output, *options)
        assert done.returncode == 2 and f"cannot write {output}" in only_line(done)
    assert pipe.is_fifo() and lost.is_symlink()
    assert vidcolor_run("run", film, "-o", lost, "--overwrite").returncode == 0 and lost.is_file()


def test_a_second_ctrl_c_shows_no_traceback():
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert done.returncode in (130, -2) and done.stderr == "vidcolor: interrupted\n"


def test_an_input_that_cannot_be_looked_at_fails_alone(film, tmp_path):
    too_long = tmp_path / ("x" * 300 + ".mkv")  # the system answers as it does for a folder of somebody else's
    done = vidcolor_run("run", "--json", too_long, film, "-o", tmp_path / "out")
    *_, summary = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1 and [entry["error"] is None for entry in summary["films"]] == [False, True]
    assert [path.stem for path in (tmp_path / "out").iterdir()] == ["film.color"]


@pytest.mark.parametrize(("module", "package"), [("ffmpeg", "ffmpeg-python"), ("cv2", "opencv-python-headless")])
def test_doctor_names_the_package_of_a_module_that_is_missing(module, package):
    code = f"import sys; sys.modules[{module!r}] = None; from vidcolor.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "doctor"], capture_output=True, text=True)
    assert done.returncode == 1 and f"pip install {package}" in " ".join(done.stdout.split())
