"""Samples laid out anew: every code is the one that it was, in every plane, at odd sizes, whatever the range."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vidcolor.media.luma import repacked

LAYOUTS = [  # what decoders of GPUs hand out, and packed formats; and the planar ones that they become
    ("nv12", "yuv420p"),
    ("nv12", "yuvj420p"),
    ("nv12", "gray"),
    ("nv16", "yuv422p"),
    ("yuv444p", "yuvj444p"),
    ("p010le", "yuv420p10le"),
    ("p010le", "gray10le"),
    ("p010be", "yuv420p10le"),
    ("p012le", "yuv420p12le"),
    ("p016le", "yuv420p12le"),
    ("p210le", "yuv422p10le"),
    ("p212le", "yuv422p12le"),
    ("yuv444p10msble", "yuv444p10le"),
    ("yuv444p12msble", "yuv444p12le"),
    ("y210le", "yuv422p10le"),
]
WIDTH, HEIGHT = 1921, 145  # odd, and enough rows for swscale to share them out between threads


@pytest.mark.parametrize("stored, name", LAYOUTS)
def test_no_code_is_changed(stored, name):
    rng = np.random.default_rng(7)
    for _ in range(8):
        frame, planes = made(stored, av.VideoFormat(name).components[0].bits, rng)
        for full in (0, 1, 2):
            frame.color_range = full
            plain = repacked(frame, name)
            assert (plain.format.name, plain.color_range) == (name, full)
            assert (plain.pts, plain.time_base) == (7, Fraction(1, 25))
            for index, expected in enumerate(planes[: len(plain.planes)]):
                assert np.array_equal(samples(plain, index)[: expected.shape[0], : expected.shape[1]], expected)


def made(stored, bits, rng):
    """A frame of random codes, and its planes Y, U, V, taken apart here."""
    frame = av.VideoFrame(WIDTH, HEIGHT, stored)
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    form = frame.format
    shift = 0 if bits == 8 else 16 - bits
    kind = "u1" if bits == 8 else ">u2" if form.is_big_endian else "<u2"
    for plane in frame.planes:
        codes = rng.integers(0, 1 << bits, plane.buffer_size // np.dtype(kind).itemsize)
        plane.update((codes << shift).astype(kind).tobytes())
    layers = [(samples(frame, i, kind).astype(np.uint16) >> shift) for i in range(len(frame.planes))]
    width = -(-WIDTH // (1 if form.chroma_width(4) == 4 else 2))
    height = -(-HEIGHT // (1 if form.chroma_height(4) == 4 else 2))
    if len(layers) == 1:  # Y U Y V
        packed = layers[0]
        y, u, v = packed[:, ::2], packed[:, 1::4], packed[:, 3::4]
    elif len(layers) == 2:
        y, u, v = layers[0], layers[1][:, ::2], layers[1][:, 1::2]
    else:
        y, u, v = layers
    return frame, [y[:HEIGHT, :WIDTH], u[:height, :width], v[:height, :width]]


def samples(frame, index, kind=None):
    plane = frame.planes[index]
    kind = np.dtype(kind or ("u1" if frame.format.components[0].bits == 8 else "<u2"))
    return np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
