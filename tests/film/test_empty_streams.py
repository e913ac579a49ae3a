"""Sound that has nothing in a piece: MP4 and QuickTime files hold no empty streams, which is said and no fault."""

import subprocess
from fractions import Fraction

import pytest

from vidcolor.config import RunOptions
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def streams(path):
    show = ("-show_entries", "stream=codec_type,duration", "-of", "csv=p=0")
    shown = subprocess.run(["ffprobe", "-v", "error", *show, path], capture_output=True, text=True, check=True)
    return [line.split(",")[0] for line in shown.stdout.splitlines()]


@pytest.fixture(scope="module", params=[".mp4", ".mkv"])
def film(request, tmp_path_factory):
    """Three seconds; a sound with a pause from 0.9 to 2.1 s, one of 1.5 s, one that lasts."""
    folder = tmp_path_factory.mktemp("film")
    sounds = [word for length in (3, 1.5, 3) for word in ("-f", "lavfi", "-t", str(length), "-i", "sine=r=48000")]
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=3,format=gray,format=yuv420p", *sounds, "-map", "0", "-map", "1",
        "-map", "2", "-map", "3", "-c:v", "libx264", "-bf", "2", "-g", "10", "-c:a", "aac",
        "-bsf:a:0", "noise=drop='between(pts*tb,0.9,2.1)'", folder / "film.mp4",
    )  # fmt: skip
    if request.param != ".mp4":
        ffmpeg("-i", folder / "film.mp4", "-map", "0", "-c", "copy", folder / f"film{request.param}")
    return folder / f"film{request.param}"


def coloured(film, output, **options):
    """What it said that it converts."""
    told = []
    colour_film(film, output, False, RunOptions(**options), overwrite=True, dry_run=False, report=told.append)
    (plan,) = (event for event in told if event["type"] == "plan")
    return plan["converted"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(
    "start, end, lost",
    [("1", "2", [1]), ("1", "1.6", [1]), ("1.6", "2", [1, 2]), ("1.6", None, [2]), ("0.5", "1.2", []), (None, None, [])],
)  # fmt: skip
def test_sound_with_nothing_in_the_piece_is_said_to_be_left_out(start, end, lost, suffix, film, tmp_path):
    piece = {name: Fraction(time) for name, time in (("start", start), ("end", end)) if time}
    out = tmp_path / f"out{suffix}"
    said = [text.split(" (")[0] for text in coloured(film, out, **piece) if "hold no empty streams" in text]
    assert said == [f"audio stream {index}" for index in lost]
    assert streams(out) == ["video", *["audio"] * (3 - len(lost))]
    result = verify(film, out, RunOptions(**piece))
    assert result.conforms, [finding for finding in result.findings if finding.differs]
    told = [finding.what.split(" (")[0] for finding in result.findings if "no empty streams" in finding.note]
    assert told == said and all(f.verdict == "stated" for f in result.findings if "no empty streams" in f.note)


def test_sound_that_the_piece_has_is_missed(film, tmp_path):
    coloured(film, tmp_path / "out.mp4", start=Fraction(1), end=Fraction(2))
    ffmpeg("-i", tmp_path / "out.mp4", "-map", "0:v", "-map", "0:a:0", "-c", "copy", tmp_path / "bad.mp4")
    result = verify(film, tmp_path / "bad.mp4", RunOptions(start=Fraction(1), end=Fraction(2)))
    missing = [finding.what.split(" (")[0] for finding in result.findings if finding.output == "missing"]
    assert not result.conforms and missing == ["audio stream 3"]


def test_matroska_holds_them(film, tmp_path):
    assert not [text for text in coloured(film, tmp_path / "out.mkv", start=Fraction(1)) if "empty streams" in text]
    assert streams(tmp_path / "out.mkv") == ["video", "audio", "audio", "audio"]
    assert verify(film, tmp_path / "out.mkv", RunOptions(start=Fraction(1))).conforms


def test_another_film_under_the_same_name_is_looked_at_anew(tmp_path):
    """In one process, as a library or a batch does."""
    film, said = tmp_path / "film.nut", []
    for drop in ("0", "between(pts*tb,0.9,2.6)"):  # all of the sound is there, then none of it in the piece
        picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=3,format=gray,format=yuv420p")
        sound = ("-f", "lavfi", "-t", "3", "-i", "sine=r=48000", "-c:a", "pcm_s16le", "-bsf:a", f"noise=drop='{drop}'")
        ffmpeg(*picture, *sound, "-c:v", "libx264", "-g", "10", film)
        converted = coloured(film, tmp_path / "out.mov", start=Fraction(3, 2), end=Fraction(2))
        said.append(sum("hold no empty streams" in text for text in converted))
    assert said == [0, 1]
