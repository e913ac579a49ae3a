"""`vidcolor build-engine` and `vidcolor engines`, as a user meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx")

from vidcolor.backends.gpu import find_gpu


def vidcolor(*arguments):
    return subprocess.run([sys.executable, "-m", "vidcolor", *arguments], capture_output=True, text=True)


@pytest.fixture
def engine():
    """An engine in the folder that a user's would be in; it and its card are removed again."""
    done = vidcolor("build-engine", "--res", "64", "--batch", "1,2,3", "--backend", "tensorrt-rtx", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    yield made
    for suffix in (".engine", ".json"):
        Path(made["path"]).with_suffix(suffix).unlink(missing_ok=True)


def listed(engine, *options):
    done = vidcolor("engines", "--json", *options)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return next((row for row in rows if row["path"] == engine["path"]), None), done.returncode


def test_an_engine_is_built_listed_verified_damaged_and_pruned(engine):
    assert engine["key"]["precision"] == "fp16" and engine["convolutions"]["half"] > engine["convolutions"]["float"]
    row, code = listed(engine, "--verify")
    assert row["state"] == "whole" and code == 0
    with open(engine["path"], "r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    row, code = listed(engine, "--verify")
    assert "SHA-256" in row["state"] and code == 1
    row, _ = listed(engine, "--prune")
    assert "deleted" in row["state"]
    assert listed(engine)[0] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--precision", "fp7"), "there are fp32, fp16, int8, fp8"),
        (("--batch", "8,1"), "--batch 1,8,32"),
        (("--profile", "abacus"), "there are default"),
        (("--backend", "abacus"), "tensorrt-rtx"),
        (("--model", "resnet38-published"), "--weights"),
    ],
)
def test_what_cannot_be_meant_is_one_line_with_the_remedy(options, words):
    done = vidcolor("build-engine", *options)
    assert done.returncode in (1, 2) and words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU")
def test_run_never_falls_back_from_a_backend_that_was_asked_for(samples, tmp_path):
    output = tmp_path / "out.mkv"
    done = vidcolor("run", str(samples / "vfr10.mkv"), "-o", str(output), "--backend", "tensorrt-rtx")
    assert done.returncode == 1 and "no NVIDIA GPU" in done.stderr and not output.exists()


def test_remedies_in_tables_can_be_typed_as_they_are_shown():
    from vidcolor.cli.ui import Console, table

    out = Console(width=100)
    with out.capture() as shown:
        out.print(table(("", ""), [("TensorRT", "pip install 'vidcolor[tensorrt]'")]))
    assert "vidcolor[tensorrt]" in shown.get()
