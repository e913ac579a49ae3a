"""What is carried over beside the picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import pytest
from matrix import SOUND, X264, make
from witness import Result, describe, ffmpeg, grey_planes, packets, programs, run_identity, shown_frames

from vidcolor.errors import MediaError
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe
from vidcolor.media.remux import remux
from vidcolor.media.sink import ChunkWriter
from vidcolor.media.source import FilmSource
from vidcolor.media.streams import plan_streams

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=2")
TONE = tuple(word.format(seconds=2) for word in SOUND)
SUBTITLES = (
    "1\n00:00:00,200 --> 00:00:00,900\nGood evening.\n\n2\n00:00:01,300 --> 00:00:01,800\nGood night & goodbye.\n"
)
CHAPTERS = """;FFMETADATA1
title=A film
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
title=Two = 2
"""


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A Matroska film with sound first, subtitles, chapters, tags, a font and a cover."""
    subtitles, chapters, note, cover = (tmp_path / name for name in ("s.srt", "chapters.txt", "note.txt", "cover.jpg"))
    subtitles.write_text(SUBTITLES)
    chapters.write_text(CHAPTERS)
    note.write_text("found in an attic")
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover)
    path = tmp_path / "rich.mkv"
    ffmpeg(
        *PICTURE, *TONE, "-i", subtitles, "-i", chapters, "-map", "1:a", "-map", "0:v", "-map", "1:a", "-map", "2:s",
        "-map_metadata", "3", "-map_chapters", "3", *X264, "-bf", "2", "-c:a", "aac", "-c:s", "srt",
        "-metadata:s:0", "language=eng", "-metadata:s:2", "language=fre", "-metadata:s:2", "title=Commentaire",
        "-metadata:s:3", "language=ger", "-metadata", "DIRECTOR=Nobody", "-disposition:s:0", "forced",
        "-disposition:a:1", "comment",
        "-attach", note, "-metadata:s:4", "mimetype=text/plain", "-attach", cover,
        "-metadata:s:5", "mimetype=image/jpeg", path,
    )  # fmt: skip
    return path


def test_matroska_keeps_everything(rich, identity):
    result = identity(rich)
    old, new = describe(rich), describe(result.output)
    kinds = [[(s["codec_type"], s.get("codec_name")) for s in d["streams"]] for d in (old, new)]
    assert kinds[0] == kinds[1]
    for before, after in zip(old["streams"], new["streams"], strict=True):
        assert before["disposition"] == after["disposition"]
        for tag in ("language", "title", "filename", "mimetype"):
            assert before.get("tags", {}).get(tag) == after.get("tags", {}).get(tag)
        if before["codec_type"] in ("audio", "subtitle"):
            assert packets(rich, before["index"]) == packets(result.output, after["index"])
    assert [c["tags"]["title"] for c in new["chapters"]] == ["One", "Two = 2"]
    tags = {name.lower(): value for name, value in new["format"]["tags"].items()}
    assert tags["title"] == "A film" and tags["director"] == "Nobody" and tags["comment"] == "coloured by a test"
    assert not any(plan.note for plan in plan_streams(result.info, ".mkv"))


def test_attached_files_are_the_same_bytes(rich, identity, tmp_path):
    result = identity(rich)
    for name, path in (("a", rich), ("b", result.output)):
        ffmpeg("-dump_attachment:4", tmp_path / f"{name}.txt", "-i", path, "-f", "null", "-t", "0", "-")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes() == b"found in an attic"


