"""Engines built for real, by TensorRT-RTX, which needs no GPU for that."""

import dataclasses
import errno

import numpy as np
import pytest

pytest.importorskip("tensorrt_rtx")

from vidcolor.backends import engine_cache, engine_supply
from vidcolor.backends.engine_build import build, parse_layers
from vidcolor.backends.engine_supply import Order, make_and_store, obtain
from vidcolor.backends.gpu import find_gpu
from vidcolor.backends.profiles import Profile, shapes_for
from vidcolor.backends.trt_library import load_library
from vidcolor.errors import BackendError
from vidcolor.files import write_whole
from vidcolor.models.precision import typed_graph
from vidcolor.models.registry import find_spec, load_network
from vidcolor.models.weights import Weights, find_weights

PROFILE = Profile("test", "fp16", (1, 2, 4), "any", 0, 0, True)


@pytest.fixture(scope="module")
def library():
    return load_library("tensorrt-rtx")


@pytest.fixture(scope="module")
def lite():
    return find_weights(find_spec("lite"), None)


@pytest.fixture(scope="module")
def resnet38(tmp_path_factory):
    """Random weights, exported as a user exports."""
    pytest.importorskip("torch")
    from vidcolor.training.export import export

    path = tmp_path_factory.mktemp("weights") / "resnet38.onnx"
    card = export(load_network("resnet38"), find_spec("resnet38"), path, {})
    return Weights(path, card["sha256"], card)


@pytest.fixture(scope="module")
def order(library, lite):
    return Order(library, find_spec("lite"), lite, PROFILE, 64, 96)


@pytest.fixture(scope="module")
def built(library, lite):
    return build(library, typed_graph(lite.path, "fp16"), shapes_for(PROFILE, 64, 96, 16), PROFILE)


def kinds(built, part):
    """Element types of the layers made of convolutions."""
    return [t for layer in built.layers if "conv" in layer.from_onnx.lower() for t in getattr(layer, part)]


def test_lite_is_built_with_float16_convolutions(built):
    assert built.convolutions == {"half": 58, "float": 1}
    assert kinds(built, "inputs").count("Half") >= 50 and kinds(built, "outputs").count("Half") >= 50


def test_float32_has_no_float16_anywhere(library, lite):
    profile = dataclasses.replace(PROFILE, precision="fp32", tf32=False)
    exact = build(library, typed_graph(lite.path, "fp32"), shapes_for(profile, 64, 96, 16), profile)
    assert exact.convolutions == {"float": 59}
    assert exact.layers and "Half" not in {t for layer in exact.layers for t in (*layer.inputs, *layer.outputs)}


def test_resnet38_is_built_with_activations_and_sums_inside_its_convolutions(library, resnet38):
    built = build(library, typed_graph(resnet38.path, "fp16"), shapes_for(PROFILE, 48, 64, 1), PROFILE)
    assert built.convolutions == {"half": 37, "float": 1}
    alone = [layer for layer in built.layers if layer.from_onnx and "conv" not in layer.from_onnx.lower()]
    assert len(alone) <= 2  # scaling of L* and of ab
    assert any("add" in layer.from_onnx and "Conv" in layer.from_onnx for layer in built.layers)


@pytest.mark.parametrize(("precision", "kind"), [("int8", "Int8"), ("fp8", "FP8")])
def test_quantised_graphs_are_built(library, lite, precision, kind):
    pytest.importorskip("torch")
    pictures = [np.full((1, 1, 64, 96), level, np.float32) for level in (20, 50, 80)]
    graph = typed_graph(lite.path, precision, pictures)
    built = build(library, graph, shapes_for(PROFILE, 64, 96, 16), PROFILE)
    assert sum(kind in (*layer.inputs, *layer.outputs) for layer in built.layers) > 10


def test_progress_reaches_the_end_and_never_goes_back(library, lite):
    steps = []
    build(library, typed_graph(lite.path, "fp16"), shapes_for(PROFILE, 64, 96, 16), PROFILE, progress=steps.append)
    outer = [step for step in steps if step.inside is None]
    assert outer[-1].done == outer[-1].steps > 0
    assert [step.done for step in outer] == sorted(step.done for step in outer)
    assert all(step.inside is None or isinstance(step.inside, str) for step in steps)


