"""Films decoded by NVDEC: refused in words where there is none; with a GPU that is only pretended, the CPU's frames.

It decodes on the CPU and hands its frames out as NVDEC does: semi-planar, deep samples in the upper bits.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from matrix import X264, X265, make
from witness import ffmpeg

from vidcolor.cli import main
from vidcolor.config import RunOptions
from vidcolor.errors import UsageError
from vidcolor.media import nvdec
from vidcolor.media.nvdec import choose_decoder, device_obstacle
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource

no_gpu = pytest.mark.skipif(device_obstacle() is None, reason="there is a GPU")
HANDED_OUT = {
    "yuv420p": "nv12", "yuvj420p": "nv12", "gray": "nv12", "yuv420p10le": "p010le", "gray10le": "p010le",
    "yuv420p12le": "p016le", "yuv444p": "yuv444p", "yuv444p10le": "yuv444p10msble",
}  # fmt: skip
FILMS = {
    "bframes.mp4": None,
    "open_gop.mp4": None,
    "h264_aac.ts": None,
    "h264_bff.mkv": None,
    "no_times.h264": None,
    "hevc10.mkv": None,
    "vp9_opus.webm": None,
    "gray.mp4": (*X264[:4], "-pix_fmt", "gray", "-g", "10"),
    "full.mp4": (*X264[:4], "-pix_fmt", "yuvj420p", "-color_range", "pc", "-vf", "crop=94:62"),
    "hevc12.mkv": (*X265, "-pix_fmt", "yuv420p12le"),
    "hevc444.mkv": (*X265, "-pix_fmt", "yuv444p10le"),
}


def film(name, folder):
    if FILMS[name] is None:
        return make(name, folder)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1.4", *FILMS[name], folder / name)
    return folder / name


def handed_out(frame):
    """A frame of the CPU's decoder as NVDEC would have it."""
    if frame.format.name.startswith("gray"):
        name = frame.format.name.replace("gray", "yuv420p")
        frame = frame.reformat(format=name, src_color_range=2, dst_color_range=2, threads=1)
    name = {"yuv420p": "nv12", "yuv420p10le": "p010le", **HANDED_OUT}[frame.format.name]
    return frame.reformat(format=name, src_color_range=2, dst_color_range=2, threads=1)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU that is only pretended, and how many frames it has decoded; it breaks down when it is told to."""

    class Pretended:
        frames, breaks_after = 0, None

        def __call__(self, packet, context):
            if self.breaks_after is not None and self.frames >= self.breaks_after:
                raise av.error.ExternalError(0x20545845, "Generic error in an external library")
            frames = packet.decode() if packet.size else context.decode(None)
            self.frames += len(frames)
            return [handed_out(frame) for frame in frames]

    pretended = Pretended()
    monkeypatch.setattr(nvdec, "device_obstacle", lambda: None)
    monkeypatch.setattr(nvdec, "accelerator", lambda: None)
    monkeypatch.setattr(nvdec, "downloaded", pretended)
    return pretended


def shown(info, start=None):
    """All that is read of a film's frames, what was damaged, and what was told of the decoder."""
    frames = []
    with FilmSource(info, 2, start) as source:
        for frame in source:
            chroma = frame.own_chroma(info.format)
            planes = [frame.y.tobytes(), *([] if chroma is None else [plane.tobytes() for plane in chroma[:2]])]
            frames.append((frame.pts, frame.duration, frame.interlaced, frame.corrupt, planes))
        return frames, source.damage, source.take_handed_over()


@no_gpu
def test_without_a_gpu_it_is_refused_in_one_line(samples, tmp_path):
    command = [sys.executable, "-m", "vidcolor", "run", samples / "film.mp4", "-o", tmp_path / "out.mp4"]
    done = subprocess.run([*command, "--decoder", "nvdec"], capture_output=True, text=True)
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    (line,) = done.stderr.splitlines()
    assert line.startswith("vidcolor: --decoder nvdec cannot be used here: ") and "--decoder cpu" in line
    assert "CUDA" in line or "cuda" in line


def test_options_that_it_cannot_keep_are_refused():
    with pytest.raises(UsageError, match="--on-damage fail cannot be kept with --decoder nvdec"):
        RunOptions(decoder="nvdec", on_damage="fail").validate()
    with pytest.raises(UsageError, match="--decoder cannot be 'gpu': it can be cpu or nvdec"):
        RunOptions(decoder="gpu").validate()


