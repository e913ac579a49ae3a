"""NVIDIA's video decoder (NVDEC), by way of FFmpeg: the frames that the CPU would decode, or none.

Every frame comes to the host as soon as it is decoded, and is laid out as the CPU's decoder would have.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import av
import numpy as np
from av.codec.hwaccel import HWAccel

from vidcolor.errors import UsageError
from vidcolor.media.hardware import obstacle_of
from vidcolor.media.luma import luma_reader, repacked
from vidcolor.media.opening import film_url, open_film, read_options
from vidcolor.media.probe import FilmInfo

EXACT = ("h264", "hevc", "vp8", "vp9")
"""Codecs that NVDEC takes and whose standards leave no bit of a frame open. Those of MPEG-1, MPEG-2 and MPEG-4 Part 2
leave the rounding of the inverse DCT to the decoder; AV1 is decoded by dav1d in PyAV, which knows of no hardware."""

# What NVDEC hands out, by the format that the CPU's decoder would give: pairs in which `repacked` changes no code.
_LAYOUTS = {
    "gray": ("nv12",),
    "gray10le": ("p010le",),
    "yuv420p": ("nv12",),
    "yuvj420p": ("nv12",),
    "yuv420p10le": ("p010le",),
    "yuv420p12le": ("p012le", "p016le"),
    "yuv422p": ("nv16",),
    "yuv422p10le": ("p210le",),
    "yuv422p12le": ("p212le",),
    "yuv444p": ("yuv444p",),
    "yuvj444p": ("yuv444p",),
    "yuv444p10le": ("yuv444p10msble",),
    "yuv444p12le": ("yuv444p12msble",),
}
_COMPARED = 8  # frames at the beginning that must equal those of the CPU


class UnlikeError(RuntimeError):
    """The GPU hands out frames that are not those of the CPU's decoder."""


def choose_decoder(info: FilmInfo, name: str) -> tuple[FilmInfo, str]:
    """The film with its decoder decided, and why it is not the one that was asked for; "": it is.

    A film that the GPU does not decode exactly as the CPU does is decoded on the CPU: its frames are the same.

    Args:
        name: "cpu" or "nvdec", as `RunOptions.decoder`.

    Raises:
        UsageError: "nvdec" on a machine that has none.
    """
    if name == "cpu":
        return info, ""
    if why := device_obstacle():
        raise UsageError("--decoder nvdec cannot be used here", why, "Try --decoder cpu; see: vidcolor doctor")
    if why := _film_obstacle(info):
        return info, f"decoded on the CPU, not by NVDEC: {why}"
    return replace(info, decoder="nvdec"), ""


@cache
def device_obstacle() -> str | None:
    """Why no film can be decoded on a GPU here, in FFmpeg's own words; None: the GPU can be opened."""
    return obstacle_of(lambda: av.CodecContext.create("h264", "r", accelerator()))


def accelerator() -> HWAccel:
    """NVDEC, or nothing: FFmpeg would go on in software by itself."""
    return HWAccel("cuda", allow_software_fallback=False)


def open_on_gpu(info: FilmInfo) -> av.container.InputContainer:
    """Open a film that NVDEC decodes."""
    options = read_options(info.path, info.protocols)
    return av.open(film_url(info.path), options=options, metadata_errors="replace", hwaccel=accelerator())


def decode(packet: av.Packet, context: av.VideoCodecContext, pix_fmt: str) -> list[av.VideoFrame]:
    """The frames that a packet finishes (an empty one: that are left), on the host, in the CPU decoder's pixel format.

    Raises:
        UnlikeError: NVDEC hands out another layout.
    """
    frames = downloaded(packet, context)
    for frame in frames:
        if frame.format.name not in _LAYOUTS.get(pix_fmt, ()):
            raise UnlikeError(f"it hands out {frame.format.name} where the film is {pix_fmt}")
    return [repacked(frame, pix_fmt) for frame in frames]


def downloaded(packet: av.Packet, context: av.VideoCodecContext) -> list[av.VideoFrame]:
    """The frames that a packet finishes, as the GPU has them; PyAV copies them to the host."""
    return packet.decode() if packet.size else context.decode(None)


def _film_obstacle(info: FilmInfo) -> str | None:
    """Why this film is not decoded on the GPU; None: it is, and its first frames are those of the CPU."""
    codec = info.film_stream.codec
    if info.sequence is not None or codec not in EXACT:
        known = f"{', '.join(EXACT[:-1])} and {EXACT[-1]}"
        return f"it is taken for {known} alone, which every decoder decodes alike; the film is {codec}"
    if info.pix_fmt not in _LAYOUTS:
        return f"no layout of its frames is known for {info.pix_fmt}"
    return obstacle_of(lambda: _compare(info))


def _compare(info: FilmInfo) -> None:
    """Decode the film's beginning twice.

    Raises:
        UnlikeError: the GPU's frames are not the CPU's.
    """
    read = luma_reader(info)
    with open_film(info.path, info.protocols) as plain, open_on_gpu(info) as fast:
        pairs = itertools.zip_longest(_beginning(info, plain, False), _beginning(info, fast, True))
        for number, (cpu, gpu) in enumerate(pairs):
            what = f"its frame {number} is not that of the CPU's decoder"
            if cpu is None or gpu is None or (cpu.pts, cpu.dts) != (gpu.pts, gpu.dts):
                raise UnlikeError(f"{what}: they come at other times")
            if (cpu.width, cpu.height) != (gpu.width, gpu.height):
                raise UnlikeError(f"{what}: it is {gpu.width}x{gpu.height}, not {cpu.width}x{cpu.height}")
            if not np.array_equal(read(cpu), read(gpu)):
                raise UnlikeError(f"{what}: its luma differs")


def _beginning(info: FilmInfo, container: av.container.InputContainer, gpu: bool) -> Iterator[av.VideoFrame]:
    stream = container.streams[info.film]
    context = stream.codec_context
    context.thread_count = 1
    frames = (
        frame
        for packet in container.demux(stream)
        for frame in (
            decode(packet, context, info.pix_fmt) if gpu else packet.decode() if packet.size else context.decode(None)
        )
    )
    return itertools.islice(frames, _COMPARED)
