"""Y'CbCr video formats: what a code value means, and the way between Y'CbCr, R'G'B' and CIELAB.

Normalised luma is 0…1 (black to white), normalised chroma Cb, Cr is -0.5…0.5, R'G'B' is 0…1. Codes are integers of
`YuvFormat.depth` bits. "U" and "V" are the planes that hold Cb and Cr.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidcolor.color.lab import RGB_TO_XYZ, lab_to_xyz, xyz_to_lab
from vidcolor.color.transfers import TRANSFERS, from_linear, to_linear

# Kr and Kb: ITU-T H.273, table 4.
MATRICES = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}

# Chromaticities x, y of red, green and blue: ITU-T H.273, table 2. All of these have the white point D65.
PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt601-525": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    "bt601-625": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3-d65": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)

SITINGS = ("left", "center", "topleft")


@dataclass(frozen=True, slots=True)
class YuvFormat:
    """Everything that decides which colour a triple of codes is, and where chroma samples lie.

    Raises:
        ValueError: a field that is not one of the values named beside it.
    """

    depth: int  # bits per sample, 8…16
    full_range: bool
    matrix: str  # a key of MATRICES
    primaries: str  # a key of PRIMARIES
    transfer: str  # one of TRANSFERS
    chroma_width: int  # luma samples per chroma sample across: 1, 2, 4
    chroma_height: int  # and down: 1, 2
    siting: str  # "left": on an even luma column, between rows; "center": between both; "topleft": on both

    def __post_init__(self) -> None:
        allowed = {
            "depth": range(8, 17),
            "matrix": MATRICES,
            "primaries": PRIMARIES,
            "transfer": TRANSFERS,
            "chroma_width": (1, 2, 4),
            "chroma_height": (1, 2),
            "siting": SITINGS,
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"YuvFormat.{name} is {getattr(self, name)!r}; known: {', '.join(map(str, values))}")

    @property
    def dtype(self) -> type:
        """The numpy type of a plane's samples."""
        return np.uint8 if self.depth == 8 else np.uint16

    @property
    def peak(self) -> int:
        """The largest code."""
        return (1 << self.depth) - 1

    @property
    def mid(self) -> int:
        """The chroma code of every grey."""
        return 1 << (self.depth - 1)

    @property
    def black(self) -> int:
        """The luma code of black."""
        return 0 if self.full_range else 16 << (self.depth - 8)

    @property
    def luma_span(self) -> int:
        """Luma codes from black to white (H.273, equations 20 and 31)."""
        return self.peak if self.full_range else 219 << (self.depth - 8)

    @property
    def chroma_span(self) -> int:
        """Chroma codes from Cb = -0.5 to 0.5 (H.273, equations 21 and 32)."""
        return self.peak if self.full_range else 224 << (self.depth - 8)

    def chroma_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of U and V for a picture of the given luma size: rounded up, as decoders do."""
        return -(-width // self.chroma_width), -(-height // self.chroma_height)


def luma_from_code(code: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Luma codes → normalised luma, float32; foot- and headroom come out below 0 and above 1."""
    return (np.asarray(code, np.float32) - fmt.black) / fmt.luma_span


def chroma_from_code(code: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Chroma codes → normalised Cb or Cr, float32."""
    return (np.asarray(code, np.float32) - fmt.mid) / fmt.chroma_span


def luma_to_code(luma: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Normalised luma → codes, rounded to nearest and clipped to what `fmt.depth` bits hold."""
    return np.clip(np.rint(luma * fmt.luma_span + fmt.black), 0, fmt.peak).astype(fmt.dtype)


def chroma_to_code(chroma: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Normalised Cb or Cr → codes, rounded to nearest and clipped to what `fmt.depth` bits hold."""
    return np.clip(np.rint(chroma * fmt.chroma_span + fmt.mid), 0, fmt.peak).astype(fmt.dtype)


def rgb_matrix(matrix: str) -> np.ndarray:
    """The 3×3 matrix that turns normalised (Y', Cb, Cr) into (R', G', B'), float64."""
    kr, kb = MATRICES[matrix]
    kg = 1 - kr - kb
    red, blue = 2 * (1 - kr), 2 * (1 - kb)
    return np.array([[1, 0, red], [1, -blue * kb / kg, -red * kr / kg], [1, blue, 0]])


def yuv_to_rgb(yuv: np.ndarray, matrix: str) -> np.ndarray:
    """Normalised Y'CbCr (..., 3) → R'G'B' (..., 3), not clipped."""
    return yuv @ rgb_matrix(matrix).T.astype(yuv.dtype)


def rgb_to_yuv(rgb: np.ndarray, matrix: str) -> np.ndarray:
    """R'G'B' (..., 3) → normalised Y'CbCr (..., 3), the inverse of `yuv_to_rgb`."""
    return rgb @ np.linalg.inv(rgb_matrix(matrix)).T.astype(rgb.dtype)


def _relative_xyz_matrix(primaries: str) -> np.ndarray:
    """Linear RGB → XYZ relative to white, 3×3 float64: each row sums to 1, so greys have a* = b* = 0."""
    if primaries == "bt709":
        matrix = RGB_TO_XYZ
    else:
        xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[primaries]]).T
        x, y = _D65
        matrix = xyz * np.linalg.solve(xyz, np.array([x / y, 1, (1 - x - y) / y]))
    return matrix / matrix.sum(1, keepdims=True)


def rgb_to_lab(rgb: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """R'G'B' of the format (..., 3) → Lab (..., 3) as displayed; HDR highlights exceed L* 100."""
    matrix = _relative_xyz_matrix(fmt.primaries).T.astype(rgb.dtype)
    return xyz_to_lab(to_linear(rgb, fmt.transfer) @ matrix)


def lab_to_rgb(lab: np.ndarray, fmt: YuvFormat) -> np.ndarray:
    """Lab (..., 3) → R'G'B' of the format (..., 3), not clipped: outside 0…1 is outside the gamut."""
    matrix = np.linalg.inv(_relative_xyz_matrix(fmt.primaries)).T.astype(lab.dtype)
    return from_linear(lab_to_xyz(lab) @ matrix, fmt.transfer)
