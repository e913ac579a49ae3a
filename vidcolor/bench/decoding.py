"""A film decoded by the CPU and by the GPU: whether the frames are the same, and how fast they come."""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from vidcolor.errors import MediaError
from vidcolor.media.nvdec import choose_decoder
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.source import FilmSource


@dataclass(frozen=True, slots=True)
class Decoding:
    """One film, decoded by both. `same` counts the frames whose luma, pts and duration are equal."""

    info: FilmInfo
    frames: int
    same: int
    cpu: float  # frames a second
    gpu: float


def bench_decoding(film: Path, repeats: int) -> Decoding:
    """Decode a film with each decoder, `repeats` times in turn after one comparison of all frames.

    Raises:
        UsageError: NVDEC cannot be used on this machine.
        MediaError: it is not used for this film, or did not decode it to its end.
    """
    plain = probe(film)
    fast, otherwise = choose_decoder(plain, "nvdec")
    if otherwise:
        raise MediaError(f"{film.name} was not decoded by NVDEC", otherwise)
    expected, found = _seen(plain), _seen(fast)
    same = sum(a == b for a, b in zip(expected, found, strict=False))
    seconds: dict[str, list[float]] = {"cpu": [], "nvdec": []}
    for _ in range(repeats):
        for info in (plain, fast):
            seconds[info.decoder].append(_time(info))
    cpu, gpu = (len(expected) / statistics.median(seconds[name]) for name in ("cpu", "nvdec"))
    return Decoding(fast, max(len(expected), len(found)), same, cpu, gpu)


def _source(info: FilmInfo) -> FilmSource:
    return FilmSource(info, os.cpu_count() or 1)


def _seen(info: FilmInfo) -> list[tuple[int, int, bytes]]:
    with _source(info) as source:
        seen = [(frame.pts, frame.duration, hashlib.sha256(frame.y.tobytes()).digest()) for frame in source]
        if told := source.take_handed_over():
            raise MediaError(f"{info.path.name} was not decoded by NVDEC to its end", told[0])
    return seen


def _time(info: FilmInfo) -> float:
    started = time.perf_counter()
    with _source(info) as source:
        for _ in source:
            pass
    return time.perf_counter() - started
