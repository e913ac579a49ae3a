"""What a film file holds, read once and handed to everything that works on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.logging
from av.stream import Discard

from vidcolor.color.yuv import YuvFormat
from vidcolor.config import MAX_PIXELS
from vidcolor.errors import MediaError
from vidcolor.media.address import Address, Source, source_of
from vidcolor.media.color_tags import ColorTags, color_tags, is_rgb, yuv_format
from vidcolor.media.first_frame import field_order, first_frame, show_info, shown_sar
from vidcolor.media.hdr import HdrMetadata, dynamic_hdr, read_hdr, side_data
from vidcolor.media.opening import PLAYLIST, open_film
from vidcolor.media.sequences import Sequence
from vidcolor.media.service import Service, read_service
from vidcolor.media.stored_tags import stated, stated_length

_MATRIX_CODES = {"bt709": 1, "bt601": 6}


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of the container. Times are seconds, None where the container does not say."""

    index: int
    kind: str  # "video", "audio", "subtitle", "data", "attachment"
    codec: str
    codec_tag: str
    language: str | None
    title: str | None
    dispositions: tuple[str, ...]
    start: Fraction | None
    duration: Fraction | None
    tags: tuple[tuple[str, str], ...]
    time_base: Fraction | None = None  # seconds a tick
    pid: int | None = None  # in a transport stream
    sample_rate: int | None = None  # of sound

    @property
    def attached_picture(self) -> bool:
        """Cover art, not a film."""
        return "attached_pic" in self.dispositions


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: seconds from the start of the timeline, and its name."""

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class FilmInfo:
    """A film, as found. `pts` are integers in units of `time_base` seconds, never counted from 0."""

    path: Source
    container: str  # FFmpeg's name of the demuxer
    streams: tuple[StreamInfo, ...]
    film: int  # index of the stream that is the film
    width: int
    height: int
    pix_fmt: str  # as decoded
    format: YuvFormat  # of the luma that is handed on, with the chroma that it will get
    tags: ColorTags
    sar: Fraction | None  # sample aspect ratio; None where the source does not say
    display_matrix: tuple[int, ...] | None  # nine numbers as in ISO/IEC 14496-12, 16.16 and 2.30 fixed point
    rotation: int  # degrees counter-clockwise that a player turns the picture by, from `display_matrix`
    field_order: str  # "progressive", "tff", "bff"
    time_base: Fraction
    average_rate: Fraction | None  # frames per second
    start_pts: int  # of the first frame that is shown
    duration: Fraction | None  # seconds, from the container's header
    frames: int | None  # how many the header promises or the rate suggests; an estimate
    chapters: tuple[Chapter, ...]
    container_tags: tuple[tuple[str, str], ...]
    hdr: HdrMetadata | None = None
    frames_flagged: bool = False  # interlaced frames say so themselves; else, it is the container that does
    deinterlace: str = ""  # how frames are made whole before they are handed on, as `deinterlaced` takes it; "": not
    dynamic_hdr: tuple[str, ...] = ()  # kinds of metadata that change from frame to frame, such as "HDR10+"
    decoder: str = "cpu"  # or "nvdec", once `choose_decoder` has found that it can be
    sequence: Sequence | None = None  # the pictures that `path` is the pattern of; None: the film is one file
    protocols: tuple[str, ...] = ()  # that were allowed, for `read_options`
    service: Service | None = None  # in a transport stream
    stated_size: int = 0  # bytes of what is at an address, as the server says; 0: it does not, or it is a file

    @property
    def interlaced(self) -> bool:
        return self.field_order != "progressive"

    @property
    def index_misleads(self) -> bool:
        """Whether a seek goes wrong: Matroska's index has no times before 0, and FFmpeg takes them for far later ones."""
        return self.container == "matroska,webm" and self.start_pts < 0

    @property
    def full_range(self) -> bool:
        """Whether the source's own luma is full range; `format` may ask for the other."""
        return self.tags.range == 2 or is_rgb(av.VideoFormat(self.pix_fmt))

    @property
    def film_stream(self) -> StreamInfo:
        return self.streams[self.film]

    @property
    def playlist(self) -> bool:
        """Whether `path` only names the files that hold the film."""
        return self.container == PLAYLIST

    @property
    def place(self) -> str:
        """The whole path, or the address."""
        return str(self.path) if isinstance(self.path, Address) else str(self.path.resolve())

    @property
    def size(self) -> int:
        """Bytes of its file, or of all its pictures; of a playlist, its own alone."""
        if isinstance(self.path, Address):
            return self.stated_size
        return self.path.stat().st_size if self.sequence is None else self.sequence.size()

    @property
    def changed(self) -> int:
        """When it was last written to, in nanoseconds since the epoch; 0 where no file system says it."""
        if isinstance(self.path, Address):
            return 0
        return self.path.stat().st_mtime_ns if self.sequence is None else self.sequence.changed()