def test_mp4_converts_subtitles_and_says_what_it_leaves_out(rich, identity):
    result = identity(rich, suffix=".mp4")
    streams = describe(result.output)["streams"]
    assert [s["codec_name"] for s in streams[:4]] == ["aac", "h264", "aac", "mov_text"]
    assert [s["tags"]["language"] for s in (streams[0], streams[2], streams[3])] == ["eng", "fre", "ger"]
    assert streams[3]["disposition"]["forced"]
    assert [c["tags"]["title"] for c in describe(result.output)["chapters"]] == ["One", "Two = 2"]
    notes = " ".join(plan.note for plan in plan_streams(result.info, ".mp4"))
    assert "converted to mov_text" in notes and "attachment stream 4" in notes and "left out" in notes


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".m4v", ".mkv", ".webm", ".ts"])
def test_languages_and_marks_are_kept_or_said_to_be_lost(suffix, tmp_path, identity):
    path, subtitles = tmp_path / "film.mkv", tmp_path / "s.srt"
    subtitles.write_text(SUBTITLES)
    languages = ("deu", "fre", "nld", "cze", "hrv", "zho", "fas", "gle", "eng")
    codec = "libopus" if suffix == ".webm" else "aac"
    ffmpeg(
        *PICTURE, *TONE, "-i", subtitles, "-map", "0:v", *("-map", "1:a") * len(languages), "-map", "2:s",
        *X264, "-c:a", codec, "-disposition:a:1", "visual_impaired", "-disposition:a:2", "comment",
        "-disposition:s:0", "forced", "-metadata:s:s:0", "language=ell", "-metadata:s:v:0", "language=rum",
        *(word for n, code in enumerate(languages) for word in (f"-metadata:s:a:{n}", f"language={code}")), path,
    )  # fmt: skip
    result = identity(path, suffix=suffix)
    same = {
        "deu": "ger",
        "fre": "fra",
        "nld": "dut",
        "cze": "ces",
        "zho": "chi",
        "fas": "per",
        "ell": "gre",
        "rum": "ron",
    }
    kept = [plan for plan in plan_streams(result.info, suffix) if plan.action != "drop"]
    for plan, stream in zip(kept, describe(result.output)["streams"], strict=True):
        code = stream.get("tags", {}).get("language", "und")
        assert code in (plan.stream.language, same.get(plan.stream.language), "und")
        assert ("language" in plan.note) == (code == "und")
        for mark in plan.stream.dispositions:
            assert (f"'{mark}'" in plan.note) == (not stream["disposition"][mark])
    spoken = [code for code in languages if suffix != ".mov" or code not in ("hrv", "gle")]
    assert sum("language" not in plan.note for plan in kept if plan.stream.kind == "audio") == len(spoken)


SERVICE = ("-metadata", "service_name=Arte: one", "-metadata", "service_provider=ZDF", "-mpegts_service_id", "28006")


@pytest.mark.parametrize("suffix", [".ts", ".m2ts"])
def test_a_broadcast_keeps_its_service_and_pids(suffix, tmp_path, identity):
    path = tmp_path / f"film{suffix}"
    ffmpeg(*PICTURE, *TONE, *X264, "-c:a", "mp2", *SERVICE, "-streamid", "0:6010", "-streamid", "1:6020", path)
    result = identity(path)
    made = programs(result.output)[0]
    assert (made["program_id"], made["tags"]) == (28006, {"service_name": "Arte: one", "service_provider": "ZDF"})
    assert [stream["id"] for stream in made["streams"]] == [f"{pid:#x}" for pid in (6010, 6020)]
    assert any("nothing in the file says that colour was added" in said for said in result.encoding.conversions)


