"""Backends that want batches: the film is the same, however its frames are grouped."""

import numpy as np
import pytest
from rehearsal import RehearsalDevice

from vidcolor.api import colorize_video
from vidcolor.backends.choose import open_backend
from vidcolor.backends.runner import Runner
from vidcolor.config import RunOptions
from vidcolor.film import run


@pytest.fixture
def batched(monkeypatch):
    """Make runs use batches of `batch`, computed picture by picture by the usual backend."""

    def use(batch, **limits):
        seen, said = [], []

        def opened(name, weights, width, height, threads, *_):
            plain = open_backend("openvino", weights, width, height, 1)

            def network(lightness):
                seen.append(len(lightness))
                return np.concatenate([plain.start(np.ascontiguousarray(light[None]))() for light in lightness])

            return Runner(RehearsalDevice(network, height, width, **limits), batch, slots=1, say=said.append)

        monkeypatch.setattr(run, "open_backend", opened)
        return seen, said

    return use


def coloured(samples, path):
    colorize_video(samples / "vfr10.mkv", path, RunOptions(codec="ffv1"))
    return path.read_bytes()


def test_the_film_does_not_depend_on_the_grouping(samples, tmp_path, batched):
    batched(1)
    one = coloured(samples, tmp_path / "one.mkv")
    seen, _ = batched(7)
    assert coloured(samples, tmp_path / "seven.mkv") == one
    assert 7 in seen and seen.count(7) >= 2


def test_memory_that_runs_out_in_the_middle_loses_no_frame(samples, tmp_path, batched):
    batched(1)
    one = coloured(samples, tmp_path / "one.mkv")
    _, said = batched(8, room=5)
    assert coloured(samples, tmp_path / "less.mkv") == one
    assert said == ["rehearsal device is out of memory at batches of 8; going on with batches of 4"]
