"""Whether FFV1 frames are as they were written: FFmpeg notices a wrong check sum, but tells nobody who calls it."""

from __future__ import annotations

import zlib

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FOOTER = 8  # bytes at the end of a slice: its size (3), error status (1), check sum (4)


def check_sums(frame: bytes) -> list[bool]:
    """Which slices of a frame have the right check sum (RFC 9043, 4.9), from the last to the first.

    Returns:
        Nothing where the frame has no check sums, or its slices cannot be told apart.
    """
    right: list[bool] = []
    end = len(frame)
    while end > 0:
        size = int.from_bytes(frame[max(0, end - _FOOTER) : max(0, end - _FOOTER + 3)])
        begin = end - _FOOTER - size
        if begin < 0 or size == 0:
            return []
        # zlib's check sum takes bits in the other order, and is inverted before and after.
        right.append(zlib.crc32(frame[begin:end].translate(_MIRRORED), 0xFFFFFFFF) == 0xFFFFFFFF)
        end = begin
    return right


class Ffv1Check:
    """Tells whether frames of one film are intact. Films without check sums, or with few right ones, pass."""

    def __init__(self) -> None:
        self._has_sums = False

    def __call__(self, frame: bytes) -> bool:
        """Whether nothing speaks against the frame."""
        sums = check_sums(frame)
        self._has_sums = self._has_sums or (bool(sums) and all(sums))
        return not self._has_sums or (bool(sums) and all(sums))