def test_a_transport_stream_says_that_colour_was_added_and_what_it_cannot_hold_is_told(rich, identity):
    result = identity(rich, suffix=".ts")
    tags = programs(result.output)[0]["tags"]
    assert tags == {"service_name": "A film", "service_provider": "coloured by a test"}
    said = " ".join(result.encoding.conversions)
    assert "left out, because .ts files have no place for it: the tag 'DIRECTOR', 2 chapters" in said
    assert "the title becomes the service_name" in said


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("name", ["hevc10.mkv", "bframes.mp4"])
def test_hevc_is_marked_as_apples_players_know_it(name, suffix, tmp_path, identity):
    """They play hvc1, and show nothing of what is marked hev1 (Apple, HLS authoring specification, 1.10)."""
    result = identity(make(name, tmp_path), codec="hevc", suffix=suffix)
    film = describe(result.output)["streams"][0]
    assert (film["codec_name"], film["codec_tag_string"]) == ("hevc", "hvc1")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_streams_that_lie_apart_in_the_source_lie_side_by_side_in_the_output(suffix, tmp_path, identity):
    """So that it can be played while it is fetched. In the source, what is heard and seen together is 20 s apart."""
    made, apart = tmp_path / "made.mkv", tmp_path / "apart.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=5:duration=30")
    sound = ("-f", "lavfi", "-i", "sine=sample_rate=8000:duration=30")
    ffmpeg(*picture, *sound, *sound, "-map", "0", "-map", "1", "-map", "2", *X264, "-bf", "0", "-c:a", "aac", made)
    with av.open(made) as source, av.open(apart, "w") as output:
        streams = [output.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        for packet in sorted((p for p in source.demux() if p.dts is not None), key=lambda p: p.stream.index):
            packet.stream = streams[packet.stream.index]
            output.mux_one(packet)

    def furthest_behind(path: Path) -> float:
        with av.open(path) as film:
            places = sorted((p.pos, float(p.pts * p.time_base)) for p in film.demux() if p.pos is not None and p.size)
        times = [time for _, time in places]
        return max(latest - time for latest, time in zip(accumulate(times, max), times, strict=True))

    assert furthest_behind(apart) > 15
    assert furthest_behind(identity(apart, suffix=suffix).output) < 2


def test_what_tags_say_of_the_bytes_of_the_source_is_not_said_of_others(tmp_path, identity):
    """As mkvmerge writes them. The sound is copied, so what they say of it holds."""
    path = tmp_path / "film.mkv"
    tags = {"BPS": "123", "NUMBER_OF_BYTES-eng": "456", "_STATISTICS_TAGS": "BPS", "NOTE": "kept"}
    said = [
        word for kind in "va" for name, value in tags.items() for word in (f"-metadata:s:{kind}", f"{name}={value}")
    ]
    ffmpeg(*PICTURE, *TONE, *X264, "-c:a", "flac", *said, path)
    film, sound = (stream["tags"].items() for stream in describe(identity(path).output)["streams"])
    assert ("NOTE", "kept") in film and not tags.keys() & dict(film).keys() - {"NOTE"}
    assert sound >= tags.items()


def test_tags_of_the_film_reach_mp4(tmp_path, identity):
    path = tmp_path / "film.mov"
    ffmpeg(*PICTURE, *X264, "-metadata", "title=T", "-metadata", "director=D", "-movflags", "use_metadata_tags", path)
    tags = describe(identity(path).output)["format"]["tags"]
    assert (tags["title"], tags["director"], tags["comment"]) == ("T", "D", "coloured by a test")


@pytest.mark.parametrize("count", [1, 2, 17, 18, 19, 20])
@pytest.mark.parametrize("last", [1, 7000])
def test_last_frame_is_shown_as_long_as_in_the_source(count, last, tmp_path):
    info = probe(make("vfr.mp4", tmp_path))
    encoding = choose_encoding(info)
    chunk, output = tmp_path / "chunk.mp4", tmp_path / "out.mp4"
    with FilmSource(info, 1) as film, ChunkWriter(chunk, encoding, info, 1) as writer:
        frames = list(film)[:count]
        for frame in frames:
            duration = frame.duration if frame is not frames[-1] else last
            writer.write(frame.pts, duration, frame.y, *grey_planes(encoding, info))
    remux(info, encoding, [chunk], output)
    film = describe(output)["streams"][0]
    assert Fraction(film["duration_ts"]) == frames[-1].pts + last - frames[0].pts


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation(degrees, tmp_path, identity):
    plain, path = make("one_per_second.mp4", tmp_path), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation:v:0", degrees, "-i", plain, "-c", "copy", path)
    result = identity(path)
    matrices = [describe(p)["streams"][0]["side_data_list"][0]["displaymatrix"] for p in (path, result.output)]
    assert matrices[0] == matrices[1]
    assert (result.info.rotation - degrees) % 360 == 0


def test_time_code_is_written_again(tmp_path, identity):
    path = tmp_path / "film.mov"
    ffmpeg(*PICTURE, *X264, "-timecode", "01:02:03:04", path)
    streams = describe(identity(path).output)["streams"]
    assert [s["tags"].get("timecode") for s in streams] == ["01:02:03:04", "01:02:03:04"]


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".m4v", ".mkv", ".webm", ".ts"])
def test_what_is_said_of_time_code_and_chapter_tracks_is_so(suffix, tmp_path, identity):
    path, chapters = tmp_path / "film.mov", tmp_path / "chapters.txt"
    chapters.write_text(CHAPTERS)
    ffmpeg(*PICTURE, "-i", chapters, "-map_metadata", "1", *X264, "-timecode", "01:02:03:04", path)
    result = identity(path, suffix=suffix)
    notes = [plan.note for plan in plan_streams(result.info, suffix) if plan.note]
    made = describe(result.output)
    codes = [value for s in made["streams"] for name, value in s.get("tags", {}).items() if name.lower() == "timecode"]
    assert sorted("left out" in note for note in notes) == sorted([not made["chapters"], not codes])
    assert sorted("written anew" in note for note in notes) == sorted([bool(made["chapters"]), bool(codes)])
    assert set(codes) <= {"01:02:03:04"}
    assert [c["tags"]["title"] for c in made["chapters"]] == ([] if suffix == ".ts" else ["One", "Two = 2"])


def test_frames_before_the_beginning_of_time(tmp_path, identity):
    path = tmp_path / "early.mkv"
    ffmpeg(
        *PICTURE,
        *TONE,
        *X264,
        "-bf",
        "0",
        "-c:a",
        "flac",
        "-output_ts_offset",
        "-0.120",
        "-avoid_negative_ts",
        "disabled",
        path,
    )
    result = identity(path)
    times = result.source_times()
    assert times[:4] == [None, None, None, 0]
    assert result.output_times() == [Fraction(index, 25) for index in range(50)]
    assert any("moved by 3/25 s" in sentence for sentence in result.encoding.conversions)
    old, new = (packets(p, 1)[-1][0] for p in (path, result.output))
    assert new - old == Fraction(3, 25)