@pytest.mark.parametrize("name", FILMS)
def test_frames_are_those_of_the_cpu(name, gpu, tmp_path):
    info = probe(film(name, tmp_path))
    fast, otherwise = choose_decoder(info, "nvdec")
    assert (fast, otherwise) == (replace(info, decoder="nvdec"), "")
    before = gpu.frames
    expected = shown(info)
    assert gpu.frames == before and len(expected[0]) > 20
    assert shown(fast) == expected == (expected[0], [], [])
    assert gpu.frames >= before + len(expected[0])
    middle = expected[0][len(expected[0]) // 2][0]
    from_there, again = shown(fast, middle), shown(info, middle)
    assert from_there == again and from_there[2] == []


def test_luma_is_that_of_ffmpeg(gpu, tmp_path):
    path = film("hevc10.mkv", tmp_path)
    ffmpeg("-i", path, "-pix_fmt", "yuv420p10le", "-f", "rawvideo", tmp_path / "raw")
    raw = np.fromfile(tmp_path / "raw", "<u2").reshape(-1, 96 * 64 * 3 // 2)[:, : 96 * 64]
    with FilmSource(choose_decoder(probe(path), "nvdec")[0], 1) as source:
        assert np.array_equal([frame.y.ravel() for frame in source], raw)


@pytest.mark.parametrize("name, why", [
    ("mpeg2_tff.ts", "mpeg2video"), ("av1.mp4", "av1"), ("h264_422p10.mov", "hands out yuv422p10le where"),
])  # fmt: skip
def test_other_films_are_decoded_on_the_cpu_which_is_said(name, why, gpu, tmp_path, monkeypatch):
    if name == "h264_422p10.mov":  # as a layout that is not known of NVDEC
        monkeypatch.setattr(nvdec, "downloaded", lambda packet, context: packet.decode())
    info = probe(make(name, tmp_path))
    found, otherwise = choose_decoder(info, "nvdec")
    assert found == info and otherwise.startswith("decoded on the CPU, not by NVDEC: ") and why in otherwise


@pytest.mark.parametrize("fault, why", [
    (lambda frame: frame.reformat(width=80), "80x64, not 96x64"),
    (lambda frame: frame.reformat(format="yuv444p", src_color_range=1, dst_color_range=2).reformat(format="nv12"),
     "its luma differs"),
])  # fmt: skip
def test_a_gpu_that_decodes_otherwise_is_not_used(fault, why, gpu, tmp_path, monkeypatch):
    info = probe(film("bframes.mp4", tmp_path))
    monkeypatch.setattr(nvdec, "downloaded", lambda packet, context: [fault(handed_out(f)) for f in packet.decode()])
    found, otherwise = choose_decoder(info, "nvdec")
    assert found == info and "frame 0 is not that of the CPU" in otherwise and why in otherwise


def test_a_gpu_that_breaks_down_is_followed_by_the_cpu(gpu, tmp_path):
    info = probe(film("bframes.mp4", tmp_path))
    fast, _ = choose_decoder(info, "nvdec")
    expected, damage, _ = shown(info)
    gpu.breaks_after = gpu.frames + 14
    found = shown(fast)
    assert found[:2] == (expected, damage)
    (told,) = found[2]
    assert "on decoded on the CPU, not by NVDEC: Generic error" in told and told.startswith("from 0.")


def test_a_damaged_film_goes_to_the_cpu_and_is_that_of_the_cpu(gpu, tmp_path):
    data = bytearray(film("bframes.mp4", tmp_path).read_bytes())
    places = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=pos,size", "-of", "csv=p=0", tmp_path / "bframes.mp4"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    size, place = map(int, places[18].strip(",").split(",")[:2])
    data[place + size // 3 : place + 2 * size // 3] = bytes(2 * size // 3 - size // 3)
    (tmp_path / "damaged.mp4").write_bytes(data)
    info = probe(tmp_path / "damaged.mp4")
    fast, otherwise = choose_decoder(info, "nvdec")
    expected, damage, _ = shown(info)
    assert not otherwise and damage and len(expected) == 35
    found = shown(fast)
    assert found[:2] == (expected, damage) and len(found[2]) == 1


def run(source, target, capsys, *options):
    with pytest.raises(SystemExit) as leaving:
        main(["run", str(source), "-o", str(target), "--json", "--quiet", *options])
    assert not leaving.value.code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_whole_command_makes_the_same_film(gpu, tmp_path, capsys):
    """Deep, HDR, with sound: bytes of the output, and so tags, side data and every time in it."""
    x265 = "log-level=none:hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    tags = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    inputs = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=24000/1001:duration=1", "-f", "lavfi", "-i", "sine=d=1")
    ffmpeg(*inputs, "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", x265, *tags, tmp_path / "film.mkv")
    plain, fast = tmp_path / "cpu.mkv", tmp_path / "gpu.mkv"
    events = run(tmp_path / "film.mkv", plain, capsys, "--keep-work")
    assert next(e for e in events if e["type"] == "plan")["decoder"] == "cpu" and gpu.frames == 0
    events = run(tmp_path / "film.mkv", fast, capsys, "--decoder", "nvdec")
    assert next(e for e in events if e["type"] == "plan")["decoder"] == "nvdec" and gpu.frames > 20
    assert not [e for e in events if e["type"] == "warning" and "NVDEC" in e["message"]]
    assert plain.read_bytes() == fast.read_bytes()
    events = run(tmp_path / "film.mkv", plain, capsys, "--decoder", "nvdec", "--overwrite", "--dry-run")
    (other,) = next(e for e in events if e["type"] == "plan")["other_work"]
    assert other["differs"] == ["--decoder was cpu, is nvdec"]


def test_the_whole_command_says_where_the_gpu_stopped(gpu, tmp_path, capsys):
    gpu.breaks_after = 30
    source = film("bframes.mp4", tmp_path)
    events = run(source, tmp_path / "out.mp4", capsys, "--decoder", "nvdec")
    (told,) = [e["message"] for e in events if e["type"] == "warning" and "NVDEC" in e["message"]]
    assert "decoded on the CPU, not by NVDEC: Generic error" in told
    assert events[-1]["films"][0]["frames"] == 35
    run(source, tmp_path / "cpu.mp4", capsys)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "cpu.mp4").read_bytes()


def test_a_pipe_is_not_for_it(samples, tmp_path):
    command = f"{sys.executable} -m vidcolor run - -o {tmp_path / 'out.mp4'} --decoder nvdec"
    with Path(samples / "film.mp4").open("rb") as film, subprocess.Popen(["cat"], stdin=film, stdout=-1) as pipe:
        done = subprocess.run(command.split(), stdin=pipe.stdout, capture_output=True, text=True)
    assert done.returncode == 2 and "--decoder nvdec is for files: /dev/stdin is a pipe" in done.stderr
