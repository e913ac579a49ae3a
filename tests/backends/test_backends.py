"""Every backend keeps the contract of `Backend`, and OpenVINO computes what torch computes."""

import numpy as np
import pytest

from vidcolor.backends.choose import BACKENDS, obstacle, open_backend
from vidcolor.errors import BackendError
from vidcolor.files import sha256
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights, find_weights


@pytest.fixture(scope="module")
def weights():
    return find_weights(find_spec("lite"), None)


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request, weights):
    if problem := obstacle(request.param):
        pytest.skip(problem[0])
    return open_backend(request.param, weights, 96, 64, 2)


def pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 100, (count, 1, 8, 12)).astype(np.float32)
    return np.repeat(np.repeat(coarse, 8, 2), 8, 3)


def test_ab_comes_on_the_specs_grid(backend):
    ab = backend.start(pictures(3))()
    assert ab.shape == (3, 2, 32, 48) and ab.dtype == np.float32
    assert np.isfinite(ab).all() and np.abs(ab).max() <= 128


def test_a_picture_does_not_depend_on_its_company(backend):
    many = pictures(4)
    together = backend.start(many)()
    for index in range(4):
        assert np.array_equal(backend.start(many[index : index + 1])()[0], together[index])


def test_any_number_of_pictures_can_be_started(backend):
    assert backend.batch >= 1
    many = pictures(2 * backend.batch + 1)
    assert backend.start(many)().shape[0] == len(many)


def test_as_many_as_slots_may_be_under_way(backend):
    batches = [pictures(1, seed) for seed in range(backend.slots)]
    results = [backend.start(batch) for batch in batches]
    for batch, result in zip(batches, results, strict=True):
        assert np.array_equal(result(), backend.start(batch)())


def test_pictures_are_the_callers_again_once_they_are_started(backend):
    """A run that is broken off lets go of pictures that wait for their turn: reading them then would be a crash."""
    expected = [backend.start(pictures(1, seed))() for seed in range(backend.slots)]
    given = [pictures(1, seed) for seed in range(backend.slots)]
    results = []
    for picture in given:
        results.append(backend.start(picture))
        picture[:] = 100
    assert all(np.array_equal(result(), wanted) for result, wanted in zip(results, expected, strict=True))


def test_results_stay_as_they_were_given(backend):
    first = backend.start(pictures(1, 1))()
    kept = first.copy()
    backend.start(pictures(1, 2))()
    assert np.array_equal(first, kept)


def network_of(operator, path):
    """Weights whose a and b are each an ONNX operator of L*."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    def shape(channels):
        return ["n", channels, "h", "w"]

    nodes = [helper.make_node(operator, ["x"], ["y"]), helper.make_node("Concat", ["y", "y"], ["ab"], axis=1)]
    ends = (helper.make_tensor_value_info(n, TensorProto.FLOAT, shape(c)) for n, c in (("x", 1), ("ab", 2)))
    graph = helper.make_graph(nodes, operator, *([end] for end in ends))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return Weights(path, sha256(path), {})


def test_openvino_gives_no_answer_that_is_no_number(tmp_path):
    from vidcolor.backends.openvino import OpenVinoBackend

    backend = OpenVinoBackend(network_of("Exp", tmp_path / "w.onnx"), 12, 8, 1, "fp32")
    assert np.allclose(backend.start(np.ones((1, 1, 8, 12), np.float32))(), np.e)
    with pytest.raises(BackendError, match="no number"):
        backend.start(np.full((1, 1, 8, 12), 100, np.float32))()
    assert np.allclose(backend.start(np.ones((1, 1, 8, 12), np.float32))(), np.e)


def test_other_weights_under_the_same_name_are_another_network(tmp_path):
    light = np.full((1, 1, 8, 12), 4, np.float32)
    for operator, expected in (("Neg", -4), ("Sqrt", 2)):
        backend = open_backend("openvino", network_of(operator, tmp_path / "w.onnx"), 12, 8, 1)
        assert np.allclose(backend.start(light)(), expected)


def openvino_whose_start_fails(weights, fails):
    """One thread, whose every start fails as long as `fails` holds anything."""
    from vidcolor.backends import openvino

    backend = openvino.OpenVinoBackend(weights, 96, 64, 1, "fp32")

    class Request:
        def __init__(self, real):
            self._real = real

        def start_async(self, inputs):
            if fails:
                raise RuntimeError(fails.pop())
            self._real.start_async(inputs)

        def __getattr__(self, name):
            return getattr(self._real, name)

    backend._free = [Request(request) for request in backend._free]
    return backend


@pytest.mark.parametrize("words", ["Check failed\nno such tensor", ""])
def test_openvino_that_does_not_start_says_why_and_goes_on(weights, words):
    fails = [words] * 5
    backend = openvino_whose_start_fails(weights, fails)
    for _ in range(5):
        with pytest.raises(BackendError, match=words.splitlines()[-1] if words else "no reason"):
            backend.start(pictures(1))
    results = [backend.start(pictures(1, seed)) for seed in range(backend.slots)]  # no slot was lost
    assert all(np.isfinite(result()).all() for result in results)


def test_more_batches_than_slots_wait_or_are_refused(backend):
    results = [backend.start(pictures(1, seed)) for seed in range(backend.slots)]
    try:
        results.append(backend.start(pictures(1, backend.slots)))
    except BackendError as error:
        assert f"{backend.slots} batches are under way" in str(error)
    for seed, result in enumerate(results):
        assert np.array_equal(result(), backend.start(pictures(1, seed))())


def test_the_backend_says_what_it_is(backend):
    assert backend.info.device and backend.info.precision.split()[0] in ("bf16", "fp16", "fp32")


def test_bf16_colours_like_fp32(weights):
    from vidcolor.backends.openvino import OpenVinoBackend

    exact, fast = (OpenVinoBackend(weights, 96, 64, 1, precision) for precision in ("fp32", "bf16"))
    difference = np.abs(exact.start(pictures(4))() - fast.start(pictures(4))())
    assert difference.mean() < 0.5  # Lab units


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "lite.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(BackendError, match="lite.onnx"):
        open_backend("openvino", Weights(path, "", {}), 96, 64, 1)


def test_every_backend_agrees_with_torch_in_float32(backend, weights):
    torch = pytest.importorskip("torch")
    from vidcolor.models.onnx_torch import OnnxNetwork
    from vidcolor.models.precision import load_float32

    light = pictures(2)
    with torch.inference_mode():
        expected = OnnxNetwork(load_float32(weights.path))(torch.from_numpy(light)).numpy()
    exact = backend.info.precision.startswith("fp32")
    assert np.abs(backend.start(light)() - expected).mean() < (0.01 if exact else 0.5)  # Lab units
