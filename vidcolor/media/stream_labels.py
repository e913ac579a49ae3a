"""What a container can say of a stream: its language, and what it is marked as."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vidcolor.media.service import TRANSPORT_STREAM

if TYPE_CHECKING:
    from vidcolor.media.probe import StreamInfo

# Of the codes in ISO 639-2, those in QuickTime's table of languages as FFmpeg has it, found by trial.
_QUICKTIME = frozenset((
    "eng fra ger ita dut sve spa dan por nor heb jpn ara fin gre ice mlt tur chi urd hin tha kor lit pol hun est lav per "
    "rus iri alb ron ces slk slv yid mac bul ukr bel uzb kaz aze arm geo mol kir tgk tuk mon pus kur kas snd tib nep san "
    "mar ben asm guj ori mal kan tam tel bur khm lao vie ind tgl may amh tir orm som swa kin run nya mlg epo wel baq cat "
    "lat que grn aym tat uig dzo jav"
).split())  # fmt: skip
# The languages that ISO 639-2 has two codes for.
_PAIRS = (
    "sqi alb hye arm eus baq mya bur zho chi ces cze nld dut fra fre kat geo deu ger ell gre isl ice mkd mac mri mao "
    "msa may fas per ron rum slk slo bod tib cym wel"
).split()
_OTHER = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True)) | dict(zip(_PAIRS[1::2], _PAIRS[::2], strict=True))
# What streams can be marked as, as FFmpeg writes it and reads it again, found by trial.
_MARKS = {
    ".mp4": frozenset("default dub comment forced hearing_impaired visual_impaired captions descriptions".split()),
    ".m4v": frozenset({"default"}),
    ".mov": frozenset({"default"}),
    ".mkv": frozenset("default dub original comment forced hearing_impaired visual_impaired descriptions".split()),
    ".webm": frozenset("default forced captions descriptions metadata".split()),
    **dict.fromkeys(TRANSPORT_STREAM, frozenset("hearing_impaired visual_impaired clean_effects".split())),
}
_KINDS = frozenset({"attached_pic", "timed_thumbnails"})  # say what a stream is


def written_language(stream: StreamInfo, suffix: str) -> str | None:
    """The code of a stream's language that a container with `suffix` can hold; None if there is none."""
    code = stream.language
    if code is None or suffix not in _MARKS or suffix in (".mkv", ".webm"):
        return code
    if suffix in TRANSPORT_STREAM and stream.kind == "video":
        return None
    if suffix == ".mov":
        return next((c for c in (code, _OTHER.get(code)) if c in _QUICKTIME), None)
    return code if re.fullmatch("[a-z]{3}", code) else None


def held_marks(stream: StreamInfo, suffix: str) -> set[str]:
    """Those of a stream's marks that a container with `suffix` can hold."""
    marks = _MARKS.get(suffix)
    return {mark for mark in stream.dispositions if marks is None or mark in marks | _KINDS}


def lost_labels(stream: StreamInfo, alone: bool, suffix: str) -> list[str]:
    """What a container with `suffix` cannot say of a stream that it holds: "language", and marks.

    Args:
        alone: it is the only one of its kind, so that it is the default without being marked.
    """
    held = held_marks(stream, suffix) | ({"default"} if alone else set())
    unknown = stream.language not in (None, "und") and written_language(stream, suffix) is None
    return [*["language"] * unknown, *(f"mark '{mark}'" for mark in stream.dispositions if mark not in held)]
