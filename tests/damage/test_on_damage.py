"""Damaged films: what is shown, what is told, and that it is the same however the work is cut up."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.film import plan as plan_module
from vidcolor.film.run import colour_film
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource
from vidcolor.media.times import ClockJumpError, placed

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "12", "-bf", "2")
FILMS = {
    "h264.mp4": X264,
    "h264.mkv": X264,
    "hevc.mkv": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=12"),
    "mpeg2.ts": ("-c:v", "mpeg2video", "-g", "12", "-bf", "2"),
    "mpeg1.mpg": ("-c:v", "mpeg1video", "-g", "12", "-bf", "2"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-g", "12", "-bf", "2"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "12"),
    "ffv1.mkv": ("-c:v", "ffv1", "-level", "3", "-slicecrc", "1"),
    "mjpeg.mov": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
    "prores.mov": ("-c:v", "prores_ks",),
}  # fmt: skip


@pytest.fixture(scope="module")
def make(samples, tmp_path_factory):
    """A function that gives a film of FILMS: 60 frames around a cut of the sample, 160×120."""
    folder = tmp_path_factory.mktemp("films")

    def made(name):
        if not (folder / name).exists():
            trim = ["-vf", "trim=start_frame=90:end_frame=150,setpts=PTS-STARTPTS,scale=160:120", "-an"]
            subprocess.run(
                ["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *trim, *FILMS[name], folder / name], check=True
            )
        return folder / name

    return made


def stored(path):
    """Place, size and pts of every packet of the picture, in the order of storage, by ffprobe."""
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=pos,size,pts,pts_time",
        "-of",
        "json",
    ]
    found = json.loads(subprocess.run([*command, path], capture_output=True, check=True).stdout)
    return [
        (int(p["pos"]), int(p["size"]), p.get("pts"), float(p.get("pts_time", "nan")))
        for p in found["packets"]
        if "pos" in p
    ]


def damage(source, path, places, seed=0, whole=False):
    """Copy a film with bits turned in some of its packets, or with these packets' bytes all zero."""
    random, data, packets = np.random.default_rng(seed), bytearray(source.read_bytes()), stored(source)
    for place in places:
        start, size = packets[place][:2]
        size = min(size, len(data) - start)
        if whole:
            data[start : start + size] = bytes(size)
        for turned in [] if whole else random.integers(0, size, 6):
            data[start + turned] ^= 1 << int(random.integers(8))
    path.write_bytes(data)
    return path


def frames(info, threads=2, start=None, policy="hold"):
    with FilmSource(info, threads, start, policy) as source:
        shown = [(f.pts, f.duration, f.y.tobytes()) for f in source]
        return shown, source.take_damage(start, None)


def colour(source, output, report=lambda event: None, **options):
    return colour_film(
        Path(source), Path(output), False, RunOptions(res=32, **options), overwrite=False, dry_run=False, report=report
    )


@pytest.mark.parametrize("name", FILMS)
def test_a_damaged_film_is_the_same_with_any_threads_from_anywhere(name, make, tmp_path):
    for seed in range(2):
        places = np.random.default_rng([seed, 3]).integers(1, len(stored(make(name))), 3)
        info = probe(damage(make(name), tmp_path / f"{seed}{name}", places, seed))
        whole, ledger = frames(info, 1)
        assert len(whole) > 50
        assert ledger or name == "vp9.webm", "the damage went unnoticed"  # VP9 makes sense of any bits
        assert frames(info, 4) == (whole, ledger)
        for start, _, _ in whole[7::17]:
            found, _ = frames(info, 2, start)
            assert found == [f for f in whole if f[0] >= start], f"from pts {start}"


@pytest.mark.parametrize("name", ["h264.mp4", "mpeg4.avi"])
def test_chunks_and_resuming_do_not_show_in_a_damaged_film(name, make, tmp_path, monkeypatch):
    path = damage(make(name), tmp_path / name, [8, 30, 45], seed=4)
    whole = colour(path, tmp_path / "whole.mkv")
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", Fraction(1, 2))
    cut = colour(path, tmp_path / "cut.mkv")

    def stop(event):
        if event["type"] == "shot" and event["start_frame"] > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colour(path, tmp_path / "resumed.mkv", stop)
    resumed = colour(path, tmp_path / "resumed.mkv")
    assert cut["damaged"] == resumed["damaged"] == whole["damaged"] and whole["damaged"]
    assert (tmp_path / "resumed.mkv").read_bytes() == (tmp_path / "cut.mkv").read_bytes()
    assert resumed["frames"] == whole["frames"]


