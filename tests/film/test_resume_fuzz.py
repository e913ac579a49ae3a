"""Whatever becomes of the journal and the plan on disk, a run goes on: at worst, chunks are made again."""

import hashlib
import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidcolor.config import RunOptions
from vidcolor.film.journal import ChunkRecord, Journal, parse_line, to_line
from vidcolor.film.plan import make_plan
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe

AMOUNTS = [100, pytest.param(10_000, marks=pytest.mark.long)]

edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat", "swap lines"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 40),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def damaged(data, changes):
    """`data` after changes, each at a place that is a fraction of its length."""
    for kind, place, length, new in changes:
        at = int(place * len(data))
        if kind == "flip":
            data = data[:at] + bytes(b ^ new[0] for b in data[at : at + 1]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + length :]
        elif kind == "insert":
            data = data[:at] + new + data[at:]
        elif kind == "repeat":
            data = data[:at] + data[at : at + length] * 2 + data[at + length :]
        else:
            lines = data.split(b"\n")
            lines[0], lines[at % len(lines)] = lines[at % len(lines)], lines[0]
            data = b"\n".join(lines)
    return data


def fuzzed(amount):
    return settings(max_examples=amount, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder with four finished chunks."""
    folder = tmp_path_factory.mktemp("work")
    journal = Journal(folder)
    for index in range(4):
        name = f"chunk-{index:06}.mp4"
        size = f"{64 + 16 * index}x48"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=s={size}", "-frames:v", "3", folder / name],
            check=True,
        )
        hashed = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        journal.add(ChunkRecord(index, name, 3, 3 * index, 3 * index + 3, hashed, ((7, "damaged"),), (3 * index,)))
    return folder


@pytest.fixture(scope="module")
def plan(samples):
    info = probe(samples / "vfr10.mkv")
    encoding = choose_encoding(info)
    return make_plan(encoding.prepare(info), RunOptions(), encoding, 2)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_a_damaged_journal_loses_chunks_but_invents_none(work, amount):
    whole = Journal(work)
    path, good = whole.path, whole.path.read_bytes()

    @fuzzed(amount)
    @given(edits)
    def check(changes):
        path.write_bytes(damaged(good, changes))
        found = Journal(work)
        assert found.done.items() <= whole.done.items()
        for record in whole.done.values():
            if record.index not in found.done:
                found.add(record)
        assert Journal(work).done == whole.done

    try:
        check()
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_line_is_a_chunk_or_none(amount):
    fields = st.dictionaries(st.sampled_from([*ChunkRecord.__dataclass_fields__, "other"]), values)
    numbers, texts = st.integers(), st.text(max_size=20)
    names = st.sampled_from(
        ["chunk-000001.mp4", "chunk-123456.mov", "../chunk-000001.mp4", "/chunk-000001.mp4", ".", "", "\0"]
    )
    likely = st.builds(
        ChunkRecord, numbers, names, numbers, numbers, numbers, texts,
        st.tuples(st.tuples(st.none() | numbers, texts)), st.tuples(numbers),
    )  # fmt: skip

    @fuzzed(amount)
    @given(st.binary(), values, fields, likely)
    def check(raw, value, record, chunk):
        assert parse_line(raw) is None
        sound = chunk.index >= 0 and chunk.file.startswith("chunk")
        assert parse_line(to_line(chunk)[:-1]) == (chunk if sound else None)
        for content in (value, record):
            text = json.dumps(content).encode()
            found = parse_line(hashlib.sha256(text).hexdigest()[:16].encode() + b" " + text)
            assert found is None or parse_line(to_line(found)[:-1]) == found

    check()


@pytest.mark.parametrize("amount", AMOUNTS)
def test_any_other_plan_differs_in_words(plan, amount):
    good = plan.to_json().encode()

    @fuzzed(amount)
    @given(edits, values, st.binary())
    def check(changes, value, raw):
        for other in (damaged(good, changes), json.dumps(value).encode(), raw):
            phrases = plan.differences(other)
            assert phrases or json.loads(other) == json.loads(good)
            assert all(isinstance(phrase, str) and phrase for phrase in phrases)

    check()


def test_nesting_without_end_is_no_plan_and_no_chunk(plan):
    deep = b"[" * 100_000
    assert plan.differences(deep) == ["its plan cannot be read"]
    assert plan.differences(b'{"fingerprint":' + b'{"a":' * 900 + b"0" + b"}" * 901)
    assert parse_line(hashlib.sha256(deep).hexdigest()[:16].encode() + b" " + deep) is None
