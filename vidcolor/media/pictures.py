"""Still pictures: their luma, and the coloured picture in the same format and depth."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import imagesize
import numpy as np

from vidcolor.config import MAX_PIXELS
from vidcolor.errors import MediaError, UsageError
from vidcolor.files import write_whole
from vidcolor.media import density
from vidcolor.media.luma import luma_of_rgb
from vidcolor.media.marks import first_directory, first_numbers
from vidcolor.media.picture_labels import EXIF, FORMS, ICC, XMP, XMP_IN_JPEG, Fitted, Labels, fit, read_labels
from vidcolor.media.probe import check_size

PICTURE_SUFFIXES = frozenset(FORMS)
OTHER_SUFFIXES = frozenset([".bmp", ".heic", ".heif", ".jp2", ".jxl", ".pbm", ".pgm", ".pnm", ".ppm"])
"""Of stills that are not read: FFmpeg opens none as a film, or, of HEIC, a tile of it."""
_SIXTEEN_BITS = ("PNG", "TIFF")
_ORIENTATION = 0x0112  # EXIF tag
_TIFF = (b"II", b"MM")
_BITS, _MEANING, _PLANES, _ALPHA = 258, 262, 284, 338  # TIFF 6.0: BitsPerSample, Photometric…, Planar…, ExtraSamples
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY, 97,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]  # fmt: skip
_COLOUR_STEP = 8 / 255  # of full scale: what JPEG of low quality leaves of it in a grey picture
_WEBP_LOSSY, _WEBP_LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 95], [cv2.IMWRITE_WEBP_QUALITY, 101]
_WRITE = {".jpg": _JPEG, ".jpeg": _JPEG, ".jpe": _JPEG, ".webp": _WEBP_LOSSY}


@dataclass(frozen=True, slots=True)
class Picture:
    """A still, upright (its EXIF orientation applied).

    `luma` is (height, width) uint8 or uint16, full range: a grey picture's own values, or the BT.709 luma of an R'G'B'
    one, rounded to nearest.
    """

    luma: np.ndarray
    coloured: bool  # the source is not grey already
    lossless: bool  # a WebP without loss; others follow their format
    metadata: tuple[tuple[int, bytes], ...]  # OpenCV's kind of block (EXIF, XMP, ICC profile), its bytes
    labels: Labels  # what else the file says
    dropped: tuple[str, ...]  # what no coloured picture will have, a sentence each; see `losses`


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of a still."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a PNG, JPEG, TIFF or WebP of 8 or 16 bits; grey, RGB, with alpha, palette or CMYK.

    Args:
        max_pixels: a larger picture is refused before it is decoded.

    Raises:
        UsageError: there is no such file, or it is a folder.
        MediaError: it cannot be read, has several pages, is an animation, or is too large.
    """
    what = f"cannot read {path}"
    if not path.exists():
        raise UsageError(what, "there is no such file", "Check the name.")
    if path.is_dir():
        raise UsageError(what, "it is a folder", "Give a picture in it.")
    if path.suffix.lower() in OTHER_SUFFIXES:
        raise MediaError(what, f"pictures are not taken as {path.suffix}", "Save it as PNG, JPEG, TIFF or WebP.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(what, error.strerror or str(error)) from error
    if not data:
        raise MediaError(what, "the file is empty (0 bytes)", "Copy it again from where it came.")
    if _is_animation(data):
        raise MediaError(what, "it is an animation, more than one picture", "Save it as a film, or as one picture.")
    check_size(path, *_header_size(data), max_pixels)
    pixels, kinds, blocks = _decode(what, data)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        luma, coloured = luma_of_rgb(pixels[..., ::-1].copy(), "bt709"), _is_coloured(pixels)
    else:
        luma, coloured = np.ascontiguousarray(pixels.reshape(pixels.shape[:2])), False
    labels = read_labels(data)
    blocks = dict(zip(kinds, blocks, strict=True)) | labels.blocks
    metadata, dropped = _carried(blocks)
    _complete_density(labels, blocks.get(EXIF))
    if labels.profile and ICC not in blocks:
        dropped.append("the ICC profile is dropped: it is damaged, or for another kind of picture")
    fields = _numbers(data) if pixels.dtype == np.uint8 else {}
    if labels.alpha:
        darker = pixels.ndim == 3 and fields.get(_ALPHA) == 2  # libtiff multiplies by it
        dropped.append("the alpha channel (transparency) is dropped" + ": what it covers is darker" * darker)
    if fields.get(_BITS) == 16:
        dropped.append("of 16 bits a sample 8 are kept: OpenCV reads no more of a TIFF of this kind")
    return Picture(luma, coloured, data[12:16] == b"VP8L", metadata, labels, tuple(dropped))


def _is_animation(data: bytes) -> bool:
    """Whether a WebP or a PNG says of itself that it moves."""
    webp = data[8:16] == b"WEBPVP8X" and bool(data[20:21]) and bool(data[20] & 0x02)
    return webp or (data.startswith(b"\x89PNG") and b"acTL" in data[: data.find(b"IDAT")])


def _is_coloured(pixels: np.ndarray) -> bool:
    """Whether the channels of a picture (H, W, 3) differ by more than a compressed grey picture's would."""
    return bool(np.ptp(pixels, axis=2).max() > _COLOUR_STEP * np.iinfo(pixels.dtype).max)


def _header_size(data: bytes) -> tuple[int, int]:
    """Width and height as the file's header states them; (0, 0) where none can be read: OpenCV has a limit of its own."""
    try:
        width, height = imagesize.get(io.BytesIO(data))
    except (ValueError, struct.error, LookupError, TypeError, AttributeError, OverflowError):
        return 0, 0
    return (width, height) if width > 0 and height > 0 else (0, 0)


def _decode(what: str, data: bytes) -> tuple[np.ndarray, list[int], list[bytes]]:
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    buffer = np.frombuffer(data, np.uint8)
    try:
        pixels, kinds, blocks = cv2.imdecodeWithMetadata(buffer, flags=flags)
        pages = cv2.imdecodemulti(buffer, flags)[1] if data[:2] in _TIFF else ()
    except cv2.error as error:
        raise MediaError(what, f"it cannot be decoded ({error.err})", "Save it again as PNG or TIFF.") from error
    if pixels is None and data[:2] in _TIFF:
        next_step = "Save it again, grey or RGB, with 8 or 16 bits a sample."
        raise MediaError(what, "it is TIFF of a kind that OpenCV does not read, or damaged", next_step)
    if pixels is None:
        raise MediaError(what, "it is no picture, or a damaged one", "Known are PNG, JPEG, TIFF and WebP.")
    if pixels.dtype not in (np.uint8, np.uint16):
        next_step = "Save it with 8 or 16 bits a sample, without sign."
        raise MediaError(what, f"its samples are {pixels.dtype}", next_step)
    if len(pages) > 1:
        raise MediaError(what, f"it has {len(pages)} pages", "Save each page as a file of its own.")
    pixels = _as_meant(what, data, pixels)
    return pixels, [int(kind) for kind in kinds], [np.asarray(block).tobytes() for block in blocks]


def _as_meant(what: str, data: bytes, pixels: np.ndarray) -> np.ndarray:
    """What OpenCV read, which hands on a TIFF's samples of more than 8 bits as they lie in the file."""
    fields = _numbers(data) if pixels.dtype == np.uint16 else {}
    if pixels.ndim == 3 and fields.get(_PLANES) == 2:
        why = "its channels of 16 bits lie one after the other (planar), and OpenCV mixes them up"
        raise MediaError(what, why, "Save it with its channels pixel by pixel (interleaved), or as PNG.")
    return ~pixels if fields.get(_MEANING) == 0 else pixels  # 0: it counts from white


def _numbers(data: bytes) -> dict[int, int]:
    """What a TIFF says of its samples; of another file, and of a BigTIFF, nothing."""
    try:
        return first_numbers(data, {_BITS, _MEANING, _PLANES, _ALPHA})
    except ValueError:
        return {}


def _carried(blocks: dict[int, bytes]) -> tuple[tuple[tuple[int, bytes], ...], list[str]]:
    """The metadata that still holds for an upright RGB picture, and what does not."""
    kept, dropped = [], []
    for kind, block in blocks.items():
        if kind == EXIF:
            try:
                kept.append((kind, _upright(block)))
                if first_directory(block)[2]:
                    dropped.append("the preview inside the EXIF metadata is dropped: it has no colour")
            except ValueError as error:
                dropped.append(f"the EXIF metadata are dropped: {error}")
        elif kind == XMP:
            text = block.removeprefix(XMP_IN_JPEG).rstrip(b"\0")
            kept.append((kind, re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))[2-8]", rb"\g<1>1", text)))
        elif kind == ICC and (fault := _profile_fault(block)):
            dropped.append(f"the ICC profile is dropped: {fault}")
        elif kind == ICC:
            kept.append((kind, block))
    return tuple(kept), dropped


def _profile_fault(profile: bytes) -> str:
    """Why an ICC profile (ISO 15076-1) is none for an RGB picture; empty: it is one."""
    if len(profile) < 132 or len(profile) != struct.unpack_from(">I", profile)[0] or profile[36:40] != b"acsp":
        return "it is damaged"
    (count,) = struct.unpack_from(">I", profile, 128)
    if profile[20:24] not in (b"XYZ ", b"Lab ") or 132 + 12 * count > len(profile):
        return "it is damaged"
    tags = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    if any(start + size > len(profile) for _, start, size in tags):
        return "it is damaged"
    space = profile[16:20]
    return "" if space == b"RGB " else f"it describes {space.decode('ascii', 'replace').strip()} pictures"


def _upright(exif: bytes) -> bytes:
    """EXIF with its orientation, which was applied, set to 1, its resolution turned with the picture, and no preview.

    Raises:
        ValueError: it cannot be read.
    """
    order, places, _ = first_directory(exif)
    upright = bytearray(exif)
    x, y = places.get(density.X), places.get(density.Y)
    if _is_turned(exif) and x and y:
        upright[x + 2 : x + 12], upright[y + 2 : y + 12] = exif[y + 2 : y + 12], exif[x + 2 : x + 12]
    if _ORIENTATION in places:
        struct.pack_into(f"{order}H", upright, places[_ORIENTATION] + 8, 1)
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    struct.pack_into(f"{order}I", upright, directory + 2 + 12 * count, 0)  # that of the preview follows
    return bytes(upright)


def _is_turned(exif: bytes) -> bool:
    """Whether its orientation is by a quarter."""
    order, places, _ = first_directory(exif)
    place = places.get(_ORIENTATION)
    return place is not None and struct.unpack_from(f"{order}H", exif, place + 8)[0] in range(5, 9)


def _complete_density(labels: Labels, exif: bytes | None) -> None:
    """Take the resolution from EXIF where the format itself says none, and turn it with the picture."""
    turned = labels.turned
    try:
        if exif is not None:
            labels.density = labels.density or density.of_tiff(exif)
            turned |= _is_turned(exif)
    except ValueError:
        pass  # told of already
    if turned and labels.density:
        labels.density = labels.density.turned()


def _fitted(picture: Picture, suffix: str) -> Fitted:
    return fit(FORMS[suffix.lower()], picture.labels, dict(picture.metadata), list(picture.dropped))


def losses(picture: Picture, path: Path) -> list[str]:
    """What the coloured picture will not say or have, a sentence each, in a file of that name."""
    return _fitted(picture, path.suffix).lost


def check_holds(path: Path, picture: Picture) -> None:
    """Refuse a name whose format cannot hold `picture` in colour, before any work.

    Raises:
        UsageError: it is no format of stills, or one of fewer bits.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        known = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UsageError(f"cannot write {path}", f"a picture cannot be written as '{suffix}'", f"It can as {known}.")
    if picture.luma.dtype == np.uint16 and FORMS[suffix] not in _SIXTEEN_BITS:
        why = f"{suffix} holds no 16-bit pictures"
        raise UsageError(f"cannot write {path}", why, "Give a .png or .tiff name with -o.")


def write_picture(path: Path, rgb: np.ndarray, picture: Picture, words: str = "") -> None:
    """Write the coloured `picture`, whole or not at all.

    Args:
        path: its suffix decides the format; one that `check_holds` accepts.
        rgb: (height, width, 3) uint8 or uint16, R'G'B', full range.
        picture: where its metadata come from.
        words: that the file is to say of itself, after the description that it has.

    Raises:
        MediaError: the format cannot hold it.
        OSError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    options = _WEBP_LOSSLESS if suffix == ".webp" and picture.lossless else _WRITE.get(suffix, [])
    fitted = _fitted(picture, suffix)
    if words:
        fitted.say(words)
    metadata = fitted.for_opencv()
    blocks = [np.frombuffer(block, np.uint8) for block in metadata.values()]
    try:
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        done, data = cv2.imencodeWithMetadata(suffix, bgr, [*metadata], blocks, options)
    except cv2.error as error:
        raise MediaError(
            f"cannot write {path}", f"{suffix} cannot hold it ({error.err})", "Give another name with -o."
        ) from error
    if not done:
        raise MediaError(f"cannot write {path}", f"OpenCV cannot encode {suffix}", "Give a .png or .jpg name with -o.")
    data = data.tobytes()
    write_whole(path, fitted.finish(data))
