"""What a user at a shell gets: messages, exit codes, and files that are whole or not there."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import vidcolor

LITE = str(Path(vidcolor.__file__).parent / "weights" / "lite.onnx")


def vidcolor_run(*arguments, cwd=None, env=None):
    return subprocess.run(
        [sys.executable, "-m", "vidcolor", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


def only_line(result):
    lines = result.stderr.strip().splitlines()
    assert lines and lines[-1].startswith("vidcolor: "), result.stderr
    assert "Traceback" not in result.stderr
    return lines[-1]


@pytest.fixture(scope="module")
def short_film(samples, tmp_path_factory):
    """Ten frames of the sample, with its sound."""
    path = tmp_path_factory.mktemp("short") / "short film.mp4"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            samples / "film.mp4",
            "-map",
            "0:v",
            "-map",
            "0:a",
            "-c",
            "copy",
            "-frames:v",
            "10",
            "-t",
            "0.4",
            path,
        ],
        check=True,
    )
    return path


def test_version_and_help():
    assert vidcolor_run("--version").stdout.strip() == f"vidcolor, version {vidcolor.__version__}"
    shown = vidcolor_run("--help").stdout
    for command in ("run", "models", "encoders", "doctor", "bench", "train", "export"):
        assert re.search(rf"^  {command} ", shown, re.M)
        assert vidcolor_run(command, "--help").returncode == 0


def test_a_film_is_coloured_beside_itself(short_film):
    result = vidcolor_run("run", short_film)
    assert result.returncode == 0, result.stderr
    assert (short_film.parent / "short film.color.mp4").exists()
    assert not [p for p in short_film.parent.iterdir() if p.name.startswith(".")]  # no work folder is left
    assert re.search(r"10 frames .*frames/s.*real time", result.stderr)
    for stage in ("decode", "infer", "temporal", "merge", "encode", "remux"):
        assert re.search(rf"{stage} \d", result.stderr)


def test_json_is_one_object_a_line_and_ends_with_the_summary(short_film, tmp_path):
    result = vidcolor_run("run", short_film, "-o", tmp_path / "out.mkv", "--json", "--quiet")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "plan" and kinds[-1] == "summary" and kinds[-2] == "film"
    assert {"progress", "shot"} < set(kinds)
    film = events[-1]["films"][0]
    assert film["output"] == str(tmp_path / "out.mkv") and film["frames"] == 10 and film["error"] is None
    assert {
        "seconds",
        "fps",
        "times_real_time",
        "model",
        "backend",
        "precision",
        "device",
        "stages",
        "damaged",
        "converted",
    } < set(film)
    assert result.stderr == ""


BAD_INPUTS = {
    "missing": ("there is no such file", 2),
    "empty": ("empty", 1),
    "text": ("text file", 1),
    "audio": ("no film", 1),
    "no_moov": ("moov", 1),
    "noise": ("FFmpeg", 1),
}


@pytest.fixture
def bad_input(request, tmp_path, samples):
    path = tmp_path / "film.mp4"
    kind = request.param
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("Dear diary, today I filmed nothing.\n" * 20)
    elif kind == "audio":
        subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", "-vn", "-c", "copy", path], check=True)
    elif kind == "no_moov":
        plain = tmp_path / "plain.mp4"
        subprocess.run(
            [
                "ffmpeg",
                "-v",
                "error",
                "-i",
                samples / "film.mp4",
                "-map",
                "0:v",
                "-c",
                "copy",
                "-movflags",
                "-faststart",
                plain,
            ],
            check=True,
        )
        path.write_bytes(plain.read_bytes()[: plain.stat().st_size // 2])
        plain.unlink()
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(50_000))
    return kind, path


@pytest.mark.parametrize("bad_input", BAD_INPUTS, indirect=True)
def test_bad_input_gives_one_clear_line_and_no_output(bad_input, tmp_path):
    kind, path = bad_input
    expected, code = BAD_INPUTS[kind]
    before = set(tmp_path.iterdir())
    result = vidcolor_run("run", path)
    assert expected in only_line(result) and str(path) in only_line(result)
    assert result.returncode == code
    assert set(tmp_path.iterdir()) == before
    assert "Traceback" in vidcolor_run("run", path, "-v").stderr


def usage_cases(film, tmp_path):
    taken = tmp_path / "taken.mp4"
    taken.write_bytes(b"precious")
    (tmp_path / "nothing").mkdir()
    return {
        "same file": ((film, "-o", film, "--overwrite"), "the input itself"),
        "existing": ((film, "-o", taken), "--overwrite"),
        "no folder": ((film, "-o", tmp_path / "nowhere" / "out.mp4"), "mkdir"),
        "empty folder": ((tmp_path / "nothing",), "no films or pictures"),
        "model": ((film, "--model", "rembrandt"), "lite"),
        "untrained": ((film, "--model", "resnet38-published"), "--weights"),
        "codec": ((film, "--codec", "cinepak"), "h264"),
        "backend": ((film, "--backend", "abacus"), "openvino"),
        "container": ((film, "--codec", "ffv1", "-o", tmp_path / "out.mp4"), ".mkv"),
        "saturation": ((film, "--saturation", "9"), "--saturation"),
        "order": ((film, "--start", "3", "--end", "2"), "--end"),
    }


USAGE = "same file,existing,no folder,empty folder,model,untrained,codec,backend,container,saturation,order".split(",")


@pytest.mark.parametrize("case", USAGE)
def test_usage_errors_name_the_remedy(case, short_film, tmp_path):
    film = tmp_path / "film.mp4"
    shutil.copy(short_film, film)
    arguments, remedy = usage_cases(film, tmp_path)[case]
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    result = vidcolor_run("run", *arguments)
    assert remedy in only_line(result)
    assert result.returncode == 2
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_the_other_films_of_a_batch_are_done(short_film, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(short_film, folder / "b good.mp4")
    (folder / "a bad.mp4").write_text("no film")
    (folder / "notes.txt").write_text("not looked at")
    result = vidcolor_run("run", folder, "--json")
    assert result.returncode == 1
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [bool(film["error"]) for film in summary["films"]] == [True, False]
    assert sorted(p.name for p in folder.glob("*.color.*")) == ["b good.color.mp4"]
    assert "1 done, 1 failed" in result.stderr


def test_a_batch_given_again_goes_on_with_what_is_left(short_film, tmp_path):
    folder, out = tmp_path / "films", tmp_path / "out"
    folder.mkdir()
    shutil.copy(short_film, folder / "a.mp4")
    first = vidcolor_run("run", folder, "-o", out)  # a folder of one film is a folder, and its output is made one
    assert first.returncode == 0 and [p.name for p in out.iterdir()] == ["a.color.mp4"], first.stderr
    before = (out / "a.color.mp4").stat()
    shutil.copy(short_film, folder / "b.mp4")
    again = vidcolor_run("run", folder, "-o", out, "--json")
    assert again.returncode == 0 and "1 done, 0 failed, 1 skipped" in again.stderr, again.stderr
    films = json.loads(again.stdout.splitlines()[-1])["films"]
    assert [("skipped" in film, film["error"]) for film in films] == [(True, None), (False, None)]
    assert sorted(p.name for p in out.iterdir()) == ["a.color.mp4", "b.color.mp4"]
    assert (out / "a.color.mp4").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_two_films_that_would_become_one_file_are_not_both_called_done(overwrite, short_film, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(short_film, tmp_path / folder / "film.mp4")
    out = tmp_path / "out"
    result = vidcolor_run(
        "run", tmp_path / "a" / "film.mp4", tmp_path / "b" / "film.mp4", "-o", out, "--json", *overwrite
    )
    assert result.returncode == 1
    films = json.loads(result.stdout.splitlines()[-1])["films"]
    assert (
        films[0]["error"] is None and "was made from" in films[1]["error"] and str(tmp_path / "a") in films[1]["error"]
    )
    assert [p.name for p in out.iterdir()] == ["film.color.mp4"]


def test_a_dry_run_into_a_folder_that_is_not_there_shows_the_plan_and_leaves_no_folder(short_film, tmp_path):
    result = vidcolor_run("run", short_film, "-o", f"{tmp_path}/a/new/", "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path}/a/new/" in result.stdout
    assert not (tmp_path / "a").exists()


def test_a_slash_at_the_end_means_a_folder(short_film, tmp_path):
    result = vidcolor_run("run", short_film, "-o", f"{tmp_path}/new/")
    assert result.returncode == 0, result.stderr
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["short film.color.mp4"]
    shutil.copy(short_film, tmp_path / "other.mp4")
    result = vidcolor_run("run", short_film, tmp_path / "other.mp4", "-o", tmp_path / "x.mp4")
    assert result.returncode == 2 and f"-o {tmp_path}/x.mp4/" in only_line(result)
    assert not (tmp_path / "x.mp4").exists()


def test_a_piece_after_the_end_is_told_as_one(short_film, tmp_path):
    result = vidcolor_run("run", short_film, "-o", tmp_path / "out.mp4", "--start", "1:00")
    assert result.returncode == 1 and "--start is 60.000 s" in only_line(result)


def test_a_place_that_cannot_be_used_is_no_fault_of_the_program(samples, tmp_path):
    (tmp_path / "file").write_text("no folder")
    out = tmp_path / "file" / "out"
    line = only_line(vidcolor_run("run", samples / "portrait.jpg", samples / "portrait.jpg", "-o", out))
    assert "Not a directory" in line and str(out) in line and "fault" not in line


def test_a_dry_run_writes_nothing_and_shows_the_plan(short_film, tmp_path):
    result = vidcolor_run("run", short_film, "-o", tmp_path / "out.mp4", "--dry-run")
    assert result.returncode == 0, result.stderr
    for word in ("lite", "openvino", "libx264", "chunks", "estimated", "MB", "audio stream 1 (aac): copy"):
        assert word in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_dry_run_calls_nothing_done_and_does_not_guess_a_length(samples, short_film, tmp_path):
    raw = tmp_path / "raw.h264"  # which does not say how long it is
    subprocess.run(["ffmpeg", "-v", "error", "-i", short_film, "-c", "copy", "-an", raw], check=True)
    result = vidcolor_run("run", raw, samples / "portrait.jpg", "-o", tmp_path / "out", "--dry-run")
    assert result.returncode == 0 and "no estimate" in result.stderr and "None" not in result.stderr, result.stderr
    assert result.stderr.splitlines()[-1] == "2 to be done, 0 failed"


def test_ctrl_c_leaves_nothing_under_the_final_name(samples, tmp_path):
    film = tmp_path / "film.mp4"
    command = [sys.executable, "-m", "vidcolor", "run", str(samples / "film.mp4"), "-o", str(film), "--json"]
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    for line in process.stdout:
        if json.loads(line)["type"] == "progress":
            break
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(timeout=30) == 130
    print(f"stopped {time.monotonic() - asked:.2f} s after Ctrl-C")
    assert json.loads(rest.splitlines()[-1])["type"] == "summary"
    assert not film.exists()
    assert "Traceback" not in process.stderr.read()


def test_pictures_stay_pictures(samples, tmp_path):
    import cv2

    result = vidcolor_run("run", samples / "portrait.jpg", "-o", tmp_path / "out.png")
    assert result.returncode == 0, result.stderr
    grey = cv2.imread(str(samples / "portrait.jpg"), cv2.IMREAD_GRAYSCALE)
    coloured = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_COLOR_RGB)
    assert coloured.shape == (*grey.shape, 3)
    luma = coloured @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(luma - grey).mean() < 1
    assert np.ptp(coloured.astype(int), axis=2).mean() > 5


def test_a_coloured_picture_says_so_unless_told_not_to(samples, tmp_path):
    for name, options in (("said.png", ()), ("unsaid.png", ("--no-tag",))):
        assert vidcolor_run("run", samples / "portrait.jpg", "-o", tmp_path / name, *options).returncode == 0
    said, unsaid = ((tmp_path / name).read_bytes() for name in ("said.png", "unsaid.png"))
    assert b"Colour added by a machine" in said and b"machine" not in unsaid


def test_what_a_picture_loses_and_what_is_of_no_use_to_it_is_said_once(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "p.png"), np.full((40, 60, 4), 100, np.uint8))
    asked = ("run", tmp_path / "p.png", "-o", tmp_path / "q.png", "--start", "1", "--codec", "ffv1", "--overwrite")
    asked += ("--keep-work",)
    result = vidcolor_run(*asked)
    assert result.stderr.count("converted: the alpha channel (transparency) is dropped") == 1
    assert result.stderr.count("of no use for a picture: --codec, --start, --keep-work") == 1
    events = [json.loads(line) for line in vidcolor_run(*asked, "--json").stdout.splitlines()]
    told = [event["converted"] for event in events if event["type"] in ("plan", "film")]
    assert told == [["the alpha channel (transparency) is dropped"]] * 2


@pytest.mark.parametrize("kind", ["full", "long", "wrong"])
def test_a_picture_that_cannot_be_written_is_told_in_one_line_and_in_the_summary(kind, samples, tmp_path):
    name, words, code = {
        "full": ("out.png", "no larger file can be written", 1),
        "long": (f"{'x' * 300}.png", "File name too long", 1),
        "wrong": ("out.mkv", "'.mkv'", 2),
    }[kind]
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))) if kind == "full" else None
    command = [sys.executable, "-m", "vidcolor", "run", samples / "portrait.jpg", "-o", tmp_path / name, "--json", "-q"]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, preexec_fn=limit)
    summary = json.loads(result.stdout.splitlines()[-1])
    assert words in only_line(result) and "fault of vidcolor" not in result.stderr
    assert result.returncode == summary["exit_code"] == code
    assert words in summary["error"] and words in summary["films"][0]["error"]
    assert not list(tmp_path.iterdir())


def test_a_picture_that_opencv_cannot_read_is_told_in_one_line_alone(tmp_path):
    tifffile.imwrite(tmp_path / "half.tif", np.zeros((20, 20), np.float16))
    result = vidcolor_run("run", tmp_path / "half.tif")
    assert result.returncode == 1 and result.stderr.splitlines() == [only_line(result)]


@pytest.mark.parametrize("suffix", [".bmp", ".HEIC", ".ppm"])
def test_a_picture_of_another_kind_is_not_taken_for_a_film(suffix, samples, tmp_path):
    picture = tmp_path / f"p{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "portrait.jpg", "-f", "image2", picture], check=True)
    result = vidcolor_run("run", picture)
    assert result.returncode == 1 and "Save it as PNG, JPEG, TIFF or WebP" in only_line(result)


def test_names_that_are_not_utf_8(short_film, tmp_path):
    film = tmp_path / os.fsdecode(b"caf\xe9.mkv")
    subprocess.run(["ffmpeg", "-v", "error", "-i", short_film, "-map", "0:v", "-c", "copy", film], check=True)
    out = tmp_path / os.fsdecode(b"out\xe9.mkv")
    for command in (("run", film, "-o", out, "--provenance", "-q"), ("verify", film, out), ("shots", film)):
        result = vidcolor_run(*command, env={"PYTHONIOENCODING": "utf-8:strict"})
        assert result.returncode == 0 and result.stderr.count("\n") <= 1, result.stderr
    record = json.loads(Path(f"{out}.provenance.json").read_text())
    assert record["source"]["name"] == film.name
    for command in (("verify", film, out, "--json"), ("shots", film, "--json")):
        result = subprocess.run([sys.executable, "-m", "vidcolor", *map(str, command)], capture_output=True)
        for line in result.stdout.decode("ascii").splitlines():
            json.loads(line)


@pytest.mark.parametrize("arguments", [("--repeats", "0"), ("--runs", "0"), ("--res", "0"), ("--batch", "0")])
def test_numbers_out_of_range_are_usage_errors(arguments):
    result = vidcolor_run("bench", *arguments)
    assert result.returncode == 2 and arguments[0] in result.stderr and "fault" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "FILM", "--start", "1e400"), "--start beyond 1e308 is out of range"),
        (("run", "FILM", "--start", "-1e400"), "--start is before the film's first frame"),
        (("run", "FILM", "--rate", "1e400"), "--rate beyond 1e308 is out of range"),
        (
            ("run", "FILM", "--max-pixels", "9999999999"),
            "--max-pixels 9999999999 is out of range: it can be 1 to 2147483648",
        ),
        (("run", "FILM", "--workdir", "FILM", "-o", "FILM.mp4"), "it is no folder"),
        (("run", "FILM", "--weights", "FILM.onnx", "-o", "FILM.mp4"), "FILM.onnx: there is no such file"),
        (("run", "FILM", "--model", "resnet38-published", "-o", "FILM.mp4"), "--weights FILE.onnx"),
        (("run", "FILM", "--model", "resnet38", "--weights", LITE, "-o", "FILM.mp4"), "Add --model lite"),
        (("shots", "FILM", "--max-pixels", "-5"), "--max-pixels -5 is out of range"),
        (("engines", "--all"), "--all means nothing without --prune"),
    ],
)
def test_what_cannot_be_meant_is_one_line(arguments, words, samples):
    *arguments, words = (part.replace("FILM", str(samples / "film.mp4")) for part in (*arguments, words))
    result = vidcolor_run(*arguments)
    assert result.returncode == 2 and words in only_line(result)


def test_the_python_api_colours_an_array(samples):
    import cv2

    grey = cv2.imread(str(samples / "portrait.jpg"), cv2.IMREAD_GRAYSCALE)
    coloured = vidcolor.colorize_image(grey)
    assert coloured.shape == (*grey.shape, 3) and coloured.dtype == np.uint8
    red, _, blue = coloured[100:240, 120:240].reshape(-1, 3).mean(0)
    assert red > blue  # the face is warm
    with pytest.raises(ValueError, match="uint8"):
        vidcolor.colorize_image(grey.astype(float))
    for shape in ((0, 5), (5, 0), (0, 5, 3)):
        with pytest.raises(ValueError, match="a pixel at least"):
            vidcolor.colorize_image(np.zeros(shape, np.uint8))
    for other in ("film.mp4", [[1, 2]], None):
        with pytest.raises(TypeError, match="NumPy array, not"):
            vidcolor.colorize_image(other)


FORKED = """
import multiprocessing
import signal
import numpy as np
import vidcolor

