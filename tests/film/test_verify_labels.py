"""Time codes and services: those that an output should have, and others, which are noticed."""

import subprocess
from fractions import Fraction

import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def coloured(film, output, **options):
    colour_film(film, output, False, RunOptions(**options), overwrite=True, dry_run=False, report=lambda event: None)
    return output


def finding(what, source, output, **options):
    (found,) = (each for each in verify(source, output, RunOptions(**options)).findings if each.what == what)
    return found


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Seventy seconds at 29.97 frames a second, drop frame."""
    path = tmp_path_factory.mktemp("film") / "film.mov"
    pictures = "testsrc2=s=32x32:r=30000/1001:d=70,format=gray,format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", pictures, "-c:v", "libx264", "-timecode", "10:00:00;00", path)
    return path


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_the_time_code_is_that_of_the_first_frame(suffix, film, tmp_path):
    piece = {"start": Fraction(61), "end": Fraction(62)}
    made = coloured(film, tmp_path / f"out{suffix}", **piece)
    found = finding("time code", film, made, **piece)
    assert (found.source, found.output, found.verdict) == ("10:00:00;00", "10:01:01;01", "same")
    ffmpeg("-i", made, "-map", "0:v", "-c", "copy", "-metadata:s:v", "timecode=10:01:01;03", tmp_path / f"bad{suffix}")
    found = finding("time code", film, tmp_path / f"bad{suffix}", **piece)
    assert (found.output, found.verdict, found.note) == ("10:01:01;03", "differs", "not 10:01:01;01")
    ffmpeg("-i", film, "-map", "0:v", "-c", "copy", "-metadata:s:v", "timecode=", tmp_path / f"none{suffix}")
    assert finding("time code", film, tmp_path / f"none{suffix}").output == "none"


@pytest.fixture(scope="module")
def broadcast(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("broadcast") / "film.ts"
    named = ("-metadata", "service_name=Kanal 4", "-metadata", "service_provider=NDR", "-mpegts_service_id", "771")
    ffmpeg(
        "-i",
        samples / "film.mp4",
        "-map",
        "0:v",
        "-vf",
        "scale=64:48",
        "-frames:v",
        "6",
        "-map_metadata",
        "-1",
        *named,
        path,
    )
    return path  # fmt: skip


def test_number_and_names_of_a_service_are_held_to_the_source(broadcast, tmp_path):
    made = coloured(broadcast, tmp_path / "out.ts")
    found = finding("service", broadcast, made)
    assert (found.output, found.verdict) == ("771 Kanal 4 NDR", "same")
    good = {"service_name": "Kanal 4", "service_provider": "NDR", "number": "771"}
    for other in ({"service_name": "Kanal 5"}, {"service_provider": "ZDF"}, {"number": "772"}):
        now = {**good, **other}
        named = [word for name in list(now)[:2] for word in ("-metadata", f"{name}={now[name]}")]
        ffmpeg("-i", made, "-c", "copy", *named, "-mpegts_service_id", now["number"], tmp_path / "bad.ts")
        found = finding("service", broadcast, tmp_path / "bad.ts")
        assert found.verdict == "differs" and ("number" if "number" in other else list(other)[0]) in found.note


def test_streams_of_several_services_are_said_to_become_one(broadcast, tmp_path):
    both = ("-map", "0", "-map", "0", "-c", "copy", "-program", "title=Kanal 4:st=0", "-program", "title=Kanal 5:st=1")
    ffmpeg("-i", broadcast, *both, tmp_path / "two.ts")
    ways = {"overwrite": False, "dry_run": False, "report": lambda event: None}
    film = colour_film(tmp_path / "two.ts", tmp_path / "out.ts", False, RunOptions(), **ways)
    assert any("the streams of 2 services" in sentence for sentence in film["converted"])
    film = colour_film(broadcast, tmp_path / "one.ts", False, RunOptions(), **ways)
    assert not any("services" in sentence for sentence in film["converted"])
