"""Raw frames for pipes and numbered pictures: outputs without a codec and, but for rounding to R'G'B', without loss."""

from __future__ import annotations

from dataclasses import replace

from vidcolor.errors import UsageError
from vidcolor.media.codecs import Codec
from vidcolor.media.color_tags import UNSPECIFIED
from vidcolor.media.formats import (
    LIST_SUFFIX,
    Encoding,
    alpha_loss,
    choose_format,
    made_whole,
    matrix_name,
    planar_name,
)
from vidcolor.media.probe import FilmInfo

_DEPTHS, _CHROMAS = (8, 9, 10, 12, 14, 16), ((2, 2), (2, 1), (1, 1))
_RAW = Codec("raw", "rawvideo", (".nut", ".y4m"), "", "", _DEPTHS, _CHROMAS, lossless=True, interlaced=True)
_PICTURES = {  # by suffix: encoder, its options, and pixel format by depth
    ".tif": ("tiff", (("compression_algo", "raw"),), {8: "rgb24", 16: "rgb48le"}),
    ".png": ("png", (), {8: "rgb24", 16: "rgb48be"}),
    ".dpx": ("dpx", (), {8: "rgb24", 10: "gbrp10be", 12: "gbrp12be", 16: "rgb48be"}),
}
_PICTURES[".tiff"] = _PICTURES[".tif"]


def pipe_encoding(info: FilmInfo, form: str, deinterlace: bool = False) -> Encoding:
    """How a film goes through a pipe: raw frames, luma as it is.

    Args:
        form: "nut" or "y4m".
        deinterlace: make interlaced frames whole.

    Raises:
        UsageError: y4m for a film without a frame rate.
    """
    if form == "y4m" and info.average_rate is None:
        raise UsageError(f"cannot write {info.path} as y4m", "its frame rate is not known", "Use --stdout-format nut.")
    conversions: list[str] = []
    info, deinterlaced_by = made_whole(info, conversions) if deinterlace else (info, "")
    planes = choose_format(info, _RAW, conversions)
    conversions += _unsaid(info, form, planes.full_range)
    if form == "nut" and info.start_pts < 0:
        conversions.append(f"all times are moved by {-info.start_pts * info.time_base} s: NUT has none before 0")
    if form == "y4m" and info.start_pts != 0:
        conversions.append("y4m has no times: the film begins at 0")
    return Encoding(
        codec=_RAW.name,
        encoder=_RAW.encoder,
        pix_fmt=planar_name(planes),
        format=planes,
        options=(),
        lossless=True,
        interlaced=info.interlaced,
        suffix=f".{form}",
        chunk_suffix=_RAW.chunk_suffix,
        reason=f"{form} on standard output",
        conversions=tuple(conversions),
        deinterlace=deinterlaced_by,
    )


def _unsaid(info: FilmInfo, form: str, full_range: bool) -> list[str]:
    """A sentence with what the film says of itself and a pipe does not."""
    tags = info.tags
    unsaid = {
        "full range": form == "nut" and full_range,
        "matrix, primaries and transfer": {tags.matrix, tags.primaries, tags.transfer} != {UNSPECIFIED},
        "the order of its fields": form == "nut" and info.interlaced,
        "the shape of its pixels": form == "nut" and info.sar not in (None, 1),
        "rotation": info.rotation != 0,
        "HDR metadata": info.hdr is not None or bool(info.dynamic_hdr),
    }
    what = ", ".join(name for name, there in unsaid.items() if there)
    return [f"a {form} pipe cannot say this of the film: {what}; tell the program that reads it"] if what else []


def picture_encoding(
    info: FilmInfo,
    codec: str = "auto",
    crf: float | None = None,
    preset: str | None = None,
    suffix: str | None = None,
    deinterlace: bool = False,
) -> Encoding:
    """How a film becomes numbered pictures: R'G'B' of the least depth that holds its luma.

    Args:
        codec, crf, preset: have no meaning for pictures and are refused.
        suffix: of the pictures.
        deinterlace: make interlaced frames whole.

    Raises:
        UsageError: pictures of another kind, or an option that has no meaning.
    """
    suffix = (suffix or "").lower()
    if suffix not in _PICTURES:
        known = ", ".join(sorted(_PICTURES))
        raise UsageError(f"no sequence can be written as '{suffix}'", f"it can be {known}", "Change -o.")
    if codec != "auto" or crf is not None or preset is not None:
        option = "--codec" if codec != "auto" else "--crf" if crf is not None else "--preset"
        raise UsageError(f"{option} has no meaning for pictures", "they are written without loss", "Leave it out.")
    encoder, options, formats = _PICTURES[suffix]
    depth = next(depth for depth in formats if depth >= info.format.depth)
    form = replace(info.format, depth=depth, full_range=True, chroma_width=1, chroma_height=1, siting="center")
    conversions = [f"frames become {depth}-bit R'G'B', whose {matrix_name(form)} luma is the film's within rounding"]
    info, deinterlaced_by = made_whole(info, conversions) if deinterlace else (info, "")
    conversions += alpha_loss(info)
    if info.sequence is None:
        conversions.append("pictures have no times: they are numbered from 1 in the order in which frames are shown")
    if info.chapters or info.container_tags:
        conversions.append("pictures hold no chapters and no tags of a film")
    if info.interlaced:
        conversions.append("pictures do not say that they are interlaced; no line of them is changed")
    if info.rotation:
        conversions.append("pictures do not say that they are to be turned: they stay as they are stored")
    return Encoding(
        codec=suffix[1:],
        encoder=encoder,
        pix_fmt=formats[depth],
        format=form,
        options=options,
        lossless=True,
        interlaced=False,
        suffix=suffix,
        chunk_suffix=LIST_SUFFIX,
        reason="asked for",
        conversions=tuple(conversions),
        deinterlace=deinterlaced_by,
    )
