"""Which numbered pictures belong together."""

import pytest

from vidcolor.errors import UsageError
from vidcolor.media.sequences import find_sequence, is_pattern, sequence_in


def make(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "pattern", "numbers"),
    [
        (["f.0008.dpx", "f.0009.dpx", "f.0010.dpx"], "f.%04d.dpx", (8, 9, 10)),
        (["f9.tif", "f10.tif", "f11.tif"], "f%d.tif", (9, 10, 11)),
        (["0999.png", "1000.png"], "%04d.png", (999, 1000)),
        (["9999.png", "10000.png"], "%d.png", (9999, 10000)),
        (["reel2_000_a.tif", "reel2_001_a.tif"], "reel2_%03d_a.tif", (0, 1)),
        (["f.001.dpx", "f.003.dpx", "notes.txt", ".f.002.dpx"], "f.%03d.dpx", (1, 3)),
        (["f.001.DPX", "f.002.DPX"], "f.%03d.DPX", (1, 2)),
    ],
)
def test_a_folder_of_one_sequence(names, pattern, numbers, tmp_path):
    found = sequence_in(make(tmp_path, *names))
    assert found.pattern == tmp_path / pattern
    assert found.numbers == numbers
    assert [p.name for p in found.files] == sorted(
        (n for n in names if n.lower().endswith(pattern[-3:].lower()) and n[0] != "."), key=len
    )
    assert found == find_sequence(found.pattern)


@pytest.mark.parametrize(
    "names",
    [
        ["a.001.tif", "a.002.tif", "b.001.tif"],
        ["a.001.tif", "a.002.tif", "slate.tif"],
        ["a.001.tif", "a.2.tif"],
        ["a.001.tif", "a.002.tif", "a.001.png"],
        ["holiday.png", "portrait.png"],
    ],
)
def test_a_folder_of_anything_else_is_refused_with_what_is_in_it(names, tmp_path):
    with pytest.raises(UsageError, match="pattern"):
        sequence_in(make(tmp_path, *names))


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no picture"):
        sequence_in(make(tmp_path, "film.mp4"))


def test_a_pattern_means_names_with_just_so_many_zeros(tmp_path):
    make(tmp_path, "f.1.png", "f.01.png", "f.001.png", "f.100.png", "f.1000.png", "f.x.png", "g.001.png")
    assert find_sequence(tmp_path / "f.%03d.png").numbers == (1, 100, 1000)
    assert find_sequence(tmp_path / "f.%d.png").numbers == (1, 100, 1000)
    assert find_sequence(tmp_path / "h.%d.png").numbers == ()


def test_what_is_a_pattern(tmp_path):
    assert is_pattern(tmp_path / "frame.%06d.dpx") and is_pattern(tmp_path / "%d.TIF")
    for name in ("frame.dpx", "film.%06d.mp4", "100%.png", "%06x.png", "%d.%d.png", "%6d.png"):
        assert not is_pattern(tmp_path / name)
    make(tmp_path, "really %d called so.png")
    assert not is_pattern(tmp_path / "really %d called so.png")
