"""Decompression bombs: a small file whose pictures would fill the memory is refused before one is decoded."""

import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from vidcolor.config import RunOptions
from vidcolor.errors import MediaError
from vidcolor.film.run import colour_film
from vidcolor.film.still import colour_still


def png(width, height):
    """A grey PNG of one value, a few kilobytes whatever its size."""
    row = b"\0" + b"\x80" * width
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def run(*arguments):
    """The command in a process that may not have more than 4 GiB."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    command = [sys.executable, "-m", "vidcolor", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)


@pytest.mark.parametrize("kind", ["still", "film"])
def test_a_bomb_is_refused_and_the_way_out_named(kind, tmp_path):
    picture = tmp_path / "bomb.png"
    picture.write_bytes(png(10000, 8000))
    bomb = picture
    if kind == "film":
        bomb = tmp_path / "bomb.mkv"
        make = ["ffmpeg", "-v", "error", "-i", picture, "-c", "copy", bomb]
        subprocess.run(make, check=True)
    assert bomb.stat().st_size < 1 << 20
    before = set(tmp_path.iterdir())
    result = run(bomb)
    assert result.returncode == 1
    assert "10000x8000" in result.stderr and "--max-pixels 80000000" in result.stderr
    assert len(result.stderr.splitlines()) == 1 and set(tmp_path.iterdir()) == before


def test_a_limit_can_be_set(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(60, 50))
    ask = dict(overwrite=False, dry_run=False, report=lambda event: None)
    with pytest.raises(MediaError, match="--max-pixels 3000"):
        colour_still(picture, None, False, RunOptions(max_pixels=2999), **ask)
    colour_still(picture, None, False, RunOptions(max_pixels=3000), **ask)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_the_size_of_every_kind_of_still_is_known_before_it_is_decoded(suffix, tmp_path):
    import cv2

    picture = tmp_path / f"picture{suffix}"
    cv2.imwrite(str(picture), np.zeros((50, 60), np.uint8))
    ask = dict(overwrite=False, dry_run=False, report=lambda event: None)
    with pytest.raises(MediaError, match="60x50 is larger"):
        colour_still(picture, None, False, RunOptions(max_pixels=2999), **ask)


def test_a_film_of_too_many_frames_ends_plainly(samples, tmp_path):
    ask = dict(overwrite=False, dry_run=False, report=lambda event: None)
    with pytest.raises(MediaError, match="more than 20 frames"):
        colour_film(samples / "vfr10.mkv", tmp_path / "out.mkv", False, RunOptions(max_frames=20), **ask)
    assert not (tmp_path / "out.mkv").exists()
