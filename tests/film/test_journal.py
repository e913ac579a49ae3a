"""A journal neither loses nor invents a finished chunk."""

import hashlib
import subprocess

import pytest

from vidcolor.film.journal import JOURNAL, ChunkRecord, Journal, to_line


@pytest.fixture(scope="module")
def chunk(tmp_path_factory):
    """The bytes of a film of three frames."""
    path = tmp_path_factory.mktemp("chunk") / "chunk.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48", "-frames:v", "3", path], check=True
    )
    return path.read_bytes()


@pytest.fixture
def record(chunk):
    def write(folder, index, data=chunk, frames=3):
        name = f"chunk-{index:06}.mp4"
        (folder / name).write_bytes(data)
        hashed = hashlib.sha256(data).hexdigest()
        return ChunkRecord(index, name, frames, 0, 3, hashed, ((7, "damaged"), (None, "lost")), (0, 2))

    return write


def test_records_are_read_back_as_they_were_written(tmp_path, record):
    journal = Journal(tmp_path)
    written = {i: record(tmp_path, i) for i in (0, 1, 5)}
    for each in written.values():
        journal.add(each)
    assert Journal(tmp_path).done == written == journal.done


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_costs_only_its_own_chunk(tmp_path, record, cut):
    journal = Journal(tmp_path)
    journal.add(record(tmp_path, 0))
    journal.add(record(tmp_path, 1))
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-cut])
    torn = Journal(tmp_path)
    assert set(torn.done) == ({0, 1} if cut == 1 else {0})
    torn.add(record(tmp_path, 2))
    assert set(Journal(tmp_path).done) == ({0, 1, 2} if cut == 1 else {0, 2})


def test_a_chunk_whose_file_changed_or_went_is_not_done(tmp_path, record):
    journal = Journal(tmp_path)
    for index in range(3):
        journal.add(record(tmp_path, index))
    (tmp_path / "chunk-000000.mp4").write_bytes(b"other")
    (tmp_path / "chunk-000001.mp4").unlink()
    assert set(Journal(tmp_path).done) == {2}


def test_a_chunk_with_another_number_of_frames_is_not_done(tmp_path, record):
    journal = Journal(tmp_path)
    journal.add(record(tmp_path, 0, frames=2))
    journal.add(record(tmp_path, 1))
    journal.add(record(tmp_path, 2, data=b"no film"))
    assert set(Journal(tmp_path).done) == {1}


def test_a_chunk_that_was_made_again_counts_as_it_is_now(tmp_path, record, chunk):
    journal = Journal(tmp_path)
    journal.add(record(tmp_path, 0))
    again = record(tmp_path, 0, data=chunk + b"\0\0\0\x08free")
    journal.add(again)
    assert Journal(tmp_path).done == {0: again}


def test_a_record_cannot_name_a_file_outside_its_folder(tmp_path, chunk):
    inside, outside = tmp_path / "work", tmp_path / "chunk-000000.mp4"
    inside.mkdir()
    outside.write_bytes(chunk)
    hashed = hashlib.sha256(chunk).hexdigest()
    for name in ("../chunk-000000.mp4", str(outside)):
        Journal(inside).add(ChunkRecord(0, name, 3, 0, 3, hashed, ()))
        assert not Journal(inside).done
    (inside / "chunk-000000.mp4").symlink_to(outside)
    Journal(inside).add(ChunkRecord(0, "chunk-000000.mp4", 3, 0, 3, hashed, ()))
    assert not Journal(inside).done
    (inside / "chunk-000000.mp4").unlink()
    (inside / "chunk-000000.mp4").write_bytes(chunk)
    assert set(Journal(inside).done) == {0}


def test_a_journal_that_is_a_link_is_neither_read_nor_written(tmp_path, record):
    inside, outside = tmp_path / "work", tmp_path / "elsewhere"
    inside.mkdir()
    outside.write_bytes(to_line(record(inside, 0)))
    before = outside.read_bytes()
    (inside / JOURNAL).symlink_to(outside)
    journal = Journal(inside)
    assert not journal.done
    with pytest.raises(OSError):
        journal.add(record(inside, 1))
    assert outside.read_bytes() == before


def test_nonsense_is_ignored(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'\x00\xff\n[]\n{"index": 0}\n"x"\nnull\n{"index":0,"damage":5,"shots":1}\n')
    assert Journal(tmp_path).done == {}
