"""Losses between predicted and true ab, both (N, 2, H, W) in Lab units. Each returns a scalar tensor."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

AB_RANGE = 110.0  # losses work on ab / 110, so that their constants do not depend on Lab units


def l1(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error (papers/000, "Experimental Results": the better of its two losses)."""
    return F.l1_loss(predicted, truth) / AB_RANGE


def l2(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error (papers/000, the ablation)."""
    return F.mse_loss(predicted, truth) / AB_RANGE**2


def smooth_l1(predicted: Tensor, truth: Tensor) -> Tensor:
    """Huber's loss with β = 0.02 of the ab range: quadratic within about 2 Lab units."""
    return F.smooth_l1_loss(predicted / AB_RANGE, truth / AB_RANGE, beta=0.02)


def chroma_weighted(predicted: Tensor, truth: Tensor) -> Tensor:
    """`smooth_l1` with each pixel weighted by 1 + 3·|ab|/110.

    Saturated colours are rare, so an unweighted loss lets them fade (Zhang 2016, section 2.2, rebalances for the
    same reason).
    """
    weight = 1 + 3 * truth.norm(dim=1, keepdim=True) / AB_RANGE
    loss = F.smooth_l1_loss(predicted / AB_RANGE, truth / AB_RANGE, beta=0.02, reduction="none")
    return (loss * weight).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "l2": l2,
    "smooth-l1": smooth_l1,
    "chroma-weighted": chroma_weighted,
}
