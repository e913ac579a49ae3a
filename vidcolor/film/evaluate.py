"""A colour film as the truth: its luma alone is coloured as `run` does it, and compared. No film is written."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vidcolor.backends.base import BackendInfo
from vidcolor.backends.choose import choose_backend, choose_model, open_backend
from vidcolor.color.chroma import yuv_to_lab
from vidcolor.color.luma import LumaView
from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.evaluation.shot_meter import ColouredFrame, Figures, ShotMeter, Tally, summarise
from vidcolor.film.chunk import Pace, Range, ahead_of, colour, decode
from vidcolor.film.pipeline import StageClock, in_thread
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.source import FilmSource, LumaFrame
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import find_weights
from vidcolor.temporal.window import TemporalWindow


@dataclass(frozen=True, slots=True)
class MeasuredShot:
    """What lies between two hard cuts; a dissolve does not divide."""

    start_frame: int
    end_frame: int  # exclusive
    start_time: float  # seconds from the film's first frame
    figures: Figures


@dataclass(frozen=True, slots=True)
class FilmReport:
    """Everything that a table of figures needs to stand alone."""

    info: FilmInfo
    options: RunOptions
    model: str
    weights: str  # SHA-256 of the ONNX file
    backend: BackendInfo
    size: tuple[int, int]  # (w, h) at which pictures were compared, in pixels
    damaged: int  # how many times something of the film could not be decoded
    shots: tuple[MeasuredShot, ...]
    film: Figures


def evaluate_film(
    path: Path, options: RunOptions, progress: Callable[[int, int | None], None] = lambda done, total: None
) -> FilmReport:
    """Colour a film's luma and compare the answer with its own colours.

    Args:
        progress: told how many frames were measured, and how many there are if that is known.

    Raises:
        MediaError: it cannot be read, or has no colour that could be the truth.
        VidcolorError: the network cannot be had.
    """
    options.validate()
    info = probe(path)
    threads = options.threads or os.cpu_count() or 1
    spec = find_spec(choose_model(options.model).name)
    weights, runtime = find_weights(spec, options.weights), choose_backend(options.backend).name
    _require_colour(info, threads)
    sar = info.sar or Fraction(1)
    view = LumaView(info.format, info.width, info.height, sar, options.res, spec.stride, spec.output_stride)
    backends = [open_backend(runtime, weights, *view.size, max(1, threads // 2)) for _ in range(2)]
    clock, pace, whole = StageClock(), Pace(info), Range(info.start_pts, None)
    with FilmSource(info, threads) as source, in_thread(decode(source, whole, view, clock), ahead_of(info)) as shown:
        answers = [
            colour(frames, backend, view, TemporalWindow(smooth, view.small_black), pace, clock)
            for frames, backend, smooth in zip(itertools.tee(shown), backends, (options.smooth, 0), strict=True)
        ]
        found = list(_measure(zip(*answers, strict=True), info, view, options.saturation, progress))
        damaged = source.damaged
    starts = itertools.accumulate((len(tally.frames) for _, tally in found), initial=0)
    shots = tuple(
        MeasuredShot(n, n + len(tally.frames), float((pts - info.start_pts) * info.time_base), summarise([tally]))
        for n, (pts, tally) in zip(starts, found, strict=False)
    )
    film = summarise(tally for _, tally in found)
    return FilmReport(info, options, spec.name, weights.hash, backends[0].info, view.inner, damaged, shots, film)


def _require_colour(info: FilmInfo, threads: int) -> None:
    """Read the film up to its first coloured frame, before any other work."""
    with FilmSource(info, threads) as source:
        if not any(frame.carries_colour() for frame in source):
            why = "no colour truth: the film is grey"
            raise MediaError(f"cannot measure {info.path}", why, "Give a film in colour; it is made grey here.")


def _measure(
    answers: Iterator[tuple[tuple[LumaFrame, np.ndarray, bool], tuple[LumaFrame, np.ndarray, bool]]],
    info: FilmInfo,
    view: LumaView,
    saturation: float,
    progress: Callable[[int, int | None], None],
) -> Iterator[tuple[int, Tally]]:
    """(pts of its first frame, what was measured) of every shot."""

    def enlarged(ab: np.ndarray) -> np.ndarray:
        planes = [cv2.resize(np.ascontiguousarray(plane), view.inner, interpolation=cv2.INTER_LINEAR) for plane in ab]
        return np.stack(planes) * np.float32(saturation)

    rate = float(info.average_rate or 25)
    meter, start = ShotMeter(rate), info.start_pts
    for done, ((frame, ours, begins_shot), (_, unsmoothed, _)) in enumerate(answers, 1):
        if begins_shot and done > 1:
            yield start, meter.tally()
            meter, start = ShotMeter(rate), frame.pts
        truth = yuv_to_lab(frame.y, *frame.own_chroma(info.format), view.inner)
        meter.add(ColouredFrame(view.small_luma(frame.y), truth, enlarged(ours), enlarged(unsmoothed)))
        progress(done, info.frames)
    yield start, meter.tally()
