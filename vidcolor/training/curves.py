"""The curves of a run: two CSV files that grow, cut back when a run resumes, and a PNG plot of both."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.files import write_whole

LOSS_COLUMNS = ("step", "loss", "running_loss", "rate", "pictures_per_second")
VALIDATION_COLUMNS = ("step", "gain_db", "cf_ratio", "delta_e")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 260, 70, 28, 26  # of one panel, pixels
_INK, _LINE, _GRID = (60, 60, 60), (40, 90, 190), (225, 225, 225)


class Table:
    """A CSV file that rows are added to, each on disk at once. `step` is its first column."""

    def __init__(self, path: Path, columns: Sequence[str], resumed_at: int) -> None:
        """Rows after step `resumed_at` are dropped: they will be made again."""
        self.path, self.columns = path, tuple(columns)
        rows = (
            [row for row in read_rows(path) if row.get(self.columns[0], math.inf) <= resumed_at] if resumed_at else []
        )
        lines = [",".join(self.columns)] + [",".join(_text(row.get(c)) for c in self.columns) for row in rows]
        write_whole(path, ("\n".join(lines) + "\n").encode())

    def add(self, **values: float) -> None:
        with self.path.open("a") as file:
            file.write(",".join(_text(values[column]) for column in self.columns) + "\n")


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def read_rows(path: Path) -> list[dict[str, float]]:
    """The rows of such a file as numbers; none where it is missing. A last line that was cut short is left out."""
    if not path.exists():
        return []
    rows = []
    for row in csv.DictReader(line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")):
        try:
            rows.append({name: float(value) if value != "" else math.nan for name, value in row.items()})
        except (TypeError, ValueError):
            continue
    return rows


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve: what it shows, and its points."""

    title: str
    steps: Sequence[float]
    values: Sequence[float]


def plot(path: Path, panels: Sequence[Panel]) -> None:
    """Draw panels below each other into a PNG, whole or not at all. Values that are not finite leave gaps."""
    picture = np.concatenate([_draw(panel) for panel in panels], 0)
    write_whole(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def plot_run(run: Path) -> None:
    """`run`/curves.png from its two CSV files."""
    losses, validations = read_rows(run / "log.csv"), read_rows(run / "validation.csv")

    def column(rows: list[dict[str, float]], name: str) -> list[float]:
        return [row.get(name, math.nan) for row in rows]

    plot(
        run / "curves.png",
        [
            Panel("training loss (running mean)", column(losses, "step"), column(losses, "running_loss")),
            Panel(
                "gain over grey on the validation pictures, dB",
                column(validations, "step"),
                column(validations, "gain_db"),
            ),
            Panel("CF/truth", column(validations, "step"), column(validations, "cf_ratio")),
            Panel("dE00", column(validations, "step"), column(validations, "delta_e")),
        ],
    )


def _draw(panel: Panel) -> np.ndarray:
    canvas = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    _write(canvas, panel.title, _LEFT, 17)
    steps, values = (np.asarray(v, np.float64) for v in (panel.steps, panel.values))
    good = np.isfinite(values)
    if not good.any():
        _write(canvas, "nothing yet", _LEFT, _HEIGHT // 2)
        return canvas
    last, (low, high) = max(steps.max(), 1), _limits(values[good])
    x = _LEFT + steps / last * (_WIDTH - _LEFT - 20)
    y = _TOP + (high - values) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
    for tick in _ticks(low, high):
        row = round(_TOP + (high - tick) / (high - low) * (_HEIGHT - _TOP - _BOTTOM))
        cv2.line(canvas, (_LEFT, row), (_WIDTH - 20, row), _GRID)
        _write(canvas, f"{tick:.5g}", 4, row + 4)
    for tick in _ticks(0, last):
        _write(canvas, f"{tick:.6g}", round(_LEFT + tick / last * (_WIDTH - _LEFT - 20)) - 8, _HEIGHT - 8)
    points = np.stack((x, np.where(good, y, 0)), 1).round().astype(np.int32)
    for index in range(len(points)):
        if good[index]:
            cv2.circle(canvas, points[index].tolist(), 2, _LINE, -1, cv2.LINE_AA)
            if index and good[index - 1]:
                cv2.line(canvas, points[index - 1].tolist(), points[index].tolist(), _LINE, 1, cv2.LINE_AA)
    return canvas


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers within low…high."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 8)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _write(canvas: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
