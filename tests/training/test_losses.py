"""Every loss against its formula in NumPy, with the numbers that docs/training.md states."""

import numpy as np
import pytest

from vidcolor.color.lab import WHITE, XYZ_TO_RGB, lab_to_xyz, linear_to_srgb
from vidcolor.errors import UsageError
from vidcolor.evaluation.metrics import colourfulness

torch = pytest.importorskip("torch")
from vidcolor.training.losses import LOSSES, find_loss

RNG = np.random.default_rng(0)
LIGHT = RNG.uniform(5, 95, (2, 1, 5, 6))
TRUTH = RNG.normal(0, 30, (2, 2, 5, 6))  # some of it far outside the gamut
OTHER = TRUTH + RNG.normal(0, 8, TRUTH.shape)
E = (OTHER - TRUTH) / 110
HUBER = np.where(np.abs(E) < 0.02, E**2 / 0.04, np.abs(E) - 0.01)


def shown(ab):
    """sRGB 0…255 (N, H, W, 3): clipped in linear light, plus a fifth of what was clipped."""
    lab = np.concatenate((LIGHT, ab), 1).transpose(0, 2, 3, 1)
    linear = lab_to_xyz(lab) * WHITE @ XYZ_TO_RGB.T
    inside = np.clip(linear, 0, 1)
    assert (inside != linear).any()
    return 255 * (linear_to_srgb(inside) + 0.2 * (linear - inside))


US, THEM = shown(OTHER), shown(TRUTH)
DECIBELS = np.log10(((US - THEM) ** 2).mean((1, 2, 3)) + 16).mean() - np.log10(16)
LOST = 1 - np.mean([colourfulness(p) for p in US]) / np.mean([colourfulness(p) for p in THEM])
EXPECTED = {
    "l1": np.abs(E).mean(),
    "l2": (E**2).mean(),
    "smooth-l1": HUBER.mean(),
    "chroma-weighted": (HUBER * (1 + 3 * np.sqrt((TRUTH**2).sum(1, keepdims=True)) / 110)).mean(),
    "msle": ((np.log((OTHER + 128) / 255 + 1) - np.log((TRUTH + 128) / 255 + 1)) ** 2).mean(),
    "decibel-vivid": DECIBELS + 0.22 * LOST,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name):
    truth = torch.from_numpy(np.concatenate((LIGHT, TRUTH), 1))
    predicted = torch.from_numpy(OTHER).requires_grad_()
    loss = find_loss(name)(predicted, truth)
    assert loss.item() == pytest.approx(EXPECTED[name], rel=1e-5)
    loss.backward()
    assert predicted.grad.isfinite().all() and predicted.grad.abs().amax((0, 1)).min() > 0
    assert find_loss(name)(truth[:, 1:], truth).item() == 0


def test_msle_stays_finite_beyond_the_range():
    assert find_loss("msle")(torch.full((1, 2, 1, 1), -500.0), torch.zeros(1, 3, 1, 1)).isfinite()


def test_an_unknown_loss_names_the_known_ones():
    with pytest.raises(UsageError, match="l1, l2, smooth-l1, chroma-weighted, msle, decibel-vivid"):
        find_loss("l3")
