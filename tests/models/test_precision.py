"""Typed graphs: what they compute in a runtime that honours the types, and what is said when they cannot be made."""

import itertools
import tarfile

import av
import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typed_graphs import run

from vidcolor.errors import ModelError
from vidcolor.models.precision import Fp32Layers, load_float32, spell_out_prelu, to_float16, typed_graph, typed_model
from vidcolor.models.registry import find_spec, load_network
from vidcolor.models.weights import find_weights


@pytest.fixture(scope="module")
def lite():
    return find_weights(find_spec("lite"), None).path


def light(count=2, height=64, width=96, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(5, 95, (count, 1, height // 8, width // 8)).astype(np.float32)
    return np.repeat(np.repeat(coarse, 8, 2), 8, 3)


@pytest.fixture(scope="module")
def frames(samples):
    """Six of the sample film, (6, 1, 64, 96), their codes taken for L*."""
    with av.open(samples / "film.mp4") as film:
        grey = [frame.to_ndarray(format="gray") for frame in itertools.islice(film.decode(video=0), 10, 300, 50)]
    return np.stack([cv2.resize(y, (96, 64), interpolation=cv2.INTER_AREA) for y in grey]).astype("f4")[:, None] / 2.55


def types_of(model, operator):
    typed = onnx.shape_inference.infer_shapes(model).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.output)}
    return [types[node.output[0]] for node in typed.node if node.op_type == operator]


def test_widened_weights_compute_the_same(lite):
    assert np.allclose(run(load_float32(lite), light()), run(onnx.load(lite), light()), atol=1e-3)  # Lab units


def test_all_convolutions_but_the_first_are_float16(lite):
    types = types_of(to_float16(load_float32(lite)), "Conv")
    assert types[0] == TensorProto.FLOAT
    assert len(types) > 50 and set(types[1:]) == {TensorProto.FLOAT16}


def test_input_and_output_stay_float32(lite):
    graph = onnx.load_from_string(typed_graph(lite, "fp16")).graph
    assert [v.type.tensor_type.elem_type for v in (graph.input[0], graph.output[0])] == [TensorProto.FLOAT] * 2


def test_float16_colours_like_float32(lite):
    difference = np.abs(run(typed_graph(lite, "fp16"), light()) - run(load_float32(lite), light()))
    assert difference.mean() < 0.1 and difference.max() < 1.5  # Lab units


def test_float16_resnet38_colours_like_torch_in_float32(tmp_path):
    """The exported graph with every tensor rounded to its type, beside the module it came from. Random weights.

    In float16 its sigmoid alone would cost ten times as much.
    """
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_export import fuse_batch_norms, write_onnx

    torch.manual_seed(0)
    network = load_network("resnet38").eval()
    fuse_batch_norms(network)
    path = tmp_path / "resnet38.onnx"
    write_onnx(network, find_spec("resnet38"), path)
    pictures = light(1, 32, 48)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures)).numpy()
    difference = np.abs(run(typed_graph(path, "fp16"), pictures) - expected)
    assert 0 < difference.mean() < 0.01 and difference.max() < 0.05  # Lab units
    everything = np.abs(run(to_float16(load_float32(path), Fp32Layers(False, False)), pictures) - expected)
    assert everything.mean() > 5 * difference.mean()


@pytest.fixture(scope="module")
def photographs(shared_data, tmp_path_factory):
    """L* (100, 1, 144, 144) of photographs that no network was trained on."""
    from vidcolor.bench.calibration import read_lightness

    folder = tmp_path_factory.mktemp("photographs")
    with tarfile.open(shared_data / "eval" / "eval-000.tar") as shard:
        for member in shard.getmembers()[::10]:
            shard.extract(member, folder, filter="data")
    return np.concatenate(read_lightness(folder, 144, 144, 100))


def test_a_float32_first_layer_is_worth_keeping(lite, photographs):
    """It lessens the error of float16 over many photographs; not of each, and by how much depends on the weights."""
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_torch import OnnxNetwork

    def coloured(model):
        network = OnnxNetwork(model, rounded=True).eval()
        with torch.inference_mode():
            return np.concatenate([network(torch.from_numpy(some)).numpy() for some in np.split(photographs, 10)])

    model = load_float32(lite)
    exact = coloured(model)
    kept, not_kept = (
        np.abs(coloured(to_float16(model, Fp32Layers(first=first))) - exact).mean() for first in (True, False)
    )
    print(f"mean |Δab| {kept:.4f} with a float32 first layer, {not_kept:.4f} without")
    assert kept < 0.9 * not_kept


def test_other_sizes_than_the_exported_work(lite):
    assert run(typed_graph(lite, "fp16"), light(3, 48, 80)).shape == (3, 2, 24, 40)


def prelu_model(slope):
    nodes = [helper.make_node("PRelu", ["lightness", "slope"], ["ab"])]
    values = [numpy_helper.from_array(np.asarray(slope, np.float32).reshape(-1, 1, 1), "slope")]
    tensors = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", len(slope), "h", "w"]) for n in ("lightness", "ab")
    ]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:], values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("slope", [[0.25, 0.25], [-0.5, 1.75]])
def test_prelu_spelled_out_is_prelu(slope):
    pictures = np.random.default_rng(1).normal(size=(2, 2, 4, 4)).astype(np.float32)
    model = prelu_model(slope)
    expected = run(model, pictures)
    spell_out_prelu(model.graph)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    assert np.allclose(run(model, pictures), expected, atol=1e-6)


