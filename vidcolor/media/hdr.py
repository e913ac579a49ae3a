"""Static HDR metadata: the mastering display (SMPTE ST 2086) and the content light level (CTA-861.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av

from vidcolor.media.filtering import through

_LAYOUT = "=20i2i"  # AVMasteringDisplayMetadata: ten rationals, two flags
_EXIF = 31  # AV_FRAME_DATA_EXIF
_ENCODERS = frozenset(["libx264", "libx265", "libsvtav1"])  # that write it into the stream
_DYNAMIC = {
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
}

Point = tuple[Fraction, Fraction]  # CIE 1931 x, y


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """What a film says of the display that it was graded on, and of its own brightness."""

    primaries: tuple[Point, Point, Point] | None  # red, green, blue; None: no mastering display is described
    white: Point | None
    luminance: tuple[Fraction, Fraction] | None  # of the display, least and greatest, cd/m²
    light: tuple[int, int] | None  # of the content: of its brightest pixel, and of its brightest frame's mean, cd/m²

    def near(self, other: HdrMetadata | None) -> bool:
        """Whether both say the same, as far as the coarsest codec (AV1, in 1/65536) can tell."""
        return (
            other is not None
            and self.light == other.light
            and all(abs(a - b) <= Fraction(1, 10_000) for a, b in zip(self._numbers(), other._numbers(), strict=True))
        )

    def _numbers(self) -> list[Fraction]:
        if self.primaries is None:
            return []
        return [number for pair in (*self.primaries, self.white, self.luminance) for number in pair]


def side_data(frame: av.VideoFrame) -> dict[str, bytes]:
    """What FFmpeg gives with a frame, by PyAV's names, but for EXIF."""
    try:
        return {data.type.name: bytes(data) for data in frame.side_data}
    except ValueError:  # PyAV has no name for EXIF, and then gives nothing
        rest = through(frame.time_base, ("sidedata", f"mode=delete:type={_EXIF}"))(frame)
        return {data.type.name: bytes(data) for data in rest.side_data}


def read_hdr(frame: av.VideoFrame) -> HdrMetadata | None:
    """What a decoded frame carries; None where it says nothing, or describes half a display."""
    display, light = (side_data(frame).get(name) for name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"))
    levels = None if light is None else struct.unpack_from("=2I", light)
    if display is not None:
        *numbers, has_primaries, has_luminance = struct.unpack_from(_LAYOUT, display)
        values = [Fraction(numbers[i], numbers[i + 1] or 1) for i in range(0, 20, 2)]
        points = tuple((values[i], values[i + 1]) for i in range(0, 8, 2))
        if has_primaries and has_luminance:
            return HdrMetadata(points[:3], points[3], (values[8], values[9]), levels)
    return None if levels is None else HdrMetadata(None, None, None, levels)


def dynamic_hdr(frame: av.VideoFrame) -> tuple[str, ...]:
    """Names of the metadata that change from frame to frame; no encoder here can write them."""
    return tuple(dict.fromkeys(_DYNAMIC[name] for name in side_data(frame) if name in _DYNAMIC))


def carries_hdr(encoder: str) -> bool:
    """Whether an encoder, by FFmpeg's name, can write static HDR metadata."""
    return encoder in _ENCODERS


def hdr_parameters(encoder: str, hdr: HdrMetadata | None) -> str:
    """The encoder's own parameters for `hdr`, joined by colons; empty where there are none."""
    if hdr is None or not carries_hdr(encoder):
        return ""
    display, light = {
        "libx264": ("mastering-display", "cll"),
        "libx265": ("master-display", "max-cll"),
        "libsvtav1": ("mastering-display", "content-light"),
    }[encoder]
    found = []
    if hdr.primaries is not None:
        red, green, blue = hdr.primaries
        (least, greatest), points = hdr.luminance, (("G", green), ("B", blue), ("R", red), ("WP", hdr.white))
        if encoder == "libsvtav1":  # in plain numbers; the others count in 0.00002 and 0.0001
            pairs = [(name, f"{float(x):.6f},{float(y):.6f}") for name, (x, y) in points]
            pairs.append(("L", f"{float(greatest):.4f},{float(least):.4f}"))
        else:
            pairs = [(name, f"{round(x * 50_000)},{round(y * 50_000)}") for name, (x, y) in points]
            pairs.append(("L", f"{round(greatest * 10_000)},{round(least * 10_000)}"))
        found.append(f"{display}=" + "".join(f"{name}({pair})" for name, pair in pairs))
    if hdr.light is not None:
        found.append(f"{light}={hdr.light[0]},{hdr.light[1]}")
    return ":".join(found)
