"""What a still's file says beside its samples: texts and resolution, kept or named. Witnesses: Pillow and tifffile."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from vidcolor.media.marks import with_chunks
from vidcolor.media.pictures import losses, read_picture, write_picture

GREY = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (40, 61), np.uint8), (0, 0), 5)
WORDS = "Colour added by nobody."
TEXTS = {269: "Roll 7", 270: "A street in Gruenau", 305: "ScanMaster", 306: "1999:01:02 03:04:05", 315: "A. Nobody",
         33432: "(c) the archive"}  # fmt: skip
SUFFIXES = (".png", ".jpg", ".tif", ".webp")
RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" a="b"/></x:xmpmeta>'


def write_tiff(path, *, order="<", deep=False, dots=(600, 600), unit=2, texts=TEXTS, more=(), **how):
    pixels = GREY.astype(np.uint16) * 257 if deep else GREY
    extra = [(tag, 2, 0, text, True) for tag, text in texts.items() if tag not in (270, 305, 306)]
    named = {"description": texts.get(270), "software": texts.get(305), "datetime": texts.get(306)}
    resolution = {"resolution": dots, "resolutionunit": unit}
    tifffile.imwrite(
        path, pixels, byteorder=order, extratags=extra + list(more), metadata=None, **resolution, **named, **how
    )
    return path


def coloured(source, target, words=""):
    """Colours a file without a network. Returns what is said to be lost."""
    picture = read_picture(source)
    rgb = np.stack([picture.luma, picture.luma // 2, picture.luma // 3], -1)
    write_picture(target, rgb, picture, words)
    again = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert again.dtype == rgb.dtype
    if target.suffix in (".png", ".tif"):
        assert np.array_equal(again[..., ::-1], rgb)
    return losses(picture, target)


def dpi(path):
    """As Pillow reads it, or tifffile; of WebP, what its EXIF says."""
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            return tuple(tag[0] / tag[1] for tag in (file.pages[0].tags[282].value, file.pages[0].tags[283].value))
    with Image.open(path) as image:
        exif = image.getexif()
        return image.info.get("dpi") or tuple(map(float, (exif[282], exif[283])))


@pytest.mark.parametrize("deep", [False, True], ids=["8", "16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_keeps_its_texts_and_its_resolution(tmp_path, order, deep):
    source = write_tiff(tmp_path / "p.tif", order=order, deep=deep, dots=((600, 1), (1201, 2)), unit=3)
    assert coloured(source, tmp_path / "q.tif", WORDS) == []
    with tifffile.TiffFile(tmp_path / "q.tif") as file:
        tags = file.pages[0].tags
        assert {tag: tags[tag].value for tag in TEXTS} == TEXTS | {270: f"{TEXTS[270]} {WORDS}"}
        assert (tags[282].value, tags[283].value, tags[296].value) == ((600, 1), (1201, 2), 3)
    assert coloured(tmp_path / "q.tif", tmp_path / "r.tif", WORDS) == []
    with tifffile.TiffFile(tmp_path / "r.tif") as file:
        assert file.pages[0].description == f"{TEXTS[270]} {WORDS}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tiffs_texts_go_into_the_exif_of_other_formats(tmp_path, suffix):
    assert coloured(write_tiff(tmp_path / "p.tif"), tmp_path / f"q{suffix}") == []
    with Image.open(tmp_path / f"q{suffix}") as image:
        assert {tag: image.getexif()[tag] for tag in TEXTS} == TEXTS


@pytest.mark.parametrize("after", SUFFIXES)
@pytest.mark.parametrize("before", SUFFIXES[:3])
def test_resolution_goes_from_every_format_to_every_other(tmp_path, before, after):
    source = tmp_path / f"p{before}"
    Image.fromarray(GREY).save(source, dpi=(600, 300))
    assert coloured(source, tmp_path / f"q{after}") == []
    assert dpi(tmp_path / f"q{after}") == pytest.approx((600, 300), abs=0.02 if after == ".png" else 1e-9)


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_the_resolution_turns_with_the_picture(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[282], exif[283], exif[296] = 600.0, 300.0, 2
    Image.fromarray(GREY).save(tmp_path / f"p{suffix}", dpi=(600, 300), exif=exif)
    assert coloured(tmp_path / f"p{suffix}", tmp_path / f"q{suffix}") == []
    assert dpi(tmp_path / f"q{suffix}") == (300, 600)
    with Image.open(tmp_path / f"q{suffix}") as image:
        assert image.size == GREY.shape and image.getexif().get(0x0112, 1) == 1
        assert (image.getexif()[282], image.getexif()[283]) == (300, 600) if suffix == ".jpg" else True


def png(path, chunks=(), **how):
    info = PngInfo()
    info.add_text("Title", "Gruenau")
    info.add_itxt("Author", "Ä. Nobody", "de", "Autor")
    info.add_text("Source", "a glass plate " * 20, zip=True)
    for chunk in chunks:
        info.add(*chunk)
    Image.fromarray(GREY).save(path, pnginfo=info, **how)
    return path


def test_a_png_keeps_its_texts_and_what_its_values_mean(tmp_path):
    gamma = struct.pack(">I", 45455)
    source = png(
        tmp_path / "p.png", [(b"gAMA", gamma), (b"tEXt", b"Comment\0By hand."), (b"sBIT", b"\x08")], dpi=(600, 600)
    )
    assert coloured(source, tmp_path / "q.png", WORDS) == ["of the PNG, these are dropped: sBIT"]
    coloured(tmp_path / "q.png", tmp_path / "r.png", WORDS)
    for name in ("q.png", "r.png"):  # coloured once and twice
        with Image.open(tmp_path / name) as image:
            texts = {"Title": "Gruenau", "Author": "Ä. Nobody", "Source": "a glass plate " * 20}
            assert image.text == texts | {"Comment": f"By hand. {WORDS}"} and image.info["gamma"] == 0.45455
        assert dpi(tmp_path / name) == pytest.approx((600, 600), abs=0.02)
    lost = coloured(source, tmp_path / "q.jpg", WORDS)
    assert lost == ["of the PNG, these are dropped: sBIT, Title, Author, Source, gAMA, Comment"]


def test_a_profile_of_rgb_in_a_grey_png_is_not_dropped_unsaid(tmp_path):
    source = png(tmp_path / "p.png")
    profile = b"sRGB\0\0" + zlib.compress(RGB_PROFILE)
    source.write_bytes(with_chunks(source.read_bytes(), [(b"iCCP", profile)]))
    (lost,) = coloured(source, tmp_path / "q.png")
    assert lost.startswith("the ICC profile is dropped")


def test_a_ratio_without_a_unit_stays_one(tmp_path):
    source = png(tmp_path / "p.png")
    source.write_bytes(with_chunks(source.read_bytes(), [(b"pHYs", struct.pack(">IIB", 4, 3, 0))]))
    coloured(source, tmp_path / "q.png")
    coloured(source, tmp_path / "q.jpg")
    assert struct.pack(">4sIIB", b"pHYs", 4, 3, 0) in (tmp_path / "q.png").read_bytes()
    with Image.open(tmp_path / "q.jpg") as image:
        assert (image.info["jfif_unit"], image.info["jfif_density"]) == (0, (4, 3))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("before", SUFFIXES)
def test_an_rgb_profile_and_xmp_go_along_upright(tmp_path, before, suffix):
    buffer = io.BytesIO()
    more = {"tiffinfo": {700: XMP}} if before == ".tif" else {"xmp": XMP}
    if before == ".png":
        more = {"pnginfo": PngInfo()}
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    Image.fromarray(GREY).convert("RGB").save(
        buffer, Image.registered_extensions()[before], icc_profile=RGB_PROFILE, **more
    )
    (tmp_path / f"p{before}").write_bytes(buffer.getvalue())
    assert coloured(tmp_path / f"p{before}", tmp_path / f"q{suffix}") == []
    with Image.open(tmp_path / f"q{suffix}") as image:
        assert image.info["icc_profile"] == RGB_PROFILE
        xmp = image.tag_v2[700] if suffix == ".tif" else image.info["xmp"]
        assert xmp == XMP.replace(b'"6"', b'"1"')


def test_a_jpegs_comment_and_captions_are_kept_and_others_named(tmp_path):
    source, iptc = tmp_path / "p.jpg", b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x78\0\x07Caption"
    Image.fromarray(GREY).save(source, comment=b"of a plate", dpi=(300, 300))
    data = source.read_bytes()
    for marker, content in ((0xED, iptc), (0xE5, b"Maker\0\x01\x02"), (0xE6, b"\xff")):
        data = data[:20] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[20:]
    source.write_bytes(data)
    assert coloured(source, tmp_path / "q.jpg", WORDS) == ["of the JPEG, these are dropped: APP6, APP5 (Maker)"]
    with Image.open(tmp_path / "q.jpg") as image:
        assert (
            image.info["comment"] == b"of a plate" and image.info["photoshop"][0x0404] == b"\x1c\x02\x78\0\x07Caption"
        )
        assert image.getexif()[270] == WORDS
    (lost,) = coloured(source, tmp_path / "q.png")
    assert lost.endswith("APP6, APP5 (Maker), IPTC and Photoshop's data, comment")


def test_what_a_tiff_cannot_be_given_is_named(tmp_path):
    exif = Image.Exif()
    exif[270] = "A street"
    exif.get_ifd(0x8769)[0x9003] = "1931:05:02 11:00:00"
    Image.fromarray(GREY).save(tmp_path / "p.jpg", exif=exif)
    (lost,) = coloured(tmp_path / "p.jpg", tmp_path / "q.tif")
    assert "EXIF metadata are dropped, but" in lost
    with tifffile.TiffFile(tmp_path / "q.tif") as file:
        assert file.pages[0].description == "A street"
    source = write_tiff(tmp_path / "p.tif", more=[(65000, 4, 1, 7, True), (315, 4, 1, 7, True)], texts={})
    assert coloured(source, tmp_path / "q.tif") == ["of the TIFF, these are dropped: Artist, field 65000"]
    write_tiff(tmp_path / "big.tif", bigtiff=True)
    assert coloured(tmp_path / "big.tif", tmp_path / "q.tif") == [
        "of the TIFF, these are dropped: fields (it does not begin as TIFF does)"
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_too_long_for_jpeg_and_broken_profiles_are_dropped_and_said(tmp_path, suffix):
    profile = RGB_PROFILE[:200] + bytes(len(RGB_PROFILE) - 200)
    long = write_tiff(
        tmp_path / "p.tif", texts={270: "x" * 70_000}, more=[(34675, 7, len(profile), profile[:-1] + b"\1", True)]
    )
    long.write_bytes(long.read_bytes().replace(b"acsp", b"xxxx"))
    lost = coloured(long, tmp_path / f"q{suffix}", WORDS)
    assert lost[0] == "the ICC profile is dropped: it is damaged"
    assert [text for text in lost[1:] if "too many for JPEG" in text] == lost[1:] and len(lost) == 1 + (
        suffix == ".jpg"
    )


@pytest.mark.parametrize("suffix", SUFFIXES[:3])
def test_no_damage_to_what_is_said_ends_a_picture_unsaid_or_badly(tmp_path, suffix):
    """Each byte of the metadata is spoilt in turn: a file that OpenCV reads still is coloured."""
    if suffix == ".tif":
        data = write_tiff(tmp_path / "p.tif").read_bytes()
        span = [i for i in range(len(data)) if i < 260 or i > len(data) - 40]
    else:
        source = png(tmp_path / "p.png", dpi=(600, 600)) if suffix == ".png" else tmp_path / "p.jpg"
        if suffix == ".jpg":
            Image.fromarray(GREY).save(source, comment=b"a", dpi=(300, 300), icc_profile=RGB_PROFILE, xmp=XMP)
        data = source.read_bytes()
        span = range(2, min(400, len(data)))
    done = 0
    for place in span:
        for spoilt in (0, 255, data[place] ^ 1):
            (tmp_path / f"bad{suffix}").write_bytes(data[:place] + bytes([spoilt]) + data[place + 1 :])
            try:
                picture = read_picture(tmp_path / f"bad{suffix}")
            except Exception as error:
                assert type(error).__name__ == "MediaError"
                continue
            if picture.luma.dtype == np.uint8 and picture.luma.size < 10_000:
                target = tmp_path / f"q{SUFFIXES[(place + spoilt) % 4]}"
                losses(picture, target)
                write_picture(target, np.dstack([picture.luma] * 3), picture, WORDS)
                done += 1
    assert done > 100
