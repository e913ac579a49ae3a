"""What must run on a borrowed machine with a GPU, where only torch and its like are installed."""

import json

import bare_machine
import pytest

pytest.importorskip("torch")

# A GPU that is only pretended: torch computes on the CPU, small pictures, one network.
PRETEND = """
import sys
from vidcolor.backends.gpu import Gpu
from vidcolor.bench import gpu_check
gpu_check.find_gpu = lambda: Gpu("Test GPU", "9.0", 1 << 34, "13.0")
gpu_check.RES = 32
gpu_check.gpu_report.__defaults__ = (("lite",), 2, lambda report: None, None)
from vidcolor.cli import main
main(sys.argv[1:])
"""


def test_gpu_check_measures_what_can_be_and_names_the_rest(tmp_path, samples):
    (tmp_path / "page.md").write_text("<!-- figures -->\n<!-- end of figures -->\n")
    arguments = ["--samples", samples, "--write", tmp_path / "page.md", "--json", tmp_path / "all.json"]
    done = bare_machine.run(tmp_path, "-c", PRETEND, "gpu-check", *arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "all.json").read_text())
    (lite,) = report["networks"]
    assert [row["backend"] for row in lite["rows"]] == ["torch"]
    assert [(a["backend"], a["precision"]) for a in lite["agreement"]] == [("torch", "fp32 eager"), ("graph", "fp16")]
    notes = "\n".join(report["notes"])
    for missing in ("openvino: not measured here", "NVDEC was not measured, av", "whole command was not measured, av"):
        assert missing in notes
    assert "Traceback" not in done.stderr and "| torch " in (tmp_path / "page.md").read_text()


def test_without_a_gpu_gpu_check_says_so_at_once(tmp_path):
    done = bare_machine.run(tmp_path, "-m", "vidcolor", "gpu-check")
    assert done.returncode == 1 and "no NVIDIA GPU" in done.stderr


def test_doctor_names_what_is_missing(tmp_path):
    done = bare_machine.run(tmp_path, "-m", "vidcolor", "doctor", "--json")
    found = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1 and not done.stderr
    for name in ("PyAV", "ffmpeg", "pictures", "OpenVINO", "encoder ffv1"):
        assert found[name]["works"] is False and "not installed" in found[name]["found"], found[name]
    assert "pip install imagesize" in found["pictures"]["found"]
    assert found["torch"]["works"] is True and found["GPU"]["works"] is None


def test_the_networks_are_compared(tmp_path):
    check = ["bench", "--check", "--res", "32", "--backend"]
    done = bare_machine.run(tmp_path, "-m", "vidcolor", *check, "all", "--json")
    assert done.returncode == 0 and [row["backend"] for row in json.loads(done.stdout)["rows"]] == ["torch", "graph"]
    done = bare_machine.run(tmp_path, "-m", "vidcolor", *check, "torch", "--calibrate", tmp_path)
    assert done.returncode == 2 and "imagesize is not installed" in done.stderr and "Traceback" not in done.stderr


def test_build_engine_begins(tmp_path):
    done = bare_machine.run(tmp_path, "-m", "vidcolor", "build-engine", "--profile", "nowhere")
    assert done.returncode == 2 and "no build profile is named 'nowhere'" in done.stderr
