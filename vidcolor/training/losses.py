"""Losses between predicted and true ab, both (N, 2, H, W) in Lab units. Each returns a scalar tensor."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch
import torch.nn.functional as F
from torch import Tensor

from vidcolor.errors import UsageError

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


def msle(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared logarithmic error (papers/002, equation 3) of ab as pixel values (ab + 128) / 255 in 0…1.

    The paper does not state its scale; 0…1 is the network output of papers/000. There log(1 + y) is nearly straight, so
    this is close to `l2`, a little milder on reds and yellows than on greens and blues.
    """
    y, other = ((torch.clamp((ab + 128) / 255, min=0)) for ab in (truth, predicted))
    return F.mse_loss(torch.log1p(other), torch.log1p(y))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "l2": l2,
    "smooth-l1": smooth_l1,
    "chroma-weighted": chroma_weighted,
    "msle": msle,
}


def find_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss by name.

    Raises:
        UsageError: there is no such loss.
    """
    if name not in LOSSES:
        raise UsageError(f"no loss is named '{name}'", f"there are {', '.join(LOSSES)}", "See docs/training.md.")
    return LOSSES[name]
