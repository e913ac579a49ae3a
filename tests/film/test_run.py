"""A film from end to end: what comes out is what went in, in colour, however the work was cut up."""

import hashlib
import json
import subprocess
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError, UsageError
from vidcolor.film import plan as plan_module
from vidcolor.film import progress as progress_module
from vidcolor.film import run as run_module
from vidcolor.film.plan import make_plan, piece_of
from vidcolor.film.run import colour_film
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.remux import remux


def colour(source, output, report=lambda event: None, **options):
    return colour_film(
        Path(source), Path(output), False, RunOptions(**options), overwrite=False, dry_run=False, report=report
    )


def ffprobe(path, *entries):
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *entries, path], capture_output=True, check=True, text=True
    )
    return json.loads(shown.stdout)


def times(path):
    """Presentation times of the film's frames, exact."""
    frames = ffprobe(path, "-select_streams", "v:0", "-show_entries", "frame=pts:stream=time_base")
    base = Fraction(frames["streams"][0]["time_base"])
    return [frame["pts"] * base for frame in frames["frames"]]


def planes(path):
    """Y, U and V of every frame."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            depth = frame.format.components[0].bits
            kind = np.uint8 if depth == 8 else np.dtype("<u2")
            yield [
                np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in frame.planes[: len(frame.planes)]
            ]


def video_hash(path):
    """SHA-256 of the film stream's packets."""
    copied = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            path,
            "-map",
            "0:v:0",
            "-c",
            "copy",
            "-f",
            "streamhash",
            "-hash",
            "sha256",
            "-",
        ],
        capture_output=True,
        check=True,
    )
    return copied.stdout


@pytest.fixture(scope="module")
def piece(samples, tmp_path_factory):
    """70 frames around the sample's second cut (at frame 116), small and lossless, with the sound."""
    path = tmp_path_factory.mktemp("piece") / "piece.mkv"
    trim = "trim=start_frame=85:end_frame=155,setpts=PTS-STARTPTS,scale=160:120"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            samples / "film.mp4",
            "-vf",
            trim,
            "-c:v",
            "ffv1",
            "-c:a",
            "copy",
            "-t",
            "3",
            path,
        ],
        check=True,
    )
    return path


def test_luma_times_and_streams_survive_and_colour_comes(samples, tmp_path):
    out = tmp_path / "out.mkv"
    film = colour(samples / "vfr10.mkv", out, codec="ffv1")
    assert film["frames"] == 43
    assert times(out) == times(samples / "vfr10.mkv")
    chroma = []
    for ours, source in zip(planes(out), planes(samples / "vfr10.mkv"), strict=True):
        assert np.array_equal(ours[0], source[0])
        chroma.append(np.abs(ours[1].astype(int) - 512).mean() + np.abs(ours[2].astype(int) - 512).mean())
    assert np.mean(chroma) > 10


def test_raw_samples_beyond_the_codes_of_their_depth_cost_themselves_alone(tmp_path):
    """A network has no lightness for them, and FFV1 would lose the picture around them."""
    luma = np.random.default_rng(0).integers(64, 940, (3, 48, 64), dtype="<u2")
    luma[1, 10:20, 10:20], luma[2, 0, 0] = 65535, 1024
    grey = np.full((2, 24, 32), 512, "<u2").tobytes()
    pictures = b"".join(b"FRAME\n" + picture.tobytes() + grey for picture in luma)
    (tmp_path / "raw.y4m").write_bytes(b"YUV4MPEG2 W64 H48 F24:1 Ip C420p10\n" + pictures)
    colour(tmp_path / "raw.y4m", tmp_path / "out.mkv", codec="ffv1")
    made = [y for y, *_ in planes(tmp_path / "out.mkv")]
    assert np.array_equal(made, np.minimum(luma, 1023))


def test_saturation_0_gives_exact_grey(piece, tmp_path):
    colour(piece, tmp_path / "out.mkv", codec="ffv1", saturation=0.0)
    for _, u, v in planes(tmp_path / "out.mkv"):
        assert (u == 128).all() and (v == 128).all()


