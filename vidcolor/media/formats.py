"""Which codec, container and format of planes a film is written in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vidcolor.color.yuv import YuvFormat
from vidcolor.errors import UsageError
from vidcolor.media.codecs import CODECS, Codec
from vidcolor.media.container_times import timing_loss
from vidcolor.media.hardware import encoder_obstacle
from vidcolor.media.hdr import carries_hdr
from vidcolor.media.probe import FilmInfo
from vidcolor.media.service import unsaid
from vidcolor.media.streams import MATROSKA_FAMILY, MP4_FAMILY, TRANSPORT_STREAM, cannot_copy, cannot_hold, left_out

# Which suffixes name the container that a demuxer reads: a file may be misnamed.
_SUFFIXES_OF = {
    "mov,mp4,m4a,3gp,3g2,mj2": MP4_FAMILY,
    "matroska,webm": MATROSKA_FAMILY,
    "mpegts": TRANSPORT_STREAM,
}
_CHROMA_NAMES = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}
LIST_SUFFIX = ".json"  # of a chunk that is a list of pictures


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film will be written: decided once, before any work."""

    codec: str  # a key of CODECS, "raw", or the kind of pictures
    encoder: str
    pix_fmt: str
    format: YuvFormat  # of the planes that the encoder is given
    options: tuple[tuple[str, str], ...]
    lossless: bool
    interlaced: bool  # frames are coded as fields
    suffix: str  # of the output
    chunk_suffix: str
    reason: str  # why this codec and container
    conversions: tuple[str, ...]  # what will not be as in the source, a sentence each
    deinterlace: str = ""  # as in FilmInfo
    comment: str = ""  # what each picture says of itself, where every frame becomes one

    @property
    def pictures(self) -> bool:
        """Whether every frame becomes a file of its own."""
        return self.chunk_suffix == LIST_SUFFIX

    def prepare(self, info: FilmInfo) -> FilmInfo:
        """`info` with the format that the encoder takes: sources opened with it hand on such frames."""
        order = "progressive" if self.deinterlace else info.field_order
        return replace(info, format=self.format, field_order=order, deinterlace=self.deinterlace)


def choose_encoding(
    info: FilmInfo,
    codec: str = "auto",
    crf: float | None = None,
    preset: str | None = None,
    suffix: str | None = None,
    deinterlace: bool = False,
) -> Encoding:
    """Decide codec, pixel format and container for a film.

    Args:
        codec: a key of CODECS, or "auto".
        crf, preset: for the encoder; None is the codec's default.
        suffix: of the output if the user named one, such as ".mkv"; None follows the source.
        deinterlace: make interlaced frames whole.

    Raises:
        UsageError: a codec, preset or container that does not exist or does not fit.
    """
    chosen, reason = _choose_codec(replace(info, field_order="progressive") if deinterlace else info, codec, suffix)
    if min(info.width, info.height) < chosen.least:
        size = f"{info.width}x{info.height}"
        raise UsageError(
            f"{chosen.name} cannot hold a picture of {size}", f"its least side is {chosen.least}", "Try --codec ffv1."
        )
    conversions: list[str] = []
    info, deinterlaced_by = made_whole(info, conversions) if deinterlace else (info, "")
    form = choose_format(info, chosen, conversions)
    interlaced = info.interlaced and chosen.interlaced and _fits(info, form.chroma_width, form.chroma_height, True)
    if info.interlaced and not interlaced:
        conversions.append("interlaced frames are coded whole, not as fields; no line of them is changed")
    container, why = _choose_suffix(info, chosen, suffix)
    conversions += _hdr_loss(info, chosen)
    conversions += [sentence for sentence in (why, timing_loss(info, container)) if sentence]
    conversions += unsaid(info.service, info.container_tags, len(info.chapters), container)
    return Encoding(
        codec=chosen.name,
        encoder=chosen.encoder,
        pix_fmt=planar_name(form),
        format=form,
        options=_options(chosen, crf, preset, form),
        lossless=chosen.lossless,
        interlaced=interlaced,
        suffix=container,
        chunk_suffix=chosen.chunk_suffix,
        reason=reason,
        conversions=tuple(conversions),
        deinterlace=deinterlaced_by,
    )


