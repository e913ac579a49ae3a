"""The two scripts for a machine with a GPU, rehearsed on the CPU."""

import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import train_gpu_set
import train_on_gpu

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


def test_steps_follow_from_the_measured_speed(monkeypatch):
    monkeypatch.setattr(train_on_gpu, "vidcolor", lambda *_: '{"rows": [{"whole": 640.0, "ratio": 0.95}]}')
    assert train_on_gpu.steps_for("lite", 144, 64, 60, 5) == 600


@pytest.mark.long
def test_both_networks_are_trained_and_exported(shards, tmp_path):
    few = ["--size", "32", "--batch", "2", "--steps", "2", "--device", "cpu"]
    for _ in range(2):  # the second call finds both runs finished
        result = CliRunner().invoke(train_on_gpu.main, [str(shards[0]), "-o", str(tmp_path), *few])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "lite" / "first" / "last.pt").exists() and (
        tmp_path / "resnet38" / "second" / "last.pt"
    ).exists()
    assert {path.name for path in tmp_path.iterdir()} >= {"lite.onnx", "lite.json", "resnet38.onnx", "resnet38.json"}
