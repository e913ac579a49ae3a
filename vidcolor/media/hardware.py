"""Encoders that are a part of a GPU: whether they can be used here, found out by opening one."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av

SIDE = 256  # pixels; every GPU's encoder takes it


@cache
def encoder_obstacle(encoder: str) -> str | None:
    """Why an encoder of FFmpeg's cannot be opened here, in its own words; None: it can.

    A GPU may lack an encoder, as an H200 does, or a codec; a driver may be too old: only a trial tells.
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as messages:
            context = av.CodecContext.create(encoder, "w")
            context.width = context.height = SIDE
            context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
            context.open()
        return None
    except (av.error.FFmpegError, ValueError) as error:
        said = " ".join(text.strip() for level, _, text in messages if level <= av.logging.ERROR)
        return said or getattr(error, "strerror", None) or str(error)
    finally:
        av.logging.set_level(before)