def made_whole(info: FilmInfo, conversions: list[str]) -> tuple[FilmInfo, str]:
    """A film whose interlaced frames are to be made whole: as it then is, and by what, as `FilmInfo.deinterlace` has it."""
    if info.interlaced:
        conversions.append("interlaced frames are made whole (bwdif): every other line of them is interpolated")
    by = info.field_order if info.interlaced and not info.frames_flagged else "flagged"
    return replace(info, field_order="progressive"), by


def planar_name(form: YuvFormat) -> str:
    """FFmpeg's name of the planar pixel format."""
    depth = "" if form.depth == 8 else f"{form.depth}le"
    return f"yuv{_CHROMA_NAMES[form.chroma_width, form.chroma_height]}p{depth}"


def _choose_codec(info: FilmInfo, name: str, suffix: str | None) -> tuple[Codec, str]:
    if name != "auto":
        if name not in CODECS:
            raise UsageError(f"unknown codec '{name}'", f"known: auto, {', '.join(CODECS)}", "See: vidcolor encoders")
        if CODECS[name].hardware and (why := encoder_obstacle(CODECS[name].encoder)):
            plain = name.removesuffix("_nvenc")
            raise UsageError(f"--codec {name} cannot be used here", why, f"Try --codec {plain}; see: vidcolor doctor")
        return CODECS[name], "asked for"
    if suffix == ".webm":
        return CODECS["av1"], "WebM holds no H.264 or HEVC"
    if suffix == ".m4v":
        return CODECS["h264"], "M4V holds no HEVC here"
    if info.format.depth == 8:
        return CODECS["h264"], "8-bit source"
    if info.interlaced and info.format.depth <= 10:
        return CODECS["h264"], "interlaced source, which HEVC encoders do not code as such"
    if min(info.width, info.height) < CODECS["hevc"].least:
        return CODECS["h264"], "the picture is too small for HEVC"
    return CODECS["hevc"], f"{info.format.depth}-bit source"


def choose_format(info: FilmInfo, codec: Codec, conversions: list[str]) -> YuvFormat:
    """The planes that a codec is given: the source's luma and chroma sampling, or the nearest that it holds.

    Args:
        conversions: gets a sentence for all that is not as in the source.
    """
    form, name = info.format, info.pix_fmt
    held = (form.chroma_width, form.chroma_height)
    # Listed from little chroma to much: the first that holds at least the source's, else the most there is.
    enough = [c for c in codec.chromas if c[0] <= held[0] and c[1] <= held[1]] or [codec.chromas[-1]]
    whole = [c for c in enough if codec.odd or _fits(info, *c, info.interlaced and codec.interlaced)]
    whole = whole or [c for c in enough if _fits(info, *c, False)]
    chroma = (whole or enough)[0]
    depth = next((d for d in codec.depths if d >= form.depth), codec.depths[-1])
    sampling = ":".join(_CHROMA_NAMES[chroma])
    if name.startswith(("gray", "ya", "mono", "yaf")):
        conversions.append(f"grey pictures ({name}) get chroma planes, {sampling}")
    elif "yuv" not in name and not name.startswith(
        ("nv", "p0", "p2", "p4", "uyvy", "uyyv", "y2", "v", "ayuv", "xv", "vuy")
    ):
        conversions.append(
            f"{name} pictures become full-range {matrix_name(form)} luma and {sampling} chroma: "
            "added colour is coarser than 4:2:0, which everything plays"
        )
    elif chroma != enough[0]:
        size, usual = f"{info.width}x{info.height}", ":".join(_CHROMA_NAMES[enough[0]])
        conversions.append(f"chroma becomes {sampling}, because {codec.name} takes no {size} picture in {usual}")
    elif chroma != held or name.startswith(("yuv440", "yuvj440", "yuv411", "yuvj411", "yuv410", "uyyvyy411")):
        conversions.append(f"chroma sampling of {name} becomes {sampling}")
    conversions += alpha_loss(info)
    if depth != form.depth:
        loss = "lossless" if depth > form.depth and not form.full_range else "rounded"
        conversions.append(f"luma of {form.depth} bits becomes {depth} bits ({loss}), which is what {codec.name} holds")
    full_range = form.full_range and codec.full_range
    if form.full_range and not full_range:
        conversions.append(f"full-range luma becomes limited range (rounded), the only one that {codec.name} knows")
    return replace(form, depth=depth, full_range=full_range, chroma_width=chroma[0], chroma_height=chroma[1])


