"""What a film says of its colours, and what follows from that for the codes of its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import av

from vidcolor.color.yuv import YuvFormat
from vidcolor.errors import MediaError

# H.273 code points (tables 2, 3, 4), as FFmpeg numbers them; 2 is "unspecified".
UNSPECIFIED = 2
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_PRIMARIES = {
    1: "bt709", 5: "bt601-625", 6: "bt601-525", 7: "bt601-525", 9: "bt2020", 11: "p3-d65", 12: "p3-d65",
}  # fmt: skip
_TRANSFERS = {4: "gamma22", 5: "gamma28", 8: "linear", 16: "pq", 18: "hlg"}


@dataclass(frozen=True, slots=True)
class ColorTags:
    """What the source says of its colours, by H.273 number; written to the output as it stands."""

    matrix: int
    primaries: int
    transfer: int
    range: int  # 0: unspecified, 1: limited, 2: full
    siting: str  # chroma location as FFmpeg names it; "unspecified" where the source does not say


def color_tags(frame: av.VideoFrame, shown: str) -> ColorTags:
    """Of a decoded frame, and what FFmpeg's `showinfo` filter says of it, which alone knows the chroma location."""
    siting = re.search(r" cl:(\w+)", shown)
    return ColorTags(
        matrix=int(frame.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        range=2 if frame.format.name.startswith("yuvj") else int(frame.color_range),
        siting=siting[1] if siting else "unspecified",
    )


def is_rgb(form: av.VideoFormat) -> bool:
    """Whether a pixel format holds colours other than Y'CbCr or grey."""
    return form.is_rgb or form.has_palette or form.name.startswith("xyz")


def yuv_format(path: Path, frame: av.VideoFrame, tags: ColorTags) -> YuvFormat:
    """What the codes of a film's frames mean; what the tags leave open is guessed from the size.

    Raises:
        MediaError: the pixel format is floating point or Bayer.
    """
    form = frame.format
    if re.search(r"f(16|32)|bayer", form.name) or not form.components:
        raise MediaError(f"cannot read {path}", f"pixel format {form.name} is not supported", "Convert it first.")
    by_size = "bt601" if frame.height < 720 else "bt709"
    # mpv's guess for untagged video: the two standard definitions by their lines, else BT.709.
    primaries = {480: "bt601-525", 486: "bt601-525", 576: "bt601-625"}.get(frame.height, "bt709")
    width, height = chroma_of(form)
    return YuvFormat(
        depth=min(16, max(8, 8 if form.has_palette else max(c.bits for c in form.components))),
        full_range=is_rgb(form) or tags.range == 2,
        matrix=by_size if is_rgb(form) else _MATRICES.get(tags.matrix, by_size),
        primaries=_PRIMARIES.get(tags.primaries, primaries),
        transfer=_TRANSFERS.get(tags.transfer, "sdr"),
        chroma_width=width,
        chroma_height=height,
        siting={"left": "left", "center": "center", "topleft": "topleft"}.get(tags.siting, "left"),
    )


def chroma_of(form: av.VideoFormat) -> tuple[int, int]:
    """Luma samples per chroma sample, across and down, that a source's pixel format is carried on with.

    Grey and RGB get 4:2:0: the colour that is added is far coarser than that, and everything plays it. The rare
    subsamplings get the nearest that holds at least their chroma: 4:4:0 → 4:4:4, 4:1:1 → 4:2:2, 4:1:0 → 4:2:0.
    """
    if is_rgb(form) or len(form.components) < 3:
        return 2, 2
    across, down = form.chroma_width(1 << 12), form.chroma_height(1 << 12)
    if down == 1 << 12:
        return (1, 1) if across == 1 << 12 else (2, 1)
    return (1, 1) if across == 1 << 12 else (2, 2)
