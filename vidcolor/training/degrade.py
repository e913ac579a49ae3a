"""What film does to the grey picture: the network's input in training is the *luma*, worn like an old print."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vidcolor.color.lab import lightness, srgb_to_linear

LUMA_601 = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601-7, section 2.5.1
LUMA_709 = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709-6, section 3.2
ORTHOCHROMATIC = np.array([0.06, 0.50, 0.44], np.float32)  # stock of before about 1926: blind to red, keen on blue


@dataclass(frozen=True, slots=True)
class Degrade:
    """How often each fault is drawn, 0…1, independently for every picture."""

    orthochromatic: float = 0.10
    tone: float = 0.7
    blur: float = 0.25
    grain: float = 0.25
    vignette: float = 0.15
    scratches: float = 0.05
    border: float = 0.06

    def __call__(self, rgb: np.ndarray, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """sRGB 0…1 (N, H, W, 3) and its L* (N, H, W) → the L* (N, H, W) that a film of the scene would show."""
        return np.stack([self._picture(p, q, rng) for p, q in zip(rgb, light, strict=True)])

    def _picture(self, rgb: np.ndarray, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        def drawn(probability: float) -> bool:
            return rng.random() < probability

        if drawn(self.orthochromatic):
            mix = rng.uniform(0.3, 1.0)
            weights = (1 - mix) * LUMA_601 + mix * ORTHOCHROMATIC
            result = lightness(srgb_to_linear(rgb @ weights))
        elif drawn(0.6):
            result = lightness(srgb_to_linear(rgb @ (LUMA_601 if drawn(0.5) else LUMA_709)))
        else:
            result = light
        result = result.astype(np.float32)
        if drawn(self.tone):
            result = _tone(result, rng)
        if drawn(self.vignette):
            result = _vignette(result, rng)
        if drawn(self.blur):
            result = cv2.GaussianBlur(result, (0, 0), rng.uniform(0.4, 1.4))
        if drawn(self.grain):
            noise = rng.standard_normal(result.shape, np.float32) * rng.uniform(0.5, 4.0)
            result = result + (cv2.GaussianBlur(noise, (0, 0), 0.8) * 2 if drawn(0.5) else noise)
        if drawn(self.scratches):
            _scratch(result, rng)
        if drawn(self.border):
            _border(result, rng)
        return np.clip(result, 0, 100)


def _tone(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, then lifted blacks and lowered whites or the opposite: exposure and contrast of old stock."""
    gamma = float(np.exp(rng.normal(0, 0.18)))
    black, white = rng.normal(0, 4), 100 + rng.normal(-2, 5)
    return black + (white - black) * (np.clip(light, 0, 100) / 100) ** gamma


def _vignette(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = light.shape
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return light * (1 - rng.uniform(0.05, 0.35) * (x**2 + y**2) / 2).astype(np.float32)


def _scratch(light: np.ndarray, rng: np.random.Generator) -> None:
    """One to three bright or dark vertical lines, in place."""
    for _ in range(rng.integers(1, 4)):
        column = rng.integers(light.shape[1])
        light[:, column] += rng.choice((-1, 1)) * rng.uniform(10, 50)


def _border(light: np.ndarray, rng: np.random.Generator) -> None:
    """A black edge as a film gate or a letterbox leaves it, in place."""
    width = rng.integers(2, max(3, light.shape[0] // 8))
    view = np.rot90(light, rng.integers(4))
    view[:width] = rng.uniform(0, 6)
