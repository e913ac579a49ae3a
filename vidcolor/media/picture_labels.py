"""What a still's file says beside its samples and the blocks that OpenCV reads: its texts, its resolution."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import cv2

from vidcolor.media import density, marks
from vidcolor.media.density import Density

EXIF, XMP, ICC = cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP
TEXTS = {269: "DocumentName", 270: "ImageDescription", 271: "Make", 272: "Model", 305: "Software", 306: "DateTime",
         315: "Artist", 33432: "Copyright", 33723: "IPTC"}  # fmt: skip
"""Fields of TIFF and of EXIF's first directory that are carried as they are."""
_ORIENTATION, _EXTRA_SAMPLES = 274, 338
_BLOCK_FIELDS = {XMP: (700, marks.BYTE), ICC: (34675, marks.UNDEFINED)}  # where TIFF has them: tag and type
_OF_THE_SAMPLES = frozenset(
    [*range(254, 267), *range(273, 282), 284, *range(288, 293), *range(317, 326), *range(338, 348), *range(529, 533)]
)  # fields that say how samples lie in the file: those of the output are written anew
_NAMES = {
    34665: "EXIF",
    34853: "GPS",
    34377: "Photoshop",
    330: "SubIFDs",
    297: "PageNumber",
    282: "XResolution",
    283: "YResolution",
}
_CHUNKS_READ = (b"eXIf", b"iCCP", b"pHYs", b"tRNS")  # by OpenCV or below
_COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tIME")  # carried, though PNG does not call them safe to copy
_SAFE = 0x20  # bit of a chunk's fourth letter: it holds though the samples change
_XMP_IN_PNG = b"XML:com.adobe.xmp\0"
XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"  # before XMP in JPEG, and in what OpenCV reads of it
_SEGMENTS_READ = (b"JFIF\0", b"JFXX\0", b"Exif\0", XMP_IN_JPEG, b"ICC_PROFILE\0", b"Adobe")
_SEGMENT = 65000  # bytes of a block that go into a JPEG's segment, with what stands before it and with a few words more
FORMS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
}


@dataclass(slots=True)
class Labels:
    """What was found.

    `pieces` hold for their own format alone: PNG's chunks, by their names, and JPEG's segments, by their markers.
    """

    form: str  # of FORMS' values
    density: Density | None = None
    pieces: list[tuple[bytes, bytes]] = field(default_factory=list)
    blocks: dict[int, bytes] = field(default_factory=dict)  # TIFF's, in OpenCV's kinds, which does not read them
    turned: bool = False  # TIFF's orientation, which OpenCV applies, is by a quarter
    alpha: bool = False
    profile: bool = False  # a PNG has an ICC profile, whether OpenCV reads it or not
    lost: list[str] = field(default_factory=list)  # names of what is not carried


def read_labels(data: bytes) -> Labels:
    """Read what a PNG, JPEG or TIFF file says; of another, nothing. What is damaged is lost, by its name."""
    if data[:4] == b"\x89PNG":
        return _of_png(data)
    if data[:2] == b"\xff\xd8":
        return _of_jpeg(data)
    if data[:2] in (b"II", b"MM"):
        return _of_tiff(data)
    flags = {b"VP8X": 20, b"VP8L": 24}.get(data[12:16])  # where the byte with the bit of alpha lies
    return Labels("WebP", alpha=flags is not None and len(data) > flags and bool(data[flags] & 0x10))


def _of_png(data: bytes) -> Labels:
    labels = Labels("PNG", alpha=data[25] in (4, 6))
    for name, content, right in marks.chunks_of(data):
        title = name.decode("latin-1")
        labels.alpha |= name == b"tRNS"
        labels.profile |= name == b"iCCP"
        if title[0].isupper() or name in _CHUNKS_READ or content.startswith(_XMP_IN_PNG):
            if name == b"pHYs" and right:
                labels.density = density.of_phys(content)
        elif not right:
            labels.lost.append(f"{title} (damaged)")
        elif name in _COLOUR_CHUNKS or (name[3] & _SAFE and not content.startswith(b"Raw profile type ")):
            labels.pieces.append((name, content))
        elif title not in labels.lost:
            labels.lost.append(title)
    return labels


