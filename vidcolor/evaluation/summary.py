"""From figures a picture to the rows of a table: means, standard deviations, gain over grey, ratios to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidcolor.evaluation.stills import GREY, TRUTH, Measured

ALL, COLOURED = "all", "coloured"


@dataclass(frozen=True, slots=True)
class Row:
    """One answer over one part of a set. `values` by name of `COLUMNS`; None where a figure has no meaning."""

    answer: str
    over: str  # "all" or "coloured"
    count: int
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of a row: its key, its heading and digits after the point."""

    key: str
    title: str
    digits: int
    spread: bool = False  # has a `KEY_std`


COLUMNS = (
    Column("psnr", "PSNR dB", 2, spread=True),
    Column("gain", "gain dB", 2, spread=True),
    Column("cf_ratio", "CF/truth", 2),
    Column("delta_e", "ΔE00", 2, spread=True),
    Column("rmse", "RMSE ab", 2, spread=True),
    Column("mae", "MAE ab", 2, spread=True),
    Column("ssim", "SSIM", 3, spread=True),
    Column("piqe", "PIQE", 2, spread=True),
    Column("cf", "CF", 1, spread=True),
    Column("delta_cf", "ΔCF", 1),
    Column("auc", "AuC", 4),
    Column("auc_rebalanced", "AuC reb.", 4),
)
CLASSIFIER_COLUMNS = (
    Column("top1", "top-1", 3),
    Column("top5", "top-5", 3),
    Column("fd", "FD", 2),
)
_SPREAD = ("psnr", "ssim", "piqe", "rmse", "mae", "delta_e", "cf")


def summarise(measured: Measured) -> list[Row]:
    """The rows of every answer over all pictures, then over the coloured ones, in the order they were measured."""
    parts = {ALL: np.ones(len(measured.names), bool), COLOURED: measured.coloured()}
    answers = [name for name in measured.figures if name != TRUTH]
    models = [name for name in answers if name not in list(measured.figures)[:2]]
    order = [*(name for name in answers if name not in models), TRUTH, *models]
    return [
        Row(answer, over, int(chosen.sum()), _values(measured, answer, chosen))
        for over, chosen in parts.items()
        for answer in order
    ]


def _values(measured: Measured, answer: str, chosen: np.ndarray) -> dict[str, float | None]:
    keys = [c.key for c in COLUMNS] + [f"{c.key}_std" for c in COLUMNS if c.spread]
    values: dict[str, float | None] = dict.fromkeys(keys)
    if not chosen.any():
        return values
    columns = {key: measured.column(answer, key)[chosen] for key in (*_SPREAD, "auc", "rebalanced", "weight", "pixels")}
    for key in _SPREAD:
        values[key], values[f"{key}_std"] = float(columns[key].mean()), float(columns[key].std())
    gain = columns["psnr"] - measured.column(GREY, "psnr")[chosen]
    values["gain"], values["gain_std"] = float(gain.mean()), float(gain.std())
    truth_cf = float(measured.column(TRUTH, "cf")[chosen].mean())
    values["cf_ratio"] = values["cf"] / truth_cf if truth_cf else None
    values["delta_cf"] = abs(values["cf"] - truth_cf)
    values["auc"] = float((columns["auc"] * columns["pixels"]).sum() / columns["pixels"].sum())
    values["auc_rebalanced"] = float(columns["rebalanced"].sum() / columns["weight"].sum())
    if answer == TRUTH:  # against itself: infinite, and so not a number that a mean may hold
        values |= dict.fromkeys(("psnr", "psnr_std", "gain", "gain_std"))
    return values
