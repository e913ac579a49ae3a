"""Opening a film: one file, and what it names only if that is allowed; with the reason when it cannot be read."""

from __future__ import annotations

import os
import re
import ssl

import av

from vidcolor.config import PROTOCOLS
from vidcolor.errors import MediaError, UsageError
from vidcolor.media.address import Address, Source

# Demuxers that read one file and nothing else: no playlists, no lists of files, no devices, no network.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,av1,ivf,nut,mxf,gxf,gif,apng,"
    "ogg,flv,asf,rm,wtv,dv,yuv4mpegpipe,swf,vc1,mjpeg,dirac,mlv,nsv,avs,roq,smk,bink,wav,mp3,flac,aac,ac3,eac3,dts"
)
PLAYLIST = "hls"
"""The demuxer of .m3u8: what it names is read by the protocols that were allowed."""
_CARRIERS = {"http": ("tcp", "httpproxy"), "https": ("tls", "tcp", "httpproxy")}  # what FFmpeg opens to speak them
_PATIENCE = 30  # seconds without a byte from a server
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"II*\0", b"MM\0*")  # JPEG, PNG, TIFF begin so
_LONGEST_WAIT = 8  # seconds between two tries to reach it again; 0, 1, 3 and 7 are tried


def film_url(path: Source) -> str:
    """A film as FFmpeg takes it: a path is never an option, never a protocol, whatever the name is."""
    return str(path) if isinstance(path, Address) else f"file:{os.path.abspath(path)}"


def read_options(path: Source, protocols: tuple[str, ...] = ()) -> dict[str, str]:
    """Options with which FFmpeg reads this film and nothing that was not allowed.

    Args:
        protocols: of PROTOCOLS, that were allowed. A playlist that is a file may name files too; one from elsewhere
            may not name files of this machine.
    """
    own = () if isinstance(path, Address) else ("file", "pipe")
    allowed = [each for name in protocols for each in (name, *_CARRIERS.get(name, ()))]
    options = {
        "protocol_whitelist": ",".join(dict.fromkeys([*own, *allowed])),
        "format_whitelist": f"{DEMUXERS},{PLAYLIST}" if protocols else DEMUXERS,
    }
    if isinstance(path, Address):
        options |= {"rw_timeout": str(_PATIENCE * 1_000_000)}
        options |= {"reconnect": "1", "reconnect_delay_max": str(_LONGEST_WAIT)}
        if path.protocol == "https":
            trusted = ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1", **({"ca_file": trusted} if trusted else {})}
    return options


def open_film(path: Source, protocols: tuple[str, ...] = ()) -> av.container.InputContainer:
    """Open a film for reading; only this one file can be touched by it, and what `protocols` allow.

    Raises:
        UsageError: there is no such file, or it is a folder, a device or a pipe; or an address that is not allowed.
        MediaError: it cannot be read, or is no film.
    """
    if isinstance(path, Address):
        return _open_address(path, protocols)
    what = f"cannot read {path}"
    if not path.exists():
        raise UsageError(what, "there is no such file", "Check the name.")
    if path.is_dir():
        raise UsageError(what, "it is a folder", "Give a film in it.")
    if not path.is_file():
        if path.is_fifo() or path.is_socket():
            raise UsageError(what, "it is a pipe", "Only `vidcolor run` takes a film from a pipe.")
        raise UsageError(what, "it is a device", "A film is a file, or comes from a pipe.")
    try:
        if path.stat().st_size == 0:
            raise MediaError(what, "the file is empty (0 bytes)", "Copy it again from where it came.")
        return av.open(film_url(path), options=read_options(path, protocols), metadata_errors="replace")
    except PermissionError as error:
        raise MediaError(what, "permission denied", f"Try: chmod u+r {path}") from error
    except (av.error.FFmpegError, OSError) as error:
        with path.open("rb") as file:
            head = file.read(4096)
        why, next_step = why_not_open(head, error), "Check that it plays: ffplay or mpv would say the same."
        if _is_picture(head):
            next_step = "Try: vidcolor run PICTURE -o FILE"
        if head.startswith(b"#EXTM3U"):
            if protocols:
                why = f"it is a playlist, and what it names cannot be read ({_strerror(error)})"
            next_step = f"It is a playlist: if you trust it, --allow-protocol {_either(PROTOCOLS)} reads what it names."
        raise MediaError(what, why, next_step) from error


def _open_address(address: Address, protocols: tuple[str, ...]) -> av.container.InputContainer:
    what = f"cannot read {address}"
    if address.protocol not in protocols:
        known = address.protocol in PROTOCOLS and address.protocol != "crypto"
        next_step = f"If you trust it: --allow-protocol {address.protocol}" if known else "Fetch it first."
        raise UsageError(what, "it is an address, and only files are read unless its protocol is allowed", next_step)
    try:
        return av.open(film_url(address), options=read_options(address, protocols), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(what, _strerror(error), "Check the address, or fetch the film first.") from error


def _strerror(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _is_picture(head: bytes) -> bool:
    return head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def why_not_open(head: bytes, error: Exception) -> str:
    """Why FFmpeg cannot open what begins with the bytes `head`."""
    if not head.strip(b"\0"):
        return "it holds nothing but zeros"
    if head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return (
            "its index is missing or damaged (no readable moov atom): the file was cut off or its recording never ended"
        )
    if _is_picture(head):
        return "it is a picture, not a film"
    if not re.search(rb"[\0-\x08\x0e-\x1a]", head):
        return "it is a text file, not a film"
    return f"it is no film that FFmpeg knows, or its beginning is damaged ({_strerror(error)})"
