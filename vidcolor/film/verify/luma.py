"""Luma: bit for bit in a lossless output; in a lossy one, as near as the same encoder brings a plain transcode."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from vidcolor.film.plan import CHUNK_SECONDS
from vidcolor.film.verify.finding import Finding
from vidcolor.film.verify.frames import Progress, Tally
from vidcolor.media.formats import Encoding
from vidcolor.media.frames import open_writer
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.sequence_source import open_source
from vidcolor.media.source import FilmSource

# How far PSNR-Y may lie below the plain transcode's, dB: colour shifts a coder's decisions a little, about single frames
# more than about the film. docs/verify.md has what was measured. Frames at least as good as NEAR, which an error of
# one 8-bit code everywhere gives, are not held against the output one by one.
FILM_MARGIN = 0.5
FRAME_MARGIN = 3.0
NEAR = 48.13


def judge_luma(
    info: FilmInfo, encoding: Encoding, tally: Tally, threads: int, on_damage: str, progress: Progress
) -> Finding:
    """The finding about the Y planes of all frames that have a partner.

    Args:
        info: of the source, with the `format` of the output's luma.
        encoding: as `run` writes such an output.
    """
    pairs = len(tally.errors)
    source = f"{pairs} Y planes"
    if not pairs:
        return Finding("luma", source, "", "differs", "no frame of the output can be compared")
    unequal = [pts for pts, error in tally.errors if error]
    if not unequal:
        return Finding("luma", source, f"{pairs} equal bit for bit", "same")
    if encoding.pictures:
        codes = f"within {tally.worst:g} of {info.format.peak} codes"
        rounded = "R'G'B' is rounded channel by channel"
        return Finding("luma", source, codes, "stated" if tally.worst <= 1 else "differs", rounded)
    if encoding.lossless:
        first = float(unequal[0] * info.time_base)
        note = f"the first that is not is at {first:.4f} s of the source"
        return Finding("luma", source, f"{pairs - len(unequal)} equal bit for bit", "differs", note)
    plain = dict(plain_transcode(info, encoding, [pts for pts, _ in tally.errors], threads, on_damage, progress))
    return _beside_plain(info, encoding, tally.errors, plain, source)


def _beside_plain(
    info: FilmInfo, encoding: Encoding, errors: list[tuple[int, float]], plain: dict[int, float], source: str
) -> Finding:
    size, peak = info.width * info.height, info.format.peak
    ours = psnr(sum(error for _, error in errors) / len(errors) / size, peak)
    theirs = psnr(sum(plain[pts] for pts, _ in errors) / len(errors) / size, peak)
    frames = [(psnr(plain[pts] / size, peak), psnr(error / size, peak), pts) for pts, error in errors]
    lack, worst = max((them - us, pts) for them, us, pts in frames)
    bad = [pts for them, us, pts in frames if us < NEAR and them - us > FRAME_MARGIN]
    settings = " ".join(f"{name}={value}" for name, value in encoding.options)
    good = ours >= theirs - FILM_MARGIN and not bad
    note = f"plain transcode ({encoding.encoder} {settings}): {theirs:.2f} dB"
    where = float((bad[0] if bad else worst) * info.time_base)
    note += f"; {_words(bad, lack)} at {where:.4f} s"
    if not good:
        note += "; if it was made with other settings, give --crf and --preset"
    return Finding("luma", source, f"PSNR-Y {ours:.2f} dB", "same" if good else "differs", note)


def _words(bad: list[int], lack: float) -> str:
    if bad:
        return f"{len(bad)} frames lie more than {FRAME_MARGIN:g} dB below it, the first is"
    return f"the frame that is furthest below it, by {max(0.0, lack):.2f} dB, is"


def psnr(mean_square: float, peak: int) -> float:
    """Peak signal-to-noise ratio, dB; of equal pictures that of one code in a million samples, to stay a number."""
    return 10 * math.log10(peak * peak / max(mean_square, 1e-6))


def plain_transcode(
    info: FilmInfo, encoding: Encoding, wanted: list[int], threads: int, on_damage: str, progress: Progress
) -> Iterator[tuple[int, float]]:
    """(pts, sum of squared differences of luma) of the frames `wanted`, encoded without colour and decoded again.

    As `run` does it: the same encoder and settings, in chunks as long, from the first frame wanted on; U and V are mid-grey. One chunk is on disk at a time.
    """
    ticks = max(1, round(CHUNK_SECONDS / info.time_base))
    keep, begin, end = set(wanted), wanted[0], wanted[-1]
    start = begin if begin > info.start_pts else None
    with (
        TemporaryDirectory(prefix="vidcolor-") as folder,
        open_source(info, threads, start, on_damage) as encoded,
        open_source(info, threads, start, on_damage) as compared,
    ):
        path, done = Path(folder) / f"plain{encoding.chunk_suffix}", 0
        frames = takewhile(lambda frame: frame.pts <= end, encoded)
        originals = ((frame.pts, frame.y) for frame in compared)
        frame = next(frames, None)
        while frame is not None:
            chunk, times = (frame.pts - begin) // ticks, []
            u = np.full(
                encoding.format.chroma_size(info.width, info.height)[::-1], encoding.format.mid, encoding.format.dtype
            )
            with open_writer(path, encoding, info, threads) as writer:
                while frame is not None and (frame.pts - begin) // ticks == chunk:
                    writer.write(frame.pts, frame.duration, frame.y, u, u)
                    times.append(frame.pts)
                    frame = next(frames, None)
                    progress("frames of a plain transcode", done + len(times), len(wanted))
            done += len(times)
            with FilmSource(probe(path), threads) as plain:
                for pts, made in zip(times, plain, strict=True):
                    original = next(y for at, y in originals if at == pts)
                    if pts in keep:
                        yield pts, cv2.norm(original, made.y, cv2.NORM_L2SQR)
