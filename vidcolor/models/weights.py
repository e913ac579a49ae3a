"""Trained weights: ONNX files with a card beside them, checked against the hash that the card states."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidcolor.errors import ModelError, UsageError
from vidcolor.files import sha256
from vidcolor.models.base import ModelSpec

SHIPPED = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True, slots=True)
class Weights:
    """An ONNX file with the convention of `ModelSpec`, its SHA-256 and its card (how it was trained, how it measures)."""

    path: Path
    hash: str
    card: dict[str, Any]


def card_path(onnx: Path) -> Path:
    return onnx.with_suffix(".json")


def is_shipped(spec: ModelSpec) -> bool:
    return (SHIPPED / f"{spec.name}.onnx").exists()


def find_weights(spec: ModelSpec, file: str | os.PathLike[str] | None) -> Weights:
    """The weights to run `spec` with: the given ONNX file, or those that ship with the package.

    Raises:
        UsageError: there is no such file, it is of another model, or none was given and none ships.
        ModelError: the card is missing, or the file is not the one that its card describes.
    """
    if file is None and not is_shipped(spec):
        raise UsageError(
            f"model '{spec.name}' has no trained weights in this package",
            "it is never run with random ones",
            "Give trained ones with --weights FILE.onnx, or use --model lite.",
        )
    path = SHIPPED / f"{spec.name}.onnx" if file is None else Path(file)
    if not path.is_file():
        raise UsageError(f"cannot read the weights {path}", "there is no such file", "Check the name.")
    try:
        card = json.loads(card_path(path).read_text("utf-8"))
        named, stated = card["model"], card["sha256"]
        if not isinstance(named, str) or not isinstance(stated, str):
            raise TypeError("its model and its sha256 are texts")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"cannot use the weights {path}",
            f"their card {card_path(path).name} is missing or damaged ({error!r})",
            "Make both again with: vidcolor export",
        ) from error
    if named != spec.name:
        raise UsageError(f"cannot use the weights {path}", f"they are of '{named}'", f"Add --model {named}.")
    found = sha256(path)
    if found != stated:
        raise ModelError(
            f"the weights {path} are damaged or changed",
            f"their SHA-256 is {found[:12]}…, their card states {stated[:12]}…",
            "Install vidcolor again, or export the weights again.",
        )
    return Weights(path, found, card)
