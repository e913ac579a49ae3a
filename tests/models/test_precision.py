"""Typed graphs: what they compute in a runtime that honours the types, and what is said when they cannot be made."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vidcolor.errors import ModelError
from vidcolor.models.precision import Fp32Layers, load_float32, spell_out_prelu, to_float16, typed_graph
from vidcolor.models.registry import find_spec, load_network
from vidcolor.models.weights import find_weights


@pytest.fixture(scope="module")
def lite():
    return find_weights(find_spec("lite"), None).path


def light(count=2, height=64, width=96, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(5, 95, (count, 1, height // 8, width // 8)).astype(np.float32)
    return np.repeat(np.repeat(coarse, 8, 2), 8, 3)


def run(model, pictures):
    """ONNX Runtime with nothing rewritten: every tensor is rounded to the type that the graph gives it."""
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return ort.InferenceSession(data, options).run(None, {"lightness": pictures})[0]


def types_of(model, operator):
    typed = onnx.shape_inference.infer_shapes(model).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*typed.value_info, *typed.output)}
    return [types[node.output[0]] for node in typed.node if node.op_type == operator]


def test_widened_weights_compute_the_same(lite):
    assert np.allclose(run(load_float32(lite), light()), run(onnx.load(lite), light()), atol=1e-3)  # Lab units


def test_all_convolutions_but_the_first_and_last_are_float16(lite):
    types = types_of(to_float16(load_float32(lite)), "Conv")
    assert types[0] == types[-1] == TensorProto.FLOAT
    assert len(types) > 50 and set(types[1:-1]) == {TensorProto.FLOAT16}


def test_input_and_output_stay_float32(lite):
    graph = onnx.load_from_string(typed_graph(lite, "fp16")).graph
    assert [v.type.tensor_type.elem_type for v in (graph.input[0], graph.output[0])] == [TensorProto.FLOAT] * 2


def test_float16_colours_like_float32(lite):
    difference = np.abs(run(typed_graph(lite, "fp16"), light()) - run(load_float32(lite), light()))
    assert difference.mean() < 0.1 and difference.max() < 1.5  # Lab units


def test_float16_resnet38_colours_like_torch_in_float32(tmp_path):
    """The exported graph with every tensor rounded to its type, beside the module it came from. Random weights."""
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
    assert 0 < difference.mean() < 0.05 and difference.max() < 0.2  # Lab units


@pytest.mark.xfail(strict=True, reason="the present weights err a tenth less by it, not a third: see docs/gpu.md")
def test_a_float32_first_layer_is_worth_its_cost(lite):
    model = load_float32(lite)
    exact = run(model, light())
    kept, not_kept = (
        np.abs(run(to_float16(model, Fp32Layers(first=first)), light()) - exact).mean() for first in (True, False)
    )
    assert kept < 0.7 * not_kept


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
        to_float16(prelu_model([1e6]), Fp32Layers(False, False, False))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "none.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="none.onnx"):
        load_float32(path)


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
        in_torch = OnnxNetwork(onnx.load_from_string(graph))(torch.from_numpy(light())).numpy()
    for ab in (run(graph, light()), in_torch):
        assert 0.01 < np.abs(ab - exact).mean() < tolerance  # Lab units
        assert compare("", precision, light(), ab, exact).holds


def test_resnet38_bears_being_quantised():
    """All of its convolutions but the first and last; random weights."""
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


def test_what_quantising_harms_most_stays_in_float16(lite):
    """The convolutions that are spared, quantised instead of as many others, cost more."""
    pytest.importorskip("torch")
    from vidcolor.models.quantise import KEPT, chosen, quantise, ranges, tolerant

    precision, calibration = "int8", [light(1, 64, 64, seed) for seed in range(1, 3)]
    model = load_float32(lite)
    magnitudes = ranges(model, precision, calibration)
    every = [node.output[0] for node in chosen(model.graph)]
    kept = tolerant(model, precision, magnitudes, calibration)
    assert len(kept) == len(every) - round(KEPT * len(every))

    def error(outputs):
        trial = load_float32(lite)
        quantise(trial, precision, magnitudes, outputs)
        return np.square(run(to_float16(trial), light()) - run(model, light())).mean()

    spared = set(every) - kept
    assert error(spared) > 2 * error(set(sorted(kept)[: len(spared)]))


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_without_pictures_to_calibrate_with_it_is_refused(lite, precision):
    with pytest.raises(ModelError, match="--calibrate"):
        typed_graph(lite, precision)