def test_a_build_can_be_interrupted(library, lite):
    def interrupt(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(library, typed_graph(lite.path, "fp16"), shapes_for(PROFILE, 64, 96, 16), PROFILE, progress=interrupt)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_timing_cache_is_written_and_read_again(library, lite, tmp_path):
    """TensorRT-RTX built as TensorRT would be: it has the calls, though what it measures is nothing."""
    assert not order_timing(library, lite, tmp_path)  # TensorRT-RTX itself leaves no file
    as_tensorrt = dataclasses.replace(library, name="tensorrt")
    assert order_timing(as_tensorrt, lite, tmp_path)
    (tmp_path / "timing.cache").write_bytes(b"")  # an earlier build was the first
    assert order_timing(as_tensorrt, lite, tmp_path) and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "timing.cache").write_bytes(b"of no use" * 20)
    assert b"of no use" not in order_timing(as_tensorrt, lite, tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_timing_cache_that_cannot_be_written_costs_no_engine(library, lite, tmp_path):
    (tmp_path / "file").touch()
    as_tensorrt = dataclasses.replace(library, name="tensorrt")
    graph, shapes = typed_graph(lite.path, "fp16"), shapes_for(PROFILE, 32, 48, 16)
    assert len(build(as_tensorrt, graph, shapes, PROFILE, tmp_path / "file" / "timing.cache").data) > 1000


def order_timing(library, lite, folder):
    """What the timing cache's file holds after a build."""
    file = folder / "timing.cache"
    build(library, typed_graph(lite.path, "fp16"), shapes_for(PROFILE, 32, 48, 16), PROFILE, file)
    return file.read_bytes() if file.exists() else b""


def test_what_is_no_network_is_refused_with_the_parsers_reason(library):
    with pytest.raises(BackendError, match="cannot read the network.*parse"):
        build(library, b"no network", shapes_for(PROFILE, 64, 96, 16), PROFILE)


def test_too_little_workspace_is_refused_with_the_builders_reason(library, resnet38):
    profile = dataclasses.replace(PROFILE, workspace_mib=1)
    with pytest.raises(BackendError, match="cannot build the engine.*OutOfMemory"):
        build(library, typed_graph(resnet38.path, "fp16"), shapes_for(profile, 48, 64, 1), profile)


def test_the_first_run_builds_and_the_next_ones_do_not(order, tmp_path, monkeypatch):
    said = []
    first = obtain(order, 2, said.append, tmp_path)
    assert len(said) == 1 and "building" in said[0]
    monkeypatch.setattr(engine_supply, "build", None)
    assert obtain(order, 2, said.append, tmp_path) == first
    assert (
        obtain(dataclasses.replace(order, width=112), 4, said.append, tmp_path) == first
    )  # another size that it takes
    assert len(said) == 1


def test_the_card_says_how_the_engine_was_built(order, tmp_path):
    engine = make_and_store(order, tmp_path)
    engine.check()
    builder = dict(engine.key.builder)
    assert engine.report["convolutions"] == {"half": 58, "float": 1} and engine.report["profile"] == "test"
    assert builder["optimization_level"] == 0 and builder["require_user_allocation"] is True
    if find_gpu() is None:
        assert engine.key.gpu == "any" and builder["target"] == "portable"


def test_a_damaged_engine_is_replaced_and_that_is_said(order, tmp_path):
    whole = make_and_store(order, tmp_path)
    size = whole.path.stat().st_size
    whole.path.write_bytes(whole.path.read_bytes()[: size // 2])
    said = []
    assert len(obtain(order, 2, said.append, tmp_path)) > size // 2
    assert "cut short" in said[0] and "again" in said[0]
    engine_cache.find(tmp_path, order.key(), 2, 64, 96).check()


def test_other_weights_are_another_engine_and_the_difference_is_said(order, tmp_path):
    make_and_store(order, tmp_path)
    said = []
    other = dataclasses.replace(order, weights=dataclasses.replace(order.weights, hash="ef" * 32))
    obtain(other, 2, said.append, tmp_path)
    assert "weights is" in said[0] and len(list(tmp_path.glob("*.engine"))) == 2


def test_a_full_disk_does_not_stop_a_run(order, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine_cache, "write_whole", full)
    said = []
    assert len(obtain(order, 2, said.append, tmp_path)) > 1000
    assert "disk is full" in said[-1] and "going on" in said[-1]
    with pytest.raises(BackendError, match="disk is full"):
        make_and_store(order, tmp_path)
    monkeypatch.setattr(engine_cache, "write_whole", write_whole)
    assert not list(tmp_path.glob("*.engine"))


def test_larger_batches_than_the_profiles_get_an_engine_of_their_own(order, tmp_path):
    obtain(order, 16, [].append, tmp_path)
    (engine,) = engine_cache.engines(tmp_path)
    assert engine.key.shapes.most[0] == 16


@pytest.mark.skipif(find_gpu() is not None, reason="there is a GPU")
def test_without_a_gpu_running_is_refused_in_words(order, lite):
    from vidcolor.backends.tensorrt import TensorRtDevice

    data = engine_supply.make(order, engine_supply.engine_folder())[0]
    with pytest.raises(BackendError, match="cannot use the engine on this GPU.*driver"):
        TensorRtDevice(order.library, data, 64, 96, 2, "fp16")


def test_the_library_itself_refuses_an_engine_that_is_cut_short(order, built):
    """Should its card lie: nothing of it is run."""
    from vidcolor.backends.tensorrt import TensorRtDevice

    with pytest.raises(BackendError, match="cannot use the engine on this GPU.*size.*Build it again"):
        TensorRtDevice(order.library, built.data[: len(built.data) // 2], 64, 96, 2, "fp16")


@pytest.mark.skipif(find_gpu() is None, reason="an EngineInspector needs an engine, and that a GPU")
def test_the_inspector_shows_float16_convolutions(order, library):
    data = engine_supply.make(order, engine_supply.engine_folder())[0]
    engine = library.trt.Runtime(library.trt.Logger()).deserialize_cuda_engine(data)
    text = engine.create_engine_inspector().get_engine_information(library.trt.LayerInformationFormat.ONELINE)
    assert sum("Half" in layer.outputs for layer in parse_layers(text)) >= 50
