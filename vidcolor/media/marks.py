"""Words inside pictures: where each kind of file says something of itself. The picture's own data stay as they are."""

from __future__ import annotations

import struct
import zlib

_DESCRIPTION = 0x010E  # ImageDescription, TIFF 6.0
_ASCII = 2  # type of a TIFF field
_NO_FIELDS = b"II*\0" + struct.pack("<IHI", 8, 0, 0)  # TIFF and EXIF without a field
_CREATOR = slice(160, 260)  # SMPTE ST 268-1: who made a DPX file, filled up with zeros
_AFTER_HEADER = 33  # bytes of a PNG's signature and its first chunk, IHDR


def with_words(data: bytes, words: str) -> bytes:
    """A TIFF, PNG or DPX file that says `words` (ASCII): as ImageDescription, as a comment, as its creator.

    A TIFF's own description is kept, before them. Other files are given back as they are.
    """
    if data[:2] in (b"II", b"MM"):
        return described(data, words)
    if data[:4] == b"\x89PNG":
        return data[:_AFTER_HEADER] + _chunk(b"tEXt", b"Comment\0" + words.encode()) + data[_AFTER_HEADER:]
    if data[:4] in (b"SDPX", b"XPDS"):
        room = _CREATOR.stop - _CREATOR.start
        return data[: _CREATOR.start] + words.encode()[: room - 1].ljust(room, b"\0") + data[_CREATOR.stop :]
    return data


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def described(tiff: bytes, words: str) -> bytes:
    """TIFF, or EXIF, which has its form, with `words` in the ImageDescription of its first directory.

    The directory is written anew at the end; all else stays at its place, so that everything that points at it holds.

    Args:
        tiff: empty: EXIF with nothing else is made.

    Raises:
        ValueError: it has no directory that can be read.
    """
    tiff = tiff or _NO_FIELDS
    order, places, following = first_directory(tiff)
    fields = {tag: tiff[place : place + 12] for tag, place in places.items()}
    own = _text(tiff, fields.get(_DESCRIPTION), order)
    if words.encode() in own:
        return tiff
    value = b" ".join(filter(None, [own, words.encode()])) + b"\0"
    place = len(tiff) + len(tiff) % 2
    fields[_DESCRIPTION] = struct.pack(f"{order}HHII", _DESCRIPTION, _ASCII, len(value), place)
    value += bytes(len(value) % 2)  # directories begin at even places
    entries = b"".join(fields[tag] for tag in sorted(fields))
    anew = struct.pack(f"{order}H", len(fields)) + entries + struct.pack(f"{order}I", following)
    head = tiff[:4] + struct.pack(f"{order}I", place + len(value)) + tiff[8:]
    return head.ljust(place, b"\0") + value + anew


def first_directory(tiff: bytes) -> tuple[str, dict[int, int], int]:
    """Byte order as `struct` has it, the place of each field by its tag, and the place of the next directory (0: none).

    Raises:
        ValueError: there is none that can be read.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None or struct.unpack_from(f"{order}H", tiff, 2)[0] != 42:
            raise ValueError("it does not begin as TIFF does")
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        (following,) = struct.unpack_from(f"{order}I", tiff, directory + 2 + 12 * count)
    except struct.error as error:
        raise ValueError("its first directory cannot be read") from error
    places = range(directory + 2, directory + 2 + 12 * count, 12)
    return order, {struct.unpack_from(f"{order}H", tiff, place)[0]: place for place in places}, following


def _text(tiff: bytes, field: bytes | None, order: str) -> bytes:
    """What an ASCII field holds; nothing where there is none."""
    if field is None:
        return b""
    _, kind, count, place = struct.unpack(f"{order}HHII", field)
    if kind != _ASCII:
        return b""
    value = field[8:12][:count] if count <= 4 else tiff[place : place + count]
    return value.rstrip(b"\0 ")
