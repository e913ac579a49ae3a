"""Films as numbered pictures, in and out: luma, numbers and times kept, and nothing half done under a final name."""

import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import tifffile

from vidcolor.config import RunOptions, WorkOptions
from vidcolor.errors import MediaError, UsageError
from vidcolor.film.run import colour_film
from vidcolor.media.marks import SHORT, with_fields

BT601 = (0.299, 0.587, 0.114)  # of pictures of less than 720 lines
FRAMES = 30


def ffmpeg(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], capture_output=True, check=True).stdout


def colour(source, output, *, overwrite=False, report=lambda event: None, work=WorkOptions(), **options):
    options = RunOptions(**{"rate": Fraction(24), **options})
    ways = dict(overwrite=overwrite, dry_run=False, report=report, work=work)
    return colour_film(Path(source), Path(output), False, options, **ways)


def run(*arguments):
    command = [sys.executable, "-m", "vidcolor", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def raw(path, pix_fmt, channels=1):
    """A picture's samples (H, W) or (H, W, channels), 16 bit, as ffmpeg decodes them without a change."""
    data = np.frombuffer(ffmpeg("-i", path, "-pix_fmt", pix_fmt, "-f", "rawvideo", "-"), "<u2")
    return data.reshape(120, 160, channels).squeeze()


def planar(path, bits):
    """R'G'B' (H, W, 3) of a picture of 10 or 12 bits."""
    data = np.frombuffer(ffmpeg("-i", path, "-pix_fmt", f"gbrp{bits}le", "-f", "rawvideo", "-"), "<u2")
    return data.reshape(3, 120, 160).transpose(1, 2, 0)[..., [2, 0, 1]]


def luma_of(rgb):
    return rgb.astype(np.float64) @ np.array(BT601)


def hashes(folder, pattern="*"):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob(pattern)}


@pytest.fixture(scope="module")
def scans(samples, tmp_path_factory):
    """30 frames of the sample as 16-bit grey TIFF from number 98 on, all 16 bits in use."""
    folder = tmp_path_factory.mktemp("scans")
    # A ramp of 257 codes over the picture makes the low bits count.
    fine = "format=gray16le,geq=lum='clip(lum(X,Y)+1.7*X+0.9*Y,0,65535)'"
    ffmpeg("-ss", "4", "-i", samples / "film.mp4", "-frames:v", FRAMES, "-vf", f"scale=160:120,{fine}", "-start_number", "98",
           folder / "scan.%06d.tif")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def coloured(scans, tmp_path_factory):
    """The same in colour, as TIFF."""
    folder = tmp_path_factory.mktemp("coloured")
    colour(scans / "scan.%06d.tif", folder / "out.%06d.tif")
    return folder


