"""Which files can be measured or trained on, and what is done to the unusual ones."""

import io
import tarfile

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from synthetic import photograph

from vidcolor.errors import MediaError, UsageError
from vidcolor.evaluation.photographs import Photograph, decode, encoded

RGB = photograph(1, 64, 80)


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def deep_png(alpha: bool = False) -> bytes:
    planes = RGB[..., ::-1].astype(np.uint16) * 257
    if alpha:
        planes = np.dstack((planes, np.full(RGB.shape[:2], 65535, np.uint16)))
    return cv2.imencode(".png", planes)[1].tobytes()


def exif(orientation: int) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


RGBA = Image.fromarray(np.dstack((RGB, np.full(RGB.shape[:2], 255, np.uint8))))
CLEAR = Image.fromarray(np.dstack((RGB, np.where(np.arange(80) < 40, 0, 255)[None].repeat(64, 0).astype(np.uint8))))

EXACT = {
    "png": (saved(Image.fromarray(RGB), "PNG"), ()),
    "webp": (saved(Image.fromarray(RGB), "WEBP", lossless=True), ()),
    "tiff": (saved(Image.fromarray(RGB), "TIFF"), ()),
    "16-bit png": (deep_png(), ("16-bit",)),
    "16-bit png with alpha": (deep_png(alpha=True), ("16-bit", "alpha dropped")),
    "16-bit tiff": (cv2.imencode(".tiff", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), ("16-bit",)),
    "alpha png": (saved(RGBA, "PNG"), ("alpha dropped",)),
    "alpha webp": (saved(RGBA, "WEBP", lossless=True), ()),  # WebP leaves an opaque alpha out
}


@pytest.mark.parametrize(("data", "handled"), EXACT.values(), ids=EXACT)
def test_lossless_pictures_come_out_as_they_are(data, handled):
    photograph = decode(data)
    assert photograph.handled == handled
    np.testing.assert_array_equal(photograph.rgb, RGB)


def test_planes_of_16_bits_are_not_mixed_up():
    file = io.BytesIO()
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1)).astype(np.uint16) * 257
    tifffile.imwrite(file, planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(decode(file.getvalue()).rgb, RGB)


def test_samples_of_16_bits_are_rounded():
    samples = np.array([[[0, 128, 129], [65535, 65406, 65407]]], np.uint16)
    rgb = decode(cv2.imencode(".png", samples[..., ::-1])[1].tobytes()).rgb
    np.testing.assert_array_equal(rgb, [[[0, 0, 1], [255, 254, 255]]])


def test_an_exif_orientation_is_applied():
    photograph = decode(saved(Image.fromarray(RGB), "JPEG", quality=95, subsampling=0, exif=exif(6)))
    assert photograph.handled == ("turned upright",)
    assert np.abs(photograph.rgb.astype(int) - np.rot90(RGB, -1)).mean() < 4
    assert decode(saved(Image.fromarray(RGB), "JPEG", exif=exif(1))).handled == ()


def test_cmyk_keeps_its_colours():
    photograph = decode(saved(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert photograph.handled == ("CMYK",)
    assert np.abs(photograph.rgb.astype(int) - RGB).mean() < 6


def test_one_channel_is_noted():
    assert decode(saved(Image.fromarray(RGB[..., 0]), "JPEG")).handled == ("one channel",)
    assert decode(saved(Image.fromarray(RGB[..., 0]), "PNG")).handled == ("one channel",)


PNG, JPEG, WEBP = (saved(Image.fromarray(RGB), kind) for kind in ("PNG", "JPEG", "WEBP"))
USELESS = {
    "empty": (b"", "empty"),
    "text": (b"no picture at all", "unreadable"),
    "half a png": (PNG[: len(PNG) // 2], "cut short"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], "cut short"),
    "half a webp": (WEBP[: len(WEBP) // 2], "cut short"),
    "a png without a header": (PNG[:8] + b"IEND", "unreadable"),
    "a webp without a header": (b"RIFF\x08\0\0\0WEBPVP8X", "unreadable"),
    "damaged png": (PNG[:40] + b"\0" * 400 + PNG[440:], "unreadable"),
    "transparent png": (saved(CLEAR, "PNG"), "transparent"),
    "transparent webp": (saved(CLEAR, "WEBP", lossless=True), "transparent"),
}


@pytest.mark.parametrize(("data", "why"), USELESS.values(), ids=USELESS)
def test_useless_pictures_say_why(data, why):
    assert decode(data) == why


def test_folders_shards_and_files_are_read_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.jpg").write_bytes(JPEG)
    (tmp_path / "one.PNG").write_bytes(PNG)
    (tmp_path / "notes.txt").write_text("not a picture")
    with tarfile.open(tmp_path / "z.tar", "w") as shard:
        for name, data in (("0.cls", b"7"), ("0.webp", WEBP), ("1.png", PNG)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            shard.addfile(info, io.BytesIO(data))
    assert [name for name, _ in encoded(tmp_path)] == ["b/two.jpg", "one.PNG", "z.tar:0.webp", "z.tar:1.png"]
    assert [name for name, _ in encoded(tmp_path / "z.tar")] == ["0.webp", "1.png"]
    (tmp_path / "z.tar").rename(tmp_path / "Z.TAR")
    assert [name for name, _ in encoded(tmp_path / "Z.TAR")] == ["0.webp", "1.png"]
    assert "Z.TAR:0.webp" in [name for name, _ in encoded(tmp_path)]
    assert all(isinstance(decode(data), Photograph) for _, data in encoded(tmp_path))


def test_missing_and_damaged_sources_are_errors(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(encoded(tmp_path / "missing"))
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    with pytest.raises(MediaError, match="no tar file"):
        list(encoded(tmp_path / "bad.tar"))


def shard_of(path, mode, count=30):
    with tarfile.open(path, mode) as shard:
        for number in range(count):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(PNG)
            shard.addfile(info, io.BytesIO(PNG))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["set.tar.gz", "set.TGZ"])
def test_a_shard_says_by_its_name_that_it_is_compressed(tmp_path, name):
    shard_of(tmp_path / name, "w:gz", 3)
    assert [picture for picture, _ in encoded(tmp_path / name)] == ["0.png", "1.png", "2.png"]
    assert len(list(encoded(tmp_path))) == 3


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_shard_that_was_cut_or_damaged_is_an_error_never_a_shorter_one(tmp_path, mode):
    path = tmp_path / "set.tar"
    data = shard_of(path, mode)
    assert len(list(encoded(path))) == 30
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match="no tar file, or a damaged one"):
        list(encoded(path))
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(b ^ 0x5A for b in data[middle : middle + 200]) + data[middle + 200 :])
    if mode != "w":  # without a checksum, other samples are another picture
        with pytest.raises(MediaError, match="no tar file, or a damaged one"):
            list(encoded(path))


def test_a_damaged_header_is_not_the_end_of_a_shard(tmp_path):
    path = tmp_path / "set.tar"
    data = bytearray(shard_of(path, "w"))
    fourth = 3 * (512 + -(-len(PNG) // 512) * 512)
    data[fourth : fourth + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(MediaError, match=f"no header at byte {fourth}"):
        list(encoded(path))
