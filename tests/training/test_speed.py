"""Whole training steps beside bare passes."""

import json

import pytest

pytest.importorskip("torch")
from vidcolor.cli import main
from vidcolor.training.speed import Effort, TrainingSpeed


def test_figures_are_those_of_the_median_step():
    bare, whole = (tuple(Effort(w, 2 * w) for w in walls) for walls in ((1.0, 2.0, 9.0), (2.5, 2.0, 8.0)))
    speed = TrainingSpeed("CPU", 8, bare, whole)
    assert speed.pictures_per_second(speed.bare) == 4 and speed.ratio() == speed.ratio("cpu") == 0.8


def test_bench_training_measures_both_kinds(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["bench", "--training", "--res", "32", "--batch", "2", "--repeats", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert leaving.value.code in (0, None) and (result["model"], result["size"], result["steps"]) == ("lite", 32, 2)
    (row,) = result["rows"]
    assert row["batch"] == 2 and row["bare"] > 0 and row["whole"] > 0 and 0 < row["ratio"] < 2
