"""Batches are a pure function of seed and number; what is cut and converted is what OpenCV and color/lab.py make of it."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import photograph

from vidcolor.color.lab import srgb_to_lab

torch = pytest.importorskip("torch")
from vidcolor.training import lab
from vidcolor.training.batches import Batches, cut, random_parts
from vidcolor.training.data import load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.store import LONGEST, PictureStore

CPU = torch.device("cpu")


def stored(pictures, short=96):
    store = PictureStore(short)
    for picture in pictures:
        store.append(picture)
    store.settle(CPU)
    return store


def batches(pictures, batch=4, size=32, seed=0, whole=0.35, degrade=None):
    return Batches(stored(pictures), batch, size, seed, whole, degrade, CPU)


@pytest.fixture(scope="module")
def pictures(photographs):
    return load_pictures([photographs], 160).pictures


def test_a_batch_depends_on_seed_and_number_alone(pictures):
    light, truth = batches(pictures, degrade=Degrade()).make(3)
    assert light.shape == (4, 1, 32, 32) and truth.shape == (4, 3, 32, 32)
    assert light.dtype == truth.dtype == torch.float32 and 0 <= light.min() <= light.max() <= 100
    again, other = (batches(pictures, seed=seed, degrade=Degrade()).make(3) for seed in (0, 1))
    assert torch.equal(light, again[0]) and torch.equal(truth, again[1])
    assert not torch.equal(light, other[0]) and not torch.equal(truth, other[1])
    assert not torch.equal(light, batches(pictures, degrade=Degrade()).make(4)[0])


def test_an_epoch_shows_every_picture_once():
    made = batches([np.full((96, 96, 3), i, np.uint8) for i in range(10)], seed=5)
    first, second = (np.concatenate([made.indices(n) for n in numbers]) for numbers in (range(5), range(5, 10)))
    for epochs in (first, second):
        assert sorted(epochs[:10]) == sorted(epochs[10:]) == list(range(10))
    assert list(first[:10]) != list(first[10:])


def test_several_processes_share_the_stream(pictures):
    made = batches(pictures, batch=2, degrade=Degrade())
    streams = [made.stream(10 + rank, 2) for rank in range(2)]
    for number in range(10, 18):
        light, truth = next(streams[number % 2])
        expected = made.make(number)
        assert torch.equal(light, expected[0]) and torch.equal(truth, expected[1])


def test_degrading_leaves_the_truth_clean(pictures):
    clean, worn = (batches(pictures, degrade=d).make(3) for d in (None, Degrade(border=0)))
    bright = (worn[0] > 8).expand(-1, 3, -1, -1)
    assert bright.float().mean() > 0.8
    assert torch.equal(worn[1][bright], clean[1][bright])
    assert torch.equal(worn[1][:, :1], clean[0]) and torch.equal(clean[1][:, :1], clean[0])
    assert (worn[0] - clean[0]).abs().max() > 1


def test_where_the_film_shows_black_there_is_no_colour_to_learn(pictures):
    """Of black edges, which are all that is worn here; colour fades in up to L* 8."""
    edges = Degrade(**dict.fromkeys((field.name for field in dataclasses.fields(Degrade)), 0.0) | {"border": 1.0})
    (_, clean), (shown, worn) = (batches(pictures, batch=8, degrade=d).make(3) for d in (None, edges))
    dark = shown[:, 0] < 6
    assert dark.any((1, 2)).all() and clean[:, 1:].abs().amax(1)[dark].mean() > 10
    expected = clean[:, 1:].double() * (shown.double() / 8).clamp(max=1)
    np.testing.assert_allclose(worn[:, 1:].numpy(), expected.numpy(), atol=1e-4)
    assert torch.equal(worn[:, :1], clean[:, :1])


@pytest.mark.parametrize("shape", [(96, 130), (96, 96), (150, 96)])
def test_a_whole_picture_is_what_opencv_makes_of_it(shape):
    picture = photograph(1, *shape)
    store = stored([picture])
    sides = np.array([[[0, max(shape)], [0, 96]]], np.float32)
    parts, lengths, upright = (torch.from_numpy(a) for a in (sides, store.lengths, store.upright))
    for size in (40, 64, 96):
        (ours,) = cut(store.take(np.array([0]), CPU), size, parts, lengths, upright)
        theirs = cv2.resize(picture.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) / 255
        if size < 96 or min(shape) == max(shape):
            np.testing.assert_allclose(ours.permute(1, 2, 0).numpy(), theirs, atol=2e-3)


@pytest.mark.parametrize("upright", [True, False])
def test_a_part_is_cut_where_it_lies_and_mirrored_left_to_right(upright):
    picture = photograph(2, 130, 96) if upright else photograph(2, 96, 130)
    store = stored([picture])
    lengths, up = torch.from_numpy(store.lengths), torch.from_numpy(store.upright)
    lines = store.take(np.array([0]), CPU)
    (plain,) = cut(lines, 64, torch.tensor([[[20.0, 64], [8, 64]]]), lengths, up)
    rows, columns = (slice(20, 84), slice(8, 72)) if upright else (slice(8, 72), slice(20, 84))
    np.testing.assert_allclose(plain.permute(1, 2, 0).numpy(), picture[rows, columns] / 255, atol=1e-6)
    parts = [[[20.0, 64], [72, -64]]] if upright else [[[84.0, -64], [8, 64]]]
    (mirrored,) = cut(lines, 64, torch.tensor(parts), lengths, up)
    assert torch.allclose(mirrored, plain.flip(2), atol=1e-6)


def test_parts_lie_within_their_pictures_and_half_are_mirrored():
    rng = np.random.default_rng(0)
    lengths, upright = rng.integers(96, 230, 4000), rng.random(4000) < 0.5
    parts = random_parts(lengths, 96, upright, 0.35, rng)
    ends = np.stack((parts[..., 0], parts.sum(2)))
    assert ends.min() >= -1e-4 and (ends.max(0) <= np.stack((lengths, np.full(4000, 96)), 1) + 1e-3).all()
    extent = np.abs(parts[..., 1])
    whole = (extent[:, 0] == lengths) & (extent[:, 1] == 96)
    assert 0.31 < whole.mean() < 0.4  # a few parts of small pictures are all of them
    assert extent[~whole].min() > 0.6 * 96 * np.exp(-0.25) - 1
    sides = np.stack((lengths, np.full(4000, 96)), 1)
    assert np.allclose(np.abs(random_parts(lengths, 96, upright, 1.0, rng)[..., 1]), sides)
    horizontal = np.where(upright, parts[:, 1, 1], parts[:, 0, 1])
    vertical = np.where(upright, parts[:, 0, 1], parts[:, 1, 1])
    assert 0.47 < (horizontal < 0).mean() < 0.53 and vertical.min() > 0


def test_small_pictures_are_enlarged_and_long_ones_keep_their_middle():
    wide = np.zeros((96, 500, 3), np.uint8)
    wide[:, 240:260] = 255
    store = stored([photograph(0, 64, 80), wide])
    assert store.lengths.tolist() == [120, round(96 * LONGEST)]
    lines = store.take(np.array([1]), CPU)[0].float().mean((1, 2))
    assert lines.argmax() == len(lines) // 2 - 10 and lines.sum() == 20 * 255


def test_lab_is_that_of_color_lab():
    rgb = np.random.default_rng(0).random((2, 9, 7, 3))
    rgb[0, 0, :4] = np.array([0, 0.001, 0.04045, 1])[:, None]
    light, ab = lab.srgb_to_lab(torch.from_numpy(rgb.transpose(0, 3, 1, 2)))
    expected = srgb_to_lab(rgb)
    # The pieces of sRGB's curve miss each other by 2e-9 of linear light; here they are joined without a step.
    np.testing.assert_allclose(light.numpy(), expected[..., 0], atol=5e-6)
    np.testing.assert_allclose(ab.permute(0, 2, 3, 1).numpy(), expected[..., 1:], atol=5e-6)
    single, _ = lab.srgb_to_lab(torch.from_numpy(rgb.transpose(0, 3, 1, 2).astype(np.float32)))
    np.testing.assert_allclose(single.numpy(), expected[..., 0], atol=1e-4)


def test_lab_comes_back_as_srgb_and_what_does_not_fit_is_cut_but_for_a_fifth():
    rgb = np.random.default_rng(0).random((2, 9, 7, 3))
    light, ab = lab.srgb_to_lab(torch.from_numpy(rgb.transpose(0, 3, 1, 2)))
    back = lab.lab_to_srgb(light[:, None], ab)
    np.testing.assert_allclose(back.permute(0, 2, 3, 1).numpy(), rgb, atol=1e-6)
    red = lab.lab_to_srgb(torch.tensor([[[[50.0]]]]), torch.tensor([[[[140.0]], [[60.0]]]]))[0, :, 0, 0]
    assert 1 < red[0] < 1.2 and -0.1 < red[1:].min() < 0
