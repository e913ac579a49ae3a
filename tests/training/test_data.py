"""Bad pictures are left out or handled, and counted; batches are a pure function of seed and number."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vidcolor.errors import UsageError
from vidcolor.training.data import Batches, load_pictures
from vidcolor.training.degrade import Degrade


@pytest.fixture
def odd(tmp_path, photographs):
    """One of each kind."""
    rgb = cv2.imread(str(photographs / "0.png"))[..., ::-1].copy()
    picture = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.save(tmp_path / "rotated.jpg", exif=exif)
    opaque = np.full(rgb.shape[:2], 255, np.uint8)
    Image.fromarray(np.dstack((rgb, opaque))).save(tmp_path / "alpha.png")
    Image.fromarray(np.dstack((rgb, opaque // 2))).save(tmp_path / "glass.png")
    cv2.imwrite(str(tmp_path / "deep.png"), rgb[..., ::-1].astype(np.uint16) * 257)
    picture.save(tmp_path / "plain.webp")
    Image.fromarray(rgb[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(np.repeat(rgb[..., :1], 3, 2)).save(tmp_path / "grey in three.png")
    picture.resize((90, 60)).save(tmp_path / "tiny.png")
    file = io.BytesIO()
    picture.save(file, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[: file.tell() // 2])
    (tmp_path / "noise.jpg").write_bytes(b"\x01" * 300)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def test_every_odd_picture_is_counted(odd):
    loaded = load_pictures([odd], 160)
    assert loaded.skipped == {"transparent": 1, "grey": 2, "smaller than 64 pixels": 1, "cut short": 1, "unreadable": 1, "empty": 1}
    assert loaded.handled == {"CMYK": 1, "turned upright": 1, "alpha dropped": 1, "16-bit": 1}
    assert sorted(p.shape for p in loaded.pictures) == [(72, 96, 3)] * 4 + [(96, 72, 3)]
    assert "5 pictures; left out: 2 grey" in str(loaded) and "handled: 1 " in str(loaded)


def test_large_pictures_are_scaled_down_once(tmp_path, photographs):
    big = cv2.resize(cv2.imread(str(photographs / "1.png")), (640, 400))
    cv2.imwrite(str(tmp_path / "big.png"), big)
    assert load_pictures([tmp_path], 160).pictures[0].shape == (160, 256, 3)


def test_no_usable_picture_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no colour pictures in .*: no picture files"):
        load_pictures([tmp_path], 160)
    Image.new("L", (100, 100), 40).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("no")
    with pytest.raises(UsageError, match="1 grey, 1 unreadable"):
        load_pictures([tmp_path], 160)
    with pytest.raises(UsageError, match="no such file or folder"):
        load_pictures([tmp_path / "missing"], 160)


def made(photographs, seed=0, number=3, batch=4, degrade=None):
    return Batches(load_pictures([photographs], 160).pictures, batch, 32, seed, degrade).make(number)


def test_a_batch_depends_on_seed_and_number_alone(photographs):
    light, ab = made(photographs, degrade=Degrade())
    assert light.shape == (4, 1, 32, 32) and ab.shape == (4, 2, 32, 32)
    assert light.dtype == ab.dtype == np.float32 and 0 <= light.min() <= light.max() <= 100
    for other, equal in ((made(photographs, degrade=Degrade()), True), (made(photographs, seed=1, degrade=Degrade()), False)):
        assert np.array_equal(light, other[0]) is equal and np.array_equal(ab, other[1]) is equal
    assert not np.array_equal(light, made(photographs, number=4, degrade=Degrade())[0])


def test_an_epoch_shows_every_picture_once(photographs):
    batches = Batches([np.full((64, 64, 3), i, np.uint8) for i in range(10)], 4, 32, 5, None)
    first, second = (np.concatenate([batches._indices(n) for n in numbers]) for numbers in (range(5), range(5, 10)))
    for epochs in (first, second):
        assert sorted(epochs[:10]) == sorted(epochs[10:]) == list(range(10))
    assert list(first[:10]) != list(first[10:])


def test_several_processes_share_the_stream(photographs):
    batches = Batches(load_pictures([photographs], 160).pictures, 2, 32, 0, None)
    streams = [batches.stream(10 + rank, 2) for rank in range(2)]
    for number in range(10, 18):
        light, _ = next(streams[number % 2])
        assert np.array_equal(light, batches.make(number)[0])


def test_degrading_leaves_the_truth_clean(photographs):
    clean, worn = (made(photographs, degrade=d) for d in (None, Degrade(border=0)))
    bright = (worn[0] > 8).repeat(2, 1)
    assert bright.mean() > 0.8
    np.testing.assert_array_equal(worn[1][bright], clean[1][bright])
    assert np.abs(worn[0] - clean[0]).max() > 1
