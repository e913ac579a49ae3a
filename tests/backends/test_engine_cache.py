"""Engine files: named by all that changes them, whole or not there, never used when they are not what they say."""

import dataclasses
import errno
import importlib.metadata
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from vidcolor import files
from vidcolor.backends import engine_cache as cache
from vidcolor.backends import profiles
from vidcolor.backends.engine_cache import EngineKey, EngineUnusable
from vidcolor.backends.profiles import Profile, Shapes, find_profile, load_profiles, shapes_for
from vidcolor.errors import BackendError, UsageError

SHAPES = Shapes((1, 144, 144), (8, 144, 192), (32, 352, 352))
KEY = EngineKey(
    model="lite",
    weights="ab" * 32,
    recipe=1,
    precision="fp16",
    library="tensorrt",
    library_version="11.4",
    gpu="Test GPU",
    capability="9.0",
    shapes=SHAPES,
    builder=(("optimization_level", 3), ("tf32", True)),
    calibration="01" * 32,
)
OTHER = {
    "model": "resnet38",
    "weights": "cd" * 32,
    "recipe": 2,
    "precision": "fp32",
    "library": "tensorrt-rtx",
    "library_version": "11.5",
    "gpu": "Other GPU",
    "capability": "8.9",
    "shapes": Shapes((1, 144, 144), (4, 144, 192), (32, 352, 352)),
    "builder": (("optimization_level", 5), ("tf32", True)),
    "calibration": "ef" * 32,
}
DATA = bytes(range(256)) * 100


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EngineKey)])
def test_every_field_gives_another_name_and_is_named_when_it_differs(field):
    other = dataclasses.replace(KEY, **{field: OTHER[field]})
    assert other.stem() != KEY.stem()
    (difference,) = KEY.differences(other)
    assert difference.startswith(f"{field} is ")


def test_what_is_stored_is_found_again_whole(tmp_path):
    cache.store(tmp_path, KEY, DATA, {"seconds": 1.5})
    engine = cache.find(tmp_path, KEY, 8, 144, 192)
    engine.check()
    assert engine.key == KEY and engine.path.read_bytes() == DATA and engine.report["seconds"] == 1.5
    assert KEY.stem() in engine.path.name and "lite" in engine.path.name and "sm90" in engine.path.name


def test_an_engine_serves_only_the_shapes_it_takes(tmp_path):
    cache.store(tmp_path, KEY, DATA, {})
    assert cache.find(tmp_path, KEY, 33, 144, 192) is None
    assert cache.find(tmp_path, KEY, 8, 128, 192) is None
    assert cache.find(tmp_path, KEY, 1, 352, 352) is not None


@pytest.mark.parametrize("field", sorted(set(OTHER) - {"shapes", "builder"}))
def test_an_engine_for_something_else_never_serves(tmp_path, field):
    cache.store(tmp_path, dataclasses.replace(KEY, **{field: OTHER[field]}), DATA, {})
    assert cache.find(tmp_path, KEY, 8, 144, 192) is None
    if field != "model":
        assert any(difference.startswith(f"{field} is") for difference in cache.nearest(tmp_path, KEY))


@pytest.mark.parametrize(
    ("capability", "runs"),
    [("7.5", False), ("8.6", True), ("8.9", True), ("9.0", False), ("12.0", True), ("12.1", True)],
)
def test_an_engine_built_without_a_gpu_serves_those_that_run_it_but_their_own_go_before(tmp_path, capability, runs):
    rtx = dataclasses.replace(KEY, library="tensorrt-rtx", gpu="RTX", capability=capability)
    cache.store(
        tmp_path, dataclasses.replace(rtx, gpu="any", capability="any", builder=(("target", "portable"),)), DATA, {}
    )
    found = cache.find(tmp_path, rtx, 8, 144, 192)
    assert (found is not None and found.key.gpu == "any") is runs
    cache.store(tmp_path, dataclasses.replace(rtx, builder=()), DATA, {})
    assert cache.find(tmp_path, rtx, 8, 144, 192).key.gpu == "RTX"


def test_of_several_the_one_tuned_for_the_size_is_taken(tmp_path):
    exact = dataclasses.replace(KEY, shapes=Shapes((1, 144, 192), (8, 144, 192), (32, 144, 192)))
    wide = dataclasses.replace(KEY, shapes=dataclasses.replace(SHAPES, usual=(4, 144, 192)))
    for key in (wide, exact):
        cache.store(tmp_path, key, DATA, {})
    wanted = dataclasses.replace(KEY, builder=())
    assert cache.find(tmp_path, wanted, 8, 144, 192).key == exact
    assert cache.find(tmp_path, wanted, 8, 144, 256).key == wide


