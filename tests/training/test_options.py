"""Options from defaults, a TOML file and the command line."""

import os

import pytest

from vidcolor.errors import UsageError
from vidcolor.training.options import make_options, read_toml, to_toml

PLACES = {"data": ("a",), "validation": ("b",)}


def test_later_layers_override_and_none_does_not_count():
    options = make_options(PLACES, {"steps": 7, "rate": 1, "loss": "l1"}, {"steps": 9, "loss": None})
    assert (options.steps, options.rate, options.loss, options.batch) == (9, 1, "l1", 32)


def test_a_file_says_everything_again(tmp_path):
    options = make_options(
        PLACES, {"size": 96, "degrade": False, "loss": "msle", "ema": 0.99, "data": ("/x y", '/"q"')}
    )
    (tmp_path / "run.toml").write_text(to_toml(options))
    assert make_options(read_toml(tmp_path / "run.toml")).data == ("/x y", '/"q"')
    assert to_toml(make_options(read_toml(tmp_path / "run.toml"), {"validation": ("b",)})) == to_toml(options)


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "run.toml").write_text('data = ["shards/0.tar", "/absolute"]\nvalidation = "held"\n')
    given = read_toml(tmp_path / "run.toml")
    assert given == {"data": (str(tmp_path / "shards/0.tar"), "/absolute"), "validation": (str(tmp_path / "held"),)}


def test_what_a_run_writes_down_holds_in_any_folder(tmp_path, monkeypatch):
    """Paths of the command line are relative to where it was typed, not to the run's folder."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    options = make_options({"data": ("photos",), "validation": ("held/back.tar",)})
    (tmp_path / "run" / "options.toml").write_text(to_toml(options))
    monkeypatch.chdir("/")
    again = make_options(read_toml(tmp_path / "run" / "options.toml"))
    assert again == options and again.data == (str(tmp_path / "photos"),)
    assert again.validation == (str(tmp_path / "held" / "back.tar"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stepz = 3", "'stepz'.*There are model, data"),
        ("steps = ", "cannot read the options"),
        ("steps = 1\nsteps = 2", "cannot read"),
    ],
)
def test_a_bad_file_says_what(tmp_path, text, says):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        read_toml(tmp_path / "run.toml")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"steps": 0}, "at least 1"),
        ({"steps": "many"}, "kind int"),
        ({"batch": 2.5}, "kind int"),
        ({"rate": float("nan")}, "at least 0"),
        ({"weight_decay": float("inf")}, "at least 0 and less than"),
        ({"minutes_between_checkpoints": float("nan")}, "at least 0"),
        ({"minutes_between_checkpoints": -1}, "at least 0"),
        ({"seed": 2**63}, "less than 2⁶³"),
        ({"data": (os.fsdecode(b"/caf\xe9"),)}, "options.toml cannot hold it"),
        ({"ema": 1.5}, "within 0 and 1"),
        ({"degrade": 1}, "kind bool"),
        ({"precision": "fp8"}, "bf16, fp32"),
        ({"recall": 0.1, "encoder_rate": 0.0}, "frozen and forgets nothing"),
        ({"data": ()}, "there is no data"),
        ({"validation": ()}, "--val"),
    ],
)
def test_values_that_cannot_be_meant(values, says):
    with pytest.raises(UsageError, match=says):
        make_options(PLACES, values)
