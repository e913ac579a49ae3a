"""What `obtain` builds and when, with a builder that is only pretended."""

import pytest

from vidcolor.backends import engine_cache, engine_supply
from vidcolor.backends.engine_supply import Order, obtain
from vidcolor.backends.profiles import Profile
from vidcolor.backends.trt_library import Library
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights

PROFILE = Profile("test", "fp16", (2, 8, 32), "any", 3, 0, True)


@pytest.fixture
def order():
    weights = Weights(None, "ab" * 32, {"model": "lite"})
    return Order(Library("tensorrt", None, "11"), find_spec("lite"), weights, PROFILE, 144, 192)


@pytest.fixture
def built(monkeypatch):
    """The batches of every profile that an engine was built for."""
    batches = []

    def make(order, folder):
        batches.append(order.profile.batch)
        return b"engine %d" % len(batches), order.key(), {}

    monkeypatch.setattr(engine_supply, "make", make)
    return batches


@pytest.mark.parametrize(
    ("count", "batch"),
    [(1, (1, 1, 32)), (2, (2, 8, 32)), (5, (2, 8, 32)), (32, (2, 8, 32)), (128, (2, 128, 128))],
)
def test_an_engine_takes_and_is_tuned_for_the_batches_it_is_built_for(order, built, tmp_path, count, batch):
    obtain(order, count, print, tmp_path)
    assert built == [batch]
    assert engine_cache.find(tmp_path, order.key(), count, 144, 192).key.shapes.usual[0] == batch[1]


@pytest.mark.parametrize("when", ["looked for", "checked", "read"])
def test_an_engine_that_is_removed_meanwhile_is_built_again(order, built, tmp_path, monkeypatch, when):
    """`vidcolor engines --prune` in another process."""
    obtain(order, 4, print, tmp_path)
    find, check, said = engine_cache.find, engine_cache.Engine.check, []

    def prune():
        for path in tmp_path.glob("*.engine"):
            path.unlink()

    def found(*arguments):
        if when == "looked for":
            raise FileNotFoundError(2, "No such file or directory", "lite.engine")  # from its stat()
        engine = find(*arguments)
        if when == "checked":
            prune()
        return engine

    def checked(engine):
        check(engine)
        prune()

    monkeypatch.setattr(engine_cache, "find", found)
    monkeypatch.setattr(engine_cache.Engine, "check", checked if when == "read" else check)
    assert obtain(order, 4, said.append, tmp_path) == b"engine 2"
    assert len(said) == 1 and "No such file" in said[0] and "building it again" in said[0]