def cut(whole: Result, folder: Path, first: int, end: int) -> Path:
    """The piece of a film from one pts to another, written as a film of its own."""
    info, encoding = whole.info, whole.encoding
    chunk, output = folder / f"piece{encoding.chunk_suffix}", folder / f"piece-out{encoding.suffix}"
    with FilmSource(info, 1, first) as film, ChunkWriter(chunk, encoding, info, 1) as writer:
        for frame in film:
            if frame.pts < end:
                writer.write(frame.pts, frame.duration, frame.y, *grey_planes(encoding, info))
    remux(info, encoding, [chunk], output, piece=(first, end))
    return output


@pytest.mark.parametrize("name", ["2997_aac.mp4", "late_start.mkv", "h264_aac.ts", "mpeg4_mp3.avi"])
def test_piece(name, tmp_path):
    source = make(name, tmp_path)
    whole = run_identity(source, tmp_path)
    info = whole.info
    times = [time for time in whole.source_times() if time is not None]
    first, end = (int(times[index] / info.time_base) for index in (10, 25))
    output = cut(whole, tmp_path, first, end)
    streams = describe(output)["streams"]
    film = next(s for s in streams if s["codec_type"] == "video")
    base = Fraction(film["time_base"])
    shown = [int(f["best_effort_timestamp"]) * base for f in shown_frames(output, film["index"])]
    begin = info.start_pts * info.time_base
    expected = [whole.expected(time - first * info.time_base + begin) for time in times[10:25]]
    assert shown == expected
    sound = next(s for s in streams if s["codec_type"] == "audio")
    heard = packets(output, sound["index"])
    length = (end - first) * info.time_base
    assert abs(heard[0][0] - begin) < Fraction(1, 10)
    assert abs(heard[-1][0] - (begin + length)) < Fraction(1, 10)


def test_a_piece_has_no_chapters_whose_times_are_the_whole_films(rich, tmp_path, identity):
    whole = identity(rich)
    tick = Fraction(1, 25) / whole.info.time_base
    assert whole.info.chapters and not describe(cut(whole, tmp_path, int(10 * tick), int(40 * tick)))["chapters"]


def test_a_piece_has_all_the_sound_of_its_frames_where_its_times_are_no_decimals(tmp_path):
    """16 frames of 1/24 s from frame 16 on, which begins after 2/3 s; of the sound, a packet begins with each frame."""
    path = tmp_path / "film.mov"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=24:duration=2", "-f", "lavfi", "-i", "sine=d=2:r=48000")
    ffmpeg(*picture, *X264, "-af", "asetnsamples=2000", "-c:a", "pcm_s16le", path)
    tick = Fraction(1, 24) / run_identity(path, tmp_path).info.time_base
    output = cut(run_identity(path, tmp_path), tmp_path, int(16 * tick), int(32 * tick))
    heard = [tmp_path / name for name in ("source.raw", "piece.raw")]
    for file, sound in zip((path, output), heard, strict=True):
        ffmpeg("-i", file, "-map", "0:a", "-f", "s16le", sound)
    samples = 2 * 48000 * 2 // 3  # bytes in 2/3 s
    assert heard[1].read_bytes() == heard[0].read_bytes()[samples : 2 * samples]


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize(
    ("rate", "code", "expected"),
    [
        ("30000/1001", "01:00:59;20", "01:01:00;02"),
        ("25", "01:00:59:20", "01:01:00:05"),
        ("25", "23:59:59:20", "00:00:00:05"),
    ],
)
def test_a_piece_has_the_time_code_of_its_first_frame(suffix, rate, code, expected, tmp_path):
    path = tmp_path / f"film{suffix}"
    picture = ("-f", "lavfi", "-i", f"testsrc2=size=96x64:rate={rate}:duration=1")
    ffmpeg(*picture, *X264, "-metadata:s:v", f"timecode={code}", path)
    whole = run_identity(path, tmp_path)
    tick = round(1 / (Fraction(rate) * whole.info.time_base))
    streams = describe(cut(whole, tmp_path, 10 * tick, 20 * tick))["streams"]
    codes = {value for s in streams for name, value in s["tags"].items() if name.lower() == "timecode"}
    assert codes == {expected}


def test_failure_tells_what_ffmpeg_said(tmp_path):
    source = make("bframes.mp4", tmp_path)
    result = run_identity(source, tmp_path)
    chunks = sorted(tmp_path.glob("chunk-*"))
    with pytest.raises(MediaError, match=r"status \d+.*No such file"):
        remux(result.info, result.encoding, chunks, tmp_path / "absent" / "out.mp4")
    chunks[0].write_bytes(b"not a chunk")
    with pytest.raises(MediaError, match="cannot read the chunk"):
        remux(result.info, result.encoding, chunks, tmp_path / "out.mp4")
