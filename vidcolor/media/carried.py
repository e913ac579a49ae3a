"""What single pictures of a film carry beside themselves, and how it goes on into the coloured film."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import av
from av.sidedata.sidedata import SideDataContainer

from vidcolor.media.filtering import through

CARRIED = {
    "A53_CC": "closed captions (CEA-608 or 708)",
    "STEREO3D": "how two eyes' views share the picture",
}
"""PyAV's names of side data, and what they are."""

_WRITTEN = {"libx264": frozenset(CARRIED), "libx265": frozenset({"A53_CC"})}


def carried(frame: av.VideoFrame) -> frozenset[str]:
    """What of CARRIED comes with a decoded frame."""
    try:  # not `frame.side_data`, which the frame keeps and which keeps the frame: its memory would wait for the collector
        return frozenset(data.type.name for data in SideDataContainer(frame)) & CARRIED.keys()
    except ValueError:  # a kind that PyAV has no name for: the EXIF of a TIFF
        return frozenset()


def lost(kinds: frozenset[str], encoder: str) -> list[str]:
    """What of it an encoder (FFmpeg's name, or that of a raw form) does not write, in words."""
    return [CARRIED[kind] for kind in sorted(kinds - _WRITTEN.get(encoder, frozenset()))]


def successor(pix_fmt: str, time_base: Fraction) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A function that makes, of a decoded frame, one in `pix_fmt` with the same side data, whose planes can be written.

    Args:
        time_base: of the decoded frames.
    """
    copied = through(time_base, ("format", pix_fmt), ("copy",))

    def make(frame: av.VideoFrame) -> av.VideoFrame:
        made = copied(frame)
        made.pict_type = 0  # else encoders make each frame what it was in the source: I, P or B
        return made

    return make
