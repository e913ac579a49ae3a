"""The resolution of a still, in the form of each format."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from vidcolor.media.marks import RATIONAL, SHORT, field_values, first_directory

X, Y, UNIT = 0x011A, 0x011B, 0x0128  # TIFF 6.0: XResolution, YResolution, ResolutionUnit
FIELDS = frozenset([X, Y, UNIT])
_INCH, _CM, _METRE = Fraction(254, 10000), Fraction(1, 100), Fraction(1)
_TIFF_UNITS = {1: None, 2: _INCH, 3: _CM}
_JFIF_UNITS = {0: None, 1: _INCH, 2: _CM}
_JFIF = slice(13, 18)  # unit, across, down in a JPEG file that begins with JFIF's segment


@dataclass(frozen=True, slots=True)
class Density:
    """Pixels across and down per `unit`, which is in metres; without one they are a ratio."""

    x: Fraction
    y: Fraction
    unit: Fraction | None

    def turned(self) -> Density:
        """Of the picture turned by a quarter."""
        return Density(self.y, self.x, self.unit)

    def per(self, unit: Fraction) -> tuple[Fraction, Fraction]:
        """Pixels across and down per `unit`: a whole number where PNG's whole pixels per metre mean it."""
        return _per(self.x, self.unit, unit), _per(self.y, self.unit, unit)


def _per(pixels: Fraction, unit: Fraction, other: Fraction) -> Fraction:
    exact = pixels * other / unit
    meant = unit == _METRE and round(Fraction(round(exact)) / other) == pixels
    return Fraction(round(exact)) if meant else exact


def _density(x: Fraction, y: Fraction, unit: Fraction | None) -> Density | None:
    """None where the numbers say nothing: no size at all, or pixels that are square."""
    return Density(x, y, unit) if x > 0 and y > 0 and (unit or x != y) else None


def of_jfif(content: bytes) -> Density | None:
    """Of the content of a JPEG's segment JFIF, 12 bytes or more."""
    unit, x, y = struct.unpack_from(">BHH", content, 7)
    return _density(Fraction(x), Fraction(y), _JFIF_UNITS.get(unit))


def of_phys(content: bytes) -> Density | None:
    """Of the content of a PNG's pHYs chunk."""
    if len(content) != 9:
        return None
    x, y, unit = struct.unpack(">IIB", content)
    return _density(Fraction(x), Fraction(y), _METRE if unit == 1 else None)


def of_tiff(tiff: bytes) -> Density | None:
    """Of the first directory of TIFF or EXIF.

    Raises:
        ValueError: it has none that can be read.
    """
    order, *_ = first_directory(tiff)
    values = field_values(tiff, FIELDS)
    pixels = []
    for tag in (X, Y):
        kind, value = values.get(tag, (0, b""))
        above, below = struct.unpack(f"{order}II", value) if kind == RATIONAL and len(value) == 8 else (0, 0)
        if not below:
            return None
        pixels.append(Fraction(above, below))
    kind, value = values.get(UNIT, (SHORT, struct.pack(f"{order}H", 2)))  # TIFF 6.0: inches where nothing is said
    unit = struct.unpack(f"{order}H", value)[0] if kind == SHORT and len(value) == 2 else 1
    return _density(*pixels, _TIFF_UNITS.get(unit))


def to_jfif(density: Density) -> bytes | None:
    """What stands in JFIF's segment; None where its 16 bits do not hold it."""
    if density.unit is None:
        ratio = density.x / density.y
        return _jfif(0, Fraction(ratio.numerator), Fraction(ratio.denominator))
    whole = density.unit == _CM and density.x.denominator == density.y.denominator == 1
    return _jfif(2, density.x, density.y) if whole else _jfif(1, *density.per(_INCH))


def _jfif(unit: int, x: Fraction, y: Fraction) -> bytes | None:
    x, y = round(x), round(y)
    return struct.pack(">BHH", unit, x, y) if 0 < x < 1 << 16 and 0 < y < 1 << 16 else None


def with_jfif(jpeg: bytes, density: Density | None) -> bytes:
    """A JPEG file, as OpenCV writes it, of that resolution."""
    said = to_jfif(density) if density else None
    return jpeg[: _JFIF.start] + said + jpeg[_JFIF.stop :] if said else jpeg


def to_phys(density: Density) -> bytes | None:
    """The content of a pHYs chunk; None where its 31 bits do not hold it."""
    if density.unit is None:
        ratio = density.x / density.y
        x, y = ratio.numerator, ratio.denominator
    else:
        x, y = map(round, density.per(_METRE))
    held = 0 < x < 1 << 31 and 0 < y < 1 << 31
    return struct.pack(">IIB", x, y, density.unit is not None) if held else None


def to_tiff(density: Density, order: str) -> dict[int, tuple[int, bytes]]:
    """The fields of TIFF or EXIF of that byte order; none where 32 bits do not hold them."""
    unit = density.unit if density.unit in _TIFF_UNITS.values() else _INCH
    x, y = density.per(unit) if unit else (density.x, density.y)
    if max(x.numerator, x.denominator, y.numerator, y.denominator) >= 1 << 32:
        return {}
    code = next(code for code, named in _TIFF_UNITS.items() if named == unit)
    rational = {tag: (RATIONAL, struct.pack(f"{order}II", *v.as_integer_ratio())) for tag, v in ((X, x), (Y, y))}
    return rational | {UNIT: (SHORT, struct.pack(f"{order}H", code))}
