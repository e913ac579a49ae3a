"""Room on disk as it is reckoned before work begins; real disks that fill are in test_resume_disk.py."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.film import disk
from vidcolor.film.disk import Estimate, check_room
from vidcolor.film.journal import ChunkRecord, Journal
from vidcolor.film.plan import make_plan
from vidcolor.film.work import work_place
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.uncompressed import picture_encoding

MB = 1_000_000


@pytest.fixture
def plan(samples):
    """Of 288 frames of 640×480, which take 133 MB uncompressed."""
    info = probe(samples / "film.mp4")
    encoding = choose_encoding(info)
    return make_plan(encoding.prepare(info), RunOptions(), encoding, 2)


@pytest.fixture
def second_disk(tmp_path):
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def said(monkeypatch, tmp_path):
    """What is said where the film takes 100 MB of chunks and a file of 110, and so much is free."""

    def check(plan, free, done=None, work=None):
        place = work_place(tmp_path / "out.mp4", plan, work)
        journal = Journal(place.folder)
        if done:
            frames, size = done
            place.folder.mkdir(exist_ok=True)
            (place.folder / "chunk-000000.mp4").touch()
            os.truncate(place.folder / "chunk-000000.mp4", size * MB)
            journal.done[0] = ChunkRecord(0, "chunk-000000.mp4", frames, 0, frames, "", ())
        monkeypatch.setattr(disk, "estimate", lambda *_: Estimate(None, 100 * MB, 110 * MB))
        monkeypatch.setattr(disk, "bytes_beside", lambda *_: 10 * MB)
        free_in = free if callable(free) else lambda _: free
        monkeypatch.setattr(disk, "free_bytes", lambda folder: round(free_in(folder) * MB))
        return check_room(plan, place, None, journal)

    return check


def test_chunks_and_film_must_both_find_room(plan, said, tmp_path):
    assert said(plan, 211) is None
    assert said(plan, 209) == (
        f"the disk may fill: about 210.0 MB more are needed while it is made, and 209.0 MB are free in {tmp_path}"
    )
    assert said(plan, 106).startswith("the disk may fill")
    with pytest.raises(MediaError, match=r"too little room for .*out.mp4: about 210.0 MB .* 104.0 MB .* --workdir"):
        said(plan, 104)


def test_where_even_uncompressed_frames_would_fit_nothing_is_coloured_to_know(plan, said, monkeypatch):
    assert said(plan, 400) is None
    monkeypatch.setattr(disk, "free_bytes", lambda _: 400 * MB)
    monkeypatch.setattr(disk, "estimate", lambda *_: pytest.fail("a second of the film was coloured"))
    assert check_room(plan, work_place(Path("out.mp4"), plan, None), None, Journal(Path("nothing"))) is None


@pytest.mark.parametrize(
    ("frames", "size", "needed"),
    [
        (72, 20, 150),  # a quarter takes 20 MB: 60 more of chunks, and 90 with what is beside the film
        (300, 40, 50),  # more frames than the header says: all is there but the film of them
    ],
)
def test_finished_chunks_tell_of_the_rest_and_are_not_counted_again(plan, said, frames, size, needed):
    assert f"about {needed}.0 MB more" in said(plan, needed - 1, (frames, size))


def test_finished_chunks_are_enough_to_know_that_there_is_room(plan, said):
    assert said(plan, 151, (72, 20)) is None


def test_two_disks_are_each_asked_for_their_own(plan, said, second_disk, tmp_path):
    free = lambda chunks, film: lambda folder: chunks if folder == second_disk else film
    assert said(plan, free(101, 111), work=second_disk) is None
    assert f"100.0 MB more are needed while it is made, and 99.0 MB are free in {second_disk}" in said(
        plan, free(99, 111), work=second_disk
    )
    assert f"110.0 MB more are needed while it is made, and 109.0 MB are free in {tmp_path}" in said(
        plan, free(101, 109), work=second_disk
    )


def test_pictures_that_are_finished_are_not_counted_again(plan, said):
    """A quarter takes 20 MB. In the end they get their names, which takes no room."""
    pictures = replace(plan, encoding=picture_encoding(plan.info, suffix=".png"))
    assert said(pictures, 61, (72, 20)) is None
    assert "about 60.0 MB more" in said(pictures, 59, (72, 20))


def test_pictures_are_copied_from_one_disk_to_another(plan, said, second_disk, tmp_path):
    pictures = replace(plan, encoding=picture_encoding(plan.info, suffix=".png"))
    free = lambda chunks, film: lambda folder: chunks if folder == second_disk else film
    assert said(pictures, free(61, 81), (72, 20), second_disk) is None
    assert f"60.0 MB more are needed while it is made, and 59.0 MB are free in {second_disk}" in said(
        pictures, free(59, 81), (72, 20), second_disk
    )
    assert f"80.0 MB more are needed while it is made, and 79.0 MB are free in {tmp_path}" in said(
        pictures, free(61, 79), (72, 20), second_disk
    )
