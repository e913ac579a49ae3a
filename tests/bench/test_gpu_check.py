"""`make gpu-check`: what it writes, tried with a GPU that is only pretended."""

from pathlib import Path

import pytest

from vidcolor.backends.gpu import Gpu, find_gpu
from vidcolor.bench import gpu_check, network
from vidcolor.bench.gpu_check import BEGIN, END, gpu_report, markdown, put_into
from vidcolor.errors import BackendError, VidcolorError

PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(gpu_check, "find_gpu", lambda: Gpu("Test GPU", "9.0", 1 << 34, "13.0"))
    monkeypatch.setattr(gpu_check, "RES", 32)
    monkeypatch.setattr(network, "BACKENDS", ("tensorrt", "openvino"))
    monkeypatch.setattr(network, "obstacle", lambda name: None if name == "openvino" else ("it is not there", ""))
    return gpu_report([Path("no-such-film.mp4")], lambda text: None, networks=("lite",), repeats=3)


def test_the_report_has_figures_versions_and_what_is_missing(report):
    (lite,) = report["networks"]
    assert lite["rows"] and lite["agreement"] and "×" in lite["verdict"]
    assert report["versions"]["numpy"] != "not installed"
    assert any("tensorrt: not measured here, it is not there" in note for note in report["notes"])
    assert any("no-such-film.mp4" in note for note in report["notes"])


def test_the_page_gets_its_figures_and_keeps_the_rest(report):
    page = PAGE.read_text()
    written = put_into(page, markdown(report))
    assert "Test GPU" not in page and "compute capability 9.0" in written
    assert written.split(BEGIN)[0] == page.split(BEGIN)[0] and written.split(END)[1] == page.split(END)[1]
    assert put_into(written, markdown(report)) == written
    tables = [line for line in markdown(report).splitlines() if line.startswith("|")]
    assert len(tables) > 8


def test_a_page_without_a_place_is_refused():
    with pytest.raises(VidcolorError, match="figures"):
        put_into("nothing here", "figures")


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(BackendError, match="no NVIDIA GPU"):
        gpu_report([], lambda text: None)