def _of_jpeg(data: bytes) -> Labels:
    labels = Labels("JPEG")
    for marker, content in _segments(data):
        if marker == 0xFE or marker == 0xED or content.startswith(b"http://ns.adobe.com/xmp/extension/\0"):
            labels.pieces.append((bytes([0xFF, marker]), content))
        elif 0xE0 <= marker <= 0xEF and not content.startswith(_SEGMENTS_READ):
            name = re.sub(rb"[^ -~].*", b"", content[:20], flags=re.DOTALL).decode()
            labels.lost.append(f"APP{marker - 0xE0}" + (f" ({name})" if name else ""))
        elif content.startswith(b"JFIF\0") and len(content) >= 12:
            labels.density = density.of_jfif(content)
    return labels


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """Marker and content of every segment of a JPEG file before its samples, up to where it is cut."""
    found, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, place + 2)
        if data[place + 1] == 0xFF:  # a filling byte
            place += 1
            continue
        if length < 2 or place + 2 + length > len(data):
            break
        found.append((data[place + 1], data[place + 4 : place + 2 + length]))
        place += 2 + length
    return found


def _of_tiff(data: bytes) -> Labels:
    try:
        order, places, _ = marks.first_directory(data)
        resolution = density.of_tiff(data)
    except ValueError as error:
        return Labels("TIFF", lost=[f"fields ({error})"])
    values = marks.field_values(data, {*TEXTS, *(tag for tag, _ in _BLOCK_FIELDS.values()), _ORIENTATION})
    wanted = _texts(values)
    labels = Labels("TIFF", resolution, alpha=_EXTRA_SAMPLES in places)
    labels.blocks = {kind: values[tag][1] for kind, (tag, _) in _BLOCK_FIELDS.items() if tag in values}
    if wanted:
        labels.blocks[EXIF] = marks.with_fields(marks.NO_FIELDS, wanted)
    kind, orientation = values.get(_ORIENTATION, (0, b""))
    labels.turned = kind == marks.SHORT and struct.unpack_from(f"{order}H", orientation)[0] in range(5, 9)
    kept = wanted.keys() | (values.keys() - TEXTS.keys()) | (density.FIELDS if resolution else {density.UNIT})
    labels.lost = [_title(tag) for tag in sorted(places.keys() - kept - _OF_THE_SAMPLES)]
    return labels


def _texts(values: dict[int, tuple[int, bytes]]) -> dict[int, tuple[int, bytes]]:
    """Those of a directory's fields that are texts: bytes, in whatever order the file has its numbers."""
    return {tag: value for tag, value in values.items() if tag in TEXTS and marks.SIZES[value[0]] == 1}


def _title(tag: int) -> str:
    return (TEXTS | _NAMES).get(tag, f"field {tag}")


