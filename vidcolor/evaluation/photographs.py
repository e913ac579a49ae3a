"""Photographs from files, folders and tar shards, as 8-bit sRGB; what cannot be used is counted, never silent."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.errors import MediaError, UsageError

SUFFIXES = frozenset(".avif .bmp .gif .jp2 .jpe .jpeg .jpg .png .tif .tiff .webp".split())
# OpenCV has no decoder for these: they are looked at where they lie, so that they are counted.
UNREAD = frozenset(".heic .heif .jxl".split())
SHARDS = (".tar", ".tar.gz", ".tgz")
MOST_TRANSPARENT = 0.01  # share of pixels that may be less than opaque: colours below transparency mean nothing


@dataclass(frozen=True, slots=True)
class Photograph:
    """A decoded picture: (H, W, 3) uint8 sRGB, upright; and what had to be done to it, in words."""

    rgb: np.ndarray
    handled: tuple[str, ...]


def encoded(source: Path) -> Iterator[tuple[str, bytes]]:
    """(name, file content) of every picture of a file, a folder (with its subfolders, in order of names) or a tar shard.

    Raises:
        UsageError: there is no such file or folder.
        MediaError: it cannot be read.
    """
    if not source.exists():
        raise UsageError(f"cannot read {source}", "there is no such file or folder", "Check the name.")
    try:
        if source.is_dir():
            for path in sorted(p for p in source.rglob("*") if (is_shard(p) or is_picture(p)) and p.is_file()):
                for name, data in encoded(path):
                    place = path.relative_to(source)
                    yield f"{place}:{name}" if is_shard(path) else str(place), data
        elif is_shard(source):
            with tarfile.open(source) as shard:
                for member in shard:
                    if member.isfile() and is_picture(Path(member.name)):
                        yield member.name, shard.extractfile(member).read()
                _check_end(shard)
        else:
            yield source.name, source.read_bytes()
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise MediaError(
            f"cannot read {source}", f"it is no tar file, or a damaged one ({error})", "Copy it again."
        ) from error
    except OSError as error:
        raise MediaError(f"cannot read {source}", error.strerror or str(error)) from error


def is_shard(path: Path) -> bool:
    return path.name.lower().endswith(SHARDS)


def is_picture(path: Path) -> bool:
    """Whether a folder's file of this name is looked at."""
    return path.suffix.lower() in SUFFIXES | UNREAD


def _check_end(shard: tarfile.TarFile) -> None:
    """tarfile takes a damaged header for the end, and what follows would be lost without a word."""
    shard.fileobj.seek(shard.offset)
    if any(shard.fileobj.read(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError(f"no header at byte {shard.offset}")


def decode(data: bytes) -> Photograph | str:
    """The picture that a file holds, or in a few words why it is of no use."""
    if not data:
        return "empty"
    if _is_cut_short(data):
        return "cut short"
    buffer = np.frombuffer(data, np.uint8)
    try:
        rgb = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB)
        raw = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if rgb is not None and _may_be_unusual(data) else rgb
    except cv2.error:  # too large, or a decoder that gave up
        return "unreadable"
    if rgb is None or raw is None or rgb.dtype != np.uint8:
        return "unreadable"
    handled = []
    if raw.dtype == np.uint16:
        deep = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)  # deep TIFFs are BGR whatever is asked
        rounded = ((deep[..., ::-1].astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        if np.median(cv2.absdiff(rounded, rgb)) <= 1:  # else OpenCV has mixed up planes that lie apart in a TIFF
            rgb = rounded  # OpenCV drops the low byte
        handled.append("16-bit")
    if raw.ndim == 3 and raw.shape[2] == 4:
        if np.mean(raw[..., 3] < np.iinfo(raw.dtype).max) > MOST_TRANSPARENT:
            return "transparent"
        handled.append("alpha dropped")
    if raw.ndim == 2:
        handled.append("one channel")
    if _jpeg_components(data) == 4:
        handled.append("CMYK")
    if _is_rotated(data):
        handled.append("turned upright")
    return Photograph(rgb, tuple(handled))


def _is_cut_short(data: bytes) -> bool:
    """OpenCV paints what is missing grey and says nothing; the end of a file tells."""
    if data[:2] == b"\xff\xd8":
        return data.rfind(b"\xff\xd9") < len(data) // 2  # an earlier one ends the thumbnail
    if data[:4] == b"\x89PNG":
        return b"IEND" not in data[-64:]
    if data[:4] == b"RIFF":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def _may_be_unusual(data: bytes) -> bool:
    """Whether a second decoding may show 16 bits, transparency or a single channel."""
    if data[:4] == b"\x89PNG":
        return data[24] == 16 or data[25] != 2 or b"tRNS" in data[:1024]
    if data[8:12] == b"WEBP":
        return data[12:16] == b"VP8L" or (data[12:16] == b"VP8X" and bool(data[20] & 0x10))
    return data[:2] != b"\xff\xd8" or _jpeg_components(data) == 1


def _jpeg_components(data: bytes) -> int:
    """Channels that a JPEG's frame header states; 0 for other files (ITU-T T.81, B.2.2)."""
    for marker, start, _ in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[start + 5]
    return 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, first byte, length) of a JPEG's segments before its scan."""
    position = 2 if data[:2] == b"\xff\xd8" else len(data)
    while position + 9 < len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        yield data[position + 1], position + 4, length - 2
        position += 2 + length


def _is_rotated(data: bytes) -> bool:
    """Whether EXIF asks for another orientation than the stored one (TIFF 6.0, section 2: the first directory)."""
    for marker, start, length in _jpeg_segments(data):
        exif = data[start + 6 : start + length]
        if marker != 0xE1 or data[start : start + 6] != b"Exif\0\0":
            continue
        order = "<" if exif[:2] == b"II" else ">"
        try:
            (directory,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, directory)
            entries = [struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * i) for i in range(count)]
        except struct.error:
            return False
        return any(tag == 0x0112 and value > 1 for tag, _, _, value in entries)
    return False
