"""torch's device where there is no GPU: what goes wrong becomes our errors, and what is compiled is compiled."""

from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper

from vidcolor.backends import torch as module
from vidcolor.backends.runner import Runner
from vidcolor.backends.slots import OutOfMemory
from vidcolor.errors import BackendError
from vidcolor.models.onnx_torch import OnnxNetwork
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights


@pytest.fixture(scope="module")
def lite():
    return find_weights(find_spec("lite"), None)


@pytest.fixture
def device(lite):
    return module.TorchDevice(lite, 32, 32, "cpu", "fp32")


def times(factor):
    """A network that multiplies by `factor`."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, "h", "w"]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.full((1, 1, 1, 1), factor, np.float32), "w")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    return OnnxNetwork(helper.make_model(graph))


def test_the_twelfth_network_is_compiled_like_the_first(monkeypatch):
    """torch keeps 8 variants of one code and goes on uncompiled without a word."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    for number in range(1, 13):
        network, picture = times(number), torch.full((number, 1, 4, 4), 2.0)
        network(picture)  # works out the shapes
        assert torch.equal(module.compiled(network)(picture), number * picture)
        assert len(graphs) == number


def test_a_network_that_cannot_be_compiled_whole_is_not_compiled_in_parts():
    class Broken(torch.nn.Module):
        def forward(self, x):
            torch._dynamo.graph_break()
            return x + 1

    with pytest.raises(torch._dynamo.exc.Unsupported):
        module.compiled(Broken())(torch.zeros(1))


@pytest.mark.parametrize(
    ("raised", "ours"),
    [(RuntimeError("CUDA error: device-side assert"), BackendError), (torch.OutOfMemoryError("full"), OutOfMemory)],
)
def test_what_torch_raises_is_ours(device, lite, monkeypatch, raised, ours):
    def fails(*_, **__):
        raise raised

    with monkeypatch.context() as patched:
        patched.setattr(torch, "zeros", fails)
        with pytest.raises(ours, match=str(raised)):
            device.open_slots(1, 1)
    with monkeypatch.context() as patched:
        patched.setattr(OnnxNetwork, "to", fails)
        with pytest.raises(ours, match=str(raised)):
            module.TorchDevice(lite, 32, 32, "cpu", "fp32")
    (slot,) = device.open_slots(1, 1)
    with monkeypatch.context() as patched:
        patched.setattr(slot, "_infer", fails)
        with pytest.raises(ours, match=str(raised)):
            slot.launch(slot.record(1))
    slot._stream = type("Stream", (), {"synchronize": fails})()
    with pytest.raises(ours, match=str(raised)):
        slot.wait()


def test_a_device_that_fails_while_it_computes_fails_that_batch_alone(device):
    backend = Runner(device, 1, slots=1)
    light = np.full((1, 1, 32, 32), 50, np.float32)
    expected = backend.start(light)()
    slot = backend._free[0]

    def fails():
        slot._stream = None
        raise RuntimeError("CUDA error: an illegal instruction was encountered\nmore")

    result = backend.start(light)
    slot._stream = type("Stream", (), {"synchronize": lambda self: fails()})()
    with pytest.raises(BackendError, match="failed during inference: CUDA error: an illegal instruction"):
        result()
    assert np.array_equal(backend.start(light)(), expected)


def test_a_slot_waits_for_what_was_made_on_another_stream(device, monkeypatch):
    """Weights and buffers are made on torch's own stream, and a slot's would begin before they are there."""
    (slot,) = device.open_slots(1, 1)
    done = []

    class Stream:
        def wait_stream(self, other):
            done.append(other)

        def synchronize(self):
            pass

    slot._stream = Stream()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "torch's own")
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    monkeypatch.setattr(slot, "_infer", lambda size: done.append("inference"))
    slot.record(1)
    assert done[:2] == ["torch's own", "inference"]