@dataclass(slots=True)
class Fitted:
    """What a file of another name, or of another format, will say; `lost` says what it will not, a sentence each."""

    form: str
    density: Density | None
    pieces: list[tuple[bytes, bytes]]
    blocks: dict[int, bytes]
    lost: list[str]

    def say(self, words: str) -> None:
        """Add `words` to the description that is there: in EXIF, as TIFF's description, as PNG's comment."""
        if self.form != "PNG":
            self.blocks[EXIF] = marks.described(self.blocks.get(EXIF, b""), words)
            return
        comments = [i for i, (name, content) in enumerate(self.pieces) if name == b"tEXt" and _is_comment(content)]
        if not comments:
            self.pieces.append((b"tEXt", marks.COMMENT + words.encode()))
        elif words.encode() not in self.pieces[comments[-1]][1]:
            name, content = self.pieces[comments[-1]]
            self.pieces[comments[-1]] = name, content + b" " + words.encode()

    def for_opencv(self) -> dict[int, bytes]:
        """The blocks that OpenCV writes into a file of this format."""
        blocks = {} if self.form == "TIFF" else dict(self.blocks)
        if self.form in ("JPEG", "PNG"):  # it writes none into JPEG, and into PNG in a form that few read
            blocks.pop(XMP, None)
        if self.form == "WebP" and self.density:
            exif = self.blocks.get(EXIF, marks.NO_FIELDS)
            blocks[EXIF] = marks.with_fields(exif, density.to_tiff(self.density, marks.first_directory(exif)[0]))
        return blocks

    def finish(self, data: bytes) -> bytes:
        """The file that OpenCV made, with the rest."""
        xmp = self.blocks.get(XMP)
        if self.form == "PNG":
            said = density.to_phys(self.density) if self.density else None
            own = {b"pHYs": said, b"iTXt": xmp and _XMP_IN_PNG + bytes(4) + xmp}  # plain, of no language
            return marks.with_chunks(
                data, [*((name, content) for name, content in own.items() if content), *self.pieces]
            )
        if self.form == "JPEG":
            own = [(b"\xff\xe1", XMP_IN_JPEG + xmp)] if xmp else []
            return _with_segments(density.with_jfif(data, self.density), [*own, *self.pieces])
        if self.form == "TIFF":
            return self._finish_tiff(data)
        return data

    def _finish_tiff(self, data: bytes) -> bytes:
        exif = self.blocks.get(EXIF, marks.NO_FIELDS)
        fields = _texts(marks.field_values(exif, TEXTS))
        fields |= {tag: (as_type, self.blocks[kind]) for kind, (tag, as_type) in _BLOCK_FIELDS.items()
                   if kind in self.blocks}  # fmt: skip
        if self.density:
            fields |= density.to_tiff(self.density, marks.first_directory(data)[0])
        return marks.with_fields(data, fields) if fields else data


def _is_comment(content: bytes) -> bool:
    return content.startswith(marks.COMMENT)


def _with_segments(jpeg: bytes, segments: list[tuple[bytes, bytes]]) -> bytes:
    """A JPEG file with these segments after the application's segments that it has."""
    place = 2
    for marker, content in _segments(jpeg):
        if not 0xE0 <= marker <= 0xEF:
            break
        place += 4 + len(content)
    made = [marker + struct.pack(">H", len(content) + 2) + content for marker, content in segments]
    return b"".join([jpeg[:place], *made, memoryview(jpeg)[place:]])


def fit(form: str, labels: Labels, blocks: dict[int, bytes], lost: list[str]) -> Fitted:
    """Choose what a file of the format `form` can say of what a picture said.

    Args:
        blocks: the metadata of the picture that still hold.
        lost: what does not, a sentence each.
    """
    fitted = Fitted(form, labels.density, list(labels.pieces), dict(blocks), list(lost))
    names = list(labels.lost)
    if form != labels.form:
        names += [_piece(*piece) for piece in fitted.pieces]
        fitted.pieces = []
    if names:
        fitted.lost.append(f"of the {labels.form}, these are dropped: {', '.join(dict.fromkeys(names))}")
    holds = {"PNG": density.to_phys, "JPEG": density.to_jfif}.get(form, lambda of: density.to_tiff(of, "<"))
    if labels.density and not holds(labels.density):
        fitted.lost.append(f"the resolution is dropped: {form} cannot hold it")
        fitted.density = None
    if form == "TIFF" and EXIF in blocks and _has_more(blocks[EXIF]):
        fitted.lost.append("the EXIF metadata are dropped, but for the texts and the resolution of the picture")
    if form == "JPEG":
        for kind in [kind for kind, block in blocks.items() if len(block) > _SEGMENT]:
            name = {EXIF: "EXIF metadata", XMP: "XMP metadata"}.get(kind, "ICC profile")
            fitted.lost.append(f"{name} of {len(fitted.blocks.pop(kind))} bytes: dropped, too many for JPEG")
    return fitted


def _piece(name: bytes, content: bytes) -> str:
    """What a chunk or a segment is called: a text by its own keyword."""
    if name in (b"tEXt", b"zTXt", b"iTXt"):
        return content.partition(b"\0")[0].decode("latin-1")
    names = {b"\xff\xfe": "comment", b"\xff\xed": "IPTC and Photoshop's data", b"\xff\xe1": "more XMP"}
    return names.get(name) or name.decode("latin-1")


def _has_more(exif: bytes) -> bool:
    return bool(marks.first_directory(exif)[1].keys() - TEXTS.keys() - density.FIELDS - {_ORIENTATION})