def test_hold_skip_and_fail(make, tmp_path):
    good = make("mjpeg.mov")
    path = damage(good, tmp_path / "film.mov", [20, 21, 40], whole=True)
    times = [pts for _, _, pts, _ in stored(good)]
    truth, _ = frames(probe(good))
    held, ledger = frames(probe(path))
    assert [f[0] for f in held] == times
    assert [f[2] for f in held] == [truth[19 if i in (20, 21) else 39 if i == 40 else i][2] for i in range(60)]
    assert [pts for pts, _ in ledger] == [times[i] for i in (20, 21, 40)]
    skipped, _ = frames(probe(path), policy="skip")
    assert skipped == [f for i, f in enumerate(truth) if i not in (20, 21, 40)]
    with pytest.raises(MediaError, match=f"at {stored(good)[20][3]:.3f} s.*--on-damage hold"):
        frames(probe(path), policy="fail")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vidcolor", "run", *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_tells_what_was_damaged_when_and_what_was_done(make, tmp_path):
    good = make("mjpeg.mov")
    path, out = damage(good, tmp_path / "film.mov", [20, 21, 50], whole=True), tmp_path / "out.mov"
    result = run(path, "-o", out, "--json", "--res", "32")
    assert result.returncode == 0, result.stderr
    film = json.loads(result.stdout.splitlines()[-1])["films"][0]
    first, last, single = (stored(good)[i][3] for i in (20, 21, 50))
    assert [(e["first_time"], e["last_time"], e["count"]) for e in film["ledger"]] == [
        (first, last, 2),
        (single, single, 1),
    ]
    assert all("cannot be decoded" in e["what"] and "before" in e["done"] for e in film["ledger"])
    assert f"damaged at 0:00:{first:06.3f} to 0:00:{last:06.3f}: a frame cannot be decoded" in result.stderr
    assert sorted(p[3] for p in stored(out)) == [p[3] for p in stored(good)]

    failed = run(path, "-o", tmp_path / "none.mkv", "--on-damage", "fail", "-q")
    assert failed.returncode == 1 and len(failed.stderr.splitlines()) == 1
    assert f"at {first:.3f} s" in failed.stderr and "--on-damage hold" in failed.stderr
    assert not (tmp_path / "none.mkv").exists()
    assert run(path, "-o", tmp_path / "none.mkv", "--on-damage", "shrug").returncode == 2


def test_check_sums_of_ffv1_are_looked_at(make, tmp_path):
    good = make("ffv1.mkv")
    path = damage(good, tmp_path / "film.mkv", [25])
    said = subprocess.run(["ffmpeg", "-nostdin", "-i", path, "-f", "null", "-"], capture_output=True, text=True).stderr
    assert "CRC mismatch" in said
    _, ledger = frames(probe(path))
    assert [pts for pts, _ in ledger] == [stored(good)[25][2]]
    assert frames(probe(good))[1] == ()


@pytest.mark.parametrize("name", FILMS)
def test_a_film_that_ends_early_is_told(name, make, tmp_path):
    if name.endswith((".mpg", ".ts", ".avi")):
        pytest.skip("its header does not say how long it is, or is not believed where the index is lost")
    path = tmp_path / name
    make(name)
    if name.endswith((".mp4", ".mov")):  # with the index in front
        path = tmp_path / f"fast{name}"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-i", make(name), "-c", "copy", "-movflags", "+faststart", path], check=True
        )
    else:
        path.write_bytes(make(name).read_bytes())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    shown, ledger = frames(probe(path))
    assert 10 < len(shown) < 55
    assert "the film ends earlier than its header says" in ledger[-1][1]


def test_whole_films_are_not_called_damaged(make):
    for name in FILMS:
        assert frames(probe(make(name)))[1] == (), name


def test_frames_whose_time_is_damaged_keep_their_place():
    film = [(t, 10, None) for t in range(0, 400, 10)]
    film[7], film[20] = (90_000, 10, None), (-90_000, 10, None)
    found = list(placed(film, None, 100, 10))
    assert [item[0] for item, _ in found] == list(range(0, 400, 10))
    assert [index for index, (_, astray) in enumerate(found) if astray] == [7, 20]
    late = [(t + 5000 * (t > 100), 10, None) for t in range(0, 400, 10)]
    assert [item[0] for item, astray in placed(late, None, 100, 10) if not astray] == [t for t, _, _ in late]
    with pytest.raises(ClockJumpError):
        list(placed([(t - 5000 * (t > 100), 10, None) for t in range(0, 400, 10)], None, 100, 10))


