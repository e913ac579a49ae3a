"""Opening a film: one file and nothing that it names, with the reason when it cannot be read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import av

from vidcolor.errors import MediaError, UsageError

# Demuxers that read one file and nothing else: no playlists, no lists of files, no devices, no network.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,av1,ivf,nut,mxf,gxf,gif,apng,"
    "ogg,flv,asf,rm,wtv,dv,yuv4mpegpipe,swf,vc1,mjpeg,dirac,mlv,nsv,avs,roq,smk,bink,wav,mp3,flac,aac,ac3,eac3,dts"
)
OPEN_OPTIONS = {"protocol_whitelist": "file,pipe", "format_whitelist": DEMUXERS}


def film_url(path: Path) -> str:
    """A path as FFmpeg takes it: never an option, never a protocol, whatever the name is."""
    return f"file:{os.path.abspath(path)}"


def open_film(path: Path) -> av.container.InputContainer:
    """Open a film for reading; only this one file can be touched by it.

    Raises:
        UsageError: there is no such file, or it is a folder, a device or a pipe.
        MediaError: it cannot be read, or is no film.
    """
    what = f"cannot read {path}"
    if not path.exists():
        raise UsageError(what, "there is no such file", "Check the name.")
    if path.is_dir():
        raise UsageError(what, "it is a folder", "Give a film in it.")
    if not path.is_file():
        raise UsageError(what, "it is no file but a pipe or a device", "Only `vidcolor run` takes a film from a pipe.")
    try:
        if path.stat().st_size == 0:
            raise MediaError(what, "the file is empty (0 bytes)", "Copy it again from where it came.")
        return av.open(film_url(path), options=dict(OPEN_OPTIONS), metadata_errors="replace")
    except PermissionError as error:
        raise MediaError(what, "permission denied", f"Try: chmod u+r {path}") from error
    except (av.error.FFmpegError, OSError) as error:
        with path.open("rb") as file:
            why = why_not_open(file.read(4096), error)
        raise MediaError(what, why, "Check that it plays: ffplay or mpv would say the same.") from error


def why_not_open(head: bytes, error: Exception) -> str:
    """Why FFmpeg cannot open what begins with the bytes `head`."""
    if not head.strip(b"\0"):
        return "it holds nothing but zeros"
    if head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return (
            "its index is missing or damaged (no readable moov atom): the file was cut off or its recording never ended"
        )
    if not re.search(rb"[\0-\x08\x0e-\x1a]", head):
        return "it is a text file, not a film"
    return f"it is no film that FFmpeg knows, or its beginning is damaged ({getattr(error, 'strerror', None) or error})"
