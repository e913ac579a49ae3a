"""`vidcolor bench --check`: how near the backends and the graph of TensorRT engines come to float32."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from typed_graphs import run

from vidcolor.bench import network
from vidcolor.bench.agreement import check
from vidcolor.bench.calibration import calibration, divided
from vidcolor.bench.network import light
from vidcolor.cli import main
from vidcolor.errors import BackendError, UsageError
from vidcolor.models.precision import load_float32, typed_graph
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights


def bench(*arguments):
    return subprocess.run([sys.executable, "-m", "vidcolor", "bench", *arguments], capture_output=True, text=True)


@pytest.fixture(scope="module")
def lite():
    return find_weights(find_spec("lite"), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """20 pictures, one that is damaged, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, picture in enumerate(light(20, 96, 96)[:, 0]):
        cv2.imwrite(str(folder / f"{index:02}.png"), np.clip(picture * 2.2 + index, 0, 255).astype(np.uint8))
    (folder / "05b.png").write_bytes(b"damaged")
    (folder / "notes.txt").write_text("none")
    return folder


def independent(lite, pictures, graph):
    """Mean and largest |Δab|, and the lowest PSNR, by ONNX Runtime and scikit-image."""
    color, metrics = pytest.importorskip("skimage.color"), pytest.importorskip("skimage.metrics")
    exact, rounded = run(load_float32(lite.path), pictures), run(graph, pictures)
    small = np.stack([cv2.resize(p[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in pictures])

    def seen(ab):
        rgb = color.lab2rgb(np.concatenate((small[:, None], ab), 1).transpose(0, 2, 3, 1))
        return np.rint(rgb * 255).astype(np.uint8)

    psnr = min(metrics.peak_signal_noise_ratio(a, b) for a, b in zip(seen(exact), seen(rounded), strict=True))
    return np.abs(rounded - exact).mean(), np.abs(rounded - exact).max(), psnr


def test_the_graph_is_compared_without_a_gpu_and_its_figures_are_right(lite):
    pytest.importorskip("torch")
    done = bench("--check", "--res", "64", "--backend", "graph", "--json")
    result = json.loads(done.stdout)
    (row,) = result["rows"]
    assert done.returncode == 0 and result["pictures"] == {"compared": 8}
    assert (row["backend"], row["precision"], row["wanted_db"], row["holds"]) == ("graph", "fp16", 50, True)
    assert "--calibrate" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    mean, largest, psnr = independent(lite, light(8, 64, 64), typed_graph(lite.path, "fp16"))
    assert row["mean_ab"] == pytest.approx(mean, rel=0.2) and row["max_ab"] == pytest.approx(largest, rel=0.5)
    assert row["psnr_db"] == pytest.approx(psnr, abs=3)  # of single codes here and there: sums in another order move it


def test_with_a_folder_int8_and_fp8_are_compared_on_what_did_not_calibrate_them(folder, lite):
    pytest.importorskip("torch")
    done = bench("--check", "--res", "64", "--backend", "graph", "--calibrate", str(folder), "--json")
    result = json.loads(done.stdout)
    assert result["pictures"] == {"compared": 8, "folder": str(folder), "calibrating": 12}
    fp16, int8, fp8 = result["rows"]
    wanted = [(row["backend"], row["precision"], row["wanted_db"]) for row in (fp16, int8, fp8)]
    assert wanted == [("graph", "fp16", 50), ("graph", "int8", 38), ("graph", "fp8", 38)]
    assert done.returncode == 0 and all(row["holds"] for row in (fp16, int8, fp8))
    pictures = divided(folder, 64, 64).held_back
    assert fp16["mean_ab"] == pytest.approx(independent(lite, pictures, typed_graph(lite.path, "fp16"))[0], rel=0.2)
    assert fp16["mean_ab"] < int8["mean_ab"] and fp16["psnr_db"] > max(int8["psnr_db"], fp8["psnr_db"])


def test_the_table_says_what_was_compared(folder, monkeypatch, capsys):
    monkeypatch.setattr(network, "obstacle", lambda name: None if name == "openvino" else ("it is not there", ""))
    with pytest.raises(SystemExit) as leaving:
        main(["bench", "--check", "--res", "32", "--backend", "openvino", "--calibrate", str(folder)])
    shown, said = capsys.readouterr()
    assert leaving.value.code == 0
    assert "8 pictures of" in shown and "12 others" in shown and "int8" not in said


def test_pictures_that_are_compared_calibrate_nothing(folder):
    both = divided(folder, 32, 32)
    held_back, calibrating = ({p.tobytes() for p in part} for part in (both.held_back, both.calibrating))
    every = {p.tobytes() for p in calibration(folder, 32, 32)}
    assert len(held_back) == 8 and held_back | calibrating == every and not held_back & calibrating
    first, last = (calibration(folder, 32, 32)[index].tobytes() for index in (0, -1))
    assert {first, last} <= held_back  # they are spread over the names


def test_l_star_is_that_of_the_grey_picture(folder):
    color = pytest.importorskip("skimage.color")
    grey = cv2.imread(str(folder / "00.png"), cv2.IMREAD_COLOR_RGB)
    expected = color.rgb2lab(grey)[..., 0]
    assert np.abs(calibration(folder, 96, 96)[0][0, 0] - expected).max() < 0.01


def test_of_many_pictures_some_are_taken_from_all_over(tmp_path):
    for level in range(100):
        cv2.imwrite(str(tmp_path / f"{level:03}.png"), np.full((16, 16), level, np.uint8))
    levels = [float(picture[0, 0, 0, 0]) for picture in calibration(tmp_path, 16, 16)]
    assert len(levels) == 64 and levels == sorted(levels) and levels[0] == 0
    assert levels[-1] == pytest.approx(float(divided(tmp_path, 16, 16).held_back[-1].max()))


def test_engines_are_asked_for_with_what_calibrates(folder, lite, monkeypatch):
    """TensorRT's engines, up to where they would be built."""
    pytest.importorskip("tensorrt_rtx")
    pytest.importorskip("cuda.bindings")
    from vidcolor.backends import tensorrt

    orders, said = [], []

    def ordered(order, count, say):
        orders.append(order)
        raise BackendError("no engine", "there is no GPU")

    monkeypatch.setattr(tensorrt, "obtain", ordered)
    monkeypatch.setattr(network, "obstacle", lambda name: None)
    both = divided(folder, 32, 32)
    assert list(check(find_spec("lite"), lite, 32, "tensorrt-rtx", said.append, both)) == []
    keys = {order.key().precision: order.key().calibration for order in orders}
    assert list(keys) == ["fp16", "fp32", "int8", "fp8"] and keys["fp16"] == keys["fp32"] == ""
    assert keys["int8"] == keys["fp8"] != "" and orders[-1].calibration == both.calibrating
    orders.clear()
    said.clear()
    assert list(check(find_spec("lite"), lite, 32, "tensorrt-rtx", said.append)) == []
    assert [order.profile.precision for order in orders] == ["fp16", "fp32"]
    assert sum("--calibrate" in text for text in said) == 1


def test_without_torch_the_graph_is_passed_over_with_the_remedy():
    code = (
        "import importlib.util as u, sys; find = u.find_spec; sys.modules['torch'] = None;"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest);"
        "from vidcolor.cli import main; main(sys.argv[1:])"
    )

    def without_torch(*arguments):
        command = [sys.executable, "-c", code, "bench", "--check", "--res", "32", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    done = without_torch("--json")
    rows = json.loads(done.stdout)["rows"]
    assert done.returncode == 0 and {row["backend"] for row in rows} == {"openvino"}
    assert "graph: not compared here, torch not installed. Try: pip install 'vidcolor[train]'" in done.stderr
    assert "int8" not in done.stderr
    done = without_torch("--backend", "graph")
    assert done.returncode == 2 and "vidcolor[train]" in done.stderr


def test_a_folder_with_too_few_pictures_is_refused(folder, tmp_path):
    for path in sorted(folder.glob("0*.png")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    done = bench("--check", "--calibrate", str(tmp_path))
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "only 10 pictures that can be read: 8" in done.stderr and "8 are held back" in done.stderr
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no picture that can be read"):
        calibration(tmp_path / "none", 32, 32)


@pytest.mark.parametrize("other", [("--training",), ("--pipeline", "film.mp4")])
def test_calibrating_belongs_to_networks_alone(other, folder):
    done = bench("--calibrate", str(folder), *other)
    assert done.returncode == 2 and "--calibrate means nothing with" in done.stderr


def test_a_backend_that_is_none_is_refused(tmp_path):
    done = bench("--check", "--backend", "abacus")
    assert done.returncode == 2 and "openvino" in done.stderr
    assert bench("--check", "--calibrate", str(tmp_path / "nowhere")).returncode == 2