def test_all_sixteen_bits_of_luma_are_in_the_film(scans, tmp_path):
    out = tmp_path / "out.mkv"
    film = colour(scans, out, codec="ffv1", rate=Fraction(24000, 1001))
    assert film["frames"] == FRAMES
    assert len(np.unique(raw(scans / "scan.000098.tif", "gray16le") & 255)) > 200
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == Fraction(24000, 1001)
        for number, frame in enumerate(container.decode(video=0), 98):
            assert frame.format.name == "yuv420p16le" and frame.color_range == 2
            y = np.frombuffer(frame.planes[0], "<u2").reshape(120, -1)[:, :160]
            assert np.array_equal(y, raw(scans / f"scan.{number:06}.tif", "gray16le"))
    assert number == 98 + FRAMES - 1
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_pictures_keep_their_numbers_and_sixteen_bit_luma_within_a_code(scans, coloured):
    assert sorted(p.name for p in coloured.iterdir()) == [f"out.{98 + n:06}.tif" for n in range(FRAMES)]
    worst, colours = 0.0, []
    for n in range(FRAMES):
        rgb = cv2.imread(str(coloured / f"out.{98 + n:06}.tif"), cv2.IMREAD_UNCHANGED)[..., ::-1]
        assert rgb.dtype == np.uint16
        worst = max(worst, np.abs(luma_of(rgb) - raw(scans / f"scan.{98 + n:06}.tif", "gray16le")).max())
        colours.append(np.ptp(rgb.astype(int), axis=2).mean())
    print(f"largest difference of luma: {worst:.3f} of 65535")
    assert worst <= 1
    assert np.mean(colours) > 500


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "bits"),
    [("png", "gray16be", 16), ("dpx", "gray16be", 16), ("dpx", "gbrp10be", 10), ("dpx", "gbrp12be", 12)],
)
def test_luma_of_every_kind_of_picture_is_kept_within_a_code(suffix, pix_fmt, bits, scans, tmp_path):
    sources, outputs = tmp_path / "in", tmp_path / "out"
    sources.mkdir()
    outputs.mkdir()
    ffmpeg(
        "-start_number",
        "98",
        "-i",
        scans / "scan.%06d.tif",
        "-frames:v",
        "8",
        "-pix_fmt",
        pix_fmt,
        sources / f"f_%03d.{suffix}",
    )
    colour(sources, outputs / f"c_%04d.{suffix}")
    assert sorted(p.name for p in outputs.iterdir()) == [f"c_{n:04}.{suffix}" for n in range(1, 9)]
    worst = 0.0
    for n in range(1, 9):
        pair = sources / f"f_{n:03}.{suffix}", outputs / f"c_{n:04}.{suffix}"
        source, made = (raw(p, "rgb48le", 3) if bits == 16 else planar(p, bits) for p in pair)
        assert int(made.max()) < 1 << bits
        worst = max(worst, np.abs(luma_of(made) - luma_of(source)).max())
        assert np.ptp(made.astype(int), axis=2).max() > 1 << (bits - 5)
    print(f"{suffix} {bits} bits: largest difference of luma {worst:.3f} of {(1 << bits) - 1}")
    assert worst <= 1


STATEMENT = "Colour added by a machine"


