"""What a film says of its colours: matrix, range, primaries, transfer, HDR. Kept, or the loss is stated."""

from __future__ import annotations

import subprocess

import pytest
from checks import check_frames, check_picture
from witness import describe, ffmpeg, shown_side_data

from vidcolor.media.ffmpeg import find_ffmpeg

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=0.2")
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
TAGS = "setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc"
PQ = ("-vf", TAGS.format("smpte2084"))


@pytest.mark.parametrize("span", ["tv", "pc"])
@pytest.mark.parametrize("matrix", ["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc"])
def test_matrix_and_range(matrix, span, tmp_path, identity):
    path = tmp_path / "film.mkv"
    tags = f"setparams=colorspace={matrix}:range={span}"
    ffmpeg(*PICTURE, "-vf", tags, "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    result = identity(path)
    check_frames(result)
    check_picture(result)
    film = describe(result.output)["streams"][0]
    assert (film["color_space"], film["color_range"]) == (matrix, span)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("codec", ["hevc", "h264", "av1", "ffv1", "prores"])
def test_hdr_transfer(transfer, codec, tmp_path, identity):
    path = tmp_path / "film.mkv"
    ffmpeg(*PICTURE, *X265, "-x265-params", "log-level=error", "-vf", TAGS.format(transfer), path)
    result = identity(path, codec=codec)
    check_frames(result)
    film = describe(result.output)["streams"][0]
    assert (film["color_primaries"], film["color_transfer"], film["color_space"]) == ("bt2020", transfer, "bt2020nc")


@pytest.fixture
def hdr10(tmp_path):
    path = tmp_path / "hdr10.mkv"
    ffmpeg(*PICTURE, *X265, "-x265-params", f"log-level=error:master-display={DISPLAY}:max-cll=1000,400", *PQ, path)
    return path


def described(path):
    """What ffprobe says of the first frame's mastering display and light level, as numbers."""
    found = {}
    for data in shown_side_data(path):
        if data["side_data_type"] in ("Mastering display metadata", "Content light level metadata"):
            found |= {name: value for name, value in data.items() if name != "side_data_type"}
    return {name: eval(str(value), {"__builtins__": {}}) for name, value in found.items()}  # "34000/50000"


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_mastering_display_and_light_level_are_kept(codec, hdr10, identity):
    source = described(hdr10)
    assert source["max_content"] == 1000 and source["red_x"] == 0.68 and source["min_luminance"] == 0.005
    result = identity(hdr10, codec=codec, frames_per_chunk=2)
    assert described(result.output) == pytest.approx(source, abs=1e-4)
    assert not any("HDR" in sentence for sentence in result.encoding.conversions)


@pytest.mark.parametrize("codec", ["ffv1", "prores"])
def test_where_they_cannot_be_kept_it_is_stated(codec, hdr10, identity):
    result = identity(hdr10, codec=codec)
    assert any("mastering display" in sentence for sentence in result.encoding.conversions)
    assert not described(result.output)


def test_they_are_kept_in_h264_too(hdr10, identity):
    """The system's ffprobe may be too old to read them there; the ffmpeg that films are made with is not."""
    output = identity(hdr10, codec="h264").output
    command = [find_ffmpeg(), "-i", output, "-vf", "showinfo", "-f", "null", "-"]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert "r(0.6800,0.3200)" in shown.stderr and "max_luminance=1000.0" in shown.stderr
    assert "MaxCLL=1000" in shown.stderr and "MaxFALL=400" in shown.stderr
