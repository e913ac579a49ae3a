"""The finished film: the coloured chunks joined, and everything else of the source copied beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import floor, lcm
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import av
import ffmpeg

from vidcolor.errors import MediaError
from vidcolor.media.address import Address
from vidcolor.media.attachments import Attachment, take_out
from vidcolor.media.codecs import CODECS
from vidcolor.media.container_times import earlier, tick
from vidcolor.media.copying import is_full_disk, stream_filter, without_damaged
from vidcolor.media.ffmpeg import find_ffmpeg, run_ffmpeg
from vidcolor.media.formats import Encoding
from vidcolor.media.mp4_tags import holds_cover, without_field
from vidcolor.media.opening import film_url, read_options
from vidcolor.media.probe import FilmInfo
from vidcolor.media.service import service_options
from vidcolor.media.sink import FRAGMENTED, set_tags
from vidcolor.media.stored_tags import is_of_the_bytes
from vidcolor.media.stream_labels import written_language
from vidcolor.media.streams import MATROSKA_FAMILY, MP4_FAMILY, TRANSPORT_STREAM, StreamPlan, plan_streams
from vidcolor.media.timecode import advanced
from vidcolor.media.timeline import Timeline, packets, read_timeline

log = logging.getLogger(__name__)

_SOURCE, _OUTPUT = "<source>", "<output>"  # stand for the names, which ffmpeg-python takes only if they are UTF-8
_HAIR = 5e-7  # seconds: less than any stream's tick, more than what floating point is out by
_MOVIE_TIMESCALE = (1 << 31) - 1  # the largest that MP4 edit lists can count in


def remux(
    info: FilmInfo,
    encoding: Encoding,
    chunks: Sequence[Path],
    output: Path,
    tags: Mapping[str, str] | None = None,
    piece: tuple[int, int | None] | None = None,
    scratch: Path | None = None,
    say: Callable[[str], None] = log.warning,
) -> int:
    """Write the finished film: one run of ffmpeg, in which nothing is encoded but subtitles that must be converted, and PCM.

    Every frame keeps its pts, and every stream its place, times, tags and dispositions.

    Args:
        info: of the source.
        encoding: that the chunks were made with.
        chunks: in the order of the film.
        output: where to write; its suffix decides the container. An existing file is replaced.
        tags: for the whole film, beside the source's own.
        piece: the first pts and the end (exclusive; None: that of the film) of the part that was coloured. The result
            begins when the source begins; sound and subtitles are cut to the piece, chapters are left out. None: the
            whole film.
        scratch: a folder for what must be unpacked on the way. None: the system's for temporary files.
        say: told, a sentence each, of streams that are left out because they cannot be copied, most often for damage.

    Returns:
        How many frames were written.

    Raises:
        MediaError: a chunk cannot be read, or ffmpeg fails.
    """
    suffix = output.suffix.lower()
    timeline = read_timeline(chunks, info.time_base).in_unit(tick(suffix))
    if piece is None:
        timeline = timeline.moved(-earlier(info, suffix, None))
    plans = plan_streams(info, output.suffix.lower())

    def feed(pipe: BinaryIO) -> None:
        _join(info, encoding, chunks, timeline, pipe)

    with TemporaryDirectory(prefix=".vidcolor-", dir=scratch) as folder:
        attachments = take_out(info, (plan.stream for plan in plans if plan.action == "attach"), Path(folder))

        def write(plans: Sequence[StreamPlan]) -> None:
            command = _command(info, encoding, plans, timeline, output, tags or {}, piece, attachments)
            run_ffmpeg(command, f"cannot put {output} together", feed)

        try:
            write(plans)
        except MediaError as error:
            if is_full_disk(error):
                raise
            if isinstance(info.path, Address):
                next_step = "If it is not the server that fails, fetch the film."
                raise MediaError(error.what, error.why, next_step) from error
            fit = tuple(without_damaged(info, plans, output.suffix.lower(), Path(folder)))
            lost = [new.note for old, new in zip(plans, fit, strict=False) if new != old]
            if not lost:
                raise
            write(fit)
            for note in lost:
                say(note)
    return len(timeline.pts)


def _join(info: FilmInfo, encoding: Encoding, chunks: Sequence[Path], timeline: Timeline, pipe: BinaryIO) -> None:
    """Write all chunks as one stream: the same packets, at the times of the whole film less that of the first."""
    form = CODECS[encoding.codec].pipe
    options = {} if form == "matroska" else {**FRAGMENTED, "video_track_timescale": str(timeline.base.denominator)}
    times = zip(timeline.pts, timeline.dts, (*timeline.dts[1:], None), strict=True)
    with av.open(pipe, "w", format=form, options=options) as out:
        stream = None
        for packet in (packet for chunk in chunks for packet in packets(chunk)):
            if stream is None:
                stream = out.add_stream_from_template(
                    packet.stream, opaque=True
                )  # of a decoder, which may be no encoder
                stream.time_base = timeline.base
                set_tags(stream.codec_context, encoding, info)
                if info.display_matrix is not None:
                    stream.set_display_matrix(info.display_matrix)
            pts, dts, following = next(times)
            packet.pts, packet.dts = pts - timeline.dts[0], dts - timeline.dts[0]
            packet.duration = timeline.end - timeline.last if following is None else following - dts
            packet.time_base, packet.stream = timeline.base, stream
            out.mux_one(packet)


def _set_times(timeline: Timeline) -> tuple[str, str]:
    """Seconds to add to all times of the pipe, as far as they are whole, and a bitstream filter that does the rest.

    Durations in the pipe are steps of decoding time. MP4 takes the latest end of any packet as the film's, and the sum
    of all durations as the most. So the packet that is stored last reaches to the film's end, and every other gets the
    shortest duration, which cannot reach beyond it.
    """
    seconds, rest = divmod(timeline.dts[0], timeline.base.denominator)
    unit = timeline.base.numerator
    shortest, reaching = min(timeline.steps()) * unit, (timeline.end - timeline.pts[-1]) * unit
    duration = f"if(eq(N\\,{len(timeline.pts) - 1})\\,{reaching}\\,{shortest})"
    return str(seconds * unit), f"setts=pts=PTS+{rest * unit}:dts=DTS+{rest * unit}:duration={duration}"


def _command(
    info: FilmInfo,
    encoding: Encoding,
    plans: Sequence[StreamPlan],
    timeline: Timeline,
    output: Path,
    tags: Mapping[str, str],
    piece: tuple[int, int | None] | None,
    attachments: Sequence[Attachment],
) -> list[str]:
    """The ffmpeg command, a list of arguments."""
    suffix = output.suffix.lower()
    shift, times = _set_times(timeline)
    rate = _default_rate(info, timeline, suffix)
    if rate is not None:
        shift = _decimal(timeline.dts[0] * timeline.base)
    joined = ffmpeg.input("pipe:0", format=CODECS[encoding.codec].pipe, itsoffset=shift)
    early = earlier(info, suffix, piece)
    moved = {"itsoffset": _decimal(-early)} if early and piece is None else {}  # as nothing else, it moves chapters too
    source = ffmpeg.input(_SOURCE, **read_options(info.path, info.protocols), **_section(info, piece), **moved)
    kept = [plan for plan in plans if plan.action in ("colour", "copy", "convert")]
    mapped = [joined["v:0"] if plan.action == "colour" else source[str(plan.stream.index)] for plan in kept]
    # Never found, and optional: it makes the source an input even where no stream of it is copied.
    mapped.append(source[f"{len(info.streams)}?"])
    film = next(place for place, plan in enumerate(kept) if plan.action == "colour")
    number = 0 if film > 0 else 1  # ffmpeg-python numbers inputs in the order of their first use
    options: dict[str, Any] = {
        "c": "copy",
        "map_metadata": number,
        "map_chapters": -1 if piece else number,
        "copyts": None,
    }
    for place, plan in enumerate(kept):
        options[f"map_metadata:s:{place}"] = f"{number}:s:{plan.stream.index}"
        options[f"disposition:{place}"] = "+".join(plan.stream.dispositions) or "0"
        if plan.action == "convert":
            options[f"c:{place}"] = plan.codec
        if plan.action != "colour":
            cut = piece is not None and not plan.stream.attached_picture
            filters = [stream_filter(info, plan.stream, suffix), _outside(info, piece) if cut else None]
            options |= {f"bsf:{place}": ",".join(filter(None, filters))} if any(filters) else {}
    if piece and early:
        options["output_ts_offset"] = _decimal(-early)
    options.update({f"bsf:{film}": times} if rate is None else {f"r:{film}": rate})
    options.update(_container_options(info, encoding, film, suffix, tags))
    graph = ffmpeg.output(*mapped, _OUTPUT, **options)
    strict = ["-xerror"] if isinstance(info.path, Address) else []  # what cannot be read is not left out, but fails
    graph = graph.global_args("-hide_banner", "-nostdin", "-loglevel", "error", *strict)
    command = ffmpeg.compile(graph, cmd=find_ffmpeg(), overwrite_output=True)
    # ffmpeg-python gives each option once; these are given several times.
    sets = [("-metadata", f"{name}={value}") for name, value in tags.items()]
    sets += [(f"-metadata:s:{film}", f"{name}=") for name, _ in info.film_stream.tags if is_of_the_bytes(name)]
    for place, plan in enumerate(kept):
        if (code := written_language(plan.stream, suffix)) != plan.stream.language:
            sets.append((f"-metadata:s:{place}", f"language={code or ''}"))
    pids = [plan.stream.pid for plan in kept]
    comment = {**{name.lower(): value for name, value in info.container_tags}, **tags}.get("comment", "")
    sets += service_options(info.service, pids, comment, suffix)
    sets += _piece_codes(info, timeline, kept) if piece else []
    for place, attachment in enumerate(attachments, len(kept)):
        sets.append(("-attach", film_url(attachment.path)))
        sets += [(f"-metadata:s:{place}", f"{name}={value}") for name, value in attachment.tags]
    command[command.index(_SOURCE)] = film_url(info.path)
    place = command.index(_OUTPUT)
    return [*command[:place], *(word for pair in sets for word in pair), film_url(output), *command[place + 1 :]]


def _piece_codes(info: FilmInfo, timeline: Timeline, kept: Sequence[StreamPlan]) -> list[tuple[str, str]]:
    """Options that give a piece the time code of its first frame; what is none is left out."""
    rate = info.average_rate or Fraction(25)
    first = round((min(timeline.pts) * timeline.base - info.start_pts * info.time_base) * rate)
    places = [("-metadata", info.container_tags)]
    places += [(f"-metadata:s:{place}", plan.stream.tags) for place, plan in enumerate(kept)]
    return [
        (option, f"{name}={advanced(code, first, rate) or ''}")
        for option, tags in places
        for name, code in tags
        if name.lower() == "timecode"
    ]


def _default_rate(info: FilmInfo, timeline: Timeline, suffix: str) -> Fraction | None:
    """The constant rate to write into a Matroska track, if the film has one.

    There ffmpeg takes it as an option, but then must not filter the packets: it would do that in steps of one frame. It
    need not either, since milliseconds can be shifted exactly, and durations are all the same.
    """
    if suffix not in MATROSKA_FAMILY or info.average_rate is None or not timeline.is_constant():
        return None
    mean = sum(timeline.steps()) * timeline.base / len(timeline.pts)
    return info.average_rate if abs(mean * info.average_rate - 1) < Fraction(1, 100) else None


def _section(info: FilmInfo, piece: tuple[int, int | None] | None) -> dict[str, Any]:
    """Options of the source as an input: where to begin and end reading, not before and well after what is wanted."""
    if piece is None or info.index_misleads:
        return {}
    first, end = piece
    options = {"seek_timestamp": 1, "ss": _decimal(Fraction(floor(first * info.time_base * 10**6), 10**6))}
    return options if end is None else {**options, "to": _decimal(end * info.time_base + 10)}


def _outside(info: FilmInfo, piece: tuple[int, int | None]) -> str:
    """A bitstream filter that drops the packets before and after a piece, by their own times.

    What ffmpeg's -ss and -to cut by when streams are copied with their times differs from version to version.
    """
    first, end = piece
    just_before = lambda pts: f"{float(pts * info.time_base) - _HAIR:.9f}"
    limits = [f"lt(dts*tb\\,{just_before(first)})"]
    if end is not None:
        limits.append(f"gte(dts*tb\\,{just_before(end)})")
    return f"noise=drop={'+'.join(limits)}"


def _decimal(seconds: Fraction) -> str:
    return f"{float(seconds):.6f}"


def _container_options(
    info: FilmInfo, encoding: Encoding, film: int, suffix: str, tags: Mapping[str, str]
) -> dict[str, Any]:
    # Bit-exact writing leaves out random numbers, dates and versions: the same film gives the same file.
    options: dict[str, Any] = {"avoid_negative_ts": "disabled", "max_interleave_delta": 0, "fflags": "+bitexact"}
    if suffix in MP4_FAMILY:
        options["video_track_timescale"] = info.time_base.denominator
        options["movie_timescale"] = _movie_timescale(info)
        newer = without_field([*dict(info.container_tags), *tags]) and not holds_cover(info, suffix)
        options["movflags"] = "+faststart+use_metadata_tags" if newer else "+faststart"
        if encoding.codec == "hevc":
            options[f"tag:{film}"] = "hvc1"
    elif suffix in TRANSPORT_STREAM:
        options.update(muxdelay=0, muxpreload=0, mpegts_copyts=1, mpegts_m2ts_mode=int(suffix != ".ts"))
    elif suffix in MATROSKA_FAMILY:
        options["default_mode"] = "passthrough"
        if encoding.codec == "ffv1" and info.sar is not None:  # its frames say it, but no player asks them
            shape = info.sar * Fraction(info.width, info.height)
            options[f"aspect:{film}"] = f"{shape.numerator}:{shape.denominator}"
    return options


def _movie_timescale(info: FilmInfo) -> int:
    """A unit in which the edit lists of all tracks are exact, if there is one: sound begins on one of its samples."""
    rates = [stream.sample_rate for stream in info.streams if stream.sample_rate]
    scale = lcm(1000, info.time_base.denominator, *rates)
    return scale if scale <= _MOVIE_TIMESCALE else info.time_base.denominator
