"""`vidcolor verify` tells an output that is its source from one that is not: outputs are broken here by ffmpeg."""

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import UsageError
from vidcolor.film.run import colour_film
from vidcolor.film.verify import verify
from vidcolor.media.probe import probe

CHAPTERS = """;FFMETADATA1
title=A film
director=Nobody
[CHAPTER]
TIMEBASE=1/1000
START=0
END=800
title=One
[CHAPTER]
TIMEBASE=1/1000
START=800
END=1700
title=Two
"""
SUBTITLES = "1\n00:00:00,200 --> 00:00:00,900\nGood evening.\n"


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def colour(source, output, **options):
    colour_film(source, output, False, RunOptions(**options), overwrite=True, dry_run=False, report=lambda event: None)
    return output


@pytest.fixture(scope="module")
def rich(samples, tmp_path_factory):
    """40 frames of the sample with two sounds, subtitles, chapters, tags and an attached note."""
    folder = tmp_path_factory.mktemp("rich")
    (folder / "chapters.txt").write_text(CHAPTERS)
    (folder / "s.srt").write_text(SUBTITLES)
    (folder / "note.txt").write_text("found in an attic")
    path = folder / "rich.mkv"
    ffmpeg(
        "-i", samples / "film.mp4", "-i", folder / "chapters.txt", "-i", folder / "s.srt", "-map", "0:v", "-map", "0:a",
        "-map", "0:a", "-map", "2:s", "-map_metadata", "1", "-map_chapters", "1", "-vf", "scale=160:120,fps=24",
        "-frames:v", "40", "-t", "1.7", "-c:v", "libx264", "-crf", "12", "-c:a", "copy", "-c:s", "srt",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fre", "-metadata:s:s:0", "language=ger",
        "-disposition:a:1", "comment", "-disposition:s:0", "forced",
        "-attach", folder / "note.txt", "-metadata:s:t", "mimetype=text/plain", path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module", params=["ffv1", "h264", "prores"])
def pair(request, rich):
    """A source and its conforming output: lossless, lossy, and lossy where colour takes bits from luma."""
    return rich, colour(rich, rich.with_name(f"{request.param}.mkv"), codec=request.param)


def different(source, output, **options):
    return {finding.what for finding in verify(source, output, RunOptions(**options)).findings if finding.differs}


def test_what_run_writes_conforms(pair):
    result = verify(*pair)
    assert result.conforms, result.findings
    seen = {finding.what for finding in result.findings}
    assert {"frames", "timestamps", "luma", "picture", "chapters", "tags", "attachment stream 4"} < seen
    assert {"audio stream 1 (eng)", "audio stream 2 (fre)", "subtitle stream 3 (ger)"} < seen
    luma = next(finding for finding in result.findings if finding.what == "luma")
    beside = {"ffv1": "", "h264": "plain transcode (", "prores": "transcode with the output's own chroma ("}
    assert ("40 equal bit for bit" in luma.output) is (pair[1].stem == "ffv1")
    assert luma.note.startswith(beside[pair[1].stem])


@pytest.mark.parametrize(
    ("suffix", "stated"),
    [
        (".mov", {"subtitle stream 3 (ger)", "audio stream 2 (fre)", "attachment stream 4"}),
        (".ts", {"subtitle stream 3 (ger)", "audio stream 2 (fre)", "attachment stream 4", "chapters", "tags"}),
    ],
)
def test_what_a_container_cannot_hold_is_stated_and_no_fault(suffix, stated, rich, tmp_path):
    result = verify(rich, colour(rich, tmp_path / f"out{suffix}"))
    assert result.conforms, [finding for finding in result.findings if finding.differs]
    assert {finding.what for finding in result.findings if finding.verdict == "stated"} >= stated


def test_a_piece_has_the_time_code_of_its_first_frame(rich, tmp_path):
    source = tmp_path / "coded.mov"
    ffmpeg("-i", rich, "-map", "0:v", "-c", "copy", "-timecode", "01:00:00:00", source)
    piece = {"start": Fraction(1, 2), "end": Fraction(3, 2)}
    assert verify(source, colour(source, tmp_path / "out.mov", **piece), RunOptions(**piece)).conforms


@pytest.fixture(scope="module")
def early(rich):
    """The same with one sound, 0.2 s of it before 0."""
    path = rich.with_name("early.mkv")
    before = ("-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled")
    ffmpeg("-i", rich, "-map", "0:v", "-map", "0:a:0", "-map", "0:s", "-c", "copy", *before, path)
    return path


def packets(path, kind):
    shown = ("-show_entries", "packet=pts_time", "-of", "csv=p=0")
    command = ["ffprobe", "-v", "error", "-select_streams", kind, *shown, path]
    times = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return sorted(float(time.strip(",")) for time in times)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_film_that_begins_before_0_is_moved_with_all_that_belongs_to_it(suffix, early, tmp_path):
    output = colour(early, tmp_path / f"out{suffix}")
    result = verify(early, output)
    assert result.conforms, [finding for finding in result.findings if finding.differs]
    assert packets(output, "v")[0] == 0 and len(packets(output, "v")) == 40
    begins = probe(early).start_pts * probe(early).time_base
    second = probe(output).chapters[1]
    assert begins < 0 and (second.title, second.start) == ("Two", Fraction(4, 5) - begins)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_piece_of_a_film_that_begins_before_0_has_its_sound(suffix, early, tmp_path):
    piece = {"start": Fraction(1, 2), "end": Fraction(3, 2)}
    output = colour(early, tmp_path / f"out{suffix}", **piece)
    assert verify(early, output, RunOptions(**piece)).conforms
    sound, film = packets(output, "a"), packets(output, "v")
    assert 0 <= film[0] < 0.05 and len(film) == 24
    assert abs(sound[0]) < 0.05 and abs(sound[-1] - 1) < 0.05


@pytest.mark.parametrize("change", [("START=0", "START=500"), ("END=800", "END=600"), ("END=800", "END=900")])
def test_chapters_that_do_not_follow_each_other_from_0_are_told_where_the_container_has_them_so(change, rich, tmp_path):
    (tmp_path / "chapters.txt").write_text(CHAPTERS.replace(*change))
    moved = ("-map_metadata", "0", "-map_chapters", "1")
    ffmpeg("-i", rich, "-i", tmp_path / "chapters.txt", *ALL, *moved, tmp_path / "film.mkv")
    ways = {"overwrite": False, "dry_run": False, "report": lambda event: None}
    film = colour_film(tmp_path / "film.mkv", tmp_path / "out.mp4", False, RunOptions(), **ways)
    assert any("chapters get other times" in sentence for sentence in film["converted"])
    result = verify(tmp_path / "film.mkv", tmp_path / "out.mp4")
    assert result.conforms, [finding for finding in result.findings if finding.differs]
    assert [f.verdict for f in result.findings if f.what == "chapters"] == ["stated"]


def test_a_pause_that_the_source_has_too_is_no_fault(rich, tmp_path):
    source = tmp_path / "paused.mkv"
    lacking = ("-vf", "select='not(between(n,17,18))'", "-c:v", "ffv1", "-fps_mode", "passthrough", "-an")
    subprocess.run(["ffmpeg", "-v", "error", "-i", rich, *lacking, source], check=True)
    result = verify(source, colour(source, tmp_path / "out.mkv", codec="ffv1"))
    assert result.conforms, result.findings
    assert [finding.verdict for finding in result.findings if finding.what == "damage"] == ["stated"]


ALL = ("-map", "0", "-c", "copy")
KEPT = ("-fps_mode", "passthrough", "-enc_time_base", "-1")  # every frame, at its own time
ANEW = {
    "ffv1": ("-c:v", "ffv1", *KEPT),
    "h264": ("-c:v", "libx264", "-preset", "veryfast", "-crf", "1", *KEPT),
    "prores": ("-c:v", "prores_ks", "-profile:v", "hq", "-q:v", "1", *KEPT),
}
# What is broken, the arguments that break it ("{anew}": pictures are encoded again, well), and what must be noticed.
BROKEN = {
    "a dropped frame": (("-vf", "select='not(eq(n,17))'",), {"frames", "timestamps"}),
    "a doubled frame": (("-vf", "setpts=PTS,fps=48",), {"frames", "timestamps"}),
    "one shifted frame": (("-vf", "setpts='PTS+eq(N,9)*0.004/TB'",), {"timestamps"}),
    "all frames shifted": (("-vf", "setpts='PTS+0.001/TB'",), {"timestamps"}),
    "brighter by one code": (("-vf", "lutyuv=y='val+maxval/235'"), {"luma"}),
    "one frame brighter": (("-vf", "eq=brightness=0.04:enable='eq(n,21)'"), {"luma"}),
    "a blurred corner": (("-vf", "boxblur=4:enable='between(n,5,9)'"), {"luma"}),
    "two frames exchanged": (("-vf", "shuffleframes=1 0"), {"luma"}),
    "another size": (("-vf", "scale=152:120"), {"luma"}),
    "a missing sound": (("-map", "-0:a:1"), {"audio stream 2 (fre)"}),
    "a lost language": (("-metadata:s:a:0", "language="), {"audio stream 1 (eng)"}),
    "a lost disposition": (("-disposition:s:0", "0"), {"subtitle stream 3 (ger)"}),
    "missing subtitles": (("-map", "-0:s"), {"subtitle stream 3 (ger)"}),
    "a missing attachment": (("-map", "-0:t"), {"attachment stream 4"}),
    "a lost chapter": (("-map_chapters", "-1"), {"chapters"}),
    "a lost tag": (("-metadata", "DIRECTOR="), {"tags"}),
    "another tag": (("-metadata", "title=Another"), {"tags"}),
    "sound cut short": (("-map", "-0:a", "-t", "1", "-map", "0:a"), {"audio stream 1 (eng)"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_output_is_noticed(name, pair, tmp_path):
    source, good = pair
    arguments, noticed = BROKEN[name]
    anew = ANEW[good.stem] if "-vf" in arguments else ()
    bad = tmp_path / f"{good.stem}.mkv"
    ffmpeg("-i", good, *ALL, *anew, *arguments, bad)
    assert noticed <= different(source, bad)


def test_the_way_outputs_are_broken_breaks_nothing_by_itself(pair, tmp_path):
    """Encoded again and well, with nothing changed, an output still conforms.

    ProRes at a lower rate than the default, where it loses so little that what a second generation loses comes near what is allowed.
    """
    source, good = pair
    preset = {"prores": "standard"}.get(good.stem)
    if preset is not None:
        good = colour(source, tmp_path / good.name, codec=good.stem, preset=preset)
    ffmpeg("-i", good, *ALL, *ANEW[good.stem], tmp_path / "again.mkv")
    assert not different(source, tmp_path / "again.mkv", preset=preset)


@pytest.mark.parametrize("pair", ["h264"], indirect=True)
@pytest.mark.parametrize(("codes", "noticed"), [(1, set()), (3, {"luma"})])
def test_a_frame_is_held_against_its_own_twin_where_the_film_as_a_whole_is_well(codes, noticed, pair, tmp_path):
    """One frame of 40, a little brighter: that is less than 0.5 dB of the film, and more than 3 dB of the frame."""
    source, good = pair
    ffmpeg("-i", good, *ALL, *ANEW["h264"], "-vf", f"lutyuv=y=val+{codes}:enable='eq(n,21)'", tmp_path / "bad.mkv")
    result = verify(source, tmp_path / "bad.mkv")
    assert {finding.what for finding in result.findings if finding.differs} == noticed
    luma = next(finding for finding in result.findings if finding.what == "luma")
    ours, plain = (float(re.search(r"([0-9.]+) dB", words)[1]) for words in (luma.output, luma.note))
    assert plain - ours < 0.5 and "0.898" in luma.note  # frame 21, at 24 a second, of a film that begins at 0.023 s


@pytest.mark.parametrize(("late", "noticed"), [(1, set()), (2, {"chapters"}), (500, {"chapters"})])
def test_a_chapter_that_begins_late_is_noticed_beyond_a_millisecond(late, noticed, rich, tmp_path):
    (tmp_path / "chapters.txt").write_text(CHAPTERS.replace("=800", f"={800 + late}"))
    moved = ("-map_metadata", "0", "-map_chapters", "1")
    ffmpeg("-i", rich, "-i", tmp_path / "chapters.txt", *ALL, *moved, tmp_path / "moved.mkv")
    assert different(rich, tmp_path / "moved.mkv") == noticed


def test_one_code_of_ten_bits_is_noticed_where_colour_takes_bits_from_luma(samples, tmp_path):
    source = tmp_path / "deep.mkv"
    soft = "scale=160:120,gblur=2,format=yuv420p10le,noise=c0s=4:c0f=t"
    ffmpeg("-i", samples / "film.mp4", "-vf", soft, "-frames:v", "12", "-an", "-sn", "-c:v", "ffv1", source)
    ffmpeg("-i", source, "-vf", "lutyuv=y=val+maxval/940,format=yuv420p10le", "-c:v", "ffv1", tmp_path / "brighter.mkv")
    good = colour(source, tmp_path / "good.mov", codec="prores")
    bad = colour(tmp_path / "brighter.mkv", tmp_path / "bad.mov", codec="prores")
    assert not different(source, good) and different(source, bad) == {"luma"}


def test_sound_that_is_moved_or_other_sound_is_noticed(pair, tmp_path):
    source, good = pair
    ffmpeg(
        "-i",
        good,
        "-itsoffset",
        "0.05",
        "-i",
        good,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "0:s",
        "-map",
        "0:t",
        "-c",
        "copy",
        tmp_path / "late.mkv",
    )
    assert {"audio stream 1 (eng)", "audio stream 2 (fre)"} <= different(source, tmp_path / "late.mkv")
    ffmpeg("-i", good, "-map", "0", "-c", "copy", "-c:a", "aac", "-af", "volume=0.5", tmp_path / "quiet.mkv")
    assert {"audio stream 1 (eng)", "audio stream 2 (fre)"} <= different(source, tmp_path / "quiet.mkv")


CUES = (SUBTITLES, "2\n00:00:01,000 --> 00:00:01,400\n<i>Who is there?</i>\n")


@pytest.fixture(scope="module", params=[("srt", ".mp4"), ("ass", ".mov"), ("mov_text", ".mkv")], ids=str)
def converted(request, rich, tmp_path_factory):
    """A film with two subtitles, and an output for which they are converted."""
    codec, suffix = request.param
    folder = tmp_path_factory.mktemp("converted")
    (folder / "s.srt").write_text("\n".join(CUES))
    source = folder / ("film.mp4" if codec == "mov_text" else "film.mkv")
    ffmpeg("-i", rich, "-i", folder / "s.srt", "-map", "0:v", "-map", "1", "-c:v", "copy", "-c:s", codec, source)
    return source, colour(source, folder / f"out{suffix}")


BROKEN_SUBTITLES = {
    "later by 50 ms": "\n".join(CUES).replace(",200", ",250").replace(",000", ",050"),
    "the second is missing": CUES[0],
    "the first is missing": CUES[1],
    "the second is too early": "\n".join(CUES).replace("01,000", "00,950"),
    "the second ends late": "\n".join(CUES).replace("01,400", "01,500"),
}


def test_converted_subtitles_conform(converted):
    result = verify(*converted)
    assert result.conforms, result.findings
    assert [finding.verdict for finding in result.findings if finding.what.startswith("subtitle")] == ["stated"]


@pytest.mark.parametrize("name", BROKEN_SUBTITLES)
def test_broken_converted_subtitles_are_noticed(name, converted, tmp_path):
    source, good = converted
    (tmp_path / "s.srt").write_text(BROKEN_SUBTITLES[name])
    bad = tmp_path / good.name
    codec = "srt" if bad.suffix == ".mkv" else "mov_text"
    ffmpeg("-i", good, "-i", tmp_path / "s.srt", "-map", "0:v", "-map", "1", "-c:v", "copy", "-c:s", codec, bad)
    assert any(what.startswith("subtitle stream 1") for what in different(source, bad))


def test_a_subtitle_in_the_middle_that_is_moved_is_noticed_though_its_bytes_are_the_same(rich, tmp_path):
    source = tmp_path / "three.mkv"
    last = "3\n00:00:01,500 --> 00:00:01,600\nNobody.\n"
    for path, words in (
        (source, [*CUES, last]),
        (tmp_path / "out.mkv", [CUES[0], CUES[1].replace("1,0", "1,1"), last]),
    ):
        (tmp_path / "s.srt").write_text("\n".join(words))
        film = rich if path == source else colour(source, tmp_path / "good.mkv", codec="ffv1")
        mapped = ("-map", "0:v", "-map", "1", "-c:v", "copy", "-c:s", "srt", "-copyts")
        ffmpeg("-i", film, "-i", tmp_path / "s.srt", *mapped, path)
    assert not different(source, tmp_path / "good.mkv")
    assert different(source, tmp_path / "out.mkv") == {"subtitle stream 1"}


def test_sound_whose_last_packet_has_no_duration_conforms_and_is_missed_where_it_is_cut(rich, tmp_path):
    source, cut = tmp_path / "alac.mov", tmp_path / "cut.mkv"
    ffmpeg("-i", rich, "-map", "0:v", "-map", "0:a:0", "-c:v", "copy", "-c:a", "alac", source)
    good = colour(source, tmp_path / "good.mkv", codec="ffv1")
    ffmpeg("-i", good, "-t", "1.6", "-i", good, "-map", "0:v", "-map", "1:a", "-c", "copy", cut)
    assert not different(source, good)
    assert {what for what in different(source, cut) if what.startswith("audio")} == {"audio stream 1 (eng)"}


def test_vorbis_whose_end_is_cut_off_conforms_in_matroska_and_is_missed_where_more_is_gone(rich, tmp_path):
    """Ogg says of the last packet how long it is heard, Matroska how long it is."""
    source, cut = tmp_path / "film.ogv", tmp_path / "cut.mkv"
    kept = ("-map", "0:v", "-map", "0:a:0", "-map_chapters", "-1", "-map_metadata", "-1", "-t", "1.503")
    ffmpeg("-i", rich, *kept, "-c:v", "libtheora", "-c:a", "libvorbis", source)
    good = colour(source, tmp_path / "good.mkv", codec="ffv1")
    ffmpeg("-i", good, "-t", "1.4", "-i", good, "-map", "0:v", "-map", "1:a", "-c", "copy", cut)
    assert not different(source, good)
    assert {what for what in different(source, cut) if what.startswith("audio")} == {"audio stream 1"}


def test_sound_of_an_mp4_conforms_in_a_transport_stream(rich, tmp_path):
    source = tmp_path / "film.mp4"
    bare = ("-map_chapters", "-1", "-map_metadata", "-1", "-c:v", "copy", "-c:a", "aac")
    ffmpeg("-i", rich, "-map", "0:v", "-map", "0:a:0", *bare, "-t", "1.5", source)
    assert not different(source, colour(source, tmp_path / "out.ts"))


def test_sound_that_becomes_other_pcm_is_held_to_its_samples(rich, tmp_path):
    source, bad = tmp_path / "s8.mov", tmp_path / "bad.mkv"
    ffmpeg("-i", rich, "-map", "0:v", "-map", "0:a:0", "-c:v", "copy", "-c:a", "pcm_s8", source)
    good = colour(source, tmp_path / "good.mkv", codec="ffv1")
    assert not different(source, good)
    ffmpeg("-i", good, "-map", "0", "-c", "copy", "-c:a", "pcm_u8", "-af", "volume=0.9", bad)
    assert different(source, bad) == {"audio stream 1 (eng)"}


def test_a_truncated_output_is_noticed(pair, tmp_path):
    source, good = pair
    data = good.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 6 // 10])
    assert {"frames", "timestamps"} <= different(source, tmp_path / "cut.mkv")


def test_the_source_itself_conforms_but_says_nothing_of_colour(rich):
    assert not different(rich, rich)


def test_a_piece_conforms_to_its_piece_alone(rich, tmp_path):
    options = {"start": 0.5, "end": 1.2}
    made = colour(rich, tmp_path / "piece.mkv", codec="ffv1", **options)
    assert not different(rich, made, **options)
    assert {"frames", "timestamps"} <= different(rich, made)


def test_other_settings_are_told_apart_and_named(rich, tmp_path):
    made = colour(rich, tmp_path / "coarse.mkv", codec="h264", crf=34)
    assert different(rich, made) == {"luma"}
    assert not different(rich, made, crf=34)


def test_files_that_vidcolor_does_not_write_are_refused(rich, tmp_path):
    ffmpeg("-i", rich, "-map", "0:v", "-c:v", "mpeg4", tmp_path / "other.avi")
    with pytest.raises(UsageError, match="writes no '.avi' files"):
        verify(rich, tmp_path / "other.avi")


@pytest.mark.parametrize("codec", ["abacus", "hevc"])
def test_a_codec_that_the_output_is_not_of_is_refused(codec, rich, tmp_path):
    output = colour(rich, tmp_path / "out.mkv")
    with pytest.raises(UsageError, match=f"out.mkv is not of --codec {codec}: it is h264"):
        verify(rich, output, RunOptions(codec=codec))


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "vidcolor", "verify", *map(str, arguments)], capture_output=True, text=True
    )


def test_exit_codes_table_and_json(pair, tmp_path):
    source, good = pair
    ffmpeg("-i", good, *ALL, "-map", "-0:a:1", tmp_path / "bad.mkv")
    fine, wrong, missing = (
        command(source, good),
        command(source, tmp_path / "bad.mkv", "--json"),
        command(source, "no.mkv"),
    )
    assert (fine.returncode, wrong.returncode, missing.returncode) == (0, 1, 2)
    assert "conforms to" in fine.stdout and "timestamps" in fine.stdout
    event = json.loads(wrong.stdout)
    assert event["conforms"] is False and event["type"] == "verify" and Path(event["input"]) == source
    assert [f["what"] for f in event["findings"] if f["verdict"] == "differs"][0] == "audio stream 2 (fre)"
    assert "there is no such file" in missing.stderr


@pytest.fixture(scope="module")
def scans(rich, tmp_path_factory):
    """12 frames of the film as 16-bit grey TIFF from number 98 on."""
    folder = tmp_path_factory.mktemp("scans")
    ffmpeg("-i", rich, "-frames:v", "12", "-vf", "format=gray16le", "-start_number", "98", folder / "s.%04d.tif")
    return folder / "s.%04d.tif"


@pytest.fixture(scope="module", params=["film", "scans"])
def pictures(request, rich, scans, tmp_path_factory):
    """A source, the pictures that were made of it, and the options."""
    out = tmp_path_factory.mktemp("pictures") / "c.%04d.png"
    if request.param == "film":
        return rich, colour(rich, out, end=Fraction(1, 2)), {"end": Fraction(1, 2)}
    return scans, colour(scans, out, rate=Fraction(24)), {"rate": Fraction(24)}


def test_pictures_conform_to_the_film_or_the_pictures_that_they_are_made_of(pictures):
    source, made, options = pictures
    result = verify(source, made, RunOptions(**options))
    assert result.conforms, result.findings
    assert next(finding for finding in result.findings if finding.what == "frames").output == "12"


def picture(pattern, number):
    return pattern.with_name(pattern.name % number)


def brighter(pattern, first):
    path = picture(pattern, first + 5)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(path), pixels + 2)


def exchanged(pattern, first):
    one, other = picture(pattern, first + 2), picture(pattern, first + 9)
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def renumbered(pattern, first):
    for number in range(first + 11, first - 1, -1):
        picture(pattern, number).rename(picture(pattern, number + 1))


BROKEN_PICTURES = {
    "a picture is missing": (lambda p, n: picture(p, n + 4).unlink(), {"frames", "timestamps"}),
    "the last is missing": (lambda p, n: picture(p, n + 11).unlink(), {"frames", "timestamps"}),
    "one too many": (lambda p, n: picture(p, n + 12).write_bytes(picture(p, n).read_bytes()), {"frames", "timestamps"}),
    "one cut short": (lambda p, n: picture(p, n + 4).write_bytes(b""), {"frames", "timestamps"}),
    "two codes brighter": (brighter, {"luma"}),
    "two exchanged": (exchanged, {"luma"}),
    "numbered from another": (renumbered, {"timestamps"}),
}


@pytest.mark.parametrize("name", BROKEN_PICTURES)
def test_broken_pictures_are_noticed(name, pictures, tmp_path):
    source, good, options = pictures
    for path in good.parent.glob("c.*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spoil, noticed = BROKEN_PICTURES[name]
    spoil(tmp_path / good.name, 98 if "rate" in options else 1)
    assert noticed <= different(source, tmp_path / good.name, **options)


def test_a_film_of_pictures_conforms_and_another_does_not(scans, tmp_path):
    out = colour(scans, tmp_path / "out.mkv", rate=Fraction(24), codec="ffv1", verify=True)
    assert command(scans, out, "--rate", "24").returncode == 0
    ffmpeg("-i", out, "-vf", "lutyuv=y=val+maxval/940,format=yuv420p10le", "-c:v", "ffv1", tmp_path / "other.mkv")
    other = command(scans, tmp_path / "other.mkv", "--rate", "24")
    assert other.returncode == 1 and "luma" in other.stdout
    assert command(scans, out).returncode == 2
