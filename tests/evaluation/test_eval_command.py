"""`vidcolor eval` as a user types it."""

import csv
import hashlib
import json
import os
import subprocess
import sys

import cv2
import pytest
from synthetic import photograph

from vidcolor.cli import main
from vidcolor.models.weights import SHIPPED as FOLDER

SHIPPED = FOLDER / "lite.onnx"


def vidcolor_eval(*arguments):
    command = [sys.executable, "-m", "vidcolor", "eval", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    for seed in range(3):
        cv2.imwrite(str(folder / f"{seed}.png"), photograph(seed)[..., ::-1])
    return folder


def test_json_sheet_and_page(pictures, tmp_path):
    result = vidcolor_eval(
        pictures, "--res", 64, "--json", "--sheet", tmp_path / "s.png", "--html", tmp_path / "r.html"
    )
    assert result.returncode == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["pictures"] == 3 and data["res"] == 64
    assert [model["model"] for model in data["models"]] == ["lite"] and len(data["models"][0]["weights"]) == 64
    lite = next(r for r in data["rows"] if r["answer"] == "lite" and r["over"] == "coloured")
    assert lite["cf"] > 1  # the network did colour
    assert cv2.imread(str(tmp_path / "s.png")).shape[1] > 4 * 3 * 64
    assert "lite" in (tmp_path / "r.html").read_text()


def test_a_picture_and_its_mirror_image_score_the_same(pictures, tmp_path):
    cv2.imwrite(str(tmp_path / "mirrored.png"), cv2.imread(str(pictures / "0.png"))[:, ::-1])
    scores = []
    for picture in (pictures / "0.png", tmp_path / "mirrored.png"):
        rows = csv.DictReader(vidcolor_eval(picture, "--res", 64, "--csv").stdout.splitlines())
        scores.append(next(float(row["psnr"]) for row in rows if row["answer"] == "lite"))
    assert scores[0] == pytest.approx(scores[1], abs=0.003)


@pytest.mark.parametrize("option", ["--sheet", "--html"])
def test_a_picture_that_is_measured_is_never_overwritten(pictures, option):
    before = (pictures / "1.png").read_bytes()
    for source in (pictures, pictures / "1.png"):
        result = vidcolor_eval(source, "--res", 64, option, pictures / "1.png", "--overwrite")
        assert result.returncode == 2 and "an input itself" in result.stderr
    assert (pictures / "1.png").read_bytes() == before


def test_a_page_of_pictures_whose_name_is_no_text(pictures, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9 <b>")
    odd.mkdir()
    (odd / "0.png").write_bytes((pictures / "0.png").read_bytes())
    result = vidcolor_eval(odd, "--res", 64, "--json", "--html", tmp_path / "r.html")
    assert result.returncode == 0, result.stderr
    assert r"caf\udce9 &lt;b&gt;" in (tmp_path / "r.html").read_text("utf-8")


def test_text_names_what_was_measured(pictures):
    result = vidcolor_eval(pictures, "--res", 64, "--saturation", 1.3, "--keep-aspect")
    assert result.returncode == 0, result.stderr
    for text in (
        "3 pictures, 0 of them near-grey",
        "short side 64",
        "saturation 1.3",
        "weights ",
        "mean ab",
        "Zhang 2016",
    ):
        assert text in result.stdout


def test_two_weights_of_one_network_in_one_table(pictures, tmp_path):
    """The same file under another hash: its card says so, and the answers are equal."""
    other = tmp_path / "other.onnx"
    other.write_bytes(SHIPPED.read_bytes() + b"\x9a\x06\x01x")  # an unknown protobuf field, 99, which readers skip
    card = {"model": "lite", "sha256": hashlib.sha256(other.read_bytes()).hexdigest()}
    other.with_suffix(".json").write_text(json.dumps(card))
    models = ("--model", "lite,lite", "--weights", SHIPPED, "--weights", other)
    result = vidcolor_eval(pictures / "0.png", "--res", 64, "--csv", *models)
    rows = {r["answer"]: r for r in csv.DictReader(result.stdout.splitlines()) if r["over"] == "all"}
    first, second = (f"lite {hashlib.sha256(path.read_bytes()).hexdigest()[:6]}" for path in (SHIPPED, other))
    assert set(rows) == {"grey", "mean ab", "truth", first, second}
    assert rows[first]["psnr"] == rows[second]["psnr"] != rows["grey"]["psnr"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{set}/missing.png"], "no such file"),
        (["{set}/film.txt"], "neither a film nor a picture nor a .tar"),
        (["{set}", "--smooth", "0.5"], "no film was given"),
        (["{empty}"], "no picture files"),
        (["{set}", "--model", "nothing"], "no model is named 'nothing'"),
        (["{set}", "--model", "lite,resnet38", "--weights", "x.onnx"], "2 networks and 1 --weights"),
        (["{set}", "--model", "lite,auto"], "twice"),
        (["{set}", "--json", "--csv"], "--json and --csv"),
        (["{set}", "--sheet", "{set}/no/such/sheet.png"], "there is no folder"),
        (["{set}", "--sheet", "{set}/0.png"], "0.png exists already: it was not touched"),
        (["{set}", "--html", "{set}/1.png"], "1.png exists already: it was not touched"),
        (["{set}", "--labels", "labels.csv"], "no classifier"),
        (["{set}", "--html", "{empty}/new", "--sheet", "{empty}/./new"], "--html and --sheet name it"),
    ],
)
def test_mistakes_are_one_line(pictures, tmp_path, capsys, arguments, says):
    (pictures / "film.txt").write_bytes(b"film")
    with pytest.raises(SystemExit) as leaving:
        main(["eval", *(a.format(set=pictures, empty=tmp_path) for a in arguments)])
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert leaving.value.code == 2 and line.startswith("vidcolor: ") and says in line
