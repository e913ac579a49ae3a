"""Encoders of GPUs: used where they are, refused in words where they are not, never replaced."""

import re
import subprocess

import av
import pytest

from vidcolor.errors import UsageError
from vidcolor.media import formats, hardware
from vidcolor.media.codecs import CODECS
from vidcolor.media.formats import choose_encoding
from vidcolor.media.probe import probe

HARDWARE = [name for name, codec in CODECS.items() if codec.hardware]


@pytest.fixture
def info(samples):
    return probe(samples / "film.mp4")


def test_an_encoder_that_opens_has_no_obstacle():
    assert hardware.encoder_obstacle("libx264") is None
    assert "no_such" in hardware.encoder_obstacle("no_such_encoder")


@pytest.mark.parametrize("name", HARDWARE)
def test_without_it_the_codec_is_refused_with_the_reason(name, info):
    why = hardware.encoder_obstacle(CODECS[name].encoder)
    if why is None:
        assert choose_encoding(info, name).encoder == CODECS[name].encoder
        return
    assert len(why) > 10
    with pytest.raises(UsageError, match=f"--codec {name} cannot be used here: .*Try --codec {name[:-6]}"):
        choose_encoding(info, name)


@pytest.mark.parametrize("name", HARDWARE)
def test_where_it_is_the_film_fits_the_encoder(name, info, monkeypatch):
    """Its pixel format is one that FFmpeg's encoder lists, and its options are ones that it knows."""
    monkeypatch.setattr(formats, "encoder_obstacle", lambda encoder: None)
    encoding = choose_encoding(info, name, crf=23, preset="p2")
    codec = av.codec.Codec(encoding.encoder, "w")
    assert encoding.pix_fmt in {form.name for form in codec.video_formats}
    options = dict(encoding.options)
    assert (options["cq"], options["preset"]) == ("23", "p2") and "crf" not in options
    described = subprocess.run(
        ["ffmpeg", "-hide_banner", "-h", f"encoder={name}"], capture_output=True, text=True
    ).stdout
    if "AVOptions" not in described:
        pytest.skip("the system's ffmpeg was built without this encoder")
    known = set(re.findall(r"^ +-?(\w+) ", described, re.MULTILINE)) | {"b", "bf"}  # these two are any encoder's
    assert set(options) <= known and "p2" in known


def test_auto_never_takes_one(info, monkeypatch):
    monkeypatch.setattr(formats, "encoder_obstacle", lambda encoder: None)
    assert not CODECS[choose_encoding(info).codec].hardware
