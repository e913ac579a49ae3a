"""What is said and done about work of an earlier run: gone on from, explained, kept, or asked to be removed."""

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from vidcolor.cli.ui import TextReport
from vidcolor.config import RunOptions, WorkOptions
from vidcolor.errors import UsageError
from vidcolor.film import plan as plan_module
from vidcolor.film import progress as progress_module
from vidcolor.film.run import colour_film


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(plan_module, "CHUNK_SECONDS", Fraction(1, 2))
    monkeypatch.setattr(progress_module, "PROGRESS_SECONDS", 0)


@pytest.fixture(scope="module")
def piece(samples, tmp_path_factory):
    """48 small frames, four chunks of 12."""
    path = tmp_path_factory.mktemp("piece") / "piece.mkv"
    small = ["-map", "0:v", "-vf", "scale=96:72", "-frames:v", "48", "-c:v", "ffv1"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", samples / "film.mp4", *small, path], check=True)
    return path


class Stopped(Exception):
    pass


def colour(source, output, *, stop=None, work=WorkOptions(), overwrite=False, dry_run=False, report=None, **options):
    """Colour `source`; after `stop` frames the run ends as if something had failed. The events."""
    events = []

    def note(event):
        events.append(event)
        if report:
            report(event)
        if stop and event["type"] == "progress" and event["frames"] >= stop:
            raise Stopped

    try:
        colour_film(
            Path(source), Path(output), False, RunOptions(**options),
            overwrite=overwrite, dry_run=dry_run, report=note, work=work,
        )  # fmt: skip
    except Stopped:
        pass
    return events


def plan_of(events):
    return next(event for event in events if event["type"] == "plan")


def told(events, capsys):
    """What people are told of these events."""
    capsys.readouterr()
    report = TextReport(verbose=False, errors_only=False)
    for event in events:
        if event["type"] == "plan":
            report(event)
    return capsys.readouterr().err


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_resumed_run_says_how_much_was_done(piece, tmp_path, capsys):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    events = colour(piece, out)
    assert (plan_of(events)["chunks_done"], plan_of(events)["chunks"]) == (2, 4)
    assert "resumed: 2 of 4 chunks done" in told(events, capsys)
    made = [event for event in events if event["type"] == "progress"]
    assert made[0]["frames"] == 25 and made[-1]["frames"] == 48


CHANGES = [
    ({"saturation": 0.5}, "--saturation was 1.0, is 0.5"),
    ({"smooth": 0.0}, "--smooth was 1.0, is 0.0"),
    ({"codec": "ffv1"}, "--codec was h264, is ffv1"),
    ({"crf": 30.0}, "--crf was 16, is 30"),
    ({"preset": "ultrafast"}, "--preset was veryfast, is ultrafast"),
    ({"end": Fraction(3, 2)}, "--end was not given, is 3/2"),
    ({"threads": 3}, "--threads was 2, is 3"),
]


def test_another_option_starts_afresh_and_says_why(piece, tmp_path, capsys):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30, threads=2)
    before = files(tmp_path)
    for options, phrase in CHANGES:
        events = colour(piece, out, stop=1, **{"threads": 2, **options})
        plan = plan_of(events)
        (other,) = plan["other_work"]
        assert (plan["chunks_done"], other["chunks"], other["differs"]) == (0, 2, (phrase,))
        said = told(events, capsys)
        assert "starts afresh" in said and phrase in said and other["removal"] in said
    colour(piece, out, threads=2, saturation=0.5)
    assert files(tmp_path).items() >= before.items()  # nothing was deleted
    subprocess.run(shlex.split(other["removal"]), check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_another_source_starts_afresh_and_says_why(piece, tmp_path):
    source, other = tmp_path / "film.mkv", tmp_path / "other.mkv"
    for path in (source, other):
        path.write_bytes(piece.read_bytes())
    out = tmp_path / "out.mkv"
    colour(source, out, stop=30)
    (work,) = plan_of(colour(other, out, dry_run=True))["other_work"]
    assert work["differs"] == (f"the source was {source}, is {other}",)
    os.utime(source)
    (work,) = plan_of(colour(source, out, dry_run=True))["other_work"]
    assert work["differs"] == ("the source was written to since",)
    with source.open("ab") as file:
        file.write(bytes(100))
    (work,) = plan_of(colour(source, out, dry_run=True))["other_work"]
    size = piece.stat().st_size
    assert work["differs"] == (f"the source's size was {size}, is {size + 100}",)


def test_other_weights_start_afresh_and_say_so(piece, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    find = plan_module.find_weights
    monkeypatch.setattr(plan_module, "find_weights", lambda *given: replace(find(*given), hash="0" * 64))
    (work,) = plan_of(colour(piece, out, dry_run=True))["other_work"]
    assert [phrase.split(" was ")[0] for phrase in work["differs"]] == ["the network's weights"]


def test_auto_and_what_it_chooses_are_the_same_job(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    chosen = {"model": "lite", "backend": "openvino", "codec": "h264", "crf": 16.0, "preset": "veryfast"}
    assert plan_of(colour(piece, out, **chosen))["chunks_done"] == 2


def test_no_resume_begins_again(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    assert plan_of(colour(piece, out, dry_run=True, work=WorkOptions(resume=False)))["chunks_done"] == 0
    assert plan_of(colour(piece, out, dry_run=True))["chunks_done"] == 2  # a dry run deletes nothing
    events = colour(piece, out, work=WorkOptions(resume=False))
    assert plan_of(events)["chunks_done"] == 0
    assert events[-1]["frames"] == 48


def test_work_that_is_kept_serves_again(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, work=WorkOptions(keep=True))
    first = out.read_bytes()
    events = colour(piece, out, overwrite=True)
    assert plan_of(events)["chunks_done"] == 4
    assert out.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_work_is_kept_where_it_is_asked_to_be(piece, tmp_path):
    work = tmp_path / "work"
    for name in ("one", "two"):  # outputs of the same name do not share
        (tmp_path / name).mkdir()
    work.mkdir()
    colour(piece, tmp_path / "one" / "out.mkv", stop=30, work=WorkOptions(work))
    assert not list((tmp_path / "one").iterdir())
    events = colour(piece, tmp_path / "two" / "out.mkv", stop=15, work=WorkOptions(work))
    assert plan_of(events)["chunks_done"] == 0 and plan_of(events)["other_work"] == []
    assert plan_of(colour(piece, tmp_path / "one" / "out.mkv", work=WorkOptions(work)))["chunks_done"] == 2
    assert plan_of(colour(piece, tmp_path / "two" / "out.mkv", work=WorkOptions(work)))["chunks_done"] == 1
    assert not list(work.iterdir())


def test_work_in_another_place_is_named(piece, tmp_path):
    out, work = tmp_path / "out.mkv", tmp_path / "work"
    work.mkdir()
    colour(piece, out, stop=30)
    plan = plan_of(colour(piece, out, work=WorkOptions(work)))
    assert plan["chunks_done"] == 0
    assert [other["differs"] for other in plan["other_work"]] == [("it is the same job with another --workdir",)]
    with pytest.raises(UsageError, match="exists already.* rm -r .*vidcolor-"):
        colour(piece, out)


def test_names_may_be_long_and_strange(piece, tmp_path):
    for name in ("[a]*?'\n.mkv", "x" * 250 + ".mkv", "-o.mkv", os.fsdecode(b"\xff\xfe.mkv")):
        out = tmp_path / name
        colour(piece, out, stop=30)
        events = colour(piece, out, saturation=0.5, stop=1)
        assert len(plan_of(events)["other_work"]) == 1
        assert plan_of(colour(piece, out))["chunks_done"] == 2
        assert [path.name for path in tmp_path.iterdir()] == [name]
        out.unlink()


def test_a_workdir_that_cannot_be_used_is_refused(piece, tmp_path):
    with pytest.raises(UsageError, match="mkdir"):
        colour(piece, tmp_path / "out.mkv", work=WorkOptions(tmp_path / "nowhere"))
    assert not list(tmp_path.iterdir())


def test_chunks_that_were_damaged_are_made_again(piece, tmp_path):
    colour(piece, tmp_path / "whole.mkv")
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=47)
    chunks = sorted(tmp_path.rglob("chunk-*"))
    assert len(chunks) == 3
    data = bytearray(chunks[1].read_bytes())
    data[len(data) // 2] ^= 1
    chunks[1].write_bytes(data)
    chunks[2].unlink()
    assert plan_of(colour(piece, out))["chunks_done"] == 1
    assert out.read_bytes() == (tmp_path / "whole.mkv").read_bytes()


def test_shots_are_told_with_their_own_frames_when_a_chunk_amid_finished_ones_is_made_again(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=47)
    sorted(tmp_path.rglob("chunk-*"))[1].unlink()
    shots = [(e["start_time"], e["start_frame"]) for e in colour(piece, out) if e["type"] == "shot"]
    assert shots[0] == (0.5, 12) and all(frame == time * 24 for time, frame in shots)


def test_what_a_killed_process_left_is_cleared_away(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (folder / ".chunk-000002.abcd.mp4").write_bytes(b"half")
    (folder / ".vidcolor-abcd").mkdir()
    (tmp_path / ".out.mkv.vidcolor.part.mkv").write_bytes(b"half")
    (tmp_path / ".out.mkv.vidcolor.lock").write_text("1\n")
    colour(piece, out, saturation=0.5)  # another job of the same output clears what nobody can use
    assert {path.name for path in tmp_path.iterdir()} == {"out.mkv", folder.name}
    colour(piece, out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


def test_an_output_that_is_being_made_is_refused_with_the_process(piece, tmp_path):
    out = tmp_path / "out.mkv"

    def again(event):
        if event["type"] == "plan":
            for options in ({}, {"saturation": 0.5}):
                with pytest.raises(UsageError, match=f"process {os.getpid()} is at it"):
                    colour(piece, out, **options)

    colour(piece, out, report=again)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]


@pytest.mark.parametrize("name", ["", "plan.json", "journal.txt", "lock"])
def test_links_do_not_lead_out_of_the_work_folder(piece, tmp_path, name):
    folder, outside = tmp_path / "films", tmp_path / "outside"
    folder.mkdir()
    out = folder / "out.mkv"
    colour(piece, out, stop=30)
    (work,) = (path for path in folder.iterdir() if path.is_dir())
    place = folder / ".out.mkv.vidcolor.lock" if name == "lock" else work / name
    if place.exists():
        place.rename(outside)
    else:
        outside.write_text("mine")
    place.symlink_to(outside)
    before = files(tmp_path)
    with pytest.raises(UsageError, match="links are not followed"):
        colour(piece, out)
    assert files(tmp_path) == before


def test_a_chunk_that_is_a_link_is_made_again_and_its_target_left_alone(piece, tmp_path):
    out, outside = tmp_path / "out.mkv", tmp_path / "outside"
    colour(piece, out, stop=30)
    chunk = min(tmp_path.rglob("chunk-*"))
    chunk.rename(outside)
    chunk.symlink_to(outside)
    before = outside.read_bytes()
    assert plan_of(colour(piece, out))["chunks_done"] == 1
    assert outside.read_bytes() == before


def test_a_pipe_in_the_place_of_the_journal_is_not_waited_for(piece, tmp_path):
    out = tmp_path / "out.mkv"
    colour(piece, out, stop=30)
    journal = next(tmp_path.rglob("journal.txt"))
    journal.unlink()
    os.mkfifo(journal)
    with pytest.raises(UsageError, match="rm "):
        colour(piece, out)


def run_process(*arguments, **given):
    command = [sys.executable, "-m", "vidcolor", "run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **given)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_kill_is_like_ctrl_c(samples, tmp_path, number):
    heard = lambda: signal.signal(number, signal.SIG_DFL)  # whoever started the tests may have ignored it
    process = run_process(samples / "film.mp4", "-o", tmp_path / "film.mp4", "--json", preexec_fn=heard)
    for line in process.stdout:
        if '"progress"' in line:
            break
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert '"interrupted"' in rest.splitlines()[-1]
    assert errors.splitlines()[-1] == "vidcolor: interrupted" and "Traceback" not in errors
    assert not list(tmp_path.iterdir())  # its first chunk was not finished


def test_runs_side_by_side_in_one_folder_do_not_meet(piece, tmp_path):
    """As xargs -P and make -j start them."""
    names = [f"film {index}.mkv" for index in range(3)]
    for name in names:
        (tmp_path / name).write_bytes(piece.read_bytes())
    listed = "\0".join(str(tmp_path / name) for name in names)
    command = ["xargs", "-0", "-n", "1", "-P", "3", sys.executable, "-m", "vidcolor", "run"]
    done = subprocess.run(command, input=listed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    coloured = [f"film {index}.color.mkv" for index in range(3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names + coloured)
    assert len({(tmp_path / name).read_bytes() for name in coloured}) == 1


def test_of_two_runs_of_one_film_the_second_is_refused(samples, tmp_path):
    first = run_process(samples / "film.mp4", "-o", tmp_path / "out.mp4", "--json")
    for line in first.stdout:
        if '"plan"' in line:
            break
    second = run_process(samples / "film.mp4", "-o", tmp_path / "out.mp4", "--saturation", "0.5")
    _, errors = second.communicate()
    assert second.returncode == 2
    assert f"process {first.pid} is at it" in errors.splitlines()[-1]
    first.communicate()
    assert first.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
