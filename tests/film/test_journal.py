"""A journal neither loses nor invents a finished chunk."""

import hashlib

import pytest

from vidcolor.film.journal import ChunkRecord, Journal


def record(folder, index, data=b"chunk"):
    name = f"chunk-{index:06}.mp4"
    (folder / name).write_bytes(data)
    return ChunkRecord(index, name, 3, 0, 3, hashlib.sha256(data).hexdigest(), ((7, "damaged"), (None, "lost")), (0, 2))


def test_records_are_read_back_as_they_were_written(tmp_path):
    journal = Journal(tmp_path)
    written = {i: record(tmp_path, i) for i in (0, 1, 5)}
    for each in written.values():
        journal.add(each)
    assert Journal(tmp_path).done == written == journal.done


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_costs_only_its_own_chunk(tmp_path, cut):
    journal = Journal(tmp_path)
    journal.add(record(tmp_path, 0))
    journal.add(record(tmp_path, 1))
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-cut])
    torn = Journal(tmp_path)
    assert set(torn.done) == ({0, 1} if cut == 1 else {0})
    torn.add(record(tmp_path, 2))
    assert set(Journal(tmp_path).done) == ({0, 1, 2} if cut == 1 else {0, 2})


def test_a_chunk_whose_file_changed_or_went_is_not_done(tmp_path):
    journal = Journal(tmp_path)
    for index in range(3):
        journal.add(record(tmp_path, index))
    (tmp_path / "chunk-000000.mp4").write_bytes(b"other")
    (tmp_path / "chunk-000001.mp4").unlink()
    assert set(Journal(tmp_path).done) == {2}


def test_a_record_cannot_name_a_file_outside_its_folder(tmp_path):
    inside, outside = tmp_path / "work", tmp_path / "chunk-000000.mp4"
    inside.mkdir()
    outside.write_bytes(b"chunk")
    hashed = hashlib.sha256(b"chunk").hexdigest()
    for name in ("../chunk-000000.mp4", str(outside)):
        Journal(inside).add(ChunkRecord(0, name, 1, 0, 1, hashed, ()))
        assert not Journal(inside).done
    (inside / "chunk-000000.mp4").symlink_to(outside)
    Journal(inside).add(ChunkRecord(0, "chunk-000000.mp4", 1, 0, 1, hashed, ()))
    assert not Journal(inside).done


def test_nonsense_is_ignored(tmp_path):
    (tmp_path / "journal.ndjson").write_bytes(b'\x00\xff\n[]\n{"index": 0}\n"x"\nnull\n{"index":0,"damage":5,"shots":1}\n')
    assert Journal(tmp_path).done == {}
