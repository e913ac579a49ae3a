"""A folder of small coloured pictures to train on, and a run that did."""

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


@pytest.fixture
def one_thread():
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def options(photographs):
    from vidcolor.training.options import make_options

    places = {"data": (str(photographs),), "validation": (str(photographs),)}
    small = {"steps": 6, "batch": 3, "size": 32, "threads": 1, "warmup": 2, "steps_between_logs": 1, "samples": 4}
    return make_options(places, small, {"pretrained": False, "steps_between_validations": 4, "device": "cpu"})


@pytest.fixture(scope="session")
def whole(options, tmp_path_factory):
    """A run in one go, and what it said."""
    from vidcolor.training import loop

    run = tmp_path_factory.mktemp("whole")
    said = []
    loop.train(options, run, say=said.append)
    return run, said
