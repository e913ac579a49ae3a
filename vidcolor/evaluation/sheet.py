"""Sheets of pictures to look at: grey | answers | truth, side by side, with captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.evaluation.metrics import lab_of
from vidcolor.evaluation.stills import GREY, TRUTH, Measured, at_size, basic_answers, coloured, read_pictures

_GAP, _CAPTION, _HEADING = 8, 16, 28  # pixels
_PAPER, _INK = 255, (40, 40, 40)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a sheet: pictures of equal height, (H, W, 3) uint8, and an ASCII caption."""

    caption: str
    pictures: tuple[np.ndarray, ...]


def draw_sheet(columns: Sequence[tuple[str, Sequence[Entry]]]) -> np.ndarray:
    """(heading, entries) for every column → one 8-bit sRGB picture."""
    parts = [_column(heading, entries) for heading, entries in columns]
    height = max(part.shape[0] for part in parts)
    padded = [np.pad(p, ((0, height - p.shape[0]), (_GAP, _GAP), (0, 0)), constant_values=_PAPER) for p in parts]
    return np.concatenate(padded, 1)


def _column(heading: str, entries: Sequence[Entry]) -> np.ndarray:
    width = max(220, *(sum(p.shape[1] + 2 for p in entry.pictures) for entry in entries)) if entries else 220
    bands = [_text(heading, width, _HEADING, 0.55)]
    for entry in entries:
        line = np.concatenate([np.pad(p, ((0, 0), (0, 2), (0, 0)), constant_values=_PAPER) for p in entry.pictures], 1)
        line = np.pad(line, ((0, _GAP), (0, width - line.shape[1]), (0, 0)), constant_values=_PAPER)
        bands += [_text(entry.caption, width, _CAPTION, 0.4), line]
    return np.concatenate(bands, 0)


def _text(text: str, width: int, height: int, scale: float) -> np.ndarray:
    band = np.full((height, width, 3), _PAPER, np.uint8)
    plain = text.encode("ascii", "replace").decode()  # the Hershey fonts have no other letters
    return cv2.putText(band, plain, (0, height - 5), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)


def worst_and_best(measured: Measured, answer: str, count: int) -> dict[str, list[int]]:
    """Positions of the coloured pictures where `answer` is worst and best, by gain over grey and by ΔE."""
    chosen = np.flatnonzero(measured.coloured())
    gain = (measured.column(answer, "psnr") - measured.column(GREY, "psnr"))[chosen]
    delta_e = measured.column(answer, "delta_e")[chosen]
    by_gain, by_delta_e = chosen[np.argsort(gain, kind="stable")], chosen[np.argsort(-delta_e, kind="stable")]
    return {
        "worst by gain": by_gain[:count].tolist(),
        "best by gain": by_gain[::-1][:count].tolist(),
        "worst by dE00": by_delta_e[:count].tolist(),
        "best by dE00": by_delta_e[::-1][:count].tolist(),
    }


def sheet_of(
    sources: Sequence[Path],
    measured: Measured,
    models: dict[str, Callable[[np.ndarray], np.ndarray]],
    res: int,
    keep_aspect: bool = False,
    count: int = 6,
) -> np.ndarray:
    """The sheet of an evaluation: worst and best of the first model, every model beside grey and truth.

    The few pictures that are shown are read and coloured again, so that a large set needs no memory.
    """
    first = next(iter(models))
    groups = worst_and_best(measured, first, count)
    wanted = {position for positions in groups.values() for position in positions}
    entries = {}
    for position, (name, picture) in enumerate(read_pictures(sources, Measured())):
        if position in wanted:
            truth = at_size(picture, res, keep_aspect)
            light = lab_of(truth)[..., 0]
            answers = {GREY: basic_answers()[GREY], **models}
            pictures = (*(coloured(light, colour(light)) for colour in answers.values()), truth)
            entries[position] = Entry(_caption(measured, first, position, name), pictures)
    legend = " | ".join((GREY, *models, TRUTH))
    return draw_sheet(
        [(f"{title}: {legend}", [entries[position] for position in positions]) for title, positions in groups.items()]
    )


def _caption(measured: Measured, answer: str, position: int, name: str) -> str:
    row, grey = measured.figures[answer][position], measured.figures[GREY][position]
    return f"{name[-24:]}  gain {row.psnr - grey.psnr:+.1f} dB  dE00 {row.delta_e:.1f}"


def encode_png(picture: np.ndarray) -> bytes:
    """8-bit sRGB (H, W, 3) as PNG."""
    return cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()
