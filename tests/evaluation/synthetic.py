"""Pictures made by arithmetic alone, the same on every machine."""

import cv2
import numpy as np


def grey_pictures() -> dict[str, np.ndarray]:
    """(144, 160) uint8, each reaching 255."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (144, 160)).astype(np.float64)
    y, x = np.mgrid[:144, :160]
    waves = 127 + 60 * np.sin(x / 5) * np.cos(y / 7) + 40 * np.sin((x + 2 * y) / 23)
    ramp = x / 159 * 255
    blocks = np.kron(rng.integers(0, 256, (18, 20)), np.ones((8, 8)))
    made = {
        "noise": noise,
        "smooth": cv2.GaussianBlur(noise, (0, 0), 2.0) * 3 - 255,
        "waves": waves,
        "noisy waves": waves + (noise - 127) / 12,
        "ramp": ramp + (noise - 127) / 60,
        "blocks": blocks,
        "mixed": np.where(x < 80, blocks, waves + (noise - 127) / 20),
    }
    pictures = {name: np.clip(np.rint(values), 0, 255).astype(np.uint8) for name, values in made.items()}
    for picture in pictures.values():
        picture[0, 0] = 255
    return pictures


def photograph(seed: int, height: int = 96, width: int = 128, colour: float = 1.0) -> np.ndarray:
    """(height, width, 3) uint8: soft coloured blobs with detail; `colour` 0 gives grey."""
    rng = np.random.default_rng(seed)
    planes = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(planes, (0, 0), 9)
    soft = (soft - soft.mean((0, 1))) / soft.std((0, 1)) * 45 + 125
    detail = cv2.GaussianBlur(planes[..., :1], (0, 0), 1.2)[..., None] - 127
    grey = soft.mean(-1, keepdims=True)
    return np.clip(np.rint(grey + colour * (soft - grey) + detail), 0, 255).astype(np.uint8)
