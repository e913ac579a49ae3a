"""A folder of small coloured pictures to train on."""

import cv2
import numpy as np
import pytest


def photograph(seed: int, height: int = 72, width: int = 96) -> np.ndarray:
    """(height, width, 3) uint8 sRGB: soft blobs of colour."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.uniform(0, 255, (height, width, 3)).astype(np.float32), (0, 0), 8)
    return np.clip((soft - soft.mean((0, 1))) / soft.std((0, 1)) * 45 + 125, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(10):
        cv2.imwrite(str(folder / f"{seed}.png"), photograph(seed)[..., ::-1])
    return folder
