"""Which container a film's sound ends up in, and that it can be heard there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from witness import describe, ffmpeg, run_identity

from vidcolor.errors import UsageError
from vidcolor.media.ffmpeg import find_ffmpeg
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.streams import plan_streams

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=1")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1")
BLU_RAY = (*H264, "-mpegts_m2ts_mode", "1")
MPEG2 = ("-c:v", "mpeg2video")
FLV = ("-c:v", "flv1")
QUICKTIME_PCM = ("s8", "u8", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be", "f64le", "f64be", "alaw")


def make(path: Path, codec: str, *options: str) -> Path:
    """A film of one second with a tone of `codec`."""
    rate = "44100" if codec == "nellymoser" else "48000"
    channels = "1" if codec in ("nellymoser", "comfortnoise") else "2"
    sound = ("-f", "lavfi", "-i", f"sine=duration=1:sample_rate={rate}")
    ffmpeg(*PICTURE, *sound, "-pix_fmt", "yuv420p", *options, "-ac", channels, "-c:a", codec, "-strict", "-2", path)
    return path


def heard(path: Path) -> bytes:
    """All samples of a film's sound, 32 bits each."""
    command = [find_ffmpeg(), "-loglevel", "error", "-i", path, "-map", "0:a", "-f", "s32le", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize(("codec", "rate"), [("ac3", 48000), ("aac", 44100)])
@pytest.mark.parametrize("late", ["0.05", "0.107", "0.5"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_sound_that_begins_late_begins_when_it_did(codec, rate, late, suffix, tmp_path):
    sound = ("-itsoffset", late, "-f", "lavfi", "-i", f"sine=duration=1:sample_rate={rate}")
    ffmpeg(*PICTURE, *sound, "-pix_fmt", "yuv420p", *H264, "-c:a", codec, tmp_path / "film.mkv")
    result = run_identity(tmp_path / "film.mkv", tmp_path, suffix=suffix)
    begins = [
        float(next(s for s in describe(path)["streams"] if s["codec_type"] == "audio")["start_time"])
        for path in (tmp_path / "film.mkv", result.output)
    ]
    assert abs(begins[0] - begins[1]) < 0.5 / rate + 1e-6


@pytest.mark.parametrize(
    ("name", "codec", "options", "choice", "expected"),
    [
        ("disc.m2ts", "pcm_bluray", BLU_RAY, {}, (".m2ts", "pcm_bluray")),
        ("disc.mts", "pcm_bluray", BLU_RAY, {}, (".mts", "pcm_bluray")),
        ("disc.m2ts", "pcm_bluray", BLU_RAY, {"suffix": ".mov"}, (".mov", "pcm_s24le")),
        ("disc.m2ts", "pcm_bluray", BLU_RAY, {"codec": "ffv1"}, (".mkv", "pcm_s24le")),
        ("studio.ts", "s302m", H264, {}, (".ts", "s302m")),
        ("studio.ts", "s302m", H264, {"suffix": ".mkv"}, (".mkv", "pcm_s24le")),
        ("ima.mov", "adpcm_ima_qt", H264, {}, (".mov", "adpcm_ima_qt")),
        ("ima.mov", "adpcm_ima_qt", H264, {"suffix": ".mov"}, (".mov", "adpcm_ima_qt")),
        ("ima.mov", "adpcm_ima_qt", H264, {"codec": "ffv1"}, (".mkv", "pcm_s16le")),
        ("film.vob", "pcm_dvd", MPEG2, {}, (".mov", "pcm_s24le")),
        ("net.flv", "nellymoser", FLV, {}, (".mov", "nellymoser")),
        ("net.flv", "nellymoser", FLV, {"suffix": ".mkv"}, (".mkv", "pcm_f32le")),
        ("film.mov", "pcm_s8", H264, {"codec": "ffv1"}, (".mkv", "pcm_u8")),
        ("film.mov", "pcm_f32be", H264, {"codec": "ffv1"}, (".mkv", "pcm_f32le")),
        ("film.mov", "pcm_f64be", H264, {"codec": "ffv1"}, (".mkv", "pcm_f64le")),
        *(("film.mov", f"pcm_{kind}", H264, {}, (".mov", f"pcm_{kind}")) for kind in QUICKTIME_PCM),
        ("film.nut", "pcm_u16le", H264, {}, (".mov", "pcm_s16le")),
        ("film.nut", "pcm_s64le", H264, {}, (".mkv", "pcm_s64le")),
    ],
)  # fmt: skip
def test_every_sample_is_heard_again(name, codec, options, choice, expected, tmp_path):
    source = make(tmp_path / name, codec, *options)
    result = run_identity(source, tmp_path, **choice)
    sound = next(s for s in describe(result.output)["streams"] if s["codec_type"] == "audio")
    assert (result.output.suffix, sound["codec_name"]) == expected
    assert heard(result.output) == heard(source)
    notes = [plan.note for plan in plan_streams(result.info, result.output.suffix) if plan.note]
    changed = expected[1] != codec
    assert len(notes) == changed and all(f"converted to {expected[1]}, sample for sample" in note for note in notes)


def test_sound_that_nothing_holds_is_said_to_be_left_out(tmp_path):
    source = make(tmp_path / "film.nut", "comfortnoise", *H264)
    result = run_identity(source, tmp_path)
    assert [s["codec_type"] for s in describe(result.output)["streams"]] == ["video"]
    assert [plan.note for plan in plan_streams(result.info, ".mkv")][1:] == [
        "audio stream 1 (comfortnoise) is left out: a .mkv file cannot hold it"
    ]


def test_refusal_names_containers_that_hold_the_sound(tmp_path):
    info = probe(make(tmp_path / "film.mov", "pcm_s16le", *H264))
    with pytest.raises(UsageError, match="a .ts file cannot hold pcm_s16le") as error:
        choose_encoding(info, suffix=".ts")
    assert error.value.next_step == "Use .mov or .mkv."
