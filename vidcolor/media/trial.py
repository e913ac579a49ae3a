"""A real trial of an encoder: two frames through the same code that writes films."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidcolor.media.codecs import CODECS
from vidcolor.media.formats import choose_encoding
from vidcolor.media.hardware import SIDE
from vidcolor.media.probe import probe
from vidcolor.media.sink import ChunkWriter
from vidcolor.media.source import FilmSource


def encode_two_frames(codec: str, folder: Path) -> str:
    """Colour format and size of a two-frame film that `codec` has just written to `folder`.

    Raises:
        MediaError: the encoder is missing or refuses.
    """
    info = probe(_grey_film(folder / "grey.mkv"))
    encoding = choose_encoding(replace(info, format=replace(info.format, depth=CODECS[codec].depths[0])), codec)
    info = encoding.prepare(info)
    path = folder / f"coloured{encoding.chunk_suffix}"
    grey = [np.full(info.format.chroma_size(SIDE, SIDE)[::-1], info.format.mid, info.format.dtype)] * 2
    with FilmSource(info, 1) as source, ChunkWriter(path, encoding, info, 1) as writer:
        for frame in source:
            writer.write(frame.pts, frame.duration, frame.y, *grey)
    return f"{encoding.pix_fmt}, 2 frames, {path.stat().st_size} bytes"


def _grey_film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "gray"
        for pts in range(2):
            frame = av.VideoFrame.from_ndarray(np.full((SIDE, SIDE), 60 + 40 * pts, np.uint8), "gray")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
