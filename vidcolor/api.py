"""The Python API: `vidcolor.colorize_video` and `vidcolor.colorize_image`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor.config import RunOptions, WorkOptions
from vidcolor.film.events import Event, Report
from vidcolor.film.run import colour_film
from vidcolor.film.still import StillColourer
from vidcolor.media.address import source_of
from vidcolor.media.luma import luma_of_rgb


def colorize_video(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: RunOptions | None = None,
    *,
    overwrite: bool = False,
    report: Report | None = None,
    work: WorkOptions = WorkOptions(),
) -> Event:
    """Colour a film, as `vidcolor run` does; several at once in threads, if wanted.

    Args:
        source: the film; or its address, where `options.allow_protocol` holds the protocol.
        output: the file to write; its suffix chooses the container. Or a folder that is there: NAME.color.EXT in it.
        options: how; see `vidcolor.config.RunOptions`.
        overwrite: replace `output` if it is there.
        report: called with every event (docs/json.md) while the work goes on, in the caller's thread; that a GPU's
            memory is full is told from another. What it raises ends the run; the same call goes on with it.
        work: where unfinished work is kept, and whether a run goes on from it; see `vidcolor.config.WorkOptions`.

    Returns:
        The `film` event (docs/json.md): output, frames, seconds, fps, model, what was converted or damaged.

    Raises:
        vidcolor.errors.VidcolorError: what could not be done, why, and what to do next. Where `options.verify` finds
            that the film does not conform to its source, the film is finished and kept all the same.
        OSError: a file or folder that cannot be read or written.
    """
    options = options or RunOptions()
    options.validate()
    ignore: Any = lambda event: None
    return colour_film(
        source_of(source),
        Path(output),
        False,
        options,
        overwrite=overwrite,
        dry_run=False,
        report=report or ignore,
        work=work,
    )


def colorize_image(picture: np.ndarray, options: RunOptions | None = None) -> np.ndarray:
    """Colour a picture. Every call opens the network anew; for many files `vidcolor run FOLDER` is as good.

    Args:
        picture: (H, W) grey or (H, W, 3) R'G'B', of which the BT.709 luma is taken; uint8 or uint16 in the
            machine's byte order, full range.
        options: how; `res`, `model`, `weights`, `backend`, `saturation` and `threads` count.

    Returns:
        (H, W, 3) R'G'B' of the same type, whose luma is that of the input within rounding.

    Raises:
        TypeError: no array.
        ValueError: an array of another shape or type, or without a pixel.
        vidcolor.errors.VidcolorError: a model, weights or backend that cannot be used.
    """
    if not isinstance(picture, np.ndarray):
        raise TypeError(f"a picture is a NumPy array, not {type(picture).__name__}; files: vidcolor run FILE")
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        raise ValueError(f"a picture is (H, W) or (H, W, 3), uint8 or uint16; this is {picture.shape} {picture.dtype}")
    if not picture.size:
        raise ValueError(f"a picture has a pixel at least; this is {picture.shape}")
    luma = luma_of_rgb(picture, "bt709") if picture.ndim == 3 else picture
    return StillColourer(options or RunOptions()).colour(luma)
