"""Chunks: the same frames give the same bytes, and the same times."""

from __future__ import annotations

import numpy as np
import pytest
from matrix import make
from witness import grey_planes

from vidcolor.media.codecs import CODECS
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.sink import ChunkWriter
from vidcolor.media.source import FilmSource
from vidcolor.media.timeline import read_timeline


def write(path, info, encoding, threads, keep=lambda frame: True, start_pts=None):
    with FilmSource(info, 2, start_pts) as film, ChunkWriter(path, encoding, info, threads) as writer:
        for frame in film:
            if keep(frame):
                writer.write(frame.pts, frame.duration, frame.y, *grey_planes(encoding, info))
    return path


@pytest.mark.parametrize("codec", [name for name, codec in CODECS.items() if not codec.hardware])
def test_chunk_alone_is_the_chunk_of_a_whole_run(codec, tmp_path):
    info = probe(make("vfr.mp4", tmp_path))
    encoding = choose_encoding(info, codec)
    info = encoding.prepare(info)
    whole = [frame.pts for frame in FilmSource(info, 2)]
    start = whole[len(whole) // 2]
    first = write(tmp_path / f"a{encoding.chunk_suffix}", info, encoding, 2, lambda frame: frame.pts >= start)
    again = write(tmp_path / f"b{encoding.chunk_suffix}", info, encoding, 2, start_pts=start)
    assert first.read_bytes() == again.read_bytes()
    timeline = read_timeline([first], info.time_base)
    assert sorted(timeline.pts) == [pts for pts in whole if pts >= start]


def test_times_of_chunks_join_into_one_rising_line(tmp_path):
    info = probe(make("vfr.mp4", tmp_path))
    encoding = choose_encoding(info)
    with FilmSource(info, 1) as film:
        shown = [(frame.pts, frame.duration) for frame in film]
    middle = shown[len(shown) // 2][0]
    chunks = [
        write(tmp_path / "a.mp4", info, encoding, 1, lambda frame: frame.pts < middle),
        write(tmp_path / "b.mp4", info, encoding, 1, lambda frame: frame.pts >= middle),
    ]
    timeline = read_timeline(chunks, info.time_base)
    assert sorted(timeline.pts) == [pts for pts, _ in shown]
    assert timeline.pts != tuple(sorted(timeline.pts)), "the encoder was to reorder frames"
    assert all(a < b for a, b in zip(timeline.dts, timeline.dts[1:], strict=False))
    assert all(dts <= pts for dts, pts in zip(timeline.dts, timeline.pts, strict=True))
    assert timeline.end == sum(shown[-1])


def test_planes_of_the_wrong_size_or_depth_are_refused(tmp_path):
    info = probe(make("bframes.mp4", tmp_path))
    encoding = choose_encoding(info)
    u, v = grey_planes(encoding, info)
    with ChunkWriter(tmp_path / "chunk.mp4", encoding, info, 1) as writer:
        for y in (np.zeros((info.height, info.width), np.uint16), np.zeros((info.height + 2, info.width), np.uint8)):
            with pytest.raises(ValueError, match="takes uint8"):
                writer.write(0, 1, y, u, v)
        writer.write(0, 1, np.zeros((info.height, info.width), np.uint8), u, v)