def alpha_loss(info: FilmInfo) -> list[str]:
    """A sentence where the source has transparency, which no output has."""
    alpha = ("yuva", "ya", "rgba", "bgra", "argb", "abgr", "gbrap", "ayuv", "vuya")
    there = "a" in info.pix_fmt.split("p")[0] and info.pix_fmt.startswith(alpha)
    # WebM keeps it beside the picture, where decoders do not look.
    there |= any(name.lower() == "alpha_mode" and value == "1" for name, value in info.film_stream.tags)
    return ["the alpha channel (transparency) is dropped"] if there else []


def _fits(info: FilmInfo, across: int, down: int, interlaced: bool) -> bool:
    """Whether the picture is a whole number of chroma samples, in each field where frames are coded as fields."""
    return info.width % across == 0 and info.height % (down * 2 if interlaced else down) == 0


def matrix_name(form: YuvFormat) -> str:
    """As people write it."""
    return {"bt601": "BT.601", "bt709": "BT.709"}.get(form.matrix, form.matrix)


def _options(codec: Codec, crf: float | None, preset: str | None, form: YuvFormat) -> tuple[tuple[str, str], ...]:
    options = dict(codec.options)
    if crf is not None and (codec.crf is None or crf > codec.max_crf):
        why = "it has no such setting" if codec.crf is None else f"it takes 0 to {codec.max_crf:g}"
        raise UsageError(f"--crf {crf:g} cannot be used with {codec.name}", why)
    if preset is not None and preset not in codec.presets:
        known = ", ".join(codec.presets) or "none"
        raise UsageError(f"--preset {preset} cannot be used with {codec.name}", f"known: {known}")
    if codec.crf is not None:
        options[codec.crf_option] = f"{codec.crf if crf is None else crf:g}"
    default = "4444" if codec.name == "prores" and form.chroma_width == 1 else codec.preset
    if default is not None:
        options[codec.preset_option] = preset or default
    return tuple(options.items())


def _choose_suffix(info: FilmInfo, codec: Codec, wanted: str | None) -> tuple[str, str]:
    """The output's suffix, and a sentence when it is not the source's."""
    if wanted is not None:
        wanted = wanted.lower()
        if wanted not in codec.suffixes:
            known = ", ".join(codec.suffixes)
            raise UsageError(f"cannot write {codec.name} to a '{wanted}' file", f"it goes into {known}", "Change -o.")
        others = [s for s in codec.suffixes if not cannot_hold(info, s)]
        if others and (stuck := cannot_hold(info, wanted)):
            next_step = f"Use {' or '.join(others)}."
            why = "sound is copied, or becomes PCM of the same samples"
            raise UsageError(f"a {wanted} file cannot hold {stuck}", why, next_step)
        return wanted, ""
    own = info.path.suffix.lower()
    if own in codec.suffixes and own in _SUFFIXES_OF.get(info.container, ()) and not cannot_copy(info, own):
        return own, ""
    suffix = _next_best(info, codec)
    if suffix == own:
        return suffix, ""
    why = f"{own or 'the source'} is no container for {codec.name} and its sound"
    if own in codec.suffixes and own not in _SUFFIXES_OF.get(info.container, ()):
        why = f"the source is no {own} file, whatever it is called"
    return suffix, f"the output is a {suffix} file, because {why}"


def _next_best(info: FilmInfo, codec: Codec) -> str:
    """The container that holds all the sound, as it is, else as plain PCM, else as much as Matroska takes; of several,
    the one that leaves out the fewest of the other streams."""
    family = _SUFFIXES_OF.get(info.container, frozenset())
    others = [s for s in codec.suffixes if s not in (".m4v", ".mts")]
    preferred = sorted(others, key=lambda s: (s not in family, others.index(s)))
    if info.container == "matroska,webm":
        preferred = [s for s in preferred if s in MATROSKA_FAMILY and s != ".webm"] + preferred
    for stuck in (cannot_copy, cannot_hold):
        if holding := [s for s in preferred if not stuck(info, s)]:
            return min(holding, key=lambda s: left_out(info, s))
    return ".mkv"


def _hdr_loss(info: FilmInfo, codec: Codec) -> list[str]:
    lost = list(info.dynamic_hdr)
    if info.hdr is not None and not carries_hdr(codec.encoder):
        lost.insert(0, "the mastering display and content light level")
    return [f"HDR metadata is left out: {', '.join(lost)}, which {codec.encoder} does not write"] if lost else []
