"""Stills: luma in, the coloured picture of the same kind out."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from vidcolor.errors import MediaError, UsageError
from vidcolor.media.marks import described
from vidcolor.media.pictures import check_holds, is_picture, losses, read_picture, write_picture

RNG = np.random.default_rng(3)
GREY = cv2.GaussianBlur(RNG.integers(0, 256, (40, 61), np.uint8), (0, 0), 5)
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)
# EXIF: little-endian TIFF, one directory with Orientation = 6 (turn right to show it upright).
EXIF = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)


def deep(picture):
    return picture.astype(np.uint16) * 257


def save(path, pixels):
    assert cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return path


def coloured(luma):
    return np.stack([luma, luma // 2, luma // 3], -1)


@pytest.mark.parametrize("pixels", [GREY, deep(GREY)], ids=["8", "16"])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".tif"])
def test_grey_values_are_the_luma(tmp_path, suffix, pixels):
    path = save(tmp_path / f"p{suffix}", pixels)
    picture = read_picture(path)
    assert picture.luma.dtype == pixels.dtype and np.array_equal(picture.luma, pixels) and not picture.coloured
    write_picture(tmp_path / f"q{suffix}", coloured(picture.luma), picture)
    again = cv2.imread(str(tmp_path / f"q{suffix}"), cv2.IMREAD_UNCHANGED)
    assert again.dtype == pixels.dtype and np.array_equal(again[..., ::-1], coloured(pixels))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_stay_near(tmp_path, suffix):
    picture = read_picture(save(tmp_path / f"p{suffix}", GREY))
    write_picture(tmp_path / f"q{suffix}", np.dstack([picture.luma] * 3), picture)
    again = read_picture(tmp_path / f"q{suffix}")
    assert np.abs(again.luma.astype(int) - picture.luma).max() <= 4 and not again.coloured


def test_colour_pictures_give_bt709_luma(tmp_path):
    picture = read_picture(save(tmp_path / "p.png", RGB))
    assert picture.coloured
    assert np.abs(picture.luma - RGB @ [0.2126, 0.7152, 0.0722]).max() <= 0.5 + 1e-4


def test_alpha_is_dropped_and_said(tmp_path):
    path = tmp_path / "p.png"
    cv2.imwrite(str(path), np.dstack([RGB, GREY]))
    assert "transparency" in read_picture(path).dropped[0]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_turned_picture_comes_out_upright_with_its_metadata(tmp_path, suffix):
    done, data = cv2.imencodeWithMetadata(
        suffix, GREY[..., None].repeat(3, 2), [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(EXIF, np.uint8)]
    )
    assert done
    (tmp_path / f"p{suffix}").write_bytes(data.tobytes())
    picture = read_picture(tmp_path / f"p{suffix}")
    assert picture.luma.shape == GREY.T.shape
    write_picture(tmp_path / f"q{suffix}", np.dstack([picture.luma] * 3), picture)
    again = read_picture(tmp_path / f"q{suffix}")
    assert again.luma.shape == GREY.T.shape, "turned once, not twice"
    (kind, exif), *_ = again.metadata
    assert kind == cv2.IMAGE_METADATA_EXIF and struct.unpack_from("<H", exif, 18) == (1,)


WORDS = "Colour added by nobody."


def said(path):
    """What a picture says of itself, as Pillow reads it."""
    with Image.open(path) as image:
        image.load()
        return image.info.get("Comment") or image.getexif().get(0x010E)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_picture_says_the_words_and_its_samples_do_not_change(tmp_path, suffix, depth):
    pixels = coloured(GREY if depth == 8 else deep(GREY))
    if depth == 16 and suffix in (".jpg", ".webp"):
        pytest.skip("it holds 8 bits")
    picture = read_picture(save(tmp_path / "p.png", pixels))
    write_picture(tmp_path / f"said{suffix}", pixels, picture, WORDS)
    write_picture(tmp_path / f"plain{suffix}", pixels, picture)
    read = [cv2.imread(str(tmp_path / f"{name}{suffix}"), cv2.IMREAD_UNCHANGED) for name in ("said", "plain")]
    assert np.array_equal(*read) and read[0].dtype == pixels.dtype
    if suffix == ".tif":
        with tifffile.TiffFile(tmp_path / "said.tif") as file:
            assert file.pages[0].description == WORDS and file.pages[0].shape == pixels.shape
    elif depth == 8:  # Pillow reads no RGB of 16 bits
        assert said(tmp_path / f"said{suffix}") == WORDS and said(tmp_path / f"plain{suffix}") is None


@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_photograph_keeps_its_own_description_and_all_else_in_its_exif(tmp_path, order):
    exif = Image.Exif()
    exif.endian = "<" if order == "II" else ">"
    exif[0x010E], exif[0x0110] = "A street in Gruenau", "Box Brownie"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:02 11:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(GREY).save(tmp_path / "p.jpg", exif=exif)
    picture = read_picture(tmp_path / "p.jpg")
    write_picture(tmp_path / "q.jpg", coloured(picture.luma), picture, WORDS)
    write_picture(tmp_path / "r.jpg", coloured(picture.luma), read_picture(tmp_path / "q.jpg"), WORDS)
    for name in ("q.jpg", "r.jpg"):  # coloured once and twice
        with Image.open(tmp_path / name) as image:
            made = image.getexif()
            assert made.endian == exif.endian
            assert dict(made) | {0x8769: 0, 0x8825: 0} == {
                0x010E: f"A street in Gruenau {WORDS}", 0x0110: "Box Brownie", 0x8769: 0, 0x8825: 0,
            }  # fmt: skip
            assert made.get_ifd(0x8769) == {0x9003: "1931:05:02 11:00:00"} and made.get_ifd(0x8825) == {1: "N"}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_grey_preview_in_exif_is_dropped_and_said(suffix, tmp_path):
    second = struct.pack("<HHHIHHI", 1, 0x0103, 3, 1, 6, 0, 0)  # Compression: JPEG
    exif = b"Exif\0\0" + EXIF[:-4] + struct.pack("<I", len(EXIF)) + second
    Image.fromarray(GREY).save(tmp_path / f"p{suffix}", exif=exif)
    picture, output = read_picture(tmp_path / f"p{suffix}"), tmp_path / f"q{suffix}"
    write_picture(output, coloured(picture.luma), picture, WORDS)
    assert [what for what in losses(picture, output) if "preview" in what]
    with Image.open(tmp_path / f"p{suffix}") as before, Image.open(output) as after:
        assert before.getexif().get_ifd(ExifTags.IFD.IFD1) == {0x0103: 6}
        assert after.getexif().get_ifd(ExifTags.IFD.IFD1) == {}
    assert not losses(read_picture(output), output)


@pytest.mark.parametrize("exif", [b"II", b"XX*\0\0\0\0\x08", b"II*\0\xff\0\0\0", b"MM\0*\0\0\0\x08\xff\xff", EXIF[:20]])
def test_exif_without_a_directory_is_told(exif):
    with pytest.raises(ValueError):
        described(exif, WORDS)


def test_names():
    assert is_picture(Path("A.JPG")) and is_picture(Path("b.tiff")) and not is_picture(Path("film.mp4"))


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_picture(tmp_path / "absent.png")
    for content, why in ((b"", "empty"), (b"not a picture", "no picture")):
        (tmp_path / "p.png").write_bytes(content)
        with pytest.raises(MediaError, match=why):
            read_picture(tmp_path / "p.png")
    cv2.imwritemulti(str(tmp_path / "pages.tif"), [GREY, GREY])
    with pytest.raises(MediaError, match="2 pages"):
        read_picture(tmp_path / "pages.tif")


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_an_animation_is_refused_and_its_first_picture_alone_is_not(suffix, tmp_path):
    moving, still = tmp_path / f"moving.{suffix}", tmp_path / f"still.{suffix}"
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    first.save(moving, save_all=True, append_images=[second], duration=40)
    first.save(still)
    with pytest.raises(MediaError, match="an animation"):
        read_picture(moving)
    assert read_picture(still).luma.shape == GREY.shape
    cv2.imwrite(str(tmp_path / "float.tif"), GREY.astype(np.float32))
    with pytest.raises(MediaError, match="float32"):
        read_picture(tmp_path / "float.tif")


@pytest.mark.parametrize("lossless", [True, False])
def test_alpha_of_a_webp_is_told_of(lossless, tmp_path):
    Image.fromarray(np.dstack([RGB, 255 - GREY])).save(tmp_path / "p.webp", lossless=lossless)
    Image.fromarray(RGB).save(tmp_path / "q.webp", lossless=lossless)
    assert any("alpha" in what for what in losses(read_picture(tmp_path / "p.webp"), tmp_path / "out.webp"))
    assert not losses(read_picture(tmp_path / "q.webp"), tmp_path / "out.webp")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pixels", [GREY, deep(GREY)], ids=["8", "16"])
def test_tiff_that_counts_from_white_is_no_negative(pixels, order, tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", ~pixels, photometric="miniswhite", byteorder=order)
    assert np.array_equal(read_picture(tmp_path / "p.tif").luma, pixels)


@pytest.mark.parametrize("how", [{}, {"tile": (16, 16)}])
def test_planes_of_sixteen_bits_are_refused_and_not_mixed_up(how, tmp_path):
    planes = deep(np.ascontiguousarray(RGB.transpose(2, 0, 1)))
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate", **how)
    with pytest.raises(MediaError, match="planar.*interleaved"):
        read_picture(tmp_path / "p.tif")


def test_what_a_tiff_with_alpha_loses_of_its_samples_is_said(tmp_path):
    path = tmp_path / "p.tif"
    grey_and_alpha = np.dstack([deep(GREY), deep(255 - GREY)])
    tifffile.imwrite(path, grey_and_alpha, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    assert any("8 are kept" in what for what in losses(read_picture(path), path))
    tifffile.imwrite(path, np.dstack([RGB, 255 - GREY]), photometric="rgb", extrasamples=["unassalpha"])
    assert any("darker" in what for what in losses(read_picture(path), path))


@pytest.mark.parametrize("pixels", [GREY.astype(np.float16), np.dstack([RGB, RGB])], ids=["half", "six channels"])
def test_tiff_that_cannot_be_read_is_not_called_no_picture(pixels, tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", pixels, photometric="minisblack" if pixels.ndim == 2 else "rgb")
    with pytest.raises(MediaError, match="TIFF of a kind"):
        read_picture(tmp_path / "p.tif")


def test_sixteen_bits_do_not_go_into_jpeg(tmp_path):
    picture = read_picture(save(tmp_path / "p.png", deep(GREY)))
    with pytest.raises(UsageError, match="16-bit"):
        check_holds(tmp_path / "q.jpg", picture)
    with pytest.raises(UsageError, match="'.mkv'"):
        check_holds(tmp_path / "q.mkv", picture)
    check_holds(tmp_path / "q.TIF", picture)


def test_sixteen_bits_of_grey_saved_as_rgb_are_not_taken_for_colour(tmp_path):
    near = np.dstack([deep(GREY)] * 3)
    near[..., 0] ^= 15  # what a conversion of profiles leaves: a sixteenth of an 8-bit code
    assert not read_picture(save(tmp_path / "p.png", near)).coloured
    near[..., 0] ^= 1 << 12
    assert read_picture(save(tmp_path / "q.png", near)).coloured
