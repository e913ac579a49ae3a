"""What a run says of the colours that it made, and what it checks at the end."""

import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import asdict
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vidcolor import __version__
from vidcolor.config import RunOptions
from vidcolor.errors import MediaError, UsageError
from vidcolor.film import run as run_module
from vidcolor.film.batch import run_batch
from vidcolor.film.provenance import STATEMENT


def run(source, output, *, overwrite=False, **options):
    events = []
    run_batch((source,), output, RunOptions(**options), overwrite=overwrite, dry_run=False, report=events.append)
    return events


def tags(path):
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-of", "json", path], capture_output=True, text=True, check=True
    )
    return {name.lower(): value for name, value in json.loads(shown.stdout)["format"].get("tags", {}).items()}


@pytest.fixture(scope="module")
def piece(samples, tmp_path_factory):
    """70 frames around a cut of the sample at frame 31 of them, small."""
    path = tmp_path_factory.mktemp("piece") / "piece.mkv"
    trim = "trim=start_frame=85:end_frame=155,setpts=PTS-STARTPTS,scale=160:120"
    written = ("-an", "-metadata", "comment=Reel 3", "-c:v", "ffv1", path)
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", "-vf", trim, *written], check=True)
    return path


def test_the_record_tells_what_made_the_colours(piece, tmp_path):
    out = tmp_path / "out.mkv"
    film = run(piece, out, provenance=True, saturation=0.9, preset="ultrafast")[-2]
    record = json.loads((tmp_path / "out.mkv.provenance.json").read_text())
    assert record["statement"] == STATEMENT and record["vidcolor"] == __version__
    for name, path in (("source", piece), ("output", out)):
        assert record[name] == {
            "name": path.name, "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()
        }  # fmt: skip
    assert record["model"] == film["model"] and record["weights"] == film["weights"] and len(record["weights"]) == 64
    assert set(record["options"]) == set(asdict(RunOptions())) and record["options"]["saturation"] == 0.9
    shots = record["shots"]
    assert [shot["kind"] for shot in shots] == ["start", "cut"]
    assert shots[0]["start_pts"] == 0 and shots[0]["end_pts"] == shots[1]["start_pts"]
    assert Fraction(shots[1]["time_base"]) * shots[1]["start_pts"] == pytest.approx(31 / 24, abs=0.001)
    assert shots[1]["end_time"] == pytest.approx(70 / 24, abs=0.002)


def test_a_record_is_not_replaced_unasked(piece, tmp_path):
    (tmp_path / "out.mkv.provenance.json").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        run(piece, tmp_path / "out.mkv", provenance=True)
    assert (tmp_path / "out.mkv.provenance.json").read_text() == "mine"
    assert not (tmp_path / "out.mkv").exists()


def test_pictures_have_records_too(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    run(tmp_path / "grey.png", tmp_path / "out.png", provenance=True)
    record = json.loads((tmp_path / "out.png.provenance.json").read_text())
    assert record["statement"] == STATEMENT and record["output"]["name"] == "out.png" and len(record["weights"]) == 64


def test_the_statement_is_in_the_metadata_unless_it_is_left_out(piece, tmp_path):
    run(piece, tmp_path / "tagged.mkv", preset="ultrafast")
    run(piece, tmp_path / "plain.mkv", preset="ultrafast", tag=False)
    assert tags(tmp_path / "tagged.mkv")["comment"] == f"Reel 3 {STATEMENT}"
    assert tags(tmp_path / "plain.mkv")["comment"] == "Reel 3"


@pytest.mark.parametrize("options", [{}, {"codec": "ffv1"}, {"start": Fraction(1), "end": Fraction(2)}, {"crf": 30.0}])
def test_a_run_verifies_what_it_wrote(piece, tmp_path, options):
    preset = None if "codec" in options else "ultrafast"
    events = run(piece, tmp_path / "out.mkv", verify=True, preset=preset, **options)
    verified = [event for event in events if event["type"] == "verify"]
    assert len(verified) == 1 and verified[0]["conforms"], verified
    assert events[-1]["exit_code"] == 0


def test_a_film_that_does_not_conform_is_kept_and_fails_the_run(piece, tmp_path, monkeypatch):
    real = run_module.remux

    def faulty(info, encoding, chunks, output, *arguments):
        whole = output.with_name("whole.mkv")
        real(info, encoding, chunks, whole, *arguments)
        command = ["ffmpeg", "-v", "error", "-y", "-i", whole, "-vf", "lutyuv=y=val+3", "-c:v", "ffv1", output]
        subprocess.run(command, check=True)

    monkeypatch.setattr(run_module, "remux", faulty)
    events, out = [], tmp_path / "an output.mkv"
    options = RunOptions(verify=True, codec="ffv1", start=Fraction(1, 2))
    with pytest.raises(MediaError, match=r"does not conform.*luma.*It is kept") as caught:
        run_batch((piece,), out, options, overwrite=False, dry_run=False, report=events.append)
    again = shlex.split(str(caught.value).partition("It is kept: ")[2])
    assert again == ["vidcolor", "verify", str(piece), str(out), "--codec", "ffv1", "--start", "0.5"]
    assert caught.value.exit_code == 1 and events[-1]["exit_code"] == 1 and out.exists()
    assert [event["conforms"] for event in events if event["type"] == "verify"] == [False]


def test_sequences_have_records_of_all_their_pictures(samples, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "c.0900.png").write_bytes(b"of another run")
    run(samples / "vfr10.mkv", tmp_path / "in.%04d.png", end=Fraction(1, 4))
    sources = sorted(tmp_path.glob("in.*.png"))
    run(tmp_path / "in.%04d.png", tmp_path / "out" / "c.%04d.png", overwrite=True, rate=Fraction(24), provenance=True)
    record = json.loads((tmp_path / "out" / "c.%04d.png.provenance.json").read_text())
    made = [tmp_path / "out" / path.name.replace("in", "c") for path in sources]
    for name, pattern, files in (("source", "in.%04d.png", sources), ("output", "c.%04d.png", made)):
        whole = b"".join(path.read_bytes() for path in files)
        assert record[name] == {
            "name": pattern, "first": 1, "last": len(files), "pictures": len(files),
            "bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest(),
        }  # fmt: skip
    assert len(files) > 3 and record["shots"][0]["kind"] == "start"


def test_a_film_from_a_pipe_has_a_record_of_all_that_came(piece, tmp_path):
    nut = ["ffmpeg", "-v", "error", "-i", piece, "-frames:v", "12", "-c:v", "rawvideo", "-f", "nut", "-"]
    sent = subprocess.run(nut, capture_output=True, check=True).stdout
    command = [sys.executable, "-m", "vidcolor", "run", "-", "-q", "--provenance", "-o"]
    subprocess.run([*command, tmp_path / "out.mkv"], input=sent, check=True)
    record = json.loads((tmp_path / "out.mkv.provenance.json").read_text())
    assert record["source"] == {"name": "stdin", "bytes": len(sent), "sha256": hashlib.sha256(sent).hexdigest()}
    assert record["output"]["sha256"] == hashlib.sha256((tmp_path / "out.mkv").read_bytes()).hexdigest()
    assert record["damaged"] == [] and record["encoder"].startswith("libx264") and len(record["shots"]) == 1
    for arguments in ([*command, "-"], [*command[:-2], "--verify", "-o", tmp_path / "other.mkv"]):
        refused = subprocess.run(arguments, input=sent, capture_output=True)
        assert refused.returncode == 2 and not refused.stdout and b"needs" in refused.stderr
