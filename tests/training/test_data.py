"""Bad pictures are left out or handled, and counted."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from vidcolor.errors import UsageError

pytest.importorskip("torch")
from vidcolor.training.data import load_pictures


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
    cv2.imwrite(str(tmp_path / "plain.jp2"), rgb[..., ::-1])
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
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
    assert loaded.skipped == {
        "transparent": 1,
        "grey": 2,
        "smaller than 64 pixels": 1,
        "cut short": 1,
        "unreadable": 2,
        "empty": 1,
    }
    assert loaded.handled == {"CMYK": 1, "turned upright": 1, "alpha dropped": 1, "16-bit": 1}
    assert sorted(p.shape for p in loaded.pictures) == [(72, 96, 3)] * 5 + [(96, 72, 3)]
    assert "6 pictures; left out: 2 grey" in str(loaded) and "handled: 1 " in str(loaded)


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


def test_a_picture_is_known_again_under_another_name(tmp_path, photographs):
    (tmp_path / "copy.png").write_bytes((photographs / "1.png").read_bytes())
    (tmp_path / "other.png").write_bytes((photographs / "1.png").read_bytes() + b"\0")
    first, second = (load_pictures([folder], 160).hashes for folder in (photographs, tmp_path))
    assert (len(first), len(second), len(first & second)) == (10, 2, 1)
