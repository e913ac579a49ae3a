"""Frames as they are decoded: luma, times, seeking, damage."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from matrix import PACKED, RGB, X264, make
from witness import SHARED, ffmpeg, shared_clips

from vidcolor.color.yuv import luma_to_code, rgb_to_yuv
from vidcolor.errors import MediaError
from vidcolor.media.formats import choose_encoding
from vidcolor.media.luma import luma_reader
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource

SEEKS = [
    "bframes.mp4",
    "open_gop.mp4",
    "vfr.mp4",
    "late_start.mkv",
    "h264_aac.ts",
    "mpeg2_tff.ts",
    "mpeg4_mp3.avi",
    "vp9_opus.webm",
    "mpeg1_mp2.mpg",
]


def frames(info, threads=2, start_pts=None, on_damage="hold"):
    with FilmSource(info, threads, start_pts, on_damage) as source:
        return [(f.pts, f.duration, f.y.tobytes()) for f in source]


def check_seeks(path, count):
    info = probe(path)
    whole = frames(info)
    assert len(whole) > 1
    starts = [pts for pts, _, _ in whole[:: max(1, len(whole) // count)]]
    for start in (*starts, starts[-1] + 1):
        assert frames(info, start_pts=start) == [f for f in whole if f[0] >= start], f"from pts {start}"


@pytest.mark.parametrize("name", SEEKS)
def test_seeking_gives_the_frames_of_a_decode_from_the_beginning(name, tmp_path):
    check_seeks(make(name, tmp_path), 40)


@pytest.mark.parametrize("clip", shared_clips() or [None], ids=lambda clip: clip.name if clip else "none")
def test_seeking_in_real_films(clip):
    if clip is None:
        pytest.skip("no clips beside the repository")
    check_seeks(clip, 3)


def test_seeking_where_only_the_beginning_names_the_encoder():
    clip = SHARED / "video" / "col_cockatoo_444.mp4"
    if not clip.exists():
        pytest.skip("no clips beside the repository")
    info = probe(clip)
    with FilmSource(info, 2) as whole, FilmSource(info, 2, 92 * 512) as part:
        expected = next(frame for frame in whole if frame.pts >= 92 * 512)
        found = next(iter(part))
        assert found.pts == expected.pts and np.array_equal(found.y, expected.y)


@pytest.mark.parametrize("name", SEEKS)
def test_a_sound_film_is_sound_wherever_it_is_begun(name, tmp_path):
    info = probe(make(name, tmp_path))
    for start in [pts for pts, _, _ in frames(info)][::3]:
        assert frames(info, start_pts=start, on_damage="fail")


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4"])
def test_a_film_of_one_frame_is_whole_though_its_sound_lasts_longer(suffix, tmp_path):
    pictures, sound = (
        ("-f", "lavfi", "-t", "0.04", "-i", "testsrc2=s=64x48:r=25"),
        ("-f", "lavfi", "-t", "2", "-i", "sine"),
    )
    codecs = ("-c:v", "libvpx", "-c:a", "libvorbis") if suffix == "webm" else (*X264, "-c:a", "aac")
    ffmpeg(*pictures, *sound, *codecs, tmp_path / f"one.{suffix}")
    assert len(frames(probe(tmp_path / f"one.{suffix}"), on_damage="fail")) == 1


def test_threads_change_nothing(tmp_path):
    info = probe(make("open_gop.mp4", tmp_path))
    assert frames(info, 1) == frames(info, 4)


LUMA_AT = {"nv12": (1, 0), "nv21": (1, 0), "yuyv422": (2, 0), "uyvy422": (2, 1), "gray16be": (1, 0), "ya8": (2, 0)}


@pytest.mark.parametrize("name", [f"{pix_fmt}.{suffix}" for pix_fmt, suffix in PACKED.items()])
def test_luma_of_packed_formats_is_as_stored(name, tmp_path):
    info = probe(make(name, tmp_path))
    step, first = LUMA_AT[info.pix_fmt]
    dtype = ">u2" if info.pix_fmt == "gray16be" else "u1"
    with FilmSource(info, 1) as source:
        for frame in source:
            stored = np.frombuffer(frame._frame.planes[0], dtype).reshape(info.height, -1)
            luma = stored[:, first : first + step * info.width : step]
            assert np.array_equal(frame.y, luma) and np.ptp(luma) > 0


def test_packed_4_1_1_is_read_as_stored(tmp_path):
    """As some cameras write it: U Y Y V Y Y for four pixels."""
    stored, path = np.random.default_rng(0).integers(0, 256, (2, 38, 13, 6), np.uint8), tmp_path / "packed.nut"
    (tmp_path / "raw").write_bytes(stored.tobytes())
    raw = ("-f", "rawvideo", "-pix_fmt", "uyyvyy411", "-s", "52x38")
    ffmpeg(*raw, "-i", tmp_path / "raw", "-c", "copy", path)
    info = probe(path)
    with FilmSource(info, 1) as source:
        luma = [frame.y for frame in source]
    assert np.array_equal(luma, stored[..., [1, 2, 4, 5]].reshape(2, 38, 52))
    assert "chroma sampling of uyyvyy411 becomes 4:2:2" in choose_encoding(info, "ffv1").conversions


def test_luma_in_the_upper_bits(tmp_path):
    info = probe(make("yuv420p10le.mkv", tmp_path))
    with FilmSource(info, 1) as source:
        frame = next(iter(source))
        assert np.array_equal(luma_reader(info)(frame._frame.reformat(format="p010le")), frame.y)


@pytest.mark.parametrize("name", [f"{pix_fmt}.{suffix}" for pix_fmt, suffix in RGB.items()])
def test_luma_of_rgb_is_the_matrix_rounded(name, tmp_path):
    info = probe(make(name, tmp_path))
    assert info.format.full_range
    with FilmSource(info, 1) as source:
        frame = next(iter(source))
        rgb = frame._frame.to_ndarray(format="rgb24" if info.format.depth == 8 else "rgb48le")
        y = frame.y.astype(int)
    peak = np.iinfo(rgb.dtype).max
    truth = luma_to_code(rgb_to_yuv(rgb.astype(np.float64) / peak, info.format.matrix)[..., 0], info.format)
    assert np.abs(y - truth).max() <= 1 and np.mean(y != truth) < 0.01


@pytest.mark.parametrize(("depth", "shift"), [(10, 2), (8, 0)])
def test_luma_at_another_depth(depth, shift, tmp_path):
    info = probe(make("yuv420p.mkv", tmp_path))
    deeper = replace(info, format=replace(info.format, depth=depth))
    native, other = frames(info), frames(deeper)
    before, after = np.frombuffer(native[0][2], np.uint8), np.frombuffer(other[0][2], deeper.format.dtype)
    assert np.array_equal(before.astype(int) << shift, after)


def test_sixteen_bits_are_rounded_not_cut(tmp_path):
    info = probe(make("gray16le.mkv", tmp_path))
    info10 = replace(info, format=replace(info.format, depth=10))
    deep, flat = (np.frombuffer(frames(i)[0][2], np.uint16) for i in (info, info10))
    assert info.format.full_range and np.abs(deep * (1023 / 65535) - flat).max() <= 0.5 + 1e-9


def test_colour_is_noticed(tmp_path):
    colourful, grey = make("bframes.mp4", tmp_path), tmp_path / "grey.mp4"
    ffmpeg("-i", colourful, "-vf", "hue=s=0", *X264, grey)
    for path, coloured in ((colourful, True), (grey, False)):
        with FilmSource(probe(path), 1) as source:
            assert next(iter(source)).carries_colour() is coloured


def test_picture_that_changes_its_size_is_refused(tmp_path):
    first, second, both = make("h264_aac.ts", tmp_path), tmp_path / "large.ts", tmp_path / "both.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=128x96:duration=0.4", *X264, "-output_ts_offset", "9", second)
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(MediaError, match="96x64 to 128x96"):
        frames(probe(both))


def test_clock_that_starts_anew_is_refused(tmp_path):
    first, second, both = make("h264_aac.ts", tmp_path), tmp_path / "again.ts", tmp_path / "both.ts"
    ffmpeg("-i", first, "-c", "copy", "-output_ts_offset", "60", second)
    both.write_bytes(second.read_bytes() + first.read_bytes())
    with pytest.raises(MediaError, match="jumps back"):
        frames(probe(both))


@pytest.mark.parametrize("name", ["bframes.mp4", "open_gop.mp4", "mpeg4_mp3.avi"])
def test_damage_is_recorded_and_the_rest_is_shown(name, tmp_path):
    path = make(name, tmp_path)
    whole = frames(probe(path))
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + 400] = bytes(np.random.default_rng(7).integers(0, 256, 400, np.uint8))
    path.write_bytes(data)
    with FilmSource(probe(path), 2) as source:
        shown = [f.pts for f in source]
        assert source.damaged == len(source.damage) > 0 and all(what for _, what in source.damage)
    assert len(shown) > len(whole) // 3 and shown == sorted(set(shown))


def test_luma_is_a_view_that_outlives_its_film(tmp_path):
    info = probe(make("yuv420p.mkv", tmp_path))
    with FilmSource(info, 2) as source:
        kept = [f.y for f in source]
    assert all(y.base is not None for y in kept)
    assert [y.tobytes() for y in kept] == [f[2] for f in frames(info)]
    assert cv2.mean(kept[0])[0] > 0
