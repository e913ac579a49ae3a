"""The finished film: the coloured chunks joined, and everything else of the source copied beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, BinaryIO

import av
import ffmpeg

from vidcolor.errors import MediaError
from vidcolor.media.ffmpeg import find_ffmpeg, run_ffmpeg
from vidcolor.media.formats import Encoding
from vidcolor.media.probe import FilmInfo, film_url
from vidcolor.media.sink import FIRST_PTS_TAG, FRAGMENTED
from vidcolor.media.streams import MATROSKA_FAMILY, MP4_FAMILY, TRANSPORT_STREAM, plan_streams

# Tags that describe the bytes of the source's film stream, not the film.
_STALE = ("BPS", "NUMBER_OF_BYTES", "_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC", "_STATISTICS_TAGS", "ENCODER")
_MOVIE_TIMESCALE = (1 << 31) - 1  # the largest that MP4 edit lists can count in
# Tags for which MP4 has fields of its own; any other needs the newer key-value form.
_ITUNES = frozenset(
    "title artist album_artist composer album date encoder comment genre copyright grouping lyrics description synopsis "
    "show episode_id network keywords media_type hd_video gapless_playback compilation episode_sort season_number track disc "
    "major_brand minor_version compatible_brands creation_time location location-eng".split()
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The coloured frames as stored: times in ticks of the film's time base."""

    pts: tuple[int, ...]  # in the order of decoding
    dts: tuple[int, ...]  # the same; rising, and never after the pts
    last: int  # pts of the frame that is shown last
    end: int  # when it ends


def read_timeline(chunks: Sequence[Path], time_base: Fraction) -> Timeline:
    """Times of all packets of the chunks, in order.

    A chunk's own decoding times hold inside it alone. Over the whole film, the n-th packet is decoded when the
    (n - d)-th frame is shown, d being how many frames the encoder reorders by: the latest that is early enough.

    Raises:
        MediaError: a chunk cannot be read.
    """
    pts: list[int] = []
    last = 0
    for chunk in chunks:
        stored = [(packet.pts, packet.duration, packet.time_base, packet.stream.container) for packet in _packets(chunk)]
        if not stored:
            continue
        first = min(time for time, *_ in stored)
        begin = int(stored[0][3].metadata[FIRST_PTS_TAG])
        pts += [begin + _ticks((time - first) * unit / time_base) for time, _, unit, _ in stored]
        last = _ticks(stored[-1][1] * stored[-1][2] / time_base)
    if not pts:
        raise MediaError("there is nothing to put together", "no frame was coloured", "Check --start and --end.")
    shown = sorted(pts)
    rank = {time: index for index, time in enumerate(shown)}
    delay = max(index - rank[time] for index, time in enumerate(pts))
    step = shown[1] - shown[0] if len(shown) > 1 else max(1, last)
    before = [shown[0] - (delay - index) * step for index in range(delay)]
    return Timeline(tuple(pts), tuple(before + shown[: len(shown) - delay]), shown[-1], shown[-1] + last)


def _packets(chunk: Path) -> Iterator[av.Packet]:
    try:
        with av.open(film_url(chunk)) as container:
            yield from (packet for packet in container.demux(video=0) if packet.size)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"cannot read the chunk {chunk}", str(error), "Run again with an empty work folder.") from error


def _ticks(time: Fraction) -> int:
    if time.denominator != 1:
        raise MediaError("a chunk's times do not fit the film", f"{time} ticks", "Run again with an empty work folder.")
    return int(time)


def remux(
    info: FilmInfo,
    encoding: Encoding,
    chunks: Sequence[Path],
    output: Path,
    tags: Mapping[str, str] | None = None,
    piece: tuple[int, int | None] | None = None,
) -> int:
    """Write the finished film: one run of ffmpeg, in which nothing is encoded but subtitles that must be converted.

    Every frame keeps its pts, and every stream its place, times, tags and dispositions.

    Args:
        info: of the source.
        encoding: that the chunks were made with.
        chunks: in the order of the film.
        output: where to write; its suffix decides the container. An existing file is replaced.
        tags: for the whole film, beside the source's own.
        piece: the first pts and the end of the part that was coloured; the result begins at the time at which the
            source begins, and sound and subtitles are cut to it. None: the whole film.

    Returns:
        How many frames were written.

    Raises:
        MediaError: a chunk cannot be read, or ffmpeg fails.
    """
    timeline = read_timeline(chunks, info.time_base)
    command = _command(info, encoding, timeline, output, tags or {}, piece)

    def feed(pipe: BinaryIO) -> None:
        _join(info, encoding, chunks, timeline, pipe)

    run_ffmpeg(command, f"cannot put {output} together", feed)
    return len(timeline.pts)


