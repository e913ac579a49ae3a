"""The figures of coloured film, gathered frame by frame: no more than two seconds of one shot are kept.

The definitions are in `films.py` and `metrics.py`; this file only feeds them. Pictures are at the network's size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from vidcolor.color.gamut import lab_to_srgb8
from vidcolor.evaluation import films, metrics
from vidcolor.evaluation.ciede2000 import delta_e

OURS, UNSMOOTHED, TRUTH, GREY = "ours", "unsmoothed", "truth", "grey"
ANSWERS = (OURS, UNSMOOTHED, TRUTH)
Figures = dict[str, float | int | None]  # by name; None where a figure has no meaning


class ColouredFrame(NamedTuple):
    """One frame, all of one size."""

    luma: np.ndarray  # (h, w) uint8
    truth: np.ndarray  # Lab (h, w, 3) float32
    ours: np.ndarray  # ab (2, h, w) float32, in Lab units
    unsmoothed: np.ndarray  # the same: the network's answer to this frame alone


@dataclass(slots=True)
class Tally:
    """What was measured of a shot: a row a frame, a row a pair of consecutive frames, and figures of the whole."""

    coloured: list[bool] = field(default_factory=list)  # whether the truth's mean chroma is at least 4
    frames: list[dict[str, float]] = field(default_factory=list)
    pairs: list[dict[str, float]] = field(default_factory=list)
    whole: dict[str, float] = field(default_factory=dict)


class ShotMeter:
    """Measures one shot: `add` its frames in order, then `tally`.

    Args:
        frames_per_second: for palette drift, which compares seconds.
    """

    def __init__(self, frames_per_second: float) -> None:
        self._rate = frames_per_second
        second = max(1, round(frames_per_second))
        self._tally = Tally()
        self._before: tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]] | None = None
        self._first: dict[str, list[np.ndarray]] = {answer: [] for answer in ANSWERS}
        self._last = {answer: deque(maxlen=second) for answer in ANSWERS}
        self._recent = {answer: deque(maxlen=max(films.CDC_STEPS)) for answer in ANSWERS}  # histograms
        self._divergence = {(answer, step): [] for answer in ANSWERS for step in films.CDC_STEPS}

    def add(self, frame: ColouredFrame) -> None:
        ab = {
            OURS: frame.ours,
            UNSMOOTHED: frame.unsmoothed,
            TRUTH: np.ascontiguousarray(np.moveaxis(frame.truth[..., 1:], -1, 0)),
        }
        pictures = {answer: _picture(frame.truth, planes) for answer, planes in ab.items()}
        self._tally.coloured.append(metrics.mean_chroma(frame.truth) >= metrics.COLOURED)
        self._tally.frames.append(_figures_of_frame(pictures, _picture(frame.truth, np.zeros_like(frame.ours))))
        if self._before is not None:
            self._tally.pairs.append(_figures_of_pair(self._before, (frame.luma, ab, pictures)))
        self._before = frame.luma, ab, pictures
        for answer in ANSWERS:
            self._add_histograms(answer, films.histograms(pictures[answer]))
            self._last[answer].append(ab[answer])
            if len(self._first[answer]) < self._last[answer].maxlen:
                self._first[answer].append(ab[answer])

    def _add_histograms(self, answer: str, shares: np.ndarray) -> None:
        recent = self._recent[answer]
        for step in films.CDC_STEPS:
            if step <= len(recent):
                self._divergence[answer, step].append(float(films.jensen_shannon(recent[-step], shares).mean()))
        recent.append(shares)

    def tally(self) -> Tally:
        """Everything that was measured; the shot is over."""
        if self._tally.pairs:
            whole = {answer: self._drift(answer) for answer in (OURS, UNSMOOTHED, TRUTH)}
            self._tally.whole = {
                "drift": whole[OURS] - whole[TRUTH],
                "drift_unsmoothed": whole[UNSMOOTHED] - whole[TRUTH],
                **{f"cdc_{answer}": self._consistency(answer) for answer in ANSWERS},
            }
        return self._tally

    def _consistency(self, answer: str) -> float:
        steps = [values for step in films.CDC_STEPS if (values := self._divergence[answer, step])]
        return float(np.mean([np.mean(values) for values in steps]))

    def _drift(self, answer: str) -> float:
        first, last = self._first[answer], self._last[answer]
        whole_shot = len(self._tally.frames) <= last.maxlen
        return films.palette_drift(first if whole_shot else [*first, *last], self._rate)


def _picture(truth: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """ab (2, h, w) at the truth's L* → 8-bit sRGB."""
    return lab_to_srgb8(np.concatenate((truth[..., :1], np.moveaxis(ab, 0, -1)), -1, dtype=np.float32))