def says(path):
    """What ffprobe tells of a picture, in words: the tags of its frame and of the file."""
    command = ["ffprobe", "-v", "error", "-show_frames", "-show_format", "-of", "json", path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("suffix", ["tif", "png", "dpx"])
def test_every_picture_says_that_a_machine_coloured_it_unless_told_not_to(suffix, scans, tmp_path):
    pictures = []
    for name, tag in (("said", True), ("plain", False)):
        colour(scans, tmp_path / f"{name}.%06d.{suffix}", end=Fraction(1, 8), tag=tag)
        files = sorted(tmp_path.glob(f"{name}.*.{suffix}"))
        assert len(files) == 3 and [STATEMENT in says(path) for path in files] == [tag] * 3
        pictures.append([raw(path, "rgb48le", 3) for path in files])
    assert np.array_equal(*pictures)
    if suffix == "tif":
        with tifffile.TiffFile(tmp_path / "said.000098.tif") as file:
            assert STATEMENT in file.pages[0].description
            assert np.array_equal(file.pages[0].asarray(), pictures[0][0])


def test_pictures_with_and_without_the_statement_are_two_jobs(scans, tmp_path, monkeypatch):
    monkeypatch.setattr("vidcolor.film.run.place_pictures", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        colour(scans, tmp_path / "f.%04d.tif", end=Fraction(1, 8))
    monkeypatch.undo()
    events = []
    colour(scans, tmp_path / "f.%04d.tif", end=Fraction(1, 8), tag=False, report=events.append)
    (plan,) = (e for e in events if e["type"] == "plan")
    assert plan["chunks_done"] == 0
    assert "the statement in every picture was Colour added" in plan["other_work"][0]["differs"][0]
    assert STATEMENT not in says(tmp_path / "f.0098.tif")


def test_dpx_does_not_say_that_video_is_linear_light(scans, tmp_path):
    colour(scans, tmp_path / "f.%04d.dpx", end=Fraction(1, 8))
    data = (tmp_path / "f.0098.dpx").read_bytes()
    assert data[:4] == b"SDPX" and data[801] == data[802] == 6  # SMPTE ST 268-1: ITU-R BT.709


@pytest.mark.parametrize("transfer", [1, 3])
def test_dpx_of_film_density_is_refused(transfer, scans, tmp_path):
    for n in range(1, 4):
        ffmpeg("-i", scans / "scan.000098.tif", "-pix_fmt", "gbrp10be", tmp_path / f"f{n}.dpx")
        data = bytearray((tmp_path / f"f{n}.dpx").read_bytes())
        data[801] = transfer if n == 3 else 4
        (tmp_path / f"f{n}.dpx").write_bytes(data)
    with pytest.raises(MediaError, match="f3.dpx.*film density"):
        colour(tmp_path, tmp_path / "out.mkv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f1.dpx", "f2.dpx", "f3.dpx"]


ODD = {
    "in tiles": {322: 64},
    "floating point": {339: 3},
    "count from white": {258: 12, 262: 0},
    "as JPEG": {259: 7},
}  # values of TIFF's fields


@pytest.mark.parametrize("kind", ODD)
def test_tiff_of_which_ffmpeg_makes_black_or_wrong_pictures_is_refused(kind, scans, tmp_path):
    data = (scans / "scan.000098.tif").read_bytes()
    for n in (1, 2):
        (tmp_path / f"f{n}.tif").write_bytes(data)
    fields = {tag: (SHORT, struct.pack("<H", value)) for tag, value in ODD[kind].items()}
    (tmp_path / "f3.tif").write_bytes(with_fields(data, fields))
    with pytest.raises(MediaError, match=f"f3.tif.*{kind}.*strips"):
        colour(tmp_path, tmp_path / "out.mkv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f1.tif", "f2.tif", "f3.tif"]


@pytest.mark.parametrize("orientation", [2, 6])
def test_pictures_that_are_to_be_turned_become_a_film_that_is(orientation, scans, tmp_path):
    grey = cv2.imread(str(scans / "scan.000098.tif"), cv2.IMREAD_GRAYSCALE)
    for n in (1, 2):
        tifffile.imwrite(tmp_path / f"f{n}.tif", grey, metadata=None, extratags=[(274, 3, 1, orientation, True)])
    colour(tmp_path, tmp_path / "out.mkv", codec="ffv1")
    shown = ffmpeg("-i", tmp_path / "out.mkv", "-frames:v", "1", "-vf", "extractplanes=y", "-f", "rawvideo", "-")
    upright = np.rot90(grey, -1) if orientation == 6 else grey[:, ::-1]
    assert np.array_equal(np.frombuffer(shown, np.uint8).reshape(upright.shape), upright)


@pytest.fixture
def gappy(scans, tmp_path):
    """The scans without numbers 105 to 107, and with an empty 110."""
    folder = tmp_path / "gappy"
    folder.mkdir()
    for path in scans.iterdir():
        if path.stem[-3:] not in ("105", "106", "107"):
            os.link(path, folder / path.name)
    (folder / "scan.000110.tif").unlink()
    (folder / "scan.000110.tif").write_bytes(b"")
    return folder


def test_numbers_that_are_missing_are_held_and_told(gappy, tmp_path):
    out = tmp_path / "out.mkv"
    film = colour(gappy, out, codec="ffv1")
    told = [(entry["first_pts"], entry["what"]) for entry in film["ledger"]]
    assert told == [(7, "picture 105 is not there"), (8, "picture 106 is not there"), (9, "picture 107 is not there"),
                    (12, "its picture is empty")]  # fmt: skip
    with av.open(str(out)) as container:
        frames = [np.frombuffer(frame.planes[0], "<u2").copy() for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    assert all(np.array_equal(frames[6], frames[n]) for n in (7, 8, 9))
    assert not np.array_equal(frames[9], frames[10])


def test_numbers_that_are_missing_are_missing_in_the_output_if_left_out(gappy, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    film = colour(gappy, out / "f.%03d.png", on_damage="skip")
    assert sorted(int(p.stem[2:]) for p in out.iterdir()) == [
        n for n in range(98, 128) if n not in (105, 106, 107, 110)
    ]
    assert film["frames"] == FRAMES - 4


def test_numbers_that_are_missing_can_fail_the_film(gappy, tmp_path):
    with pytest.raises(MediaError, match="picture 105 is not there"):
        colour(gappy, tmp_path / "out.mkv", on_damage="fail")


def test_a_piece_equals_that_of_the_whole(scans, coloured, tmp_path):
    colour(scans, tmp_path / "out.%06d.tif", start=Fraction(1, 2), end=Fraction(3, 4))
    whole, piece = hashes(coloured), hashes(tmp_path)
    assert sorted(piece) == [f"out.{98 + n:06}.tif" for n in range(12, 18)]
    assert piece == {name: whole[name] for name in piece}


def test_a_film_becomes_pictures_from_number_1(samples, tmp_path):
    film = colour(samples / "vfr10.mkv", tmp_path / "%04d.tif", rate=None)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{n:04}.tif" for n in range(1, film["frames"] + 1)]
    assert any("no times" in sentence for sentence in film["converted"])
    source = ffmpeg("-i", samples / "vfr10.mkv", "-vsync", "0", "-vf", "extractplanes=y", "-f", "rawvideo", "-")
    luma = np.frombuffer(source, "<u2").reshape(film["frames"], 240, 320)
    for n in (0, 20, film["frames"] - 1):
        rgb = cv2.imread(str(tmp_path / f"{n + 1:04}.tif"), cv2.IMREAD_UNCHANGED)[..., ::-1]
        codes = luma_of(rgb) / 65535 * (219 << 2) + (16 << 2)
        inside = (luma[n] >= 64) & (luma[n] <= 940)
        assert np.array_equal(np.rint(codes)[inside], luma[n][inside])


def slow(source, output):
    """As long as a film at a picture a second is, its chunks are few pictures."""
    return [sys.executable, "-m", "vidcolor", "run", source, "--rate", "0.5", "-o", output]


def test_a_killed_run_goes_on_and_gives_the_same_pictures(scans, tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    once.mkdir()
    again.mkdir()
    subprocess.run([*slow(scans, once / "f.%04d.tif"), "-q"], check=True)
    process = subprocess.Popen([*slow(scans, again / "f.%04d.tif"), "-q"])
    while not list(again.glob(".*/journal.txt")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not [p for p in again.iterdir() if not p.name.startswith(".")]
    gone_on = subprocess.run(slow(scans, again / "f.%04d.tif"), capture_output=True, text=True, check=True)
    assert "resumed: " in gone_on.stderr
    assert hashes(once) == hashes(again) and len(hashes(once)) == FRAMES


def test_a_picture_of_a_finished_chunk_that_changed_is_made_again(scans, tmp_path, monkeypatch):
    monkeypatch.setattr("vidcolor.film.run.place_pictures", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        colour(scans, tmp_path / "f.%04d.tif")
    monkeypatch.undo()
    (picture,) = tmp_path.glob(".*/frames/*005.tif")
    good = picture.read_bytes()
    picture.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    colour(scans, tmp_path / "f.%04d.tif")
    assert (tmp_path / "f.0103.tif").read_bytes() == good
    assert len(hashes(tmp_path)) == FRAMES


def test_finished_pictures_stay_whole_while_their_chunk_is_made_again(scans, tmp_path, monkeypatch):
    """Kept work and the finished pictures are the same files by two names."""
    out = tmp_path / "f.%04d.tif"
    keep = dict(overwrite=True, work=WorkOptions(keep=True))
    colour(scans / "scan.%06d.tif", out, **keep)
    retouched = tmp_path / "f.0100.tif"
    with retouched.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    before = hashes(tmp_path, "f*")
    written = []

    def some(handle):
        written.append(handle)
        if len(written) > 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", some)
    with pytest.raises(KeyboardInterrupt):
        colour(scans / "scan.%06d.tif", out, **keep)
    monkeypatch.undo()
    assert hashes(tmp_path, "f*") == before and len(before) == FRAMES


@pytest.mark.parametrize("links", [True, False])
def test_an_interruption_while_pictures_get_their_names_loses_nothing(links, scans, coloured, tmp_path, monkeypatch):
    link, count = os.link, 0

    def some(*arguments, **options):
        nonlocal count
        count += 1
        if count > 10:
            raise KeyboardInterrupt
        if not links:
            raise OSError("no links here")
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", some)
    with pytest.raises(KeyboardInterrupt):
        colour(scans, tmp_path / "out.%06d.tif")
    monkeypatch.undo()
    assert hashes(tmp_path, "out*") == dict(sorted(hashes(coloured).items())[:10])
    events = []
    colour(scans, tmp_path / "out.%06d.tif", report=events.append)
    assert next(e for e in events if e["type"] == "plan")["chunks_done"] == 1
    assert hashes(tmp_path) == hashes(coloured)


def test_pictures_that_are_there_are_not_touched(scans, tmp_path):
    (tmp_path / "f.0500.tif").write_bytes(b"mine")
    with pytest.raises(UsageError, match="--overwrite"):
        colour(scans, tmp_path / "f.%04d.tif")
    for source in (scans, scans / "scan.%06d.tif"):
        with pytest.raises(UsageError, match="the input itself"):
            colour(source, scans / "scan.%06d.tif", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["f.0500.tif"]


def test_a_folder_is_a_film_only_with_a_rate(scans, tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    for n in (98, 99):
        os.link(scans / f"scan.{n:06}.tif", folder / f"scan.{n:06}.tif")
    assert run(folder).returncode == 0
    assert sorted(p.name for p in folder.glob("*.color.*")) == ["scan.000098.color.tif", "scan.000099.color.tif"]


REFUSED = {
    "no rate": (["scan.%06d.tif", "-o", "out.mkv"], "--rate 24"),
    "no output": (["scan.%06d.tif", "--rate", "24"], "-o out/frame.%06d.tif"),
    "no pictures": (["none.%06d.tif", "--rate", "24", "-o", "out.mkv"], "no picture of that name"),
    "rate of a film": (["film.mp4", "--rate", "24"], "no image sequence"),
    "odd rate": (["scan.%06d.tif", "--rate", "fast", "-o", "out.mkv"], "write 24, 23.976"),
    "codec": (["scan.%06d.tif", "--rate", "24", "--codec", "ffv1", "-o", "f.%d.png"], "written without loss"),
    "jpeg": (["scan.%06d.tif", "--rate", "24", "-o", "f.%d.jpg"], ".dpx, .png, .tif"),
    "no folder": (["scan.%06d.tif", "--rate", "24", "-o", "nowhere/f.%d.png"], "mkdir -p nowhere"),
    "several": (["film.mp4", "scan.%06d.tif", "-o", "f.%d.png"], "Give a folder"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_usage_errors_name_the_remedy(case, scans, samples, tmp_path, monkeypatch):
    arguments, remedy = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    os.link(scans / "scan.000098.tif", "scan.000098.tif")
    os.symlink(samples / "film.mp4", "film.mp4")
    result = run(*arguments)
    assert result.returncode == 2
    assert remedy in result.stderr.strip().splitlines()[-1]
    assert sorted(os.listdir()) == ["film.mp4", "scan.000098.tif"]


def test_a_sequence_goes_into_a_pipe(scans, tmp_path):
    command = [sys.executable, "-m", "vidcolor", "run", scans, "--rate", "24", "-q", "-o", "-"]
    (tmp_path / "out.nut").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    with av.open(str(tmp_path / "out.nut")) as container:
        frames = [np.frombuffer(f.planes[0], "<u2").reshape(120, -1)[:, :160] for f in container.decode(video=0)]
    assert len(frames) == FRAMES
    assert np.array_equal(frames[5], raw(scans / "scan.000103.tif", "gray16le"))