def _join(info: FilmInfo, encoding: Encoding, chunks: Sequence[Path], timeline: Timeline, pipe: BinaryIO) -> None:
    """Write all chunks as one stream: the same packets, at the times of the whole film less that of the first."""
    options = {**FRAGMENTED, "video_track_timescale": str(info.time_base.denominator)}
    times = zip(timeline.pts, timeline.dts, (*timeline.dts[1:], None), strict=True)
    with av.open(pipe, "w", format=encoding.chunk_suffix[1:], options=options) as out:
        stream = None
        for packet in (packet for chunk in chunks for packet in _packets(chunk)):
            if stream is None:
                stream = out.add_stream_from_template(packet.stream)
                stream.time_base = info.time_base
                if info.display_matrix is not None:
                    stream.set_display_matrix(info.display_matrix)
            pts, dts, following = next(times)
            packet.pts, packet.dts = pts - timeline.dts[0], dts - timeline.dts[0]
            packet.duration = timeline.end - timeline.last if following is None else following - dts
            packet.time_base, packet.stream = info.time_base, stream
            out.mux_one(packet)


def _set_times(info: FilmInfo, timeline: Timeline) -> tuple[int, str]:
    """Seconds to add to all times of the pipe, whole so that they are exact, and a bitstream filter that does the rest.

    Durations in the pipe are steps of decoding time. A muxer takes the latest end of any packet as the film's, so the
    packet that is shown last gets its own duration, and every other the shortest, which cannot reach beyond it.
    """
    base = info.time_base
    whole = timeline.dts[0] // base.denominator * base.numerator
    rest = (timeline.dts[0] - whole // base.numerator * base.denominator) * base.numerator
    shown = sorted(timeline.pts)
    steps = [after - time for time, after in zip(shown, (*shown[1:], timeline.end), strict=True)]
    shortest, longest = (step * base.numerator for step in (min(steps), timeline.end - timeline.last))
    place = timeline.pts.index(timeline.last)
    ending = f"if(eq(N\\,{place})+eq(N\\,{len(shown) - 1})\\,{longest}\\,{shortest})"
    return whole, f"setts=pts=PTS+{rest}:dts=DTS+{rest}:duration={ending}"


def _command(
    info: FilmInfo,
    encoding: Encoding,
    timeline: Timeline,
    output: Path,
    tags: Mapping[str, str],
    piece: tuple[int, int | None] | None,
) -> list[str]:
    """The ffmpeg command, a list of arguments."""
    whole, times = _set_times(info, timeline)
    joined = ffmpeg.input("pipe:0", format=encoding.chunk_suffix[1:], itsoffset=whole)
    source = ffmpeg.input(film_url(info.path), protocol_whitelist="file,pipe")
    plans = [plan for plan in plan_streams(info, output.suffix.lower()) if plan.action in ("colour", "copy", "convert")]
    mapped = [joined["v:0"] if plan.action == "colour" else source[str(plan.stream.index)] for plan in plans]
    # Never found, and optional: it makes the source an input even where no stream of it is copied.
    mapped.append(source[f"{len(info.streams)}?"])
    film = next(place for place, plan in enumerate(plans) if plan.action == "colour")
    number = 0 if film > 0 else 1  # ffmpeg-python numbers inputs in the order of their first use
    options: dict[str, Any] = {"c": "copy", "map_metadata": str(number), "map_chapters": str(number), "copyts": None}
    for place, plan in enumerate(plans):
        options[f"map_metadata:s:{place}"] = f"{number}:s:{plan.stream.index}"
        options[f"disposition:{place}"] = "+".join(plan.stream.dispositions) or "0"
        if plan.action == "convert":
            options[f"c:{place}"] = plan.codec
    options[f"bsf:{film}"] = times
    options.update(_container_options(info, encoding, film, output.suffix.lower(), tags))
    graph = ffmpeg.output(*mapped, film_url(output), **options)
    graph = graph.global_args("-hide_banner", "-nostdin", "-loglevel", "error", "-fflags", "+bitexact")
    command = ffmpeg.compile(graph, cmd=find_ffmpeg(), overwrite_output=True)
    # ffmpeg-python gives each option once.
    sets = [word for name, value in tags.items() for word in ("-metadata", f"{name}={value}")]
    sets += [word for name, _ in info.film_stream.tags if name in _STALE for word in (f"-metadata:s:{film}", f"{name}=")]
    place = command.index(film_url(output))
    return command[:place] + sets + command[place:]


def _container_options(
    info: FilmInfo, encoding: Encoding, film: int, suffix: str, tags: Mapping[str, str]
) -> dict[str, Any]:
    options: dict[str, Any] = {"avoid_negative_ts": "disabled", "max_interleave_delta": "0"}
    if suffix in MP4_FAMILY:
        options["video_track_timescale"] = info.time_base.denominator
        options["movie_timescale"] = _movie_timescale(info)
        names = {name.lower() for name, _ in info.container_tags} | {name.lower() for name in tags}
        options["movflags"] = "+faststart" if names <= _ITUNES else "+faststart+use_metadata_tags"
        if encoding.codec == "hevc":
            options[f"tag:{film}"] = "hvc1"
    elif suffix in TRANSPORT_STREAM:
        options.update(muxdelay=0, muxpreload=0, mpegts_copyts=1)
    elif suffix in MATROSKA_FAMILY:
        options["default_mode"] = "passthrough"
    return options


def _movie_timescale(info: FilmInfo) -> int:
    """A unit in which the edit lists of all tracks are exact, if there is one."""
    scale = lcm(1000, info.time_base.denominator)
    return scale if scale <= _MOVIE_TIMESCALE else info.time_base.denominator
