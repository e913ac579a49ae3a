"""Which codec and container a film gets, and that whatever changes is said."""

from __future__ import annotations

import pytest
from matrix import make
from witness import describe, ffmpeg, run_identity

from vidcolor.errors import UsageError
from vidcolor.media.codecs import CODECS
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe


@pytest.mark.parametrize(
    ("name", "choice", "expected"),
    [
        ("bframes.mp4", {}, ("h264", "yuv420p", ".mp4")),
        ("hevc10.mkv", {}, ("hevc", "yuv420p10le", ".mkv")),
        ("prores.mov", {}, ("hevc", "yuv422p10le", ".mov")),
        ("prores_444.mov", {"codec": "ffv1"}, ("ffv1", "yuv444p12le", ".mkv")),
        ("vp9_opus.webm", {}, ("h264", "yuv420p", ".mkv")),
        ("vp9_opus.webm", {"codec": "av1"}, ("av1", "yuv420p", ".webm")),
        ("mpeg4_mp3.avi", {}, ("h264", "yuv420p", ".mp4")),
        ("mjpeg_pcm.avi", {}, ("h264", "yuv422p", ".mov")),
        ("h264_aac.ts", {"codec": "prores"}, ("prores", "yuv422p10le", ".mov")),
        ("palette.gif", {}, ("h264", "yuv420p", ".mp4")),
        ("gray16le.mkv", {"codec": "ffv1"}, ("ffv1", "yuv420p16le", ".mkv")),
        ("gray16le.mkv", {}, ("hevc", "yuv420p12le", ".mkv")),
        ("yuv440p.mkv", {}, ("h264", "yuv444p", ".mkv")),
        ("yuv411p.mkv", {}, ("h264", "yuv422p", ".mkv")),
        ("odd.mkv", {}, ("h264", "yuv444p", ".mkv")),
        ("bframes.mp4", {"suffix": ".mkv"}, ("h264", "yuv420p", ".mkv")),
        ("hevc10.mkv", {"suffix": ".m4v"}, ("h264", "yuv420p10le", ".m4v")),
    ],
)
def test_choice(name, choice, expected, tmp_path):
    encoding = choose_encoding(probe(make(name, tmp_path)), **choice)
    assert (encoding.codec, encoding.pix_fmt, encoding.suffix) == expected


@pytest.mark.parametrize(
    ("name", "choice", "said"),
    [
        ("gray16le.mkv", {}, ["get chroma planes", "16 bits becomes 12 bits (rounded)"]),
        ("palette.gif", {}, ["full-range BT.601 luma", "transparency", ".mp4 file"]),
        ("odd.mkv", {}, ["4:4:4, because h264 takes no 35x27"]),
        ("yuva420p.mkv", {}, ["transparency"]),
        ("2997_aac.mp4", {"suffix": ".mkv"}, ["rounded to 1/1000 s"]),
        ("mpeg2_tff.ts", {"codec": "hevc"}, ["coded whole"]),
        ("mjpeg_pcm.avi", {"codec": "prores"}, ["limited range", "8 bits becomes 10 bits"]),
        ("bframes.mp4", {}, []),
        ("hevc10.mkv", {}, []),
        ("mpeg2_tff.ts", {}, []),
    ],
)
def test_what_changes_is_said_and_nothing_else(name, choice, said, tmp_path):
    conversions = choose_encoding(probe(make(name, tmp_path)), **choice).conversions
    for words in said:
        assert any(words in sentence for sentence in conversions), conversions
    assert said or not conversions


def test_a_film_that_is_misnamed_is_not_said_to_be_of_a_container_that_holds_nothing(tmp_path):
    misnamed = make("bframes.mp4", tmp_path).rename(tmp_path / "film.mkv")
    encoding = choose_encoding(probe(misnamed))
    assert encoding.suffix == ".mp4" and any("the source is no .mkv file" in said for said in encoding.conversions)


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_transparency_of_webm_is_said_to_be_dropped(codec, tmp_path):
    path = tmp_path / "film.webm"
    picture = "testsrc2=size=64x48:duration=0.4,format=yuva420p,colorchannelmixer=aa=0.5"
    ffmpeg("-f", "lavfi", "-i", picture, "-pix_fmt", "yuva420p", "-c:v", "libvpx-vp9", path)
    result = run_identity(path, tmp_path, codec=codec)
    assert "the alpha channel (transparency) is dropped" in result.encoding.conversions
    source, made = ({name.lower() for name in describe(p)["streams"][0]["tags"]} for p in (path, result.output))
    assert "alpha_mode" in source - made


def test_what_cannot_be_meant_is_refused(tmp_path):
    info = probe(make("23976.mov", tmp_path))
    for choice, why in (
        ({"codec": "h265"}, "known: auto, h264"),
        ({"codec": "prores", "suffix": ".mp4"}, "it goes into .mov"),
        ({"suffix": ".mp4"}, "pcm_s16le"),
        ({"codec": "ffv1", "crf": 12}, "no such setting"),
        ({"crf": 60}, "it takes 0 to 51"),
        ({"preset": "warp"}, "known: ultrafast"),
    ):
        with pytest.raises(UsageError, match=why):
            choose_encoding(info, **choice)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [(codec.name, suffix) for codec in CODECS.values() if not codec.hardware for suffix in codec.suffixes],
)
def test_every_container_that_a_codec_names_takes_it(codec, suffix, tmp_path):
    source = make("bframes.mp4", tmp_path)
    result = run_identity(source, tmp_path, codec=codec, suffix=suffix)
    (film,) = describe(result.output)["streams"]
    assert film["codec_name"] == codec and len(result.output_times()) == len(result.source_times())


@pytest.mark.parametrize("codec", [name for name, codec in CODECS.items() if not codec.hardware])
def test_aspect_tags_and_times_with_every_codec(codec, tmp_path):
    path = tmp_path / "film.mkv"
    tags = "setsar=16/11,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=limited"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=96x64:duration=0.4",
        "-vf",
        tags,
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        path,
    )
    result = run_identity(path, tmp_path, frames_per_chunk=4, codec=codec)
    assert result.output_times() == [result.expected(time) for time in result.source_times()]
    film = describe(result.output)["streams"][0]
    assert (film["sample_aspect_ratio"], film["color_range"], film["color_space"]) == ("16:11", "tv", "bt709")
    assert (film["color_primaries"], film["color_transfer"]) == ("bt709", "bt709")


@pytest.mark.parametrize(
    ("codec", "span"), [("ffv1", "pc"), ("h264", "pc"), ("hevc", "pc"), ("av1", "pc"), ("prores", "tv")]
)
def test_full_range_stays_full_range_where_it_can(codec, span, tmp_path):
    result = run_identity(make("rgb24.nut", tmp_path), tmp_path, codec=codec)
    assert describe(result.output)["streams"][0]["color_range"] == span
    assert result.info.format.full_range is (span == "pc")
