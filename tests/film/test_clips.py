"""Every real clip, plain and awkward: frames, times and everything beside the picture come through."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.film.run import colour_film

VIDEO = (
    "bw_abomb_1950s.mp4 bw_friday_1940.mp4 bw_london_1900s.mp4 bw_polar_1951.mp4 col_bikes_cuts.mp4 "
    "col_cockatoo_444.mp4 col_party_hedge.mp4 col_yoga_sky.mp4"
).split()
AWKWARD = (
    "01_vfr_rot180_phone.mp4 02a_start_8s.mp4 02b_editlist_preroll_bframes.mp4 03_rot90_nasa.mp4 "
    "04_anamorphic_sar16x11.mp4 05_interlaced_mpeg2_tff.ts 06_multistream.mkv 07_hevc10_nasa.mp4 08_odd_175x143_vp9.webm "
    "09_gray10_ffv1.mkv 10a_gif_newtonscradle.gif 10b_mpeg4asp_mp3.avi 11_truncated.mkv 12a_truncated_faststart.mp4"
).split()


def ffprobe(path, *arguments):
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *arguments, path], capture_output=True, text=True, check=False
    )
    return json.loads(shown.stdout)


def film_of(path):
    """(index, time base) of the first video stream that is no cover."""
    for stream in ffprobe(path, "-show_streams")["streams"]:
        if stream["codec_type"] == "video" and not stream["disposition"]["attached_pic"]:
            return stream["index"], Fraction(stream["time_base"])
    raise AssertionError(f"no film in {path}")


def frame_times(path):
    index, base = film_of(path)
    frames = ffprobe(path, "-select_streams", str(index), "-show_entries", "frame=best_effort_timestamp")["frames"]
    ticks = [frame.get("best_effort_timestamp") for frame in frames]
    if path.suffix == ".avi" and ticks[-1] is None:  # it has no presentation times, and the last is not guessed
        ticks[-1] = ticks[-2] + 1
    return [t * base for t in ticks]


def beside(path):
    """Everything but the film's own coding: kind, codec of what is copied, language, dispositions, in order."""
    found = ffprobe(path, "-show_streams", "-show_chapters")
    streams = [
        (
            s["codec_type"],
            None if s["codec_type"] in ("video", "subtitle") else s.get("codec_name"),
            s.get("tags", {}).get("language", "und"),
            {name for name, on in s["disposition"].items() if on},
        )
        for s in found["streams"]
    ]
    chapters = [
        (float(c["start_time"]), float(c["end_time"]), c.get("tags", {}).get("title")) for c in found["chapters"]
    ]
    return streams, chapters


def audio_end(path, index):
    packets = ffprobe(path, "-select_streams", f"a:{index}", "-show_entries", "packet=pts_time,duration_time")[
        "packets"
    ]
    return (
        float(packets[0]["pts_time"]),
        float(packets[-1]["pts_time"]) + float(packets[-1]["duration_time"]),
        len(packets),
    )


@pytest.mark.parametrize("name", [f"video/{n}" for n in VIDEO] + [f"awkward/{n}" for n in AWKWARD])
def test_a_clip_comes_through(name, shared_data, tmp_path):
    source = shared_data / name
    events = []
    film = colour_film(source, tmp_path, True, RunOptions(), overwrite=False, dry_run=False, report=events.append)
    out = Path(film["output"])
    assert not film["error"]

    expected, found = frame_times(source), frame_times(out)
    assert film["frames"] == len(found) == len(expected)
    assert found == expected

    (streams, chapters), (our_streams, our_chapters) = beside(source), beside(out)
    if source.suffix in (".gif", ".avi"):  # these know no dispositions
        our_streams, streams = ([s[:3] for s in each] for each in (our_streams, streams))
    assert our_streams == streams
    for ours, theirs in zip(our_chapters, chapters, strict=True):
        assert ours == (*(pytest.approx(t, abs=0.01) for t in theirs[:2]), theirs[2])
    for index in range(sum(s[0] == "audio" for s in streams)):
        assert audio_end(out, index) == pytest.approx(audio_end(source, index), abs=0.002)

    untouched = ("-vsync", "passthrough", "-enc_time_base", "-1")
    played = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", out, *untouched, "-f", "null", "-"], capture_output=True, text=True
    )
    assert played.returncode == 0 and not played.stderr


def test_a_clip_without_an_index_is_refused_plainly(shared_data, tmp_path):
    with pytest.raises(MediaError, match="moov"):
        colour_film(
            shared_data / "awkward" / "12b_truncated_no_moov.mp4",
            tmp_path,
            True,
            RunOptions(),
            overwrite=False,
            dry_run=False,
            report=lambda event: None,
        )
    assert not list(tmp_path.iterdir())
