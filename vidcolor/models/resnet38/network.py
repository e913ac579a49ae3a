"""`resnet38` as a torch module (papers/000, "Architecture" and figure 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 128
BLOCKS = 16


class ResidualBlock(nn.Module):
    """(3×3×128, batch norm, PReLU) twice, plus identity."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)  # N, 128, H, W


class ResNet38(nn.Module):
    """L* (N, 1, H, W), 0…100, any H and W → ab (N, 2, H, W), −128…127 in Lab units.

    The paper's text names no activation after the first layer and in the tail; the code it published has a PReLU
    after the first layer and none in the tail, and so it is here.

    Args:
        first_kernel: side of the first layer's kernel (9 in the text, 19 in the published code).
        tail_kernel: side of the kernels between the residual blocks and the last layer (3 in the text, 19 in the code).
        tail_widths: channels of the layers between the long skip connection and the last layer.
    """

    def __init__(self, first_kernel: int, tail_kernel: int, tail_widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, WIDTH, first_kernel, padding=first_kernel // 2), nn.PReLU(WIDTH))
        self.blocks = nn.Sequential(*(ResidualBlock() for _ in range(BLOCKS)))
        self.join = nn.Conv2d(WIDTH, WIDTH, tail_kernel, padding=tail_kernel // 2)
        tail, channels = [], WIDTH
        for width in tail_widths:
            tail.append(nn.Conv2d(channels, width, tail_kernel, padding=tail_kernel // 2))
            channels = width
        self.tail = nn.Sequential(*tail, nn.Conv2d(channels, 2, 3, padding=1))

    def forward(self, lightness: Tensor) -> Tensor:
        first = self.first(lightness / 100)  # N, 128, H, W
        x = first + self.join(self.blocks(first))  # N, 128, H, W
        return 255 * torch.sigmoid(self.tail(x)) - 128  # N, 2, H, W
