"""Each fault of film alone, and against independent implementations where there are any."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import photograph

torch = pytest.importorskip("torch")
from vidcolor.training.degrade import Degrade
from vidcolor.training.faults import blurred, compressed
from vidcolor.training.lab import srgb_to_lab

FAULTS = [field.name for field in dataclasses.fields(Degrade)]
NONE = dict.fromkeys(FAULTS, 0.0)


@pytest.fixture(scope="module")
def pictures():
    """sRGB (40, 3, 72, 96), coarse and fine structure, and its L*."""
    fine = np.random.default_rng(0).normal(0, 8, (40, 72, 96, 1))
    coded = np.clip(np.stack([photograph(seed) for seed in range(40)]) + fine, 0, 255).astype(np.float32)
    rgb = torch.from_numpy(coded).permute(0, 3, 1, 2) / 255
    return rgb, srgb_to_lab(rgb)[0]


def worn(pictures, seed=0, **often):
    return Degrade(**{**NONE, **often})(*pictures, np.random.default_rng(seed))


def test_without_faults_nothing_changes(pictures):
    assert torch.allclose(worn(pictures), pictures[1], atol=1e-4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_as_many_pictures_as_it_should_and_stays_in_range(pictures, fault):
    always, sometimes = worn(pictures, **{fault: 1.0}), worn(pictures, **{fault: 0.5})
    changed = [(light - pictures[1]).abs().amax((1, 2)) > 0.3 for light in (always, sometimes)]
    assert changed[0].float().mean() > 0.9 and 0.25 < changed[1].float().mean() < 0.75
    for light in (always, sometimes):
        assert light.isfinite().all() and light.min() >= 0 and light.max() <= 100 and light.shape == pictures[1].shape


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_seed_draws_the_same(pictures, fault):
    assert torch.equal(*(worn(pictures, 7, **{fault: 0.5}) for _ in range(2)))


def test_orthochromatic_stock_shows_red_dark_and_blue_light():
    red, blue = (torch.tensor(c)[None, :, None, None].expand(20, 3, 8, 8) for c in ([0.8, 0.1, 0.1], [0.1, 0.1, 0.8]))
    for rgb, sign in ((red, -1), (blue, 1)):
        ortho, luma = (worn((rgb, srgb_to_lab(rgb)[0]), **{kind: 1.0}) for kind in ("orthochromatic", "luma"))
        assert (sign * (ortho - luma.max()) > 1).all()  # the larger is that of BT.601


def test_flicker_is_an_exposure_that_changes_slowly_over_the_picture():
    flat = torch.full((200, 3, 64, 64), 0.5)
    light = srgb_to_lab(flat)[0]
    change = worn((flat, light), flicker=1.0) / light - 1
    assert change.flatten(1).std(1).min() > 0.002  # not the same everywhere, as a change of tone would be
    steps = torch.maximum(change.diff(dim=1).abs().amax((1, 2)), change.diff(dim=2).abs().amax((1, 2)))
    assert steps.max() < 0.03 and 0.02 < change.abs().mean() < 0.1


def test_blur_is_opencvs():
    plane = photograph(3)[..., 0].astype(np.float32)
    for sigma in (0.5, 1.4):
        (ours,) = blurred(torch.from_numpy(plane)[None], torch.tensor([sigma]))
        theirs = cv2.GaussianBlur(plane, (15, 15), sigma)
        np.testing.assert_allclose(ours[8:-8, 8:-8].numpy(), theirs[8:-8, 8:-8], atol=0.01)


@pytest.mark.parametrize("quality", [15, 40, 50, 75, 95])
def test_compression_is_that_of_a_jpeg_file(quality):
    """libjpeg computes in integers: now and then it rounds a frequency the other way."""
    rng = np.random.default_rng(0)
    plane = np.clip(photograph(4, 96, 128)[..., 1].astype(float) + rng.normal(0, 12, (96, 128)), 0, 255).astype(
        np.uint8
    )
    encoded = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    theirs = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE).astype(int)
    (ours,) = compressed(torch.from_numpy(plane.astype(np.float32))[None], np.array([quality]))
    difference = np.abs(ours.numpy() - theirs)
    assert difference.mean() < 0.4 < np.abs(theirs - plane).mean() / 3 and np.percentile(difference, 90) <= 1
