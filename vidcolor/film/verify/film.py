"""Whether an output is its source but for the colour: frames, times, luma, and everything beside the picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidcolor.config import RunOptions
from vidcolor.errors import UsageError
from vidcolor.film.plan import piece_of
from vidcolor.film.verify.beside import (
    compare_chapters,
    compare_service,
    compare_streams,
    compare_tags,
    compare_time_code,
)
from vidcolor.film.verify.finding import Finding
from vidcolor.film.verify.frames import Clock, Numbering, compare_frames
from vidcolor.film.verify.luma import judge_luma
from vidcolor.media.address import Source
from vidcolor.media.codecs import CODECS
from vidcolor.media.color_tags import UNSPECIFIED
from vidcolor.media.formats import Encoding, choose_encoding
from vidcolor.media.hdr import carries_hdr
from vidcolor.media.probe import FilmInfo, matrix_code, probe
from vidcolor.media.sequence_source import read_film
from vidcolor.media.sequences import is_pattern
from vidcolor.media.streams import MP4_FAMILY, TRANSPORT_STREAM
from vidcolor.media.uncompressed import picture_encoding

_H273 = "H.273 number"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared, and what came of it."""

    source: Source
    output: Path
    findings: tuple[Finding, ...]

    @property
    def conforms(self) -> bool:
        return not any(finding.differs for finding in self.findings)

    def event(self) -> dict[str, Any]:
        """As docs/json.md describes it."""
        findings = [asdict(finding) for finding in self.findings]
        names = {"input": str(self.source), "output": str(self.output)}
        return {"type": "verify", **names, "conforms": self.conforms, "findings": findings}


def verify(
    source: Source,
    output: Path,
    options: RunOptions | None = None,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> Verification:
    """Compare `output` with the `source` that it was coloured from.

    Both are decoded to their end. A lossy output is held against a plain transcode, which is made for it piece by piece
    and thrown away.

    Args:
        source, output: a film; or pictures, by their pattern, and the source's by their folder too.
        options: those that the output was made with; `codec`, `crf`, `preset`, `start`, `end`, `deinterlace`,
            `on_damage`, and `rate`, `max_pixels` and `allow_protocol` of the source count.
        progress: told what is being done, how many frames of it are done, and of how many.

    Raises:
        UsageError: no such file, or an output of a kind that vidcolor does not write.
        MediaError: one of them cannot be read.
    """
    options = options or RunOptions()
    options.validate()
    info = read_film(source, options.rate, options.max_pixels, options.allow_protocol)
    made = _read_output(output, info, options)
    encoding = _encoding_of(info, made, options)
    info = encoding.prepare(info)
    info = replace(info, format=replace(info.format, depth=made.format.depth, full_range=made.format.full_range))
    piece = piece_of(info, options)
    clock = Numbering(info, made, piece) if made.sequence else Clock(info, output.suffix.lower(), piece)
    threads = options.threads or os.cpu_count() or 1
    tally = compare_frames(info, made, clock, threads, options.on_damage, progress)
    findings = [
        *tally.findings(clock, made.time_base),
        judge_luma(info, made, clock, encoding, tally, threads, options.on_damage, progress),
    ]
    findings += tally.carried(encoding.encoder)
    findings += compare_picture(info, made, encoding)
    findings += compare_streams(info, made, piece)
    without = "pictures hold none of a film" if made.sequence else ""
    if output.suffix.lower() in TRANSPORT_STREAM:
        without = "transport streams have no place for them"
    findings += compare_chapters(info, made, without or ("a piece has none" if piece else ""))
    findings += compare_tags(info, made, without, piece is not None)
    findings += compare_time_code(info, made, tally.first if piece else None)
    findings += compare_service(info, made)
    return Verification(source, output, tuple(findings))


def _read_output(output: Path, info: FilmInfo, options: RunOptions) -> FilmInfo:
    """What there is to know of an output; luma of pictures is that of the source's matrix, which they do not say."""
    if not is_pattern(output):
        return probe(output, max_pixels=options.max_pixels)
    made = read_film(output, options.rate or info.average_rate or Fraction(25), options.max_pixels)
    return replace(made, format=replace(made.format, matrix=info.format.matrix))


def _encoding_of(info: FilmInfo, made: FilmInfo, options: RunOptions) -> Encoding:
    """How `run` writes such a file; a codec that it does not write is a finding about luma, later."""
    if made.sequence is not None:
        return picture_encoding(info, suffix=made.path.suffix, deinterlace=options.deinterlace)
    codec, suffix = made.film_stream.codec, made.path.suffix.lower()
    known = sorted({suffix for each in CODECS.values() for suffix in each.suffixes})
    if suffix not in known:
        raise UsageError(
            f"cannot verify {made.path}", f"vidcolor writes no '{suffix}' files", f"It writes {', '.join(known)}."
        )
    if options.codec != "auto":
        if options.codec not in CODECS or options.codec.split("_")[0] != codec:
            raise UsageError(f"{made.path} is not of --codec {options.codec}", f"it is {codec}", "Leave --codec out.")
        codec = options.codec  # of several encoders for it, such as h264_nvenc
    ours = codec in CODECS and suffix in CODECS[codec].suffixes
    crf, preset = (options.crf, options.preset) if ours else (None, None)
    return choose_encoding(info, codec if ours else "auto", crf, preset, suffix if ours else None, options.deinterlace)


def compare_picture(info: FilmInfo, made: FilmInfo, encoding: Encoding) -> list[Finding]:
    """Size, shape, fields and what is said of colours: a finding for each that is wrong, or one for all."""
    sar = info.sar or made.sar
    pairs = [
        ("size", (info.width, info.height), (made.width, made.height)),
        ("sample aspect ratio", sar, made.sar or (Fraction(1) if sar == 1 else None)),
        ("bits of luma", encoding.format.depth, made.format.depth),
        ("full range", encoding.format.full_range, made.format.full_range),
    ]
    if not encoding.pictures:
        pairs += _said_of_film(info, made, encoding)
    wrong = [Finding(name, str(wanted), str(found), "differs") for name, wanted, found in pairs if wanted != found]
    stated = "; ".join(encoding.conversions)
    names = f"{made.width}×{made.height} {made.pix_fmt}, {made.field_order}"
    whole = Finding(
        "picture",
        f"{info.width}×{info.height} {info.pix_fmt}, {info.field_order}",
        names,
        "stated" if stated else "same",
        stated,
    )
    return wrong or [whole]


def _said_of_film(info: FilmInfo, made: FilmInfo, encoding: Encoding) -> list[tuple[str, Any, Any]]:
    """What only films say of themselves: its name, what the output is to say, what it says."""
    # Frames that are coded whole do not say it; the container does, where it can.
    says_order = encoding.interlaced or made.path.suffix.lower() in MP4_FAMILY | {".mkv"}
    pairs = [
        ("display matrix", info.display_matrix, made.display_matrix),
        ("field order", info.field_order if says_order else "progressive", made.field_order),
    ]
    for name, wanted, found in (
        ("matrix", matrix_code(info), made.tags.matrix),
        ("primaries", info.tags.primaries, made.tags.primaries),
        ("transfer", info.tags.transfer, made.tags.transfer),
    ):
        if wanted != UNSPECIFIED:
            pairs.append((f"{name} ({_H273})", wanted, found))
    if info.hdr is not None and carries_hdr(encoding.encoder) and not info.hdr.near(made.hdr):
        pairs.append(("HDR metadata", info.hdr, made.hdr))
    return pairs
