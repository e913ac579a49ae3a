"""`make gpu-check`: what it writes, tried with a GPU that is only pretended."""

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from vidcolor.backends.gpu import Gpu, find_gpu
from vidcolor.bench import decoding, gpu_check, network, pipeline
from vidcolor.bench.agreement import Agreement
from vidcolor.bench.gpu_check import gpu_report
from vidcolor.bench.gpu_page import BEGIN, END, markdown, put_into
from vidcolor.cli import main
from vidcolor.errors import BackendError, VidcolorError
from vidcolor.media import nvdec
from vidcolor.media.ffmpeg import find_ffmpeg

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


@pytest.fixture
def pretended(monkeypatch):
    monkeypatch.setattr(gpu_check, "find_gpu", lambda: Gpu("Test GPU", "9.0", 1 << 34, "13.0"))
    monkeypatch.setattr(gpu_check, "RES", 32)
    monkeypatch.setattr(network, "BACKENDS", ("tensorrt", "openvino"))
    monkeypatch.setattr(network, "obstacle", lambda name: None if name == "openvino" else ("it is not there", ""))


@pytest.fixture
def report(pretended):
    films = [Path("no-such-film.mp4")]
    return gpu_report(films, films, lambda text: None, networks=("lite",), repeats=3)


def test_the_report_has_figures_versions_and_what_is_missing(report):
    (lite,) = report["networks"]
    assert lite["rows"] and lite["agreement"] and "×" in lite["verdict"]
    assert report["versions"]["numpy"] != "not installed"
    assert any("tensorrt: not measured here, it is not there" in note for note in report["notes"])
    assert any("no-such-film.mp4" in note for note in report["notes"])


def test_pictures_that_are_equal_are_figures_that_json_has(pretended, monkeypatch):
    same = Agreement("torch", "fp32", 0.0, 0.0, float("inf"), 60.0)
    monkeypatch.setattr(gpu_check, "check", lambda *_: [same])
    report = gpu_report([], [], lambda text: None, networks=("lite",), repeats=1)
    assert json.loads(json.dumps(report, allow_nan=False))["networks"][0]["agreement"][0]["psnr"] == 999


def test_the_page_gets_its_figures_and_keeps_the_rest(report):
    page = PAGE.read_text()
    written = put_into(page, markdown(report))
    assert "Test GPU" not in page and "compute capability 9.0" in written
    assert written.split(BEGIN)[0] == page.split(BEGIN)[0] and written.split(END)[1] == page.split(END)[1]
    assert put_into(written, markdown(report)) == written
    tables = [line for line in markdown(report).splitlines() if line.startswith("|")]
    assert len(tables) > 8


def test_with_pictures_int8_and_fp8_are_in_the_report(pretended, tmp_path):
    pytest.importorskip("torch")
    for index, picture in enumerate(network.light(16, 32, 32)[:, 0]):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.rint(picture * 2.5).astype(np.uint8))
    report = gpu_report([], [], lambda text: None, networks=("lite",), repeats=2, calibrate=tmp_path)
    (lite,) = report["networks"]
    assert [a["precision"] for a in lite["agreement"] if a["backend"] == "graph"] == ["fp16", "int8", "fp8"]
    assert "on 8 pictures of" in markdown(report) and "calibrated with 8 others" in markdown(report)


def test_what_was_measured_before_an_accident_is_kept(pretended, tmp_path, monkeypatch, capsys):
    """The machine is taken away during the comparison with float32."""

    def taken_away(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(gpu_check, "check", taken_away)
    (tmp_path / "page.md").write_text(f"before\n{BEGIN}\nold\n{END}\n")
    monkeypatch.setattr(gpu_check.gpu_report, "__defaults__", (("lite",), 3, lambda report: None, None))
    arguments = [
        "gpu-check",
        "--samples",
        str(tmp_path),
        "--write",
        str(tmp_path / "page.md"),
        "--json",
        str(tmp_path / "new" / "all.json"),
    ]
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    assert leaving.value.code == 130 and "frames/s" in capsys.readouterr().err
    (lite,) = json.loads((tmp_path / "new" / "all.json").read_text())["networks"]
    assert lite["rows"] and not lite["agreement"]
    assert "Test GPU" in json.loads((tmp_path / "new" / "all.json").read_text())["gpu"]["name"]
    assert "openvino" in (tmp_path / "page.md").read_text() and "old" not in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize("spoilt", [None, 30])
def test_nvdec_is_compared_frame_by_frame(spoilt, report, samples, monkeypatch, tmp_path):
    """A GPU that is only pretended, and one of whose frames may not be the CPU's."""
    cut, count = tmp_path / "cut.mp4", iter(range(1000))
    shorten = ["-i", samples / "film.mp4", "-frames:v", "40", "-an"]
    subprocess.run([find_ffmpeg(), "-v", "error", *shorten, cut], check=True)

    def decoded(packet, context):
        frames = packet.decode() if packet.size else context.decode(None)
        result = [frame.reformat(format="nv12", threads=1) for frame in frames]
        for frame in result:
            if next(count) == spoilt:
                frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        return result

    for name, value in {"device_obstacle": lambda: None, "accelerator": lambda: None, "downloaded": decoded}.items():
        monkeypatch.setattr(nvdec, name, value)
    figures = gpu_check._decoding(cut, print)
    same = 40 if spoilt is None else 39
    assert (figures["frames"], figures["same"]) == (40, same) and figures["nvdec_frames_per_second"] > 0
    assert f"| cut.mp4 | h264, 640×480 yuv420p | {same} of 40 |" in markdown({**report, "decoding": [figures]})


def test_an_error_of_a_library_costs_its_figures_alone(pretended, monkeypatch):
    """Whatever it is: the machine may be had only once."""

    def fails(*_):
        raise RuntimeError("CUDA error: unspecified launch failure")
        yield

    def breaks(*_):
        raise TypeError("pybind11 says no")

    monkeypatch.setattr(gpu_check, "check", fails)
    monkeypatch.setattr(decoding, "bench_decoding", breaks)
    monkeypatch.setattr(pipeline, "bench_pipeline", breaks)
    film, kept = Path("film.mp4"), []
    report = gpu_report([film], [film], print, ("lite", "lite"), 2, keep=lambda report: kept.append(report))
    assert all(network["rows"] and not network["agreement"] for network in report["networks"]) and kept
    assert "lite: not all was measured, RuntimeError: CUDA error: unspecified launch failure" in report["notes"]
    assert sum("TypeError: pybind11 says no" in note for note in report["notes"]) == 2


def test_clips_that_cannot_be_made_are_passed_over(monkeypatch, samples, tmp_path):
    def fails(*_):
        raise ValueError("no encoder")

    said = []
    monkeypatch.setattr(gpu_check, "enlarged", fails)
    clips = gpu_check.clips_to_measure(samples, tmp_path, said.append)
    assert clips == [samples / "film.mp4"] == gpu_check.films_to_decode(clips, tmp_path, said.append)
    assert said == ["no clip at 1080p: ValueError: no encoder", "no clip of 10 bits: ValueError: no encoder"]


def test_a_page_without_a_place_is_refused():
    with pytest.raises(VidcolorError, match="figures"):
        put_into("nothing here", "figures")


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(BackendError, match="no NVIDIA GPU"):
        gpu_report([], [], lambda text: None)
