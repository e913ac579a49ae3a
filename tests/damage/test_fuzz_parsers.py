"""Our own small files, with anything in them: a card, a sidecar, a table of options. Whatever it is, one clear error."""

import dataclasses
import hashlib
import json
import math
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vidcolor.backends import engine_cache
from vidcolor.backends.profiles import Profile, Shapes, load_profiles
from vidcolor.errors import BackendError, ModelError, UsageError, VidcolorError
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights, find_weights
from vidcolor.training.options import TrainOptions, make_options, read_toml, to_toml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
NETWORK = b"any bytes"
QUICK = settings(max_examples=150, deadline=None)


def bent(whole):
    """Copies of a JSON object with some values, at any depth, replaced, removed or added."""

    @st.composite
    def bend(draw):
        copy = json.loads(json.dumps(whole))
        for _ in range(draw(st.integers(0, 3))):
            place = copy
            while isinstance(place, dict) and place:
                key = draw(st.sampled_from(sorted(place)))
                if not isinstance(place[key], dict) or draw(st.booleans()):
                    break
                place = place[key]
            else:
                key = "new"
            if draw(st.booleans()):
                place[key] = draw(ANY_JSON)
            else:
                place.pop(key, None)
        return copy

    return bend()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A function that writes a file, each into a folder of its own."""
    base = tmp_path_factory.mktemp("written")

    def write(name, text):
        path = Path(tempfile.mkdtemp(dir=base)) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
        return path

    return write


CARD = {"model": "lite", "sha256": hashlib.sha256(NETWORK).hexdigest(), "metrics": {"gain": 1.5}}
ENDLESS = "[" * 100_000


@QUICK
@given(st.binary(max_size=200) | st.text(max_size=200) | ANY_JSON.map(json.dumps) | bent(CARD).map(json.dumps))
@example(json.dumps(CARD))
@example(json.dumps({**CARD, "model": None}))
@example(json.dumps({**CARD, "model": "resnet38"}))
@example(ENDLESS)
def test_a_card_of_weights_is_right_or_refused(written, text):
    network = written("lite.onnx", NETWORK)
    card = network.with_suffix(".json")
    card.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    try:
        found = find_weights(find_spec("lite"), network)
    except (ModelError, UsageError) as error:
        assert error.why and "--model None" not in str(error)
    else:
        assert isinstance(found, Weights) and isinstance(found.card, dict)
        assert json.loads(text)["sha256"] == found.hash == CARD["sha256"]


SHAPES = Shapes((1, 144, 144), (8, 144, 192), (32, 144, 352))
KEY = engine_cache.EngineKey(
    "lite", "0" * 64, 1, "fp16", "tensorrt", "10.3", "GPU", "9.0", SHAPES, (("optimization_level", 3), ("tf32", False))
)


@pytest.fixture(scope="module")
def engine_card(tmp_path_factory):
    engine = engine_cache.store(tmp_path_factory.mktemp("engine"), KEY, b"an engine", {"seconds": 2.5})
    return engine.path.name, json.loads(engine_cache.card_of(engine.path).read_text())


@QUICK
@given(data=st.data())
def test_a_card_of_an_engine_is_right_or_refused(written, engine_card, data):
    name, whole = engine_card
    card = data.draw(
        st.binary(max_size=200) | ANY_JSON.map(json.dumps) | bent(whole).map(json.dumps) | st.just(ENDLESS)
    )
    path = written(name, b"an engine")
    engine_cache.card_of(path).write_bytes(card if isinstance(card, bytes) else card.encode())
    (engine,) = engine_cache.engines(path.parent)
    try:
        engine.check()
    except BackendError as error:
        assert error.why
        assert engine_cache.stale(engine, {}, 1)
    else:
        assert engine.key == KEY and json.loads(card)["sha256"] == hashlib.sha256(b"an engine").hexdigest()
    found = engine_cache.find(path.parent, KEY, 8, 144, 192)
    assert found is None or found.key.serves(KEY)
    engine_cache.nearest(path.parent, KEY)


NAMES = st.text(string.ascii_letters + "-_", min_size=1, max_size=10)
FIELDS = [field.name for field in dataclasses.fields(Profile)] + ["other"]


def toml(tables):
    """Values as TOML: JSON's form but for null, and numbers that are none."""

    def value(v):
        if isinstance(v, float) and not math.isfinite(v):
            return repr(v)
        if isinstance(v, list):
            return "[" + ", ".join(map(value, v)) + "]"
        return json.dumps(v if v is not None else "", ensure_ascii=False)

    rows = lambda table: "".join(f"{k} = {value(v)}\n" for k, v in table.items())
    return "".join(f"[{name}]\n{rows(table)}" for name, table in tables.items())


PLAIN = (
    SCALARS
    | st.lists(st.integers(-3, 99) | st.text(max_size=3), max_size=4)
    | st.sampled_from(["fp16", "any", [1, 8, 32], 3, True])
)


@QUICK
@given(
    st.binary(max_size=200)
    | st.dictionaries(NAMES, st.dictionaries(st.sampled_from(FIELDS), PLAIN), max_size=3).map(toml)
)
@example(
    '[p]\nprecision = "fp16"\nbatch = [1, "a", 3]\nshapes = "any"\noptimization_level = 3\nworkspace_mib = 1\ntf32 = true\n'
)
@example(
    '[p]\nprecision = "fp16"\nbatch = [1, 2, 3]\nshapes = "any"\noptimization_level = "x"\nworkspace_mib = "y"\ntf32 = 5\n'
)
@example("p = " + ENDLESS)
def test_profiles_are_right_or_refused(written, text):
    try:
        profiles = load_profiles(written("profiles.toml", text))
    except UsageError as error:
        assert error.why
    else:
        for profile in profiles.values():
            least, usual, most = profile.batch
            assert 1 <= least <= usual <= most and 0 <= profile.optimization_level <= 5
            assert type(profile.workspace_mib) is int and profile.workspace_mib >= 0 and type(profile.tf32) is bool


OPTIONS = [field.name for field in dataclasses.fields(TrainOptions)]


@QUICK
@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from([*OPTIONS, "other"]), PLAIN, max_size=6).map(lambda t: toml({"": t})[3:])
)
@example('data = [["nested"]]\n')
@example("data = 5\n")
@example('rate = nan\ndata = "x"\nvalidation = "y"\n')
@example("data = " + ENDLESS)
def test_training_options_are_right_or_refused(written, text):
    try:
        options = make_options(read_toml(written("options.toml", text)), {"data": ("a",), "validation": ("b",)})
    except VidcolorError as error:
        assert error.what
    else:
        assert options.steps >= 1 and options.batch >= 1 and math.isfinite(options.rate)
        again = make_options(read_toml(written("again.toml", to_toml(options))))
        same = dataclasses.replace(again, data=options.data, validation=options.validation)
        assert same == options
