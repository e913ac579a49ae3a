"""Words inside pictures: where each kind of file says something of itself. The picture's own data stay as they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterable, Iterator

DESCRIPTION = 0x010E  # ImageDescription, TIFF 6.0
BYTE, ASCII, SHORT, RATIONAL, UNDEFINED = 1, 2, 3, 5, 7  # types of TIFF fields
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, RATIONAL: 8, UNDEFINED: 1}  # bytes of one value
_LONGEST = 1 << 24  # bytes of a field: enough for all but fields that are made to fill the memory
_PNG = b"\x89PNG\r\n\x1a\n"
NO_FIELDS = b"II*\0" + struct.pack("<IHI", 8, 0, 0)  # TIFF and EXIF without a field
_CREATOR = slice(160, 260)  # SMPTE ST 268-1: who made a DPX file, filled up with zeros
COMMENT = b"Comment\0"  # how the content of a PNG's tEXt chunk begins that is a comment
_AFTER_HEADER = 33  # bytes of a PNG's signature and its first chunk, IHDR


def with_words(data: bytes, words: str) -> bytes:
    """A TIFF, PNG or DPX file that says `words` (ASCII): as ImageDescription, as a comment, as its creator.

    A description that a TIFF's directory holds is kept, before them. Other files are given back as they are.
    """
    if data[:2] in (b"II", b"MM"):
        return described(data, words)
    if data[:4] == _PNG[:4]:
        return with_chunks(data, [(b"tEXt", COMMENT + words.encode())])
    if data[:4] in (b"SDPX", b"XPDS"):
        room = _CREATOR.stop - _CREATOR.start
        return data[: _CREATOR.start] + words.encode()[: room - 1].ljust(room, b"\0") + data[_CREATOR.stop :]
    return data


def with_chunks(png: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG file with these chunks, each a name and a content, right after its header."""
    made = (
        struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"".join([png[:_AFTER_HEADER], *made, memoryview(png)[_AFTER_HEADER:]])


def described(tiff: bytes, words: str) -> bytes:
    """TIFF, or EXIF, which has its form, with `words` in the ImageDescription of its first directory, after its own.

    Args:
        tiff: empty: EXIF with nothing else is made.

    Raises:
        ValueError: it has no directory that can be read.
    """
    tiff = tiff or NO_FIELDS
    kind, own = field_values(tiff, {DESCRIPTION}).get(DESCRIPTION, (ASCII, b""))
    own = own.rstrip(b"\0 ") if kind == ASCII else b""
    if words.encode() in own:
        return tiff
    return with_fields(tiff, {DESCRIPTION: (ASCII, b" ".join(filter(None, [own, words.encode()])) + b"\0")})


def with_fields(tiff: bytes, values: dict[int, tuple[int, bytes]]) -> bytes:
    """TIFF or EXIF with these fields in its first directory, in place of those of the same tags.

    The directory is written anew at the end; all else stays at its place, so that everything that points at it holds.

    Args:
        values: of each tag, the type (one of SIZES) and the bytes, in the file's byte order.

    Raises:
        ValueError: it has no directory that can be read.
    """
    order, places, following = first_directory(tiff)
    fields = {tag: tiff[place : place + 12] for tag, place in places.items()}
    first = place = len(tiff) + len(tiff) % 2
    apart = []  # values that do not fit into their fields; each begins at an even place, as directories do
    for tag, (kind, value) in values.items():
        fields[tag] = struct.pack(f"{order}HHI", tag, kind, len(value) // SIZES[kind])
        if len(value) <= 4:
            fields[tag] += value.ljust(4, b"\0")
        else:
            fields[tag] += struct.pack(f"{order}I", place)
            apart.append(value + bytes(len(value) % 2))
            place += len(apart[-1])
    directory = struct.pack(f"{order}H", len(fields)) + b"".join(fields[tag] for tag in sorted(fields))
    head = tiff[:4] + struct.pack(f"{order}I", place)
    padding = bytes(first - len(tiff))
    return b"".join([head, memoryview(tiff)[8:], padding, *apart, directory, struct.pack(f"{order}I", following)])


def field_values(tiff: bytes, tags: Collection[int]) -> dict[int, tuple[int, bytes]]:
    """Type and bytes of those fields of the first directory that are among `tags`, whole, and of a type in SIZES.

    Raises:
        ValueError: it has no directory that can be read.
    """
    order, places, _ = first_directory(tiff)
    values = {}
    for tag in places.keys() & tags:
        _, kind, count, offset = struct.unpack_from(f"{order}HHII", tiff, places[tag])
        size = SIZES.get(kind, 0) * count
        start = places[tag] + 8 if size <= 4 else offset
        if 0 < size <= _LONGEST and start + size <= len(tiff):
            values[tag] = kind, tiff[start : start + size]
    return values


def first_numbers(tiff: bytes, tags: Collection[int]) -> dict[int, int]:
    """The first number in those fields of the first directory that are among `tags` and hold numbers of 16 bits.

    Raises:
        ValueError: it has no directory that can be read.
    """
    order, *_ = first_directory(tiff)
    fields = field_values(tiff, tags).items()
    return {tag: struct.unpack_from(f"{order}H", value)[0] for tag, (kind, value) in fields if kind == SHORT}


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


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Name and content of every chunk of a PNG file up to where it is cut, and whether its checksum is right."""
    place = len(_PNG)
    while place + 12 <= len(png):
        length, name = struct.unpack_from(">I4s", png, place)
        content, place = png[place + 8 : place + 8 + length], place + 12 + length
        if place <= len(png):
            checksum = zlib.crc32(content, zlib.crc32(name))
            yield name, content, png[place - 4 : place] == struct.pack(">I", checksum)
