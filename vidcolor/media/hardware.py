"""Encoders and decoders that are a part of a GPU: whether they can be used here, found out by trying."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import av
import av.logging

from vidcolor.media.ffmpeg_words import logged

SIDE = 256  # pixels of a trial; every encoder takes it


@cache
def encoder_obstacle(encoder: str) -> str | None:
    """Why an encoder of FFmpeg's cannot be opened here, in its own words; None: it can.

    A GPU may lack an encoder, as an H200 does, or a codec; a driver may be too old: only a trial tells.
    """
    return obstacle_of(lambda: _open(encoder))


def _open(encoder: str) -> None:
    context = av.CodecContext.create(encoder, "w")
    context.width = context.height = SIDE
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
    context.open()


def obstacle_of(trial: Callable[[], object]) -> str | None:
    """Why `trial` fails, in FFmpeg's own words where it has any; None: it does not fail."""
    try:
        with logged(av.logging.ERROR) as messages:
            trial()
        return None
    except av.error.FFmpegError as error:
        return "; ".join(text.strip() for level, _, text in messages if level <= av.logging.ERROR) or error.strerror
    except (ValueError, RuntimeError) as error:
        return str(error)
