"""What is read from a film before work begins, and how bad input is refused."""

from __future__ import annotations

from fractions import Fraction

import pytest
from matrix import SOUND, X264, make
from witness import SHARED, ffmpeg

from vidcolor.errors import MediaError, UsageError
from vidcolor.media.probe import probe


def refused(path, kind=MediaError):
    with pytest.raises(kind) as caught:
        probe(path)
    error = caught.value
    assert str(path.name) in error.what and error.why and "\n" not in str(error)
    return error.why


def test_missing_file_and_folder_are_usage_errors(tmp_path):
    assert "no such file" in refused(tmp_path / "absent.mp4", UsageError)
    assert "folder" in refused(tmp_path, UsageError)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\0" * 5000, "zeros"),
        (b"This is a letter, not a film.\n" * 40, "text file"),
        (b"\x7fELF\x02\x01\x01\0" * 400, "no film"),
    ],
)
def test_files_that_are_no_films(tmp_path, content, why):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert why in refused(path)


def test_sound_alone_is_no_film(tmp_path):
    path = tmp_path / "song.mp4"
    ffmpeg(*(word.format(seconds=1) for word in SOUND), "-c:a", "aac", path)
    assert "audio (aac)" in refused(path)


def test_film_cut_off_before_its_index(tmp_path):
    whole = make("bframes.mp4", tmp_path)
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "moov" in refused(path)


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n"],
)
def test_playlists_are_not_followed(tmp_path, playlist):
    other = make("h264_aac.ts", tmp_path)
    path = tmp_path / "film.mp4"
    path.write_text(playlist.format(other))
    assert "text file" in refused(path)


@pytest.mark.parametrize(
    "name", ["with space.mp4", 'it\'s; $(x) & "co".mp4', "-y.mp4", "http:x.mp4", "line\nbreak.mp4", "ünï.mp4"]
)
def test_any_name_will_do(tmp_path, monkeypatch, name):
    make("one_frame.mp4", tmp_path).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(tmp_path / name).width == probe(type(tmp_path)(name)).width == 96


def test_facts_of_a_film(tmp_path):
    path = tmp_path / "film.mp4"
    tags = "colorprim=bt709:transfer=bt709:colormatrix=bt709:chromaloc=2"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=96x64:rate=24000/1001:duration=1",
        "-vf",
        "setsar=16/11",
        *X264,
        "-x264-params",
        tags,
        path,
    )
    info = probe(path)
    assert (info.width, info.height, info.pix_fmt, info.film) == (96, 64, "yuv420p", 0)
    assert (info.average_rate, info.start_pts, info.frames) == (Fraction(24000, 1001), 0, 24)
    assert (info.tags.matrix, info.tags.primaries, info.tags.transfer, info.tags.siting) == (1, 1, 1, "topleft")
    assert (info.format.matrix, info.format.siting, info.format.full_range) == ("bt709", "topleft", False)
    assert info.sar == Fraction(16, 11) and not info.interlaced


@pytest.mark.parametrize(("height", "matrix"), [(64, "bt601"), (720, "bt709")])
def test_untagged_films_are_taken_by_their_lines(tmp_path, height, matrix):
    path = tmp_path / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", f"color=size=64x{height}:duration=0.04", *X264, path)
    info = probe(path)
    assert info.format.matrix == matrix and info.tags.matrix == 2


@pytest.mark.parametrize(
    ("name", "depth", "full"),
    [
        ("yuv420p10le.mkv", 10, False),
        ("gray10le.mkv", 10, True),
        ("rgb24.nut", 8, True),
        ("palette.gif", 8, True),
        ("mjpeg_pcm.avi", 8, True),
    ],
)
def test_depth_and_range(tmp_path, name, depth, full):
    assert (probe(make(name, tmp_path)).format.depth, probe(tmp_path / name).format.full_range) == (depth, full)


def test_cover_art_is_not_the_film():
    clip = SHARED / "awkward" / "06_multistream.mkv"
    if not clip.exists():
        pytest.skip("no clips beside the repository")
    info = probe(clip)
    assert info.film == 0 and info.streams[6].attached_picture
    assert [s.kind for s in info.streams] == [
        "video",
        "video",
        "audio",
        "audio",
        "subtitle",
        "subtitle",
        "video",
        "attachment",
    ]
    assert info.streams[5].dispositions == ("default", "forced") and info.streams[5].language == "fre"
    assert [c.title for c in info.chapters] == ["Opening", "The hat & the desk"]


@pytest.mark.parametrize("tag", ["NUMBER_OF_FRAMES=1", "NUMBER_OF_FRAMES-eng=1", "DURATION-eng=00:00:00.040000000"])
def test_a_stream_that_its_tags_say_is_one_picture_is_not_the_film(tag, tmp_path):
    """As mkvmerge writes them, where nothing else says it: FFmpeg writes no duration into a pipe."""
    path = tmp_path / "film.mkv"
    card = ("-f", "lavfi", "-i", "color=red:size=64x48:rate=25:duration=0.04")
    picture = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=1")
    told = ("-metadata:s:v:0", tag, "-disposition:v", "0", "-default_mode", "passthrough")
    ffmpeg(*card, *picture, "-map", "0", "-map", "1", "-c:v:0", "png", *told, "-f", "matroska", "-live", "1", path)
    assert probe(path).film == 1
