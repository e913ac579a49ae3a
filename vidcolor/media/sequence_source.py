"""A film read from numbered pictures, each decoded by FFmpeg as a packet of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from vidcolor.errors import MediaError, UsageError
from vidcolor.media.address import Address, Source
from vidcolor.media.color_tags import UNSPECIFIED
from vidcolor.media.marks import first_directory, first_numbers
from vidcolor.media.opening import film_url
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.sequences import Sequence, find_sequence, is_pattern, sequence_in
from vidcolor.media.source import FilmSource

# SMPTE ST 268-1: where a DPX file says what its codes mean, and which of that is film density instead of video.
_TRANSFER = 801
_DENSITY = {1: "printing density", 3: "logarithmic"}
# TIFF 6.0: BitsPerSample, Compression, PhotometricInterpretation, TileWidth, SampleFormat
_BITS, _COMPRESSION, _MEANING, _TILES, _SAMPLES = 258, 259, 262, 322, 339


def read_film(source: Source, rate: Fraction | None, max_pixels: int, protocols: tuple[str, ...] = ()) -> FilmInfo:
    """What there is to know of a film: a file, or numbered pictures by their pattern or by the folder that holds them.

    Args:
        rate: frames a second of pictures; None for a file.
        max_pixels, protocols: as of `probe`.

    Raises:
        UsageError: pictures without a rate or a file with one; pictures that are not there.
        MediaError: it cannot be read, or is of a kind that cannot be coloured.
    """
    if isinstance(source, Address) or not (is_pattern(source) or (rate is not None and source.is_dir())):
        if rate is not None:
            raise UsageError(f"--rate has no meaning for {source}", "it is no image sequence", "Leave it out.")
        return probe(source, max_pixels=max_pixels, protocols=protocols)
    if rate is None:
        raise UsageError(f"{source} has no frame rate", "it is an image sequence", "Give it: --rate 24")
    sequence = sequence_in(source) if source.is_dir() else find_sequence(source)
    if not sequence.numbers:
        raise UsageError(f"cannot read {source}", "there is no picture of that name and a number", "Check the name.")
    return _probe_sequence(sequence, rate, max_pixels)


def _probe_sequence(sequence: Sequence, rate: Fraction, max_pixels: int) -> FilmInfo:
    first = sequence.file(sequence.numbers[0])
    _check_meaning(first, _read(first))
    info = probe(sequence.pattern, lambda _: _open(first, rate), max_pixels)
    length = sequence.numbers[-1] - sequence.numbers[0] + 1
    tags, form = replace(info.tags, range=2), replace(info.format, full_range=True)
    if info.streams[info.film].codec == "dpx":  # FFmpeg itself writes "linear" into every file, whatever it holds
        tags, form = replace(tags, transfer=UNSPECIFIED), replace(form, transfer="sdr")
    return replace(info, tags=tags, format=form, sequence=sequence, duration=length / rate, frames=length)


def _open(picture: Path, rate: Fraction) -> av.container.InputContainer:
    options = {
        "framerate": str(rate),
        "pattern_type": "none",
        "protocol_whitelist": "file",
        "format_whitelist": "image2",
    }
    try:
        return av.open(film_url(picture), format="image2", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"cannot read {picture}", f"it is no picture that FFmpeg knows ({why})") from error


def _read(picture: Path) -> bytes:
    try:
        return picture.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read {picture}", error.strerror or str(error)) from error


def _check_meaning(picture: Path, data: bytes) -> None:
    """Refuse DPX whose codes are film density, for its luma is no luma, and TIFF of which FFmpeg makes black or wrong
    pictures without a word.

    Raises:
        MediaError: it is such a file.
    """
    if data[:2] in (b"II", b"MM") and (fault := _misread(data)):
        next_step = "Save it in strips, with 8 or 16 bits a sample, without compression."
        raise MediaError(f"cannot read {picture}", f"{fault}, which FFmpeg does not read", next_step)
    if data[:4] in (b"SDPX", b"XPDS") and len(data) > _TRANSFER and data[_TRANSFER] in _DENSITY:
        raise MediaError(
            f"cannot read {picture}",
            f"its header says that its codes are film density ({_DENSITY[data[_TRANSFER]]}), not video",
            "Convert it first, for instance with: oiiotool --colorconvert KodakLog rec709 (OpenImageIO, OpenColorIO)",
        )


def _misread(tiff: bytes) -> str:
    """What of a TIFF file FFmpeg takes for something else; empty: nothing, or it is no file that FFmpeg opens."""
    try:
        places = first_directory(tiff)[1]
        says = first_numbers(tiff, {_BITS, _COMPRESSION, _MEANING, _SAMPLES})
    except ValueError:
        return ""
    bits, meaning = says.get(_BITS), says.get(_MEANING)
    faults = {
        "it is in tiles": _TILES in places,
        "it is TIFF compressed as JPEG": says.get(_COMPRESSION) in (6, 7),
        "its samples are floating point or have a sign": says.get(_SAMPLES, 1) != 1,
        "it is CMYK of 16 bits": (meaning, bits) == (5, 16),
        "its 12 bits count from white": (meaning, bits) == (0, 12),
    }
    return next((fault for fault, there in faults.items() if there), "")


class SequenceSource(FilmSource):
    """The frames of a sequence. A number that is missing is a frame that cannot be decoded, and treated as one."""

    def __init__(self, info: FilmInfo, threads: int, start_pts: int | None, on_damage: str) -> None:
        if info.streams[info.film].codec == "tiff":
            self._strictness = {}  # its decoder takes tags that it does not know for errors
        super().__init__(info, threads, start_pts, on_damage)

    def _note_gap(self, pts: int) -> None:
        """The numbers say what is missing."""

    def _open_container(self) -> av.container.InputContainer:
        sequence = self.info.sequence
        return _open(sequence.file(sequence.numbers[0]), self.info.average_rate)

    def _packets(self, start: int | None) -> Iterator[av.Packet]:
        sequence = self.info.sequence
        there = set(sequence.numbers)
        first = sequence.numbers[0]
        begin = first if start is None else max((n for n in sequence.numbers if n - first <= start), default=first)
        for number in range(begin, sequence.numbers[-1] + 1):
            data = _read(sequence.file(number)) if number in there else b""
            if not data:
                what = "its picture is empty" if number in there else f"picture {number} is not there"
                self._failed.append((number - first, what))
                continue
            _check_meaning(sequence.file(number), data)
            packet = av.Packet(len(data))  # in FFmpeg's memory: its threads may free it while Python waits for them
            packet.update(data)
            packet.pts = packet.dts = number - first
            packet.stream, packet.time_base = self._stream, self.info.time_base
            packet.is_keyframe = True
            yield packet
        yield av.Packet()  # empties the decoder


def open_source(info: FilmInfo, threads: int, start_pts: int | None = None, on_damage: str = "hold") -> FilmSource:
    """The frames of a film, whatever it is read from; arguments as of `FilmSource`."""
    kind = FilmSource if info.sequence is None else SequenceSource
    return kind(info, threads, start_pts, on_damage)