def _figures_of_frame(pictures: dict[str, np.ndarray], grey: np.ndarray) -> dict[str, float]:
    truth = pictures[TRUTH]
    others = {OURS: pictures[OURS], UNSMOOTHED: pictures[UNSMOOTHED], GREY: grey}
    difference = delta_e(metrics.lab_of(truth), metrics.lab_of(pictures[OURS]))
    return {
        **{f"psnr_{a}": metrics.psnr(truth, picture, metrics.SMALLEST_MSE) for a, picture in others.items()},
        **{f"cf_{answer}": metrics.colourfulness(picture) for answer, picture in pictures.items()},
        "delta_e": float(difference.mean(dtype=np.float64)),
    }


def _figures_of_pair(before: tuple, now: tuple) -> dict[str, float]:
    """Of (luma, ab by answer, pictures by answer) of two consecutive frames; nan where no pixel may be compared."""
    (motion,) = films.motion_of_shot([before[0], now[0]])
    figures = {}
    for answer in ANSWERS:
        steady, visible = motion.steady.any(), motion.visible.any()
        colours, pictures = (before[1][answer], now[1][answer]), (before[2][answer], now[2][answer])
        figures[f"flicker_{answer}"] = films.chroma_flicker(colours, [motion]) if steady else np.nan
        figures[f"e_warp_{answer}"] = films.warp_error(pictures, [motion]) if visible else np.nan
    return figures


def summarise(tallies: Iterable[Tally]) -> Figures:
    """One row of figures over one shot or several.

    PSNR and ΔE00 are means over frames; gain and CF ratios are over the coloured frames; chroma flicker and E_warp are
    means over pairs of consecutive frames; CDC and palette drift are means over shots, weighted by their pairs.
    """
    tallies = list(tallies)
    frames = [row for tally in tallies for row in tally.frames]
    coloured = [row for t in tallies for row, counts in zip(t.frames, t.coloured, strict=True) if counts]
    over_frames, over_coloured = _means(frames), _means(coloured)
    over_pairs = _means([row for tally in tallies for row in tally.pairs])
    lasting = [tally for tally in tallies if tally.whole]
    over_shots = _means([tally.whole for tally in lasting], [len(tally.pairs) for tally in lasting])
    figures: Figures = {"frames": len(frames), "coloured": len(coloured)}
    figures |= {name: over_frames.get(name) for name in ("psnr_ours", "psnr_unsmoothed", "psnr_grey", "delta_e")}
    figures["gain"] = over_coloured["psnr_ours"] - over_coloured["psnr_grey"] if coloured else None
    figures["cf_truth_ratio"] = _ratio(over_coloured, "cf_ours", "cf_truth")
    figures["cf_unsmoothed_ratio"] = _ratio(over_coloured, "cf_ours", "cf_unsmoothed")
    figures |= {f"cdc_{answer}": over_shots.get(f"cdc_{answer}") for answer in ANSWERS}
    figures |= {f"flicker_{answer}": over_pairs.get(f"flicker_{answer}") for answer in ANSWERS}
    figures["flicker_ratio"] = _ratio(over_pairs, "flicker_ours", "flicker_unsmoothed")
    figures |= {f"e_warp_{answer}": over_pairs.get(f"e_warp_{answer}") for answer in ANSWERS}
    return figures | {name: over_shots.get(name) for name in ("drift", "drift_unsmoothed")}


def _means(rows: list[dict[str, float]], weights: list[int] | None = None) -> dict[str, float]:
    """The mean of every figure over the rows that have it."""
    means = {}
    for name in rows[0] if rows else ():
        values = np.array([row[name] for row in rows])
        known = np.isfinite(values)
        if known.any():
            share = None if weights is None else np.array(weights)[known]
            means[name] = float(np.average(values[known], weights=share))
    return means


def _ratio(figures: dict[str, float], over: str, under: str) -> float | None:
    return figures[over] / figures[under] if over in figures and figures.get(under) else None