def joined(tmp_path, *filters):
    """Two transport streams, one after the other, whose pictures differ as the filters make them."""
    data = b""
    for number, change in enumerate(filters):
        part = tmp_path / f"part{number}.ts"
        picture = f"testsrc2=size=96x64:rate=25:duration=1,{change}"
        subprocess.run(
            [
                "ffmpeg",
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                picture,
                *X264[:4],
                "-output_ts_offset",
                str(number + 1),
                part,
            ],
            check=True,
        )
        data += part.read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("second", "told"),
    [("scale=128:96,format=yuv420p", "from 96x64 to 128x96"), ("format=yuv420p10le", "from yuv420p to yuv420p10le")],
)
def test_another_picture_in_mid_film_is_refused_with_its_time(second, told, tmp_path):
    path = joined(tmp_path, "format=yuv420p", second)
    result = run(path, "-o", tmp_path / "out.mkv", "-q", "--res", "32")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert told in result.stderr and "Cut the film there" in result.stderr
    assert not (tmp_path / "out.mkv").exists()


def test_other_chroma_in_mid_film_changes_nothing(tmp_path):
    path = joined(tmp_path, "format=yuv420p", "format=yuv422p")
    shown, ledger = frames(probe(path))
    assert len(shown) == 50 and ledger == ()
    with av.open(str(path)) as film:
        luma = [f.to_ndarray()[:64].tobytes() for f in film.decode(video=0)]
    assert [y for _, _, y in shown] == luma


@pytest.fixture
def with_sound(samples, tmp_path):
    path = tmp_path / "film.ts"
    cut = ["-t", "2", "-vf", "scale=160:120", *X264, "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *cut, path], check=True)
    return path


def sound(path):
    command = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "packet=size", "-of", "json", path]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["packets"]


def test_a_damaged_piece_of_sound_costs_that_piece_alone(with_sound, tmp_path):
    data = bytearray(with_sound.read_bytes())
    for packet in range(len(data) // 188):  # of a transport stream; the sound is in that numbered 0x101
        start = packet * 188
        if int.from_bytes(data[start + 1 : start + 3]) & 0x1FFF == 0x101 and packet % 5 == 0:
            data[start + 60 : start + 100] = bytes(40)
    with_sound.write_bytes(data)
    film = colour(with_sound, tmp_path / "out.mkv")
    assert film["frames"] == 48 and len(sound(tmp_path / "out.mkv")) > 30


def test_a_stream_that_cannot_be_copied_is_left_out_and_told(samples, tmp_path):
    path = tmp_path / "film.mp4"
    cut = ["-t", "1", "-vf", "scale=160:120", *X264, "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *cut, path], check=True)
    data = path.read_bytes()
    assert data.count(b"esds") == 1
    path.write_bytes(data.replace(b"esds", b"\0\1\2\3"))  # how the sound is coded, which Matroska must know
    events = []
    film = colour(path, tmp_path / "out.mkv", events.append)
    assert film["frames"] == 24 and not sound(tmp_path / "out.mkv")
    assert any(
        "audio stream 1" in e.get("message", "") and "left out: it is damaged" in e["message"]
        for e in events
        if e["type"] == "warning"
    )


PACES = {
    "random": "select='eq(n,0)+gt(random(1),0.5)'",
    "slower": "setpts='if(gt(N,40),PTS+(N-40)*0.2/TB,PTS)'",
    "faster": "select='gte(n,80)+not(mod(n,4))'",
}


@pytest.mark.parametrize("pace", PACES)
def test_a_film_of_variable_rate_is_not_damaged_for_it(pace, samples, tmp_path):
    """NUT does not say how long a frame is shown."""
    path = tmp_path / "film.nut"
    form = ["-vf", f"scale=64:48,{PACES[pace]}", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-c:v", "rawvideo"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", "-an", "-t", "8", *form, path], check=True)
    shown, ledger = frames(probe(path), policy="fail")
    times = [pts for _, _, pts, _ in stored(path)]
    assert len(set(np.diff(times))) > 1 and [f[0] for f in shown] == times
    assert ledger == ()


@pytest.mark.parametrize("codec", ["rawvideo", "ffv1"])
def test_frames_that_are_cut_out_of_a_steady_film_are_missed(codec, samples, tmp_path):
    whole, path = tmp_path / "whole.nut", tmp_path / "film.nut"
    form = ["-an", "-t", "3", "-vf", "scale=64:48", "-c:v", codec]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *form, whole], check=True)
    data, packets = whole.read_bytes(), stored(whole)
    path.write_bytes(data[: packets[30][0]] + data[packets[36][0] :])
    shown, ledger = frames(probe(path))
    left = {f[0] for f in shown}
    lost = [pts for _, _, pts, _ in packets if pts not in left]
    assert len(lost) >= 5 and set(np.diff(lost)) == {packets[1][2] - packets[0][2]}  # one gap
    assert [pts for pts, what in ledger if "there is no frame for" in what] == [lost[0]]
