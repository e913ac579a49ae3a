"""A film is seen in the colours that its tags say, without tags in those of its size; held against colour-science."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest

from vidcolor.color.chroma import yuv_to_lab
from vidcolor.color.luma import LumaView
from vidcolor.media.ffmpeg import find_ffmpeg
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource

colour = pytest.importorskip("colour")


def first_frame(path, size, codes, tags):
    """(format, frame) of a film of one frame: codes as expressions of ffmpeg's geq, tags as setparams takes them."""
    picture = f"nullsrc=size={size}:duration=0.04,format=yuv420p,geq={codes}" + (f",setparams={tags}" if tags else "")
    coded = ("-f", "lavfi", "-i", picture, "-c:v", "ffv1", path)
    subprocess.run([find_ffmpeg(), "-nostdin", "-loglevel", "error", *map(str, coded)], check=True)
    info = probe(path)
    with FilmSource(info, 1) as film:
        return info.format, next(iter(film))


CURVES = {
    "": colour.models.eotf_sRGB,
    "bt709": colour.models.eotf_sRGB,  # as players show it
    "bt470m": lambda signal: signal**2.2,  # H.273, table 3: assumed display gamma
    "bt470bg": lambda signal: signal**2.8,
    "linear": lambda signal: signal,
    "smpte2084": lambda signal: colour.models.eotf_ST2084(signal) / 203,  # of diffuse white, BT.2408
    "arib-std-b67": lambda signal: colour.models.eotf_BT2100_HLG(signal.repeat(3, 1))[:, :1] / 203,
}


@pytest.mark.parametrize("transfer", CURVES)
def test_the_network_sees_the_lightness_that_the_tagged_curve_gives(transfer, tmp_path):
    """Of a ramp from black to white."""
    tags = transfer and f"color_trc={transfer}"
    form, frame = first_frame(tmp_path / "film.mkv", "220x16", "lum='16+X':cb=128:cr=128", tags)
    seen = LumaView(form, 220, 16, Fraction(1), res=16, stride=2, output_stride=2).lightness(frame.y)[0]
    light = CURVES[transfer](np.linspace(0, 1, 220)[:, None])[:, 0]
    np.testing.assert_allclose(seen, np.clip(colour.colorimetry.lightness_CIE1976(100 * light), 0, 100), atol=2e-3)


@pytest.mark.parametrize(
    ("size", "tags", "matrix", "primaries"),
    [
        ("32x480", "", "ITU-R BT.601", "SMPTE C"),
        ("32x486", "", "ITU-R BT.601", "SMPTE C"),
        ("32x576", "", "ITU-R BT.601", "ITU-R BT.470 - 625"),
        ("32x360", "", "ITU-R BT.601", "ITU-R BT.709"),
        ("32x720", "", "ITU-R BT.709", "ITU-R BT.709"),
        ("32x480", "colorspace=bt709:color_primaries=bt709", "ITU-R BT.709", "ITU-R BT.709"),
        ("32x720", "colorspace=smpte170m:color_primaries=smpte170m", "ITU-R BT.601", "SMPTE C"),
        ("32x720", "colorspace=bt470bg:color_primaries=bt470bg", "ITU-R BT.601", "ITU-R BT.470 - 625"),
        ("32x720", "colorspace=bt2020nc:color_primaries=bt2020", "ITU-R BT.2020", "ITU-R BT.2020"),
        ("32x720", "color_primaries=smpte432", "ITU-R BT.709", "P3-D65"),
    ],
)
def test_a_films_own_colours_are_those_of_its_tags_or_of_its_lines(size, tags, matrix, primaries, tmp_path):
    codes = np.array([120, 95, 165])
    form, frame = first_frame(tmp_path / "film.mkv", size, "lum={}:cb={}:cr={}".format(*codes), tags)
    found = yuv_to_lab(frame.y, *frame.own_chroma(form), (1, 1))[0, 0]
    signal = colour.YCbCr_to_RGB(codes, K=colour.WEIGHTS_YCBCR[matrix], in_bits=8, in_legal=True, in_int=True)
    to_xyz = colour.RGB_COLOURSPACES[primaries].matrix_RGB_to_XYZ
    xyz = to_xyz @ colour.models.eotf_sRGB(signal)
    np.testing.assert_allclose(found, colour.XYZ_to_Lab(xyz, colour.XYZ_to_xy(to_xyz.sum(1))), atol=0.05)