@pytest.mark.parametrize("seconds", [Fraction(1, 2), Fraction(7, 10), Fraction(5, 100)])
def test_chunks_do_not_show(piece, tmp_path, monkeypatch, seconds):
    """Frames are the same, bit for bit, whether the film is one chunk or many."""
    colour(piece, tmp_path / "whole.mkv", codec="ffv1")
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", seconds)
    colour(piece, tmp_path / "cut.mkv", codec="ffv1")
    assert times(tmp_path / "cut.mkv") == times(tmp_path / "whole.mkv")
    for ours, whole in zip(planes(tmp_path / "cut.mkv"), planes(tmp_path / "whole.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, whole, strict=True))


class Stopped(Exception):
    pass


def stop_after(frames):
    """A report that ends the run when so many frames have been made."""

    def report(event):
        if event["type"] == "progress" and event["frames"] >= frames:
            raise Stopped

    return report


@pytest.mark.parametrize("frames", [3, 20, 40, 60])
def test_an_interrupted_run_goes_on_and_ends_the_same(piece, tmp_path, monkeypatch, frames):
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", Fraction(1, 2))
    monkeypatch.setattr(progress_module, "PROGRESS_SECONDS", 0)
    colour(piece, tmp_path / "whole.mkv")
    out = tmp_path / "out.mkv"
    with pytest.raises(Stopped):
        colour(piece, out, stop_after(frames))
    assert not out.exists()
    plans = []
    film = colour(piece, out, lambda event: plans.append(event) if event["type"] == "plan" else None)
    assert film["frames"] == 70
    assert plans[0]["chunks_done"] == (frames - 1) // 12  # the chunk that frame was in is not finished
    assert video_hash(out) == video_hash(tmp_path / "whole.mkv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mkv", "whole.mkv"]


def append(film):
    with film.open("ab") as file:
        file.write(bytes(100))


def replace_by_another(film):
    (other := film.with_name("other.mkv")).write_bytes(film.read_bytes()[:-1])
    other.replace(film)


@pytest.mark.parametrize("moment", ["progress", "remuxed"])
@pytest.mark.parametrize("change", [append, replace_by_another, Path.unlink])
def test_a_film_that_is_another_by_the_end_is_not_finished(piece, tmp_path, monkeypatch, change, moment):
    film, out = tmp_path / "film.mkv", tmp_path / "out.mkv"
    film.write_bytes(piece.read_bytes())
    events = []

    def note(event):
        events.append(event["type"])
        if moment == event["type"] and events.count(moment) == 1:
            change(film)

    def remux_and_change(*arguments):
        remux(*arguments)
        note({"type": "remuxed"})

    monkeypatch.setattr(run_module, "remux", remux_and_change)
    with pytest.raises(MediaError, match="did not stay the same while it was coloured"):
        colour(film, out, note)
    assert moment in events and not out.exists()


def test_another_option_starts_afresh_and_deletes_nothing(piece, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", Fraction(1, 2))
    monkeypatch.setattr(progress_module, "PROGRESS_SECONDS", 0)
    out = tmp_path / "out.mkv"
    with pytest.raises(Stopped):
        colour(piece, out, stop_after(30))
    kept = {p: hashlib.sha256(p.read_bytes()).digest() for p in tmp_path.rglob("chunk-*")}
    plans = []
    colour(piece, out, lambda event: plans.append(event) if event["type"] == "plan" else None, saturation=0.8)
    assert plans[0]["chunks_done"] == 0
    assert {p: hashlib.sha256(p.read_bytes()).digest() for p in tmp_path.rglob("chunk-*")} == kept and kept


def test_a_piece_holds_the_frames_between_its_ends(piece, tmp_path):
    colour(piece, tmp_path / "whole.mkv", codec="ffv1")
    colour(piece, tmp_path / "out.mkv", codec="ffv1", start=Fraction(1), end=Fraction(2))
    whole, all_times = list(planes(tmp_path / "whole.mkv")), times(piece)
    wanted = [f for f, t in zip(whole, all_times, strict=True) if 1 <= t - all_times[0] < 2]
    ours = list(planes(tmp_path / "out.mkv"))
    assert len(ours) == len(wanted) == 24
    for a, b in zip(ours, wanted, strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


def test_shots_are_reported_where_they_are(samples, tmp_path):
    shots = []
    colour(
        samples / "film.mp4",
        tmp_path / "out.mp4",
        lambda e: shots.append(e) if e["type"] == "shot" else None,
        preset="ultrafast",
    )
    cuts = json.loads((samples / "labels.json").read_text())["film.mp4"]["cuts"]
    found = [s["start_frame"] for s in shots if s["kind"] == "cut"]
    assert set(cuts) <= set(found)
    assert [s["start_time"] for s in shots if s["kind"] == "cut"][0] == pytest.approx(found[0] / 24)


def test_shots_of_a_piece_have_the_film_s_times(samples, tmp_path):
    shots = []
    note = lambda e: shots.append(e["start_time"]) if e["type"] == "shot" else None
    colour(samples / "film.mp4", tmp_path / "out.mp4", note, start=Fraction(1), end=Fraction(2), preset="ultrafast")
    assert shots[0] == pytest.approx(1)


@pytest.mark.parametrize("base", [Fraction(1, 24), Fraction(1, 24000), Fraction(1, 90000)])
@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (dict(start=Fraction("0.11")), (3, 40)),  # the first frame at or after 0.11 s is that at 0.125
        (dict(end=Fraction("0.09")), (0, 3)),  # those at 0, 0.042 and 0.083 s are before 0.09
        (dict(start=Fraction("0.666667"), end=Fraction("1.333333")), (16, 32)),  # 2/3 and 4/3 s, as `shots` tells them
        (dict(start=Fraction(2, 3), end=Fraction(4, 3)), (16, 32)),
    ],
)
def test_a_piece_has_the_frames_from_its_start_and_before_its_end(piece, base, options, frames):
    info = replace(probe(piece), time_base=base, start_pts=0)
    first, end = piece_of(info, RunOptions(**options))
    shown = [
        n
        for n in range(40)
        if first <= n * Fraction(1, 24) / base and (end is None or n * Fraction(1, 24) / base < end)
    ]
    assert (shown[0], shown[-1] + 1) == frames


@pytest.mark.parametrize("name", ["start", "end"])
def test_times_that_no_film_has_are_a_mistake_of_usage(name):
    with pytest.raises(UsageError, match=f"--{name} 1e.30 is out of range"):
        RunOptions(**{name: Fraction(10**30)}).validate()


def test_the_same_job_twice_at_once_is_refused(piece, tmp_path):
    out = tmp_path / "out.mkv"

    def again(event):
        if event["type"] == "plan":
            with pytest.raises(UsageError, match="process"):
                colour(piece, out)

    colour(piece, out, again)
    assert out.exists()


OTHERWISE = {
    "res": 160, "saturation": 1.5, "smooth": 0.5, "start": Fraction(1), "end": Fraction(9), "rate": Fraction(25),
    "on_damage": "skip", "deinterlace": True,
}  # fmt: skip
# What they come to is in the plan beside the options, and tested with it (test_resume.py), or changes no frame.
NOT_AS_OPTIONS = {"model", "weights", "backend", "decoder", "codec", "crf", "preset", "threads"}
NO_FRAME = {"stdout_format", "tag", "provenance", "verify", "max_pixels", "max_frames", "allow_protocol"}


def test_chunks_serve_no_run_whose_options_would_make_others(piece):
    """An option that is added must be put into one of these sets by who knows what it does to frames."""
    assert {field.name for field in fields(RunOptions)} == set(OTHERWISE) | NOT_AS_OPTIONS | NO_FRAME
    info = probe(piece)
    encoding = choose_encoding(info, "auto")
    plan = make_plan(encoding.prepare(info), RunOptions(), encoding, 2)
    changed = {name: replace(plan, options=replace(plan.options, **{name: value})) for name, value in OTHERWISE.items()}
    assert len({plan.fingerprint(), *(other.fingerprint() for other in changed.values())}) == 1 + len(OTHERWISE)
    tagged = replace(plan, options=replace(plan.options, tag=False, verify=True, max_frames=9))
    assert tagged.fingerprint() == plan.fingerprint()
