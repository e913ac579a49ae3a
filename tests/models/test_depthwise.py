"""`lite`'s depthwise convolution learns exactly as PyTorch's own does."""

import copy

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F

from vidcolor.models.lite.depthwise import depthwise_conv
from vidcolor.models.lite.network import SamePadConv
from vidcolor.models.onnx_export import fuse_batch_norms
from vidcolor.models.registry import load_network


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize(("height", "width"), [(18, 18), (9, 12), (13, 11), (7, 7)])
@pytest.mark.parametrize(("stride", "padded"), [(1, True), (1, False), (2, True), (2, False), (3, True)])
def test_gradients_are_those_of_pytorch(kernel, height, width, stride, padded):
    generator = torch.Generator().manual_seed(kernel * height + width)
    x = torch.randn(2, 6, height, width, dtype=torch.float64, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(6, 1, kernel, kernel, dtype=torch.float64, generator=generator, requires_grad=True)
    padding = kernel // 2 if padded else 0
    theirs = F.conv2d(x, weight, None, stride, padding, groups=6)
    ours = depthwise_conv(x, weight, stride, padding)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    seen = torch.randn(theirs.shape, dtype=torch.float64, generator=generator)
    for mine, other in zip(
        torch.autograd.grad(ours, (x, weight), seen), torch.autograd.grad(theirs, (x, weight), seen), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12)


def test_under_autocast_it_works_in_bf16_and_the_weights_gradient_stays_float32():
    conv = SamePadConv(8, 8, 5, stride=2, groups=8, bias=False)
    x = torch.randn(2, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(x)
    y.float().square().sum().backward()
    assert y.dtype is torch.bfloat16 and conv.weight.grad.dtype is torch.float32
    exact = torch.autograd.grad(
        F.conv2d(F.pad(x, (1, 3, 1, 3)), conv.weight, None, 2, groups=8).square().sum(), conv.weight
    )[0]
    assert F.cosine_similarity(conv.weight.grad.flatten(), exact.flatten(), 0) > 0.999


@pytest.mark.parametrize("side", [9, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_learning_and_asking_give_one_answer(kernel, stride, side):
    conv = SamePadConv(4, 4, kernel, stride, groups=4, bias=False)
    x = torch.randn(1, 4, side, side)
    learning = conv(x)
    with torch.no_grad():
        torch.testing.assert_close(learning, conv(x))
    assert learning.shape[-1] == -(-side // stride)  # TensorFlow's "same"


@pytest.mark.parametrize("learning", [False, True])
def test_folding_batch_norms_into_convolutions_changes_no_answer(learning):
    """Folding gives convolutions a bias, which a trained network's cannot do without."""
    torch.manual_seed(5)
    network = load_network("lite").eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.running_mean, module.bias.data):
                values.normal_(0, 0.3)
    folded = copy.deepcopy(network)
    fuse_batch_norms(folded)
    x = torch.rand(1, 1, 48, 64) * 100
    with torch.set_grad_enabled(learning):
        expected, answer = network(x), folded(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(answer, expected, rtol=1e-3, atol=1e-3)
