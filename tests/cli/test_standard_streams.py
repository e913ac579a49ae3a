"""Standard output that is closed, full or not read: one plain line and an exit code, and no file is harmed."""

import os
import subprocess
import sys

import pytest

PRINTING = [
    ("models",),
    ("models", "--json"),
    ("encoders",),
    ("--version",),
    ("run", "--help"),
    ("shots", "film"),
    ("shots", "film", "--csv"),
    ("shots", "film", "--json"),
    ("verify", "film", "film", "--json"),
    ("run", "film", "-o", "out.mkv", "--json", "-q"),
]


@pytest.fixture(scope="module")
def film(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    small = ("-vf", "scale=64:48", "-frames:v", "6", "-an", "-c:v", "ffv1")
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *small, path], check=True)
    return path


def started(arguments, film, tmp_path, closed=(), **places):
    named = {"film": str(film), "out.mkv": str(tmp_path / "out.mkv")}
    command = [sys.executable, "-m", "vidcolor", *(named.get(each, each) for each in arguments)]
    return subprocess.Popen(command, preexec_fn=lambda: [os.close(number) for number in closed], **places)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.parametrize("kind, words", [("closed", "it is closed"), ("full", "No space left on device")])
def test_output_that_cannot_be_written_to_is_told_in_one_line(arguments, kind, words, film, tmp_path):
    with open("/dev/full", "w") as full:
        where = {"stdout": full} if kind == "full" else {"closed": [1]}
        process = started(arguments, film, tmp_path, stderr=subprocess.PIPE, text=True, **where)
        said = process.communicate()[1]
    assert said == f"vidcolor: cannot write to standard output: {words}. Send it to another place.\n"
    assert process.returncode == 1


def test_a_film_for_a_closed_output_is_a_mistake_of_usage(film, tmp_path):
    process = started(("run", "film", "-o", "-"), film, tmp_path, closed=[1], stderr=subprocess.PIPE, text=True)
    said = process.communicate()[1]
    assert process.returncode == 2 and said.startswith("vidcolor: cannot write to standard output: it is closed. ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("closed", [[1], [2], [1, 2], [0, 1, 2]])
def test_a_film_is_made_where_nothing_can_be_printed(closed, film, tmp_path):
    process = started(("run", "film", "-o", "out.mkv"), film, tmp_path, closed=closed, stdout=subprocess.DEVNULL)
    assert process.wait() == 0
    shown = (
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    )
    assert subprocess.check_output([*shown, tmp_path / "out.mkv"], text=True).strip(", \n") == "6"


@pytest.mark.parametrize("kind", ["full", "not read"])
def test_messages_that_go_nowhere_cost_no_film(kind, film, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") if kind == "full" else open(writer, "w", closefd=False) as place:
        made = started(("run", "film", "-o", "out.mkv"), film, tmp_path, stderr=place, stdout=subprocess.DEVNULL)
        refused = started(("run", "film", "-o", "out.mkv", "--res", "1"), film, tmp_path, stderr=place)
        assert made.wait() == 0 and (tmp_path / "out.mkv").exists() and refused.wait() == 2
    os.close(writer)


@pytest.mark.parametrize("arguments", [("shots", "film", "--csv"), ("models", "--json"), ("models",)], ids=" ".join)
def test_output_that_nobody_reads_ends_the_command_without_a_word(arguments, film, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    process = started(arguments, film, tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert process.communicate()[1] == "" and process.returncode == 141


def test_a_film_whose_events_nobody_reads_on_ends_without_a_word(film, tmp_path):
    process = started(("run", "film", "-o", "out.mkv", "--json", "-q"), film, tmp_path, stdout=-1, stderr=-1)
    assert process.stdout.readline().startswith(b'{"type": "plan"')
    process.stdout.close()
    try:
        process.wait(60)
    finally:
        process.kill()
    assert process.returncode == 141 and process.stderr.read() == b"" and not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("surroundings", [{}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=["named", "locale"])
def test_what_an_encoding_lacks_is_written_otherwise(surroundings, film, tmp_path):
    ascii_alone = {**os.environ, "LC_ALL": "C", **(surroundings or {"PYTHONIOENCODING": "ascii"})}
    for arguments in (("models",), ("verify", "film", "film")):
        process = started(arguments, film, tmp_path, env=ascii_alone, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        shown, said = process.communicate()
        assert process.returncode == 0 and rb"\xd7" in shown and not said, said
