"""What becomes of each stream of a film in the container that the output has."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vidcolor.media.probe import FilmInfo, StreamInfo
from vidcolor.media.service import TRANSPORT_STREAM
from vidcolor.media.stream_labels import lost_labels

MP4_FAMILY = frozenset({".mp4", ".m4v", ".mov"})
MATROSKA_FAMILY = frozenset({".mkv", ".webm"})

# What FFmpeg's muxers take and give back, found by trial; None: anything.
_MP4_AUDIO = frozenset(
    ["aac", "mp3", "ac3", "eac3", "alac", "opus", "flac", "dts", "vorbis", "truehd"]
)  # MP2 would be taken for MP3
_QUICKTIME_PCM = frozenset(
    f"pcm_{kind}"
    for kind in (
        *("s8", "u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be"),
        *("f32le", "f32be", "f64le", "f64be", "alaw", "mulaw"),
    )
)
_TS_AUDIO = frozenset(["aac", "aac_latm", "mp3", "mp2", "mp1", "ac3", "eac3", "dts", "opus", "truehd", "s302m"])
_BLU_RAY_AUDIO = _TS_AUDIO | {"pcm_bluray"}
_AUDIO: dict[str, frozenset[str]] = {
    ".mp4": _MP4_AUDIO,
    ".m4v": frozenset(["aac", "ac3", "eac3", "alac", "mp3"]),
    ".mov": frozenset(
        ["aac", "mp3", "ac3", "eac3", "alac", "mp2", "amr_nb", "amr_wb", "adpcm_ima_qt", "adpcm_yamaha", "nellymoser"]
    )
    | _QUICKTIME_PCM,
    ".webm": frozenset(["opus", "vorbis"]),
    ".ts": _TS_AUDIO,
    ".m2ts": _BLU_RAY_AUDIO,
    ".mts": _BLU_RAY_AUDIO,
}
# Sound that not every container takes, and plain PCM that holds every sample of it.
_PLAIN = {
    "pcm_s8": "pcm_u8",
    "pcm_f32be": "pcm_f32le",
    "pcm_f64be": "pcm_f64le",
    "pcm_s64be": "pcm_s64le",
    "pcm_u16be": "pcm_s16le",
    "pcm_u16le": "pcm_s16le",
    "pcm_u24be": "pcm_s24le",
    "pcm_u24le": "pcm_s24le",
    "pcm_u32be": "pcm_s32le",
    "pcm_u32le": "pcm_s32le",
    "pcm_s8_planar": "pcm_u8",
    "pcm_s16be_planar": "pcm_s16le",
    "pcm_s16le_planar": "pcm_s16le",
    "pcm_s24le_planar": "pcm_s24le",
    "pcm_s32le_planar": "pcm_s32le",
    "pcm_bluray": "pcm_s24le",
    "pcm_dvd": "pcm_s24le",
    "s302m": "pcm_s24le",
    "adpcm_ima_qt": "pcm_s16le",
    "nellymoser": "pcm_f32le",
}
_NOT_MATROSKA = frozenset(_PLAIN) | {"comfortnoise", "sbc", "aptx", "aptx_hd", "unknown"}
_VIDEO: dict[str, frozenset[str] | None] = {
    ".mp4": frozenset(["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "png"]),
    ".m4v": frozenset(["h264", "hevc", "mpeg4"]),
    ".mov": frozenset(["h264", "hevc", "mpeg4", "mpeg2video", "mjpeg", "prores", "dnxhd", "dvvideo", "png"]),
    ".mkv": None,
    ".webm": frozenset(["vp8", "vp9", "av1"]),
    ".ts": frozenset(["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"]),
}
_TEXT_SUBTITLES = frozenset(["subrip", "srt", "ass", "ssa", "webvtt", "text", "mov_text"])
_TS_SUBTITLES = frozenset(["dvb_subtitle", "dvb_teletext"])
_BLU_RAY_SUBTITLES = _TS_SUBTITLES | {"hdmv_pgs_subtitle"}  # which FFmpeg does not find again in .ts
_SUBTITLES = {
    ".mp4": frozenset({"mov_text", "dvd_subtitle"}),
    ".m4v": frozenset({"mov_text"}),
    ".mov": frozenset({"mov_text"}),
    ".mkv": frozenset(
        [
            "subrip",
            "ass",
            "ssa",
            "webvtt",
            "text",
            "dvd_subtitle",
            "dvb_subtitle",
            "hdmv_pgs_subtitle",
            "hdmv_text_subtitle",
        ]
    ),
    ".webm": frozenset({"webvtt"}),
    ".ts": _TS_SUBTITLES,
    ".m2ts": _BLU_RAY_SUBTITLES,
    ".mts": _BLU_RAY_SUBTITLES,
}
_TEXT_TARGET = {".mp4": "mov_text", ".m4v": "mov_text", ".mov": "mov_text", ".mkv": "srt", ".webm": "webvtt"}
_DATA = {".ts": frozenset(["klv", "scte_35", "timed_id3", "smpte_klv", "epg"])}
# QuickTime's tracks that are written anew, from tags and chapters, and where there are neither.
_WITHOUT = {"tmcd": TRANSPORT_STREAM | {".m4v"}, "text": TRANSPORT_STREAM}
_NUT = frozenset(["aac", "ac3", "mp2", "mp3", "opus", "vorbis", "flac", "ass", "ssa"])
_RAW = {
    ".nut": _NUT,
    ".y4m": (),
    ".tif": (),
    ".tiff": (),
    ".png": (),
    ".dpx": (),
}  # pipes and pictures; NUT takes PCM too
_COVERS = {".mp4": frozenset(["png", "mjpeg", "bmp"]), ".m4v": frozenset(["png", "mjpeg", "bmp"])}


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream's fate."""

    stream: StreamInfo
    action: str  # "colour", "copy", "attach" (as a file), "convert", "remake", "drop"
    codec: str = ""  # what it is converted to
    note: str = ""  # a sentence, where the stream is not carried over as it is


