"""What `auto` takes and says, for machines of every kind, and what is said to those who ask for what is not there."""

import pytest

from vidcolor.backends import choose
from vidcolor.backends.choose import choose_backend, obstacle, open_backend
from vidcolor.backends.gpu import Gpu
from vidcolor.errors import BackendError, UsageError


@pytest.fixture
def machine(monkeypatch):
    """A machine with the given GPU (capability or None) and packages."""

    def make(capability, *packages):
        gpu = Gpu("Test GPU", capability, 1 << 34, "13.0") if capability else None
        monkeypatch.setattr(choose, "find_gpu", lambda: gpu)
        monkeypatch.setattr(choose, "is_installed", lambda name: name in (*packages, "openvino", "onnx"))
        monkeypatch.setattr(choose, "missing_packages", lambda name: [] if name in packages else [name])
        monkeypatch.setattr(choose, "_torch_has_cuda", lambda: True)

    return make


def test_without_a_gpu_it_is_openvino_and_the_reason_says_so(machine):
    machine(None, "tensorrt", "tensorrt-rtx", "torch")
    choice = choose_backend("auto")
    assert choice.name == "openvino" and "no NVIDIA GPU" in choice.reason


def test_a_gpu_gets_tensorrt_where_it_is_installed(machine):
    machine("9.0", "tensorrt", "tensorrt-rtx", "torch")
    assert choose_backend("auto").name == "tensorrt"


def test_rtx_is_taken_where_it_lists_the_gpu(machine):
    machine("8.9", "tensorrt-rtx", "torch")
    choice = choose_backend("auto")
    assert choice.name == "tensorrt-rtx" and "not tensorrt: tensorrt not installed" in choice.reason


def test_rtx_is_passed_over_on_other_gpus_and_that_is_said(machine):
    machine("9.0", "tensorrt-rtx", "torch")
    choice = choose_backend("auto")
    assert choice.name == "torch" and "does not list compute capability 9.0" in choice.reason


def test_torch_without_cuda_is_passed_over_and_that_is_said(machine, monkeypatch):
    machine("9.0", "torch")
    monkeypatch.setattr(choose, "_torch_has_cuda", lambda: False)
    choice = choose_backend("auto")
    assert choice.name == "openvino" and "built without CUDA" in choice.reason and "Test GPU" in choice.reason


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-rtx"])
def test_an_explicit_backend_is_never_replaced(machine, name):
    machine("9.0")
    with pytest.raises(BackendError, match=rf"{name} not installed.*pip install"):
        choose_backend(name)
    machine(None, name)
    with pytest.raises(BackendError, match="no NVIDIA GPU.*nvidia-smi"):
        choose_backend(name)
    with pytest.raises(BackendError, match="no NVIDIA GPU"):
        open_backend(name, None, 64, 64, 1)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(UsageError, match="tensorrt-rtx, torch, openvino"):
        choose_backend("abacus")


def test_openvino_can_always_be_used_here():
    assert obstacle("openvino") is None