def damaged(tmp_path, what):
    engine = cache.store(tmp_path, KEY, DATA, {})
    what(engine.path)
    return next(iter(cache.engines(tmp_path)))


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda p: p.write_bytes(DATA[:-1]), "cut short"),
        (lambda p: p.write_bytes(b""), "cut short"),
        (lambda p: p.write_bytes(b"X" + DATA[1:]), "damaged"),
        (lambda p: cache.card_of(p).unlink(), "no card"),
        (lambda p: cache.card_of(p).write_text("{"), "no card"),
        (lambda p: cache.card_of(p).write_text(cache.card_of(p).read_text().replace("fp16", "fp32")), "another's"),
    ],
)
def test_a_damaged_engine_is_refused_and_the_reason_said(tmp_path, what, why):
    engine = damaged(tmp_path, what)
    with pytest.raises(EngineUnusable, match=why):
        engine.check()
    assert cache.stale(engine, {}, 1)


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path, monkeypatch):
    def full(self, data):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BackendError, match="disk is full.*prune"):
        cache.store(tmp_path, KEY, DATA, {})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_between_engine_and_card_leaves_nothing(tmp_path, monkeypatch):
    whole = files.write_whole

    def card_fails(path, data):
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, data)

    monkeypatch.setattr(cache, "write_whole", card_fails)
    with pytest.raises(BackendError, match="disk is full"):
        cache.store(tmp_path, KEY, DATA, {})
    assert list(tmp_path.iterdir()) == []


def test_a_new_engine_never_stands_beside_an_old_card(tmp_path, monkeypatch):
    cache.store(tmp_path, KEY, DATA, {})

    def interrupted(path, data):
        path.write_bytes(data)
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.store(tmp_path, KEY, b"another", {})
    with pytest.raises(EngineUnusable):
        next(iter(cache.engines(tmp_path))).check()


def test_engines_of_other_versions_and_recipes_are_stale(tmp_path):
    engine = cache.store(tmp_path, KEY, DATA, {})
    assert cache.stale(engine, {"tensorrt": "11.4"}, 1) == ""
    assert cache.stale(engine, {}, 1) == ""  # the library is not installed now: it may be again
    assert "11.5" in cache.stale(engine, {"tensorrt": "11.5"}, 1)
    assert "recipe" in cache.stale(engine, {"tensorrt": "11.4"}, 2)


def test_removing_an_engine_removes_its_card(tmp_path):
    engine = cache.store(tmp_path, KEY, DATA, {})
    assert cache.remove(engine) > len(DATA)
    assert list(tmp_path.iterdir()) == [] and cache.remove(engine) == 0


def test_the_card_is_readable_by_others(tmp_path):
    engine = cache.store(tmp_path, KEY, DATA, {"layers": 3})
    card = json.loads(cache.card_of(engine.path).read_text())
    assert card["key"]["gpu"] == "Test GPU" and card["bytes"] == len(DATA) and card["layers"] == 3


def test_profiles_are_found_where_pip_puts_them_for_a_target(tmp_path, monkeypatch):
    there = tmp_path / "share" / "vidcolor" / "profiles.toml"
    there.parent.mkdir(parents=True)
    there.write_bytes(profiles.profiles_file().read_bytes())
    elsewhere = SimpleNamespace(name="profiles.toml", locate=lambda: tmp_path / "../../share/vidcolor/profiles.toml")
    monkeypatch.setattr(profiles, "CHECKOUT", tmp_path / "engines")
    monkeypatch.setattr(importlib.metadata, "files", lambda package: [elsewhere])
    assert profiles.profiles_file() == there and "default" in load_profiles()


def test_shipped_profiles_can_be_used():
    profiles = load_profiles()
    assert "default" in profiles and len(profiles) >= 2
    with pytest.raises(UsageError, match="default"):
        find_profile("abacus")


@pytest.mark.parametrize(
    "line", ['precision = "fp7"', "batch = [8, 1, 32]", 'shapes = "round"', "optimization_level = 9", "speed = 3"]
)
def test_a_profile_that_cannot_be_meant_is_refused(tmp_path, line):
    text = '[mine]\nprecision = "fp16"\nbatch = [1, 2, 4]\nshapes = "any"\noptimization_level = 3\nworkspace_mib = 0\ntf32 = true\n'
    path = tmp_path / "profiles.toml"
    path.write_text(text)
    assert load_profiles(path)["mine"].batch == (1, 2, 4)
    name = line.split(" ")[0]
    path.write_text("".join(l for l in text.splitlines(True) if not l.startswith(f"{name} ")) + line + "\n")
    with pytest.raises(UsageError):
        load_profiles(path)


def test_the_shapes_of_any_admit_every_film(tmp_path):
    profile = Profile("p", "fp16", (1, 8, 32), "any", 3, 0, True)
    for stride in (1, 16):
        shapes = shapes_for(profile, 144, 192, stride)
        assert all(side % stride == 0 for shape in (shapes.least, shapes.usual, shapes.most) for side in shape[1:])
        for height, width in ((144, 144), (144, 192), (144, 256), (144, 336), (256, 144)):
            assert shapes.admit(1, height, width) and shapes.admit(32, height, width)
        for height, width in ((144, 400), (144, 576), (576, 144)):  # wider than CinemaScope
            assert shapes_for(profile, height, width, stride).admit(8, height, width)
        for height, width in ((144, 400), (144, 576), (576, 144)):  # wider than CinemaScope
            assert shapes_for(profile, height, width, stride).admit(8, height, width)
    exact = shapes_for(dataclasses.replace(profile, shapes="exact"), 144, 192, 16)
    assert exact.admit(8, 144, 192) and not exact.admit(8, 144, 208) and exact.spread() == 0
