"""What film does to the grey picture: the network's input in training is the *luma*, worn like an old print.

All pictures of a batch at once, in torch, on the device that trains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidcolor.color.yuv import MATRICES
from vidcolor.training.faults import blurred, compressed, smooth_field
from vidcolor.training.lab import lightness, srgb_to_linear

ORTHOCHROMATIC = np.array([0.06, 0.50, 0.44])  # stock of before about 1926: blind to red, keen on blue


def _luma_weights(matrix: str) -> np.ndarray:
    red, blue = MATRICES[matrix]
    return np.array([red, 1 - red - blue, blue])


LUMA_601, LUMA_709 = _luma_weights("bt601"), _luma_weights("bt709")


@dataclass(frozen=True, slots=True)
class Degrade:
    """How often each fault is drawn, 0…1, independently for every picture."""

    orthochromatic: float = 0.10
    luma: float = 0.6  # of the others: R'G'B' weighted as in video, not true lightness
    tone: float = 0.7
    flicker: float = 0.15
    vignette: float = 0.15
    blur: float = 0.25
    grain: float = 0.25
    scratches: float = 0.05
    border: float = 0.06
    compression: float = 0.10

    def __call__(self, rgb: Tensor, light: Tensor, rng: np.random.Generator) -> Tensor:
        """sRGB 0…1 (N, 3, H, W) and its L* (N, H, W) → the L* (N, H, W) that a film of the scene would show."""
        draw = _Draw(rng, light)
        light = self._stock(rgb, light, draw)
        light = _expose(light, draw, draw.happens(self.tone), draw.happens(self.flicker), draw.happens(self.vignette))
        light = _apply(
            light, draw.happens(self.blur), lambda part, n: blurred(part, draw.there(rng.uniform(0.4, 1.4, n)))
        )
        light = _apply(light, draw.happens(self.grain), lambda part, n: part + _grain(part, n, draw))
        light = _scratch(light, draw, draw.happens(self.scratches))
        light = _border(light, draw, draw.happens(self.border)).clamp(0, 100)
        light = _apply(light, draw.happens(self.compression), lambda part, n: _compress(part, n, draw))
        return light.clamp(0, 100)

    def _stock(self, rgb: Tensor, light: Tensor, draw: _Draw) -> Tensor:
        """How the stock sees colours: true lightness, the luma of video, or orthochromatically."""
        n = len(light)
        ortho, luma = draw.happens(self.orthochromatic), draw.happens(self.luma)
        mix = np.where(ortho, draw.rng.uniform(0.3, 1, n), 0)[:, None]
        standard = np.where(draw.happens(0.5)[:, None], LUMA_601, LUMA_709)
        weights = draw.there((1 - mix) * np.where(ortho[:, None], LUMA_601, standard) + mix * ORTHOCHROMATIC)
        seen = lightness(srgb_to_linear(torch.einsum("nchw,nc->nhw", rgb, weights)))
        return torch.where(draw.there(ortho | luma)[:, None, None] > 0, seen, light)


class _Draw:
    """Random numbers from the host, brought to where the pictures are."""

    def __init__(self, rng: np.random.Generator, light: Tensor) -> None:
        self.rng, self.count, self.device = rng, len(light), light.device
        self.noise = torch.Generator(light.device).manual_seed(int(rng.integers(2**62)))

    def happens(self, probability: float) -> np.ndarray:
        return self.rng.random(self.count) < probability

    def there(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(values, np.float32)).to(self.device, non_blocking=True)

    def if_(self, drawn: np.ndarray, values: np.ndarray, otherwise: float) -> Tensor:
        """`values` (N, …) where `drawn` (N,), else `otherwise`, shaped to go with (N, H, W)."""
        return self.there(np.where(drawn, values, otherwise))[:, None, None]


def _apply(light: Tensor, drawn: np.ndarray, change) -> Tensor:
    """`change` (pictures, their number) to those pictures that are `drawn`: for faults that cost time."""
    at = torch.from_numpy(np.flatnonzero(drawn)).to(light.device, non_blocking=True)
    return light.index_copy(0, at, change(light[at], len(at))) if len(at) else light


def _expose(light: Tensor, draw: _Draw, tone: np.ndarray, flicker: np.ndarray, vignette: np.ndarray) -> Tensor:
    """Gamma, then lifted blacks and lowered whites or the opposite; then light that is uneven over the picture.

    Flicker is a matter of time; in a single picture it is an exposure that is too strong or too weak by an amount
    that changes slowly over the picture, by up to about a quarter.
    """
    rng, n, (height, width) = draw.rng, draw.count, light.shape[1:]
    gamma = draw.if_(tone, np.exp(rng.normal(0, 0.18, n)), 1)
    black, white = draw.if_(tone, rng.normal(0, 4, n), 0), draw.if_(tone, 100 + rng.normal(-2, 5, n), 100)
    light = black + (white - black) * (light.clamp(0, 100) / 100).pow(gamma)
    y, x = (torch.linspace(-1, 1, side, device=light.device) for side in (height, width))
    gain = 1 - draw.if_(vignette, rng.uniform(0.05, 0.35, n), 0) * (y.square()[:, None] + x.square()) / 2
    strength = np.where(flicker, rng.uniform(0.03, 0.12, n), 0)[:, None, None]
    uneven = smooth_field(draw.there(strength * rng.standard_normal((n, 3, 3))), height, width)
    offset = draw.if_(flicker, rng.normal(0, 2, n), 0)
    return light * gain * (1 + uneven) + offset


def _grain(light: Tensor, n: int, draw: _Draw) -> Tensor:
    """Noise of σ 0.5…4 L*, half of the time coarser than a pixel."""
    noise = torch.randn(light.shape, generator=draw.noise, device=light.device)
    coarse = draw.rng.random(n) < 0.5
    noise = _apply(noise, coarse, lambda part, k: 2 * blurred(part, torch.full((k,), 0.8, device=part.device)))
    return noise * draw.there(draw.rng.uniform(0.5, 4, n))[:, None, None]


def _scratch(light: Tensor, draw: _Draw, drawn: np.ndarray) -> Tensor:
    """One to three bright or dark vertical lines."""
    rng, n, width = draw.rng, draw.count, light.shape[2]
    amounts = rng.choice((-1, 1), (n, 3)) * rng.uniform(10, 50, (n, 3))
    amounts *= drawn[:, None] & (np.arange(3) < rng.integers(1, 4, (n, 1)))
    columns = np.zeros((n, width))
    np.add.at(columns, (np.arange(n)[:, None], rng.integers(width, size=(n, 3))), amounts)
    return light + draw.there(columns)[:, None]


def _border(light: Tensor, draw: _Draw, drawn: np.ndarray) -> Tensor:
    """A black edge on one side, as a film gate or a letterbox leaves it."""
    rng, n, sides = draw.rng, draw.count, light.shape[1:]
    widths = rng.integers(2, max(3, min(sides) // 8), n)
    which = rng.integers(4, size=n)
    rows, columns = (
        draw.there(
            (at < np.where(which == first, widths, 0)[:, None])
            | (at >= side - np.where(which == first + 1, widths, 0)[:, None])
        )
        for first, side, at in zip((0, 2), sides, map(np.arange, sides), strict=True)
    )
    edge = (rows[:, :, None] + columns[:, None, :] > 0) & (draw.there(drawn)[:, None, None] > 0)
    return torch.where(edge, draw.there(rng.uniform(0, 6, n))[:, None, None], light)


def _compress(light: Tensor, n: int, draw: _Draw) -> Tensor:
    """JPEG of quality 15…75 with blocks that begin anywhere, as a stand-in for what transfers of films went through."""
    top, left = draw.rng.integers(8, size=2)
    height, width = light.shape[1:]
    padded = F.pad(
        light[:, None], (int(left), int(-(left + width) % 8), int(top), int(-(top + height) % 8)), "replicate"
    )[:, 0]
    codes = compressed(
        padded * 2.55, draw.rng.integers(15, 76, n)
    )  # L* is about as even to the eye as gamma-coded luma
    return codes[:, top : top + height, left : left + width] / 2.55