def probe(
    path: Source,
    opener: Callable[[Path], av.container.InputContainer] | None = None,
    max_pixels: int = MAX_PIXELS,
    protocols: tuple[str, ...] = (),
) -> FilmInfo:
    """Read everything about a film that later work needs; decodes its first frame.

    Args:
        opener: what opens the film where that is not `open_film`.
        max_pixels: of a frame; a film of larger ones is refused before one is decoded.
        protocols: that are allowed, as of `open_film`.

    Raises:
        UsageError: there is no such file, or it is a folder.
        MediaError: it cannot be read, holds no film, or holds one of a kind that cannot be coloured.
    """
    path = source_of(path)
    with opener(path) if opener else open_film(path, protocols) as container:
        _refuse_endless(path, container)
        streams = tuple(_stream_info(stream) for stream in container.streams)
        film = _choose_film(path, streams, {s.index for s in container.streams if _is_one_picture(s)})
        stream = container.streams[film]
        check_size(path, *_header_size(stream), max_pixels)
        rate = _rate(stream)
        start_pts, first = first_frame(path, container, stream, rate)
        shown = show_info(stream, first)
        tags = color_tags(first, shown)
        time_base = stream.time_base
        matrix = side_data(first).get("DISPLAYMATRIX")
        duration = _seconds(stream.duration, time_base) or _seconds(container.duration, Fraction(1, av.time_base))
        frames = stream.frames or (round(duration * rate) if duration and rate else None)
        return FilmInfo(
            path=path,
            container=container.format.name,
            streams=streams,
            film=film,
            width=first.width,
            height=first.height,
            pix_fmt=first.format.name,
            format=yuv_format(path, first, tags),
            tags=tags,
            sar=shown_sar(stream, shown),
            display_matrix=None if matrix is None else tuple(memoryview(bytes(matrix)).cast("i")),
            rotation=first.rotation,
            field_order=field_order(stream, shown),
            time_base=time_base,
            average_rate=rate,
            start_pts=start_pts,
            duration=duration,
            frames=frames,
            chapters=tuple(_chapter(chapter) for chapter in container.chapters()),
            container_tags=tuple(container.metadata.items()),
            hdr=read_hdr(first),
            frames_flagged=first.interlaced_frame,
            dynamic_hdr=dynamic_hdr(first),
            protocols=protocols,
            service=read_service(container, film),
            stated_size=max(0, container.size) if isinstance(path, Address) else 0,
        )


def _refuse_endless(path: Source, container: av.container.InputContainer) -> None:
    """Refuse a playlist that still grows: it has no beginning to go back to and no end to wait for."""
    if container.format.name == PLAYLIST and container.duration is None:
        next_step = "Record it first, for instance with: ffmpeg -i ADDRESS -c copy FILM.mkv"
        raise MediaError(f"cannot read {path}", "it is a live stream", next_step)


