"""`vidcolor shots`: labelled films, exact times, and what it prints and writes."""

import csv
import json
import subprocess
import sys
from fractions import Fraction

import pytest
from marks import LABELLED, score_of_cuts, score_of_dissolves

from vidcolor.film.edl import edl
from vidcolor.film.shots import Boundaries, Shot, shots_of
from vidcolor.media.probe import probe
from vidcolor.media.source import FilmSource
from vidcolor.temporal.shots import Decision


def shots_in(path):
    with FilmSource(probe(path), 2) as source:
        return list(shots_of(source))


def vidcolor_shots(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vidcolor", "shots", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def sample_shots(samples):
    return shots_in(samples / "film.mp4")


@pytest.mark.parametrize("name", LABELLED)
def test_real_films(name, shared_data):
    cuts, dissolves, frames = LABELLED[name]
    shots = shots_in(shared_data / name)
    of_cuts = score_of_cuts([shot.start_frame for shot in shots if shot.kind == "cut"], cuts)
    of_dissolves = score_of_dissolves([shot.dissolve for shot in shots if shot.kind == "dissolve"], dissolves)
    assert (of_cuts.false, of_cuts.missed, of_dissolves.false, of_dissolves.missed) == (0, 0, 0, 0)
    assert [shot.kind for shot in shots].count("start") == 1
    assert shots[-1].end_frame == frames


def test_the_sample_film(sample_shots, samples):
    labels = json.loads((samples / "labels.json").read_text())["film.mp4"]
    assert [shot.start_frame for shot in sample_shots if shot.kind == "cut"] == labels["cuts"]
    (dissolved,) = [shot for shot in sample_shots if shot.kind == "dissolve"]
    first, end = labels["dissolves"][0]
    assert abs(dissolved.start_frame - (first + end) // 2) <= 3
    assert abs(dissolved.dissolve[0] - first) <= 6 and abs(dissolved.dissolve[1] - end) <= 6


def test_shots_cover_the_film_once(sample_shots):
    assert sample_shots[0].start_frame == 0 and sample_shots[0].kind == "start"
    for shot, following in zip(sample_shots, sample_shots[1:], strict=False):
        assert (shot.end_frame, shot.end_pts) == (following.start_frame, following.start_pts)
    assert sample_shots[-1].end_frame == 288


def test_times_are_those_of_the_frames_at_a_variable_rate(samples):
    labels = json.loads((samples / "labels.json").read_text())["vfr10.mkv"]
    info = probe(samples / "vfr10.mkv")
    first, second = shots_in(info.path)
    (cut,) = labels["cuts"]
    assert second.start_frame == cut
    assert (second.start_pts - info.start_pts) * info.time_base == Fraction(labels["pts_ms"][cut], 1000)
    assert first.end_pts == second.start_pts


def boundaries(marks):
    """Shots of a film whose frames are "." (nothing), "c" (cut), "d" (dissolve) or "b" (both); 10 ticks a frame."""
    found = Boundaries()
    shots = [s for n, m in enumerate(marks) for s in found.push(10 * n, Decision(m in "cb", m in "db"))]
    return [(s.start_frame, s.end_frame, s.start_pts, s.kind) for s in shots + found.finish(10 * len(marks))]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("...", [(0, "start")]),
        ("...c..", [(0, "start"), (3, "cut")]),
        ("...dddd...", [(0, "start"), (5, "dissolve")]),
        ("...dddd", [(0, "start"), (5, "dissolve")]),
        ("...ddbd..", [(0, "start"), (5, "cut")]),
        ("...dddc..", [(0, "start"), (6, "cut")]),
        ("...bdddd.", [(0, "start"), (3, "cut")]),
        ("d....", [(0, "start")]),
        (".....ddddd....c....ddddd....", [(0, "start"), (14, "cut")]),
        ("..c.........dddd.........c.", [(0, "start"), (2, "cut"), (14, "dissolve"), (25, "cut")]),
        ("..dd..dd..", [(0, "start"), (3, "dissolve"), (7, "dissolve")]),
    ],
)
def test_what_becomes_a_boundary(marks, expected):
    found = boundaries(marks)
    assert [(first, kind) for first, _, _, kind in found] == expected
    assert all(pts == 10 * first for first, _, pts, _ in found)
    assert [end for _, end, *_ in found] == [first for first, _ in expected[1:]] + [len(marks)]