def plan_streams(info: FilmInfo, suffix: str) -> tuple[StreamPlan, ...]:
    """What happens to every stream of `info` in a file with `suffix`, in the source's order."""
    return tuple(_with_losses(info, _plan(info, stream, suffix), suffix) for stream in info.streams)


def cannot_copy(info: FilmInfo, suffix: str) -> str:
    """The codecs of sound that a container with `suffix` cannot hold as they are, comma-separated; empty: none."""
    return _sound_not(info, suffix, "copy")


def cannot_hold(info: FilmInfo, suffix: str) -> str:
    """The codecs of sound that a container with `suffix` cannot hold even as plain PCM, comma-separated; empty: none."""
    return _sound_not(info, suffix, "copy", "convert")


def left_out(info: FilmInfo, suffix: str) -> int:
    """How many streams a container with `suffix` cannot hold."""
    return sum(plan.action == "drop" for plan in plan_streams(info, suffix))


def _sound_not(info: FilmInfo, suffix: str, *actions: str) -> str:
    plans = [_plan_sound(stream, suffix) for stream in info.streams if stream.kind == "audio"]
    return ", ".join(dict.fromkeys(plan.stream.codec for plan in plans if plan.action not in actions))


def _family(suffix: str) -> str:
    return ".ts" if suffix in TRANSPORT_STREAM else suffix


def _with_losses(info: FilmInfo, plan: StreamPlan, suffix: str) -> StreamPlan:
    """The same plan; its note also tells what the container cannot say of the stream."""
    alone = sum(stream.kind == plan.stream.kind for stream in info.streams) == 1
    lost = lost_labels(plan.stream, alone, suffix)
    if plan.action not in ("colour", "copy", "convert") or not lost:
        return plan
    note = f"{_name(plan.stream)} loses its {' and '.join(lost)}, which a {suffix} file cannot hold"
    return replace(plan, note="; ".join(filter(None, [plan.note, note])))


def _plan(info: FilmInfo, stream: StreamInfo, suffix: str) -> StreamPlan:
    if stream.index == info.film:
        return StreamPlan(stream, "colour")
    if suffix in _RAW:
        fits = stream.codec in _RAW[suffix] or (suffix == ".nut" and stream.codec.startswith("pcm_"))
        note = f"{_name(stream)} is left out: {suffix} does not hold it"
        return StreamPlan(stream, "copy") if fits else StreamPlan(stream, "drop", note=note)
    if suffix == ".mkv" and (stream.attached_picture or stream.kind == "attachment"):
        return StreamPlan(stream, "attach")
    if stream.kind == "video":
        held = _COVERS.get(suffix, frozenset()) if stream.attached_picture else _VIDEO[_family(suffix)]
        return _copy_or_drop(stream, suffix, held is None or stream.codec in held)
    if stream.kind == "audio":
        return _plan_sound(stream, suffix)
    if stream.kind == "subtitle":
        return _plan_subtitle(stream, suffix)
    if suffix not in _WITHOUT.get(stream.codec_tag, {suffix}):
        what = "time code" if stream.codec_tag == "tmcd" else "chapter names"
        if suffix not in MP4_FAMILY:
            what += ", as a tag or chapters"
        return StreamPlan(stream, "remake", note=f"{_name(stream)} is written anew from the film's {what}")
    return _copy_or_drop(stream, suffix, stream.codec in _DATA.get(_family(suffix), ()))


def _plan_sound(stream: StreamInfo, suffix: str) -> StreamPlan:
    plain = _PLAIN.get(stream.codec)
    if plain is None or _takes_sound(suffix, stream.codec) or not _takes_sound(suffix, plain):
        return _copy_or_drop(stream, suffix, _takes_sound(suffix, stream.codec))
    note = f"{_name(stream)} is converted to {plain}, sample for sample: a {suffix} file cannot hold it as it is"
    return StreamPlan(stream, "convert", plain, note)


def _takes_sound(suffix: str, codec: str) -> bool:
    return codec not in _NOT_MATROSKA if suffix == ".mkv" else codec in _AUDIO[suffix]


def _plan_subtitle(stream: StreamInfo, suffix: str) -> StreamPlan:
    if stream.codec in _SUBTITLES[suffix]:
        return StreamPlan(stream, "copy")
    target = _TEXT_TARGET.get(suffix)
    if stream.codec in _TEXT_SUBTITLES and target:
        note = f"{_name(stream)} is converted to {target}, which is what {suffix} files hold"
        return StreamPlan(stream, "convert", target, note)
    return _copy_or_drop(stream, suffix, False)


def _copy_or_drop(stream: StreamInfo, suffix: str, fits: bool) -> StreamPlan:
    if fits:
        return StreamPlan(stream, "copy")
    return StreamPlan(stream, "drop", note=f"{_name(stream)} is left out: a {suffix} file cannot hold it")


def _name(stream: StreamInfo) -> str:
    kind = "cover picture" if stream.attached_picture else stream.kind
    language = f", {stream.language}" if stream.language else ""
    return f"{kind} stream {stream.index} ({stream.codec}{language})"
