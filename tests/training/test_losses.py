"""Every loss against its formula in NumPy."""

import numpy as np
import pytest

from vidcolor.errors import UsageError

torch = pytest.importorskip("torch")
from vidcolor.training.losses import LOSSES, VIVID, find_loss

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(0, 30, (2, 2, 5, 6))
OTHER = TRUTH + RNG.normal(0, 8, TRUTH.shape)
E = (OTHER - TRUTH) / 110
HUBER = np.where(np.abs(E) < 0.02, E**2 / 0.04, np.abs(E) - 0.01)


def colourfulness(ab):
    """Hasler & Süsstrunk's second one of each picture, with a hundredth of a Lab unit or so against division by 0."""
    spread = np.sqrt(ab.var((2, 3)).sum(1) + 1e-3)
    return spread + 0.94 * np.sqrt((ab.mean((2, 3)) ** 2).sum(1) + 1e-3)


DECIBELS = np.log10(((OTHER - TRUTH) ** 2).mean((1, 2, 3)) + 4).mean() - np.log10(4)
LOST = 1 - colourfulness(OTHER).mean() / colourfulness(TRUTH).mean()
EXPECTED = {
    "l1": np.abs(E).mean(),
    "l2": (E**2).mean(),
    "smooth-l1": HUBER.mean(),
    "chroma-weighted": (HUBER * (1 + 3 * np.sqrt((TRUTH**2).sum(1, keepdims=True)) / 110)).mean(),
    "msle": ((np.log((OTHER + 128) / 255 + 1) - np.log((TRUTH + 128) / 255 + 1)) ** 2).mean(),
    "decibel-vivid": DECIBELS + VIVID * LOST,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name):
    truth = torch.from_numpy(TRUTH)
    predicted = torch.from_numpy(OTHER).requires_grad_()
    loss = find_loss(name)(predicted, truth)
    assert loss.item() == pytest.approx(EXPECTED[name], rel=1e-6)
    loss.backward()
    assert predicted.grad.isfinite().all() and predicted.grad.abs().max() > 0
    assert find_loss(name)(truth, truth).item() == 0


def test_msle_stays_finite_beyond_the_range():
    assert find_loss("msle")(torch.full((1, 2, 1, 1), -500.0), torch.zeros(1, 2, 1, 1)).isfinite()


def test_an_unknown_loss_names_the_known_ones():
    with pytest.raises(UsageError, match="l1, l2, smooth-l1, chroma-weighted, msle, decibel-vivid"):
        find_loss("l3")
