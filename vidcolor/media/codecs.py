"""The codecs that a coloured film can be written in: which encoder makes them, and what it can do."""

from __future__ import annotations

from dataclasses import dataclass

FILM_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".m2ts", ".mts",
    ".mxf", ".nut", ".gif", ".ogv", ".flv", ".wmv", ".asf", ".3gp", ".3g2", ".dv", ".y4m", ".rm", ".wtv",
    ".ivf", ".h264", ".264", ".h265", ".265", ".hevc",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder and what it can do."""

    name: str
    encoder: str  # FFmpeg's name
    suffixes: tuple[str, ...]  # containers that may hold it, the preferred one first
    chunk_suffix: str  # container of the chunks: keeps any time base exactly
    pipe: str  # FFmpeg's name of the container in which chunks are joined: keeps aspect and colour tags too
    depths: tuple[int, ...]
    chromas: tuple[tuple[int, int], ...]  # luma samples per chroma sample, across and down
    lossless: bool = False
    crf: float | None = None  # the default; None: the codec has no such setting
    max_crf: float = 0
    preset: str | None = None  # the default; None: the codec has no such setting
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    options: tuple[tuple[str, str], ...] = ()
    interlaced: bool = False  # can code fields
    full_range: bool = True  # can say that luma is full range
    odd: bool = True  # takes sizes that are no multiple of a chroma sample
    least: int = 1  # pixels that a side must have
    crf_option: str = "crf"  # what the encoder calls constant quality
    hardware: bool = False  # a part of a GPU: only if asked for, and only where it can be opened


_X26X = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_ALL = ((2, 2), (2, 1), (1, 1))
_GENERAL = (".mp4", ".mov", ".mkv", ".ts", ".m2ts", ".mts")
_WITH_M4V = (".mp4", ".m4v", *_GENERAL[1:])  # FFmpeg writes no HEVC into it

CODECS = {
    codec.name: codec
    for codec in (
        Codec(
            "h264", "libx264", _WITH_M4V, ".mp4", "mp4", (8, 10), _ALL,
            crf=16, max_crf=51, preset="veryfast", presets=_X26X, options=(("x264-params", "force-cfr=0"),),
            interlaced=True, odd=False,
        ),
        Codec(
            "hevc", "libx265", _GENERAL, ".mp4", "mp4", (8, 10, 12), _ALL,
            crf=16, max_crf=51, preset="faster", presets=_X26X, odd=False, least=16,
        ),
        Codec(
            "av1", "libsvtav1", (".mp4", ".mkv", ".webm"), ".mp4", "mp4", (8, 10), ((2, 2),),
            crf=20, max_crf=63, preset="8", presets=tuple(map(str, range(14))), least=16,
        ),
        Codec(
            "ffv1", "ffv1", (".mkv",), ".mp4", "matroska", (8, 9, 10, 12, 14, 16), _ALL,
            lossless=True, options=(("level", "3"), ("slicecrc", "1"), ("g", "1")), interlaced=True,
        ),
        Codec(
            "prores", "prores_ks", (".mov", ".mkv"), ".mov", "mov", (10,), ((2, 1), (1, 1)),
            preset="hq", presets=("proxy", "lt", "standard", "hq", "4444", "4444xq"), preset_option="profile",
            interlaced=True, full_range=False,
        ),
        *(
            # bf=0: which frames are reordered is the same on all GPUs. b=0: quality alone decides the rate.
            Codec(
                f"{name}_nvenc", f"{name}_nvenc", suffixes, ".mp4", "mp4", (8,), ((2, 2), (1, 1)) if least < 192 else ((2, 2),),
                crf=crf, max_crf=51, preset="p5", presets=tuple(f"p{i}" for i in range(1, 8)),
                options=(("rc", "vbr"), ("b", "0"), ("bf", "0")), odd=False, least=least, crf_option="cq", hardware=True,
            )
            for name, suffixes, crf, least in (
                ("h264", _WITH_M4V, 19, 146), ("hevc", _GENERAL, 21, 130), ("av1", (".mp4", ".mkv", ".webm"), 25, 192),
            )
        ),
    )
}  # fmt: skip
