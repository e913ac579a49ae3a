"""Pictures of a folder that int8 and fp8 are calibrated with, and others of it to compare on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vidcolor.color.lab import lightness, srgb_to_linear
from vidcolor.errors import UsageError, VidcolorError

CALIBRATING = 64  # pictures at most
LEAST = 8  # that calibrate, where others are held back
HELD_BACK = 8


@dataclass(frozen=True, slots=True)
class Divided:
    """Pictures of one folder, L* 0…100, float32; none is in both parts."""

    folder: Path
    calibrating: tuple[np.ndarray, ...]  # (1, 1, height, width) each
    held_back: np.ndarray  # (HELD_BACK, 1, height, width)

    def words(self) -> str:
        calibrating = f"int8 and fp8 calibrated with {len(self.calibrating)} others"
        return f"{len(self.held_back)} pictures of {self.folder} ({calibrating})"


def calibration(folder: Path, height: int, width: int) -> tuple[np.ndarray, ...]:
    """L* (1, 1, height, width), 0…100, float32, of up to `CALIBRATING` pictures of a folder, spread over their names.

    Raises:
        UsageError: there is no picture that can be read.
    """
    found = read_lightness(folder, height, width, CALIBRATING)
    if not found:
        raise UsageError(
            f"--calibrate {folder} has no picture that can be read", "int8 and fp8 are calibrated with some dozens"
        )
    return tuple(found)


def divided(folder: Path, height: int, width: int) -> Divided:
    """Up to `CALIBRATING` pictures to calibrate with and `HELD_BACK` others, both spread over the folder's names.

    Raises:
        UsageError: there are too few that can be read.
    """
    found = read_lightness(folder, height, width, CALIBRATING + HELD_BACK)
    if len(found) < LEAST + HELD_BACK:
        raise UsageError(
            f"--calibrate {folder} has only {len(found)} pictures that can be read",
            f"{HELD_BACK} are held back to compare on, and at least {LEAST} others calibrate",
            "Give a folder with some dozens.",
        )
    held = {int(index) for index in np.linspace(0, len(found) - 1, HELD_BACK)}
    calibrating = tuple(picture for index, picture in enumerate(found) if index not in held)
    return Divided(folder, calibrating, np.concatenate([found[index] for index in sorted(held)]))


def read_lightness(folder: Path, height: int, width: int, most: int) -> list[np.ndarray]:
    """L* (1, 1, height, width), 0…100, float32, of up to `most` pictures of a folder, spread over their names.

    Each is squeezed to that size; what cannot be read is left out.

    Raises:
        UsageError: what reads pictures is not installed.
    """
    try:
        from vidcolor.media.pictures import is_picture, read_picture
    except ModuleNotFoundError as error:  # on a machine that has only what runs networks
        raise UsageError(
            f"--calibrate {folder} cannot be read",
            f"{error.name} is not installed",
            f"Try: pip install {error.name}, or leave --calibrate out.",
        ) from error
    found = []
    for path in _spread(sorted(path for path in folder.iterdir() if is_picture(path)), most):
        with contextlib.suppress(VidcolorError):
            luma = read_picture(path).luma
            grey = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA) / np.iinfo(luma.dtype).max
            found.append(lightness(srgb_to_linear(grey)).astype(np.float32)[None, None])
    return found


def _spread(files: Sequence[Path], most: int) -> list[Path]:
    if len(files) <= most:
        return list(files)
    return [files[int(index)] for index in np.linspace(0, len(files) - 1, most)]
