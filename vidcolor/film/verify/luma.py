"""Luma: bit for bit in a lossless output; in a lossy one, as near as the same encoder brings a plain transcode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile

import cv2
import numpy as np

from vidcolor.color.yuv import YuvFormat
from vidcolor.files import scratch_folder
from vidcolor.film.plan import CHUNK_SECONDS
from vidcolor.film.verify.finding import Finding
from vidcolor.film.verify.frames import Clock, Progress, Tally, readable
from vidcolor.media.codecs import CODECS
from vidcolor.media.formats import Encoding
from vidcolor.media.frames import open_writer
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.sequence_source import open_source
from vidcolor.media.source import FilmSource

# How far PSNR-Y may lie below the plain transcode's, dB: colour shifts a coder's decisions a little, about single frames
# more than about the film. docs/verify.md has what was measured. Frames at least as good as NEAR, which an error of
# one 8-bit code everywhere gives, are not held against the output one by one. Encoders without constant quality share
# so many bits a frame between luma and chroma: theirs is held against a transcode with the output's own chroma, which
# takes fewer bits the second time.
FILM_MARGIN = 0.5
SHARED_MARGIN = 1.0
FRAME_MARGIN = 3.0
NEAR = 48.13

Planes = tuple[np.ndarray, np.ndarray]
Chroma = Callable[[int], Planes]
"""U and V of a frame of a transcode, by its pts in the source."""


def judge_luma(
    info: FilmInfo,
    made: FilmInfo,
    clock: Clock,
    encoding: Encoding,
    tally: Tally,
    threads: int,
    on_damage: str,
    progress: Progress,
) -> Finding:
    """The finding about the Y planes of all frames that have a partner.

    Args:
        info: of the source, with the `format` of the output's luma.
        made: of the output.
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
    wanted = [pts for pts, _ in tally.errors]

    def beside(chroma: Chroma, kind: str, margin: float) -> Finding:
        plain = dict(plain_transcode(info, encoding, wanted, chroma, threads, on_damage, progress))
        return _beside_plain(info, encoding, tally.errors, plain, kind, margin)

    grey, shared = mid_grey(encoding.format, info), CODECS[encoding.codec].crf is None
    if not shared:
        found = beside(lambda pts: grey, "plain transcode", FILM_MARGIN)
        if not found.differs:
            return found
    with own_chroma(made, clock, encoding.format, grey, threads) as chroma:
        return beside(chroma, "transcode with the output's own chroma", SHARED_MARGIN if shared else FILM_MARGIN)


def _beside_plain(
    info: FilmInfo,
    encoding: Encoding,
    errors: list[tuple[int, float]],
    plain: dict[int, float],
    kind: str,
    margin: float,
) -> Finding:
    size, peak = info.width * info.height, info.format.peak
    ours = psnr(sum(error for _, error in errors) / len(errors) / size, peak)
    theirs = psnr(sum(plain[pts] for pts, _ in errors) / len(errors) / size, peak)
    frames = [(psnr(plain[pts] / size, peak), psnr(error / size, peak), pts) for pts, error in errors]
    lack, worst = max((them - us, pts) for them, us, pts in frames)
    bad = [pts for them, us, pts in frames if us < NEAR and them - us > FRAME_MARGIN]
    settings = " ".join(f"{name}={value}" for name, value in encoding.options)
    good = ours >= theirs - margin and not bad
    note = f"{kind} ({encoding.encoder} {settings}): {theirs:.2f} dB"
    where = float((bad[0] if bad else worst) * info.time_base)
    note += f"; {_words(bad, lack)} at {where:.4f} s"
    if not good:
        note += "; if it was made with other settings, give --crf and --preset"
    return Finding("luma", f"{len(errors)} Y planes", f"PSNR-Y {ours:.2f} dB", "same" if good else "differs", note)


def _words(bad: list[int], lack: float) -> str:
    if bad:
        lie = "1 frame lies" if len(bad) == 1 else f"{len(bad)} frames lie"
        return f"{lie} more than {FRAME_MARGIN:g} dB below it, the first is"
    return f"the frame that is furthest below it, by {max(0.0, lack):.2f} dB, is"


def psnr(mean_square: float, peak: int) -> float:
    """Peak signal-to-noise ratio, dB; of equal pictures that of one code in a million samples, to stay a number."""
    return 10 * math.log10(peak * peak / max(mean_square, 1e-6))


def mid_grey(form: YuvFormat, info: FilmInfo) -> Planes:
    """U and V of a picture without colour."""
    plane = np.full(form.chroma_size(info.width, info.height)[::-1], form.mid, form.dtype)
    return plane, plane


@contextmanager
def own_chroma(made: FilmInfo, clock: Clock, form: YuvFormat, grey: Planes, threads: int) -> Iterator[Chroma]:
    """What gives the output's own U and V, to be asked in order; `grey` where it has no such frame, or of another kind."""
    with open_source(made, threads, None, "hold") as output:
        frames = readable(iter(output), Tally())
        shown = next(frames, None)

        def chroma(pts: int) -> Planes:
            nonlocal shown
            time = clock(pts)
            while shown is not None and shown.pts * made.time_base < time:
                shown = next(frames, None)
            own = shown.own_chroma(made.format) if shown is not None and shown.pts * made.time_base == time else None
            alike = own is not None and own[0].shape == grey[0].shape and own[2].depth == form.depth
            return own[:2] if alike else grey

        yield chroma


def plain_transcode(
    info: FilmInfo,
    encoding: Encoding,
    wanted: list[int],
    chroma: Chroma,
    threads: int,
    on_damage: str,
    progress: Progress,
) -> Iterator[tuple[int, float]]:
    """(pts, sum of squared differences of luma) of the frames `wanted`, encoded anew and decoded again.

    As `run` does it: the same encoder and settings, in chunks as long, from the first frame wanted on. One chunk is on
    disk at a time.
    """
    ticks = max(1, round(CHUNK_SECONDS / info.time_base))
    keep, begin, end = set(wanted), wanted[0], wanted[-1]
    start = begin if begin > info.start_pts else None
    with (
        scratch_folder() as folder,
        open_source(info, threads, start, on_damage) as encoded,
        open_source(info, threads, start, on_damage) as compared,
    ):
        path, done = folder / f"plain{encoding.chunk_suffix}", 0
        frames = takewhile(lambda frame: frame.pts <= end, encoded)
        originals = ((frame.pts, frame.y) for frame in compared)
        frame = next(frames, None)
        while frame is not None:
            chunk, times = (frame.pts - begin) // ticks, []
            with open_writer(path, encoding, info, threads) as writer:
                while frame is not None and (frame.pts - begin) // ticks == chunk:
                    writer.write(frame.pts, frame.duration, frame.y, *chroma(frame.pts))
                    times.append(frame.pts)
                    frame = next(frames, None)
                    progress("frames of a plain transcode", done + len(times), len(wanted))
            done += len(times)
            with FilmSource(probe(path), threads) as plain:
                for pts, made in zip(times, plain, strict=True):
                    original = next(y for at, y in originals if at == pts)
                    if pts in keep:
                        yield pts, cv2.norm(original, made.y, cv2.NORM_L2SQR)