def test_a_weight_too_large_for_float16_is_refused_by_name():
    with pytest.raises(ModelError, match="slope.*65504.*fp32"):
        to_float16(prelu_model([1e6]), Fp32Layers(False, False))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "none.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="none.onnx"):
        load_float32(path)


def test_rounding_in_torch_is_rounding_in_onnx_runtime(lite, frames):
    """The error of float16 is the same in both, but for the order in which sums are taken: that is two fifths of it."""
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_torch import OnnxNetwork

    graph = typed_model(lite, "fp16")
    with torch.inference_mode():
        rounded = OnnxNetwork(graph, rounded=True)(torch.from_numpy(frames)).numpy()
    exact = run(load_float32(lite), frames)
    ours, theirs = ((answer - exact).ravel() for answer in (rounded, run(graph, frames)))
    assert np.abs(ours).mean() > 0.005 and np.corrcoef(ours, theirs)[0, 1] > 0.9
    assert np.abs(ours - theirs).mean() < 0.45 * np.abs(ours).mean()


def test_every_tensor_is_rounded_once():
    """(L* + 2048) - 2048 in float16, whose numbers from 2048 on are even."""
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_torch import OnnxNetwork

    nodes = [
        helper.make_node("Cast", ["lightness"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Add", ["half", "large"], ["sum"]),
        helper.make_node("Sub", ["sum", "large"], ["rest"]),
        helper.make_node("Cast", ["rest"], ["ab"], to=TensorProto.FLOAT),
    ]
    large = [numpy_helper.from_array(np.float16(2048).reshape(()), "large")]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 1, 5]) for n in ("lightness", "ab")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], large)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    pictures = np.array([0.5, 1, 3, 4.9, 7.1], np.float32).reshape(1, 1, 1, 5)
    expected = [0, 0, 4, 4, 8]
    assert OnnxNetwork(model, rounded=True)(torch.from_numpy(pictures)).flatten().tolist() == expected
    assert run(model, pictures).ravel().tolist() == expected


def test_torch_runs_the_float16_graph_too(lite):
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_torch import OnnxNetwork

    graph = onnx.load_from_string(typed_graph(lite, "fp16"))
    with torch.inference_mode():
        coloured = OnnxNetwork(graph)(torch.from_numpy(light())).numpy()
    assert coloured.dtype == np.float32 and np.abs(coloured - run(graph, light())).mean() < 0.1


@pytest.mark.parametrize(("precision", "tolerance"), [("int8", 1.0), ("fp8", 3.0)])
def test_quantised_graphs_colour_alike(lite, precision, tolerance):
    """In ONNX Runtime and in torch; and as alike as `bench --check` wants it."""
    torch = pytest.importorskip("torch")
    from vidcolor.bench.agreement import compare
    from vidcolor.models.onnx_torch import OnnxNetwork

    calibration = [light(1, 64, 96, seed) for seed in range(1, 4)]
    graph = typed_graph(lite, precision, calibration)
    operators = [node.op_type for node in onnx.load_from_string(graph).graph.node]
    assert operators.count("QuantizeLinear") > 50 and operators.count("Conv") == 59
    exact = run(load_float32(lite), light())
    with torch.inference_mode():
        in_torch = OnnxNetwork(onnx.load_from_string(graph), rounded=True)(torch.from_numpy(light())).numpy()
    for ab in (run(graph, light()), in_torch):
        assert 0.01 < np.abs(ab - exact).mean() < tolerance  # Lab units
        assert compare("", precision, light(), ab, exact).holds


def test_resnet38_bears_being_quantised():
    """All of its convolutions but the first and last."""
    pytest.importorskip("torch")
    from vidcolor.bench.agreement import compare
    from vidcolor.bench.subject import subject
    from vidcolor.models.quantise import chosen, quantise, ranges

    pictures = light(1, 32, 32)
    with subject(find_spec("resnet38"), None) as (weights, _):
        model = load_float32(weights.path)
    exact = run(model, pictures)
    outputs = [node.output[0] for node in chosen(model.graph)]
    quantise(model, "int8", ranges(model, "int8", [light(1, 32, 32, 1)]), outputs)
    spell_out_prelu(model.graph)
    assert len(outputs) == 36
    alike = compare("", "int8", pictures, run(to_float16(model), pictures), exact)
    print(alike)
    assert alike.holds


def test_what_quantising_harms_most_stays_in_float16(lite, frames):
    """The convolutions that are spared cost more, were they quantised, than as many of the others, in other frames too."""
    pytest.importorskip("torch")
    from vidcolor.models.quantise import KEPT, chosen, quantise, ranges, tolerant

    precision, calibration, others = "int8", np.split(frames[::2], 3), frames[1::2]
    model = load_float32(lite)
    magnitudes = ranges(model, precision, calibration)
    every = [node.output[0] for node in chosen(model.graph)]
    kept = tolerant(model, precision, magnitudes, calibration)
    assert len(kept) == len(every) - round(KEPT * len(every))

    def error(outputs):
        trial = load_float32(lite)
        quantise(trial, precision, magnitudes, outputs)
        return np.square(run(to_float16(trial), others) - run(model, others)).mean()

    spared, order = set(every) - kept, np.random.default_rng(0)
    drawn = [set(order.choice(sorted(kept), len(spared), replace=False)) for _ in range(3)]
    assert error(spared) > 2 * max(map(error, drawn))


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_without_pictures_to_calibrate_with_it_is_refused(lite, precision):
    with pytest.raises(ModelError, match="--calibrate"):
        typed_graph(lite, precision)