def _header_size(stream: av.VideoStream) -> tuple[int, int]:
    context = stream.codec_context
    return (0, 0) if context is None else (context.width, context.height)


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse frames and pictures that are larger than any honest one: a small file can unpack to more than the memory.

    Raises:
        MediaError: more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise MediaError(
            f"cannot read {path}",
            f"a picture of {width}x{height} is larger than the limit of {max_pixels} pixels",
            f"If it is meant to be: vidcolor run, shots and verify take --max-pixels {width * height}",
        )


def _stream_info(stream: av.stream.Stream) -> StreamInfo:
    context = stream.codec_context
    flags = [flag.name for flag in type(stream.disposition) if flag in stream.disposition]
    tags = dict(stream.metadata)
    return StreamInfo(
        index=stream.index,
        kind=stream.type if stream.type != "unknown" else "data",
        codec=context.codec.canonical_name if context is not None else (tags.get("mimetype") or "unknown"),
        codec_tag=_codec_tag(stream),
        language=tags.get("language"),
        title=tags.get("title"),
        dispositions=tuple(flags),
        start=_seconds(stream.start_time, stream.time_base),
        duration=_seconds(stream.duration, stream.time_base),
        tags=tuple(tags.items()),
        time_base=stream.time_base,
        pid=stream.id if stream.container.format.name == "mpegts" else None,
        sample_rate=(context.sample_rate or None) if stream.type == "audio" and context is not None else None,
    )


def _codec_tag(stream: av.stream.Stream) -> str:
    """Four letters; nothing where the tag is a number, as that of FLAC and AAC in NUT: PyAV cannot show it.

    Nor does it show those of QuickTime's other tracks: the time code's has a tag of its own, those of chapter names are
    discarded by FFmpeg, which has read them.
    """
    context = stream.codec_context
    try:
        if context is not None:
            return context.codec_tag
    except UnicodeDecodeError:
        return ""
    if stream.type != "data" or not stream.container.format.name.startswith("mov,"):
        return ""
    if "timecode" in stream.metadata:
        return "tmcd"
    return "text" if stream.discard == Discard.all else ""


def _seconds(ticks: int | None, time_base: Fraction | None) -> Fraction | None:
    return None if ticks is None or time_base is None else ticks * time_base


def _chapter(chapter: dict) -> Chapter:
    base = chapter["time_base"]
    return Chapter(chapter["start"] * base, chapter["end"] * base, chapter["metadata"].get("title", ""))


def _is_one_picture(stream: av.stream.Stream) -> bool:
    """Whether the container says that a stream holds a single frame: in its index, or in Matroska by its tags."""
    if stream.type != "video" or stream.frames == 1:
        return stream.type == "video"
    length, rate = stated_length(stream.metadata.items()), _rate(stream)
    if length is None or rate is None:
        return "1" in stated(stream.metadata.items(), "NUMBER_OF_FRAMES")
    return 0 < length * rate <= 1


def _choose_film(path: Path, streams: tuple[StreamInfo, ...], single: set[int]) -> int:
    """Index of the stream that is the film: the default or the first, of those that are no single picture if possible."""
    moving = [
        s for s in streams if s.kind == "video" and not {"attached_pic", "timed_thumbnails"} & set(s.dispositions)
    ]
    if not moving:
        kinds = ", ".join(dict.fromkeys(f"{s.kind} ({s.codec})" for s in streams)) or "no streams at all"
        raise MediaError(f"cannot read {path}", f"it holds no film, only {kinds}", "Give a file with a video stream.")
    films = [s for s in moving if s.index not in single] or moving
    return next((s for s in films if "default" in s.dispositions), films[0]).index


def _rate(stream: av.VideoStream) -> Fraction | None:
    """Frames per second; one a tick is none (raw DV says so) where FFmpeg's guess is another."""
    average, guessed = stream.average_rate, stream.guessed_rate
    return guessed if not average or (guessed and average * stream.time_base == 1) else average


def matrix_code(info: FilmInfo) -> int:
    """The H.273 number of the matrix to write: the source's, or for RGB sources the one that made their luma."""
    return info.tags.matrix if info.tags.matrix != 0 else _MATRIX_CODES[info.format.matrix]
