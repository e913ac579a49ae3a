"""Which streams can still be copied where not all can."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import ffmpeg

from vidcolor.errors import MediaError
from vidcolor.media.ffmpeg import find_ffmpeg, run_ffmpeg
from vidcolor.media.opening import film_url, read_options
from vidcolor.media.probe import FilmInfo, StreamInfo
from vidcolor.media.streams import MP4_FAMILY, TRANSPORT_STREAM, StreamPlan

_LAST_SUBTITLE = 0.1, 4  # seconds, at least and at most
_REFUSED = "Could not write header"  # what ffmpeg says where a container holds no such stream
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def stream_filter(info: FilmInfo, stream: StreamInfo, suffix: str) -> str | None:
    """The bitstream filter that a copied stream needs.

    The one for AAC from transport streams FFmpeg would add by itself, in the muxer, where a single damaged packet ends
    all; given here, it loses that packet alone. DVDs do not say how long a subtitle's packet lasts, and in MP4 the last
    one would last no time and be left out.
    """
    if stream.codec == "aac" and info.container in ("mpegts", "aac") and suffix not in TRANSPORT_STREAM:
        return "aac_adtstoasc"
    if stream.codec == "dvd_subtitle" and suffix in MP4_FAMILY:
        end = float(info.start_pts * info.time_base + (info.duration or 0))  # of the film, where it says how long it is
        shown = f"clip({end:.3f}-PTS*TB\\,{_LAST_SUBTITLE[0]}\\,{_LAST_SUBTITLE[1]})"
        return f"setts=duration=if(DURATION\\,DURATION\\,{shown}/TB)"
    return None


def is_full_disk(error: MediaError) -> bool:
    """Whether ffmpeg failed for want of room."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK


def without_damaged(info: FilmInfo, plans: Iterable[StreamPlan], suffix: str, folder: Path) -> Iterator[StreamPlan]:
    """The same plans, less the streams that cannot be copied even alone; these are to be dropped, with a note why.

    Args:
        folder: for trials, which may be as large as a stream.
    """
    for plan in plans:
        why = _why_not(info, plan, folder / f"trial{suffix}") if plan.action in ("copy", "convert") else ""
        note = f"{plan.stream.kind} stream {plan.stream.index} ({plan.stream.codec}) is left out: {why}"
        yield replace(plan, action="drop", note=note) if why else plan


def _why_not(info: FilmInfo, plan: StreamPlan, trial: Path) -> str:
    options = read_options(info.path, info.protocols)
    stream = ffmpeg.input(film_url(info.path), **options)[str(plan.stream.index)]
    options = {"c": plan.codec if plan.action == "convert" else "copy"}
    if bitstream_filter := stream_filter(info, plan.stream, trial.suffix):
        options["bsf"] = bitstream_filter
    graph = ffmpeg.output(stream, film_url(trial), **options).global_args("-nostdin", "-loglevel", "error")
    try:
        run_ffmpeg(ffmpeg.compile(graph, cmd=find_ffmpeg(), overwrite_output=True), "trial")
        return ""
    except MediaError as error:
        if is_full_disk(error):
            raise
        cause = f"a {trial.suffix} file cannot hold it" if _REFUSED in error.why else "it is damaged"
        return f"{cause} ({error.why.split(': ', 1)[-1].split(' | ')[0]})"
    finally:
        trial.unlink(missing_ok=True)
