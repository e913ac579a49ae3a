"""Keeping what a pretrained encoder knows.

An encoder that learns colours from some thousand photographs forgets most of ImageNet's thousand classes, and with them
what helps it on photographs unlike those. So it goes on being asked: from the grey picture it must tell what the classifier
that it was taken from sees in the coloured one (Li & Hoiem 2016, "Learning without forgetting"; Hinton 2015).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidcolor.errors import ModelError, UsageError
from vidcolor.training.lab import lab_to_srgb


class Recall(nn.Module):
    """A network that answers twice: ab, and scores of ImageNet's classes, by a head that learns with it."""

    def __init__(self, network: nn.Module) -> None:
        """Begin with the classifier's own head.

        Raises:
            UsageError: the network has no encoder that was taken from a classifier.
            ModelError: the package of the classifier's weights is not installed.
        """
        super().__init__()
        if not hasattr(network, "load_imagenet_encoder"):
            raise UsageError(
                "cannot train with recall", "the network has no ImageNet encoder to remember with", "Leave it out."
            )
        try:
            from vidcolor.models.lite.classifier import Classifier

            self.head, teacher = Classifier.trained(), Classifier.trained()
        except ModuleNotFoundError as error:
            raise ModelError(
                "cannot train with recall", f"{error.name} is not installed", "Try: pip install 'vidcolor[train]'."
            ) from error
        del self.head.encoder
        self.network = network
        self._teacher = (teacher.requires_grad_(False),)  # not a part of what learns, and never in a state

    def forward(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """L* (N, 1, H, W) → ab (N, 2, h, w) as the decoder gives it, scores (N, 1000)."""
        features = self.network.features(shown)
        return self.network.decode(features), self.head.classes(self.head.pooled(features[-1]))

    def train(self, mode: bool = True) -> Recall:
        super().train(mode)
        self.head.eval()  # its batch norms keep their statistics
        return self

    @torch.no_grad()
    def told(self, truth: Tensor) -> Tensor:
        """Logarithms of the classes' probabilities (N, 1000) that the classifier sees in the true Lab (N, 3, H, W)."""
        (teacher,) = self._teacher
        with torch.autocast(truth.device.type, enabled=False):  # colours are off by up to tens of codes in bf16
            rgb = 255 * lab_to_srgb(truth[:, :1], truth[:, 1:]).clamp(0, 1)
        _, scores = teacher.to(truth.device).see(rgb.contiguous(memory_format=torch.channels_last))
        return F.log_softmax(scores.float(), 1)


def forgotten(scores: Tensor, told: Tensor) -> Tensor:
    """Kullback–Leibler divergence of what the head says (scores) from what it was told (logarithms), mean over pictures, nats."""
    return F.kl_div(F.log_softmax(scores.float(), 1), told, log_target=True, reduction="batchmean")