grey = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
before = vidcolor.colorize_image(grey)
with multiprocessing.get_context("fork").Pool(1, signal.alarm, [15]) as pool:
    assert np.array_equal(pool.map(vidcolor.colorize_image, [grey])[0], before)
"""


def test_the_python_api_works_in_processes_that_are_forked():
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=20)


@pytest.mark.parametrize("height", [288, 192])  # 192: 144×216 for the network, which is padded to 224
def test_a_picture_and_its_mirror_image_have_the_same_colours(samples, height):
    import cv2

    grey = cv2.imread(str(samples / "portrait.jpg"), cv2.IMREAD_GRAYSCALE)[:height, :288]
    mirrored = vidcolor.colorize_image(grey[:, ::-1])[:, ::-1]
    assert np.abs(vidcolor.colorize_image(grey).astype(int) - mirrored).max() <= 2


def test_models_encoders_and_doctor_tell_what_is_there():
    assert "dB over grey" in vidcolor_run("models").stdout
    models = {row["name"]: row for row in map(json.loads, vidcolor_run("models", "--json").stdout.splitlines())}
    assert models["lite"]["metrics"]["gain_db"] > models["resnet38"]["metrics"]["gain_db"] > 0
    assert models["resnet38-published"]["metrics"] is None and not models["resnet38-published"]["weights"]
    assert "libx264" in vidcolor_run("encoders").stdout
    doctor = vidcolor_run("doctor")
    assert doctor.returncode == 0
    assert "openvino" in doctor.stdout.lower() and "tensorrt" in doctor.stdout.lower()