def test_a_film_without_frames_has_no_shots():
    assert Boundaries().finish(0) == []


def test_json_and_csv(samples, sample_shots):
    events = [json.loads(line) for line in vidcolor_shots(samples / "film.mp4", "--json").stdout.splitlines()]
    assert {event["type"] for event in events} == {"shot"}
    assert [(e["start_frame"], e["end_frame"], e["kind"]) for e in events] == [
        (s.start_frame, s.end_frame, s.kind) for s in sample_shots
    ]
    for event in events:
        assert event["start_time"] == pytest.approx(event["start_frame"] / 24)
        assert event["end_time"] == float(event["end_pts"] * Fraction(event["time_base"]))
        assert (event["dissolve"] is not None) == (event["kind"] == "dissolve")
    rows = list(csv.DictReader(vidcolor_shots(samples / "film.mp4", "--csv").stdout.splitlines()))
    assert [int(row["start_frame"]) for row in rows] == [s.start_frame for s in sample_shots]
    assert rows[3]["dissolve_start"] == str(sample_shots[3].dissolve[0])


def test_the_edit_list_reads_back(samples, sample_shots):
    otio = pytest.importorskip("opentimelineio")
    if "cmx_3600" not in otio.adapters.available_adapter_names():
        pytest.skip("OpenTimelineIO has no CMX3600 adapter: pip install otio-cmx3600-adapter")
    text = edl(sample_shots, probe(samples / "film.mp4"))
    (track,) = otio.adapters.read_from_string(text, "cmx_3600", rate=24).tracks
    ranges = [clip.source_range for clip in track if isinstance(clip, otio.schema.Clip)]
    assert [r.start_time.to_frames() for r in ranges] == [s.start_frame for s in sample_shots]
    assert [r.duration.to_frames() for r in ranges] == [s.end_frame - s.start_frame for s in sample_shots]


def test_timecode_counts_frames_of_the_rate(samples):
    """At 24000/1001, an hour of timecode is 86400 frames, 3603.6 s long."""
    import dataclasses

    info = dataclasses.replace(
        probe(samples / "film.mp4"), average_rate=Fraction(24000, 1001), time_base=Fraction(1, 24000), start_pts=500
    )
    shots = [Shot(0, 86401, 500, 500 + 86401 * 1001, "start")]
    event = edl(shots, info).splitlines()[3]
    assert event == "001  AX       V     C        00:00:00:00 01:00:00:01 00:00:00:00 01:00:00:01"


def test_the_edit_list_is_written_beside_the_table(samples, tmp_path):
    path = tmp_path / "film.edl"
    result = vidcolor_shots(samples / "vfr10.mkv", "--edl", path)
    assert result.returncode == 0 and "cut" in result.stdout
    assert sum(" AX " in line for line in path.read_text().splitlines()) == 2
    again = vidcolor_shots(samples / "vfr10.mkv", "--edl", path)
    assert again.returncode == 2 and "Add --overwrite, or give another name with --edl." in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["missing.mp4"], 2, "no such file"),
        (["{samples}/portrait.jpg"], 1, "portrait.jpg"),
        (["{samples}/film.mp4", "--json", "--csv"], 2, "--json and --csv"),
        (["{samples}/film.mp4", "--edl", "no/such/folder.edl"], 2, "no folder"),
        (["{samples}/film.mp4", "--edl", "{samples}/film.mp4", "--overwrite"], 2, "input itself"),
        (["{samples}/film.mp4", "--edl", "{samples}"], 2, "Try: --edl"),
    ],
)
def test_mistakes_are_one_line(samples, arguments, code, says):
    result = vidcolor_shots(*(a.format(samples=samples) for a in arguments))
    (line,) = result.stderr.strip().splitlines()
    assert result.returncode == code and line.startswith("vidcolor: ") and says in line
