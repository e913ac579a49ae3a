"""Losses between predicted ab (N, 2, H, W) and the true Lab (N, 3, H, W), in Lab units. Each returns a scalar tensor."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vidcolor.errors import UsageError
from vidcolor.training.lab import lab_to_srgb

DECIBEL_FLOOR = 16.0  # squared sRGB codes: an error of 4 is as good as none
VIVID = 0.22  # decibels / 10 that a picture's whole colourfulness is worth
_SMOOTH = 1e-2  # squared sRGB codes, against a division by 0
AB_RANGE = 110.0  # losses work on ab / 110, so that their constants do not depend on Lab units


def l1(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error (papers/000, "Experimental Results": the better of its two losses)."""
    return F.l1_loss(predicted, truth[:, 1:]) / AB_RANGE


def l2(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error (papers/000, the ablation)."""
    return F.mse_loss(predicted, truth[:, 1:]) / AB_RANGE**2


def smooth_l1(predicted: Tensor, truth: Tensor) -> Tensor:
    """Huber's loss with β = 0.02 of the ab range: quadratic within about 2 Lab units."""
    return F.smooth_l1_loss(predicted / AB_RANGE, truth[:, 1:] / AB_RANGE, beta=0.02)


def chroma_weighted(predicted: Tensor, truth: Tensor) -> Tensor:
    """`smooth_l1` with each pixel weighted by 1 + 3·|ab|/110.

    Saturated colours are rare, so an unweighted loss lets them fade (Zhang 2016, section 2.2, rebalances for the
    same reason).
    """
    ab = truth[:, 1:]
    weight = 1 + 3 * ab.norm(dim=1, keepdim=True) / AB_RANGE
    loss = F.smooth_l1_loss(predicted / AB_RANGE, ab / AB_RANGE, beta=0.02, reduction="none")
    return (loss * weight).mean()


def msle(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean squared logarithmic error (papers/002, equation 3) of ab as pixel values (ab + 128) / 255 in 0…1.

    The paper does not state its scale; 0…1 is the network output of papers/000. There log(1 + y) is nearly straight, so
    this is close to `l2`, a little milder on reds and yellows than on greens and blues.
    """
    y, other = ((torch.clamp((ab + 128) / 255, min=0)) for ab in (truth[:, 1:], predicted))
    return F.mse_loss(torch.log1p(other), torch.log1p(y))


def colourfulness(rgb: Tensor) -> Tensor:
    """Of each sRGB picture (N, 3, H, W), 0…255: (N,) (Hasler & Süsstrunk 2003, M³, as evaluation/metrics.py has it)."""
    r, g, b = rgb.unbind(1)
    opponent = torch.stack((r - g, (r + g) / 2 - b), 1)
    spread = (opponent.var(dim=(2, 3), correction=0).sum(1) + _SMOOTH).sqrt()
    return spread + 0.3 * (opponent.mean(dim=(2, 3)).square().sum(1) + _SMOOTH).sqrt()


def decibel_vivid(predicted: Tensor, truth: Tensor) -> Tensor:
    """What a coloured picture is judged by: its error in decibels, and how much of the colourfulness is left.

    log₁₀ of each sRGB picture's mean squared error, as PSNR counts it (Chen 2022, NAFNet), plus 0.22 × the share of the
    colourfulness that is missing (in the manner of Kang 2023, DDColor, section 3.4), without which the loss would fade.
    """
    light = truth[:, :1]
    ours, true = (255 * lab_to_srgb(light, ab) for ab in (predicted, truth[:, 1:]))
    squared = (ours - true).square().mean(dim=(1, 2, 3))
    missing = 1 - colourfulness(ours).mean() / colourfulness(true).mean()
    return torch.log10(1 + squared / DECIBEL_FLOOR).mean() + VIVID * missing


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "l2": l2,
    "smooth-l1": smooth_l1,
    "chroma-weighted": chroma_weighted,
    "msle": msle,
    "decibel-vivid": decibel_vivid,
}


def find_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss by name.

    Raises:
        UsageError: there is no such loss.
    """
    if name not in LOSSES:
        raise UsageError(f"no loss is named '{name}'", f"there are {', '.join(LOSSES)}", "See docs/training.md.")
    return LOSSES[name]
