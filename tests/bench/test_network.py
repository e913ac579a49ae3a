"""The bench measures what it says, says what it could not measure, and judges by the figures."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from rehearsal import RehearsalDevice

from vidcolor.backends.runner import Runner
from vidcolor.bench import agreement, network, subject
from vidcolor.bench.agreement import compare
from vidcolor.bench.ceiling import openvino_ceiling
from vidcolor.bench.network import PAPER, Timing, Variant, bench, light, measure, time_backend
from vidcolor.bench.words import network_tables, verdict
from vidcolor.errors import BackendError, ModelError, UsageError
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights


def timing(rate, **other):
    facts = {"backend": "b", "device": "Some CPU", "precision": "fp32", "version": "1", "batch": 1, "repeats": 9}
    figures = {"median_ms": 1.0, "p95_ms": 2.0, "tflops": 0.5, "ceiling_tflops": 2.0, "memory_mb": 7.0}
    return Timing(frames_per_second=rate, **{**facts, **figures, **other})


def rehearsal(batch, network=lambda x: np.concatenate([x, x], 1)):
    return Runner(RehearsalDevice(network, 16, 16), batch)


def test_every_picture_of_every_timed_batch_is_computed():
    computed = []
    backend = rehearsal(2, lambda x: computed.append(len(x)) or np.concatenate([x, x], 1))
    computed.clear()
    timed, seconds, stretches = time_backend(backend, light(4, 16, 16), 2, 10)
    assert timed == 10 and computed == [2] * (10 + backend.slots)
    assert seconds > 0 and len(stretches) == 10 - backend.slots + 1 and min(stretches) >= 0


def test_a_slow_machine_is_not_kept_for_long():
    timed, _, _ = time_backend(backend := rehearsal(1), light(4, 16, 16), 1, 10**6, limit=0)
    assert timed == 2 * backend.slots - 1


class Workers:
    """A backend that computes as many batches beside each other as it has workers, each in a twentieth of a second."""

    def __init__(self, workers):
        self.slots, self._pool = workers + 1, ThreadPoolExecutor(workers)

    def start(self, _lightness):
        return self._pool.submit(time.sleep, 0.05).result


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("repeats", [1, 3, 8])
def test_few_repeats_give_no_speed_that_cannot_be(workers, repeats):
    _, seconds, _ = time_backend(Workers(workers), light(1, 16, 16), 1, repeats)
    assert seconds > 0.85 * 0.05 / workers


def test_rates_and_operations_are_those_of_the_time_that_passed(monkeypatch):
    """resnet38 takes 206 GFLOP a picture of 144×144 (docs/papers.md); here, 4 of twice that size in half a second."""
    monkeypatch.setattr(network, "time_backend", lambda *_: (5, 0.5, [0.3, 0.5, 0.4]))
    row = measure(Variant("rehearsal", "", rehearsal), find_spec("resnet38"), 144, 288, 4, 9)
    assert (row.batch, row.repeats, row.frames_per_second) == (4, 5, 8)
    assert row.tflops == pytest.approx(8 * 2 * 0.206, rel=0.005)
    assert (row.median_ms, row.p95_ms) == (pytest.approx(100), pytest.approx(122.5))


def test_the_verdict_is_that_of_the_fastest_row():
    text = verdict([timing(3.0), timing(29.0)])
    assert "real time at 24, 25 fps, not at 30, 60" in text and "29.0 frames/s" in text and "Some CPU" in text
    assert "not real time at any rate" in verdict([timing(10.0)])
    assert "real time at 24, 25, 30, 60 fps:" in verdict([timing(100.0)])


def test_the_papers_rows_stand_beside_ours():
    header, rows, _ = network_tables([timing(29.0), timing(1.0, ceiling_tflops=None)])
    assert all(len(row) == len(header) for row in rows)
    assert [row[2] for row in rows[2:]] == ["8.0", "5.0", "3.0", "15.0"] and dict(PAPER)["DeOldify"] == 3
    assert "25% of 2" in rows[0] and "not measured" in rows[1]


def test_a_share_that_cannot_be_is_explained():
    whole, more = timing(29.0, ceiling_tflops=29.0), timing(29.0, ceiling_tflops=0.001)
    assert "disturbed" not in network_tables([whole])[2] and "disturbed" in network_tables([more])[2]


def test_what_cannot_be_used_here_is_said_and_refused_by_name(monkeypatch):
    monkeypatch.setattr(
        network, "obstacle", lambda name: None if name == "openvino" else ("it is not there", "Install it.")
    )
    weights, said = find_weights(find_spec("lite"), None), []
    assert {v.backend for v in network.variants("all", weights, 64, 64, said.append)} == {"openvino"}
    assert len(said) == 3 and all("not there" in text for text in said)
    with pytest.raises(UsageError, match="not there. Install it"):
        network.variants("tensorrt", weights, 64, 64, said.append)
    with pytest.raises(UsageError, match="tensorrt-rtx"):
        network.variants("abacus", weights, 64, 64, said.append)


ACCIDENTS = [
    (BackendError("it broke", "for a reason"), "it broke: for a reason"),
    (RuntimeError("CUDA error: device-side assert\nmore"), "RuntimeError: CUDA error: device-side assert"),
    (TypeError(""), "TypeError: no reason given"),
    (ModuleNotFoundError("No module named 'cuda'", name="cuda"), "cuda is not installed"),
]


@pytest.mark.parametrize(("error", "words"), ACCIDENTS)
def test_one_backend_that_fails_does_not_stop_the_others(monkeypatch, error, words):
    def broken(batch):
        raise error

    monkeypatch.setattr(network, "variants", lambda *_: [Variant("x", "", broken), Variant("y", "", rehearsal)])
    said = []
    rows = list(bench(find_spec("lite"), None, 16, "all", [1], 2, said.append))
    assert [row.backend for row in rows] == ["rehearsal"] and said == [f"x , batch 1: not measured, {words}"]


@pytest.mark.parametrize(("error", "words"), ACCIDENTS)
def test_one_that_cannot_be_compared_does_not_stop_the_others(monkeypatch, error, words):
    def broken(batch):
        raise error

    lite, said = find_weights(find_spec("lite"), None), []
    rehearsed = Variant("y", "", lambda batch: rehearsal(batch, lambda x: np.zeros((len(x), 2, 8, 8), np.float32)))
    monkeypatch.setattr(agreement, "variants", lambda *_: [Variant("x", "fp16", broken), rehearsed])
    rows = list(agreement.check(find_spec("lite"), lite, 16, "tensorrt", said.append))
    assert [row.backend for row in rows] == ["rehearsal"] and f"x fp16: not compared, {words}" in said


def test_memory_is_given_back_whatever_happens(monkeypatch):
    opened = []

    class Failing(Runner):
        def start(self, lightness):
            raise RuntimeError("CUDA error")

    def failing(batch):
        opened.append(Failing(RehearsalDevice(lambda x: np.concatenate([x, x], 1), 16, 16), batch))
        return opened[-1]

    monkeypatch.setattr(network, "variants", lambda *_: [Variant("x", "", failing)])
    assert not list(bench(find_spec("lite"), None, 16, "all", [1], 2, lambda text: None))
    assert [backend.memory() for backend in opened] == [0]


def test_random_weights_are_declared_and_need_torch(monkeypatch):
    spec = find_spec("resnet38-published")
    with subject.subject(find_spec("lite"), None) as (weights, random):
        assert not random and weights.card["model"] == "lite"
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"no trained weights.*torch.*vidcolor\[train\]"), subject.subject(spec, None):
        pass


def test_random_weights_are_the_same_every_time():
    pytest.importorskip("torch")
    hashes = []
    for _ in range(2):
        with subject.subject(find_spec("resnet38-published"), None) as (weights, random):
            hashes.append(weights.hash)
            assert random and weights.path.exists()
    assert hashes[0] == hashes[1] and not weights.path.exists()


def test_agreement_sees_a_difference_in_colour():
    pictures = light(2, 16, 16)
    ab = np.full((2, 2, 8, 8), 10, np.float32)
    same, near, far = (compare("b", "fp16", pictures, ab + delta, ab) for delta in (0, 0.1, 5))
    assert same.psnr == float("inf") and same.holds
    assert near.largest == pytest.approx(0.1, abs=1e-5) and near.holds
    assert far.psnr < near.psnr and not far.holds


def test_a_ceiling_is_a_positive_rate():
    assert 0 < openvino_ceiling("fp32", 1) < 1000


def test_bench_prints_one_json_object():
    command = [
        sys.executable,
        "-m",
        "vidcolor",
        "bench",
        "--res",
        "32",
        "--backend",
        "openvino",
        "--repeats",
        "3",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["model"] == "lite" and result["random_weights"] is False
    assert {"frames_per_second", "median_ms", "p95_ms", "tflops", "share_of_ceiling", "real_time"} <= set(
        result["rows"][0]
    )


def test_bench_check_compares_with_float32():
    command = [sys.executable, "-m", "vidcolor", "bench", "--check", "--res", "64", "--backend", "openvino", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["rows"]
    assert rows[0]["precision"] == "fp32" and rows[0]["psnr_db"] > 60 and all(row["holds"] for row in rows)


def test_bench_says_the_size_that_it_measures():
    """`lite` takes sides that are multiples of 16."""
    command = [sys.executable, "-m", "vidcolor", "bench", "--backend", "openvino", "--res", "40"]
    timed, compared = (
        subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout
        for more in (["--repeats", "1"], ["--check"])
    )
    assert timed.startswith(f"lite at 48×48, {find_spec('lite').gflop_144 / 9:.3g} GFLOP")
    assert compared.startswith("lite at 48×48 against")
