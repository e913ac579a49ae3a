"""A chunk of a film that is written as numbered pictures: one file a frame, and a list of them that is the chunk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from vidcolor.color.rgb import rgb_of_planes
from vidcolor.errors import MediaError
from vidcolor.files import sha256, sync_folder
from vidcolor.media.formats import LIST_SUFFIX, Encoding
from vidcolor.media.marks import with_words
from vidcolor.media.probe import FilmInfo
from vidcolor.media.sink import ChunkWriter
from vidcolor.media.timeline import count_frames

_FOLDER = "frames"
_TRANSFER, _BT709 = slice(801, 803), bytes([6, 6])  # SMPTE ST 268-1: transfer and colorimetry of a DPX file's codes


class FrameWriter:
    """Writes frames as pictures into a folder beside `path`, and at the end their list to `path`. A context manager.

    The pictures hold R'G'B' of `encoding.format`. They are named by their pts, so that a chunk that is made again
    replaces its own. Arguments as of `ChunkWriter`.

    Raises:
        MediaError: the encoder refuses these settings, or a frame.
        OSError: a picture cannot be written, for instance because the disk is full.
    """

    def __init__(self, path: Path, encoding: Encoding, info: FilmInfo, threads: int) -> None:
        self._path, self._encoding, self._info = path, encoding, info
        self._folder = path.parent / _FOLDER
        if self._folder.is_symlink():
            raise MediaError(f"cannot use {self._folder}", "it leads out of the work folder", "Remove it.")
        self._folder.mkdir(exist_ok=True)
        self._list: list[dict[str, Any]] = []
        self._context = context = av.CodecContext.create(encoding.encoder, "w")
        context.width, context.height, context.pix_fmt = info.width, info.height, encoding.pix_fmt
        context.time_base = info.time_base
        context.options = dict(encoding.options)
        context.thread_count, context.thread_type = threads, "FRAME"
        if info.sar is not None:
            context.sample_aspect_ratio = info.sar

    def write(
        self,
        pts: int,
        duration: int,
        y: np.ndarray,
        u: np.ndarray,
        v: np.ndarray,
        carrier: av.VideoFrame | None = None,
    ) -> None:
        """Write one frame; arguments as of `ChunkWriter.write`, but pictures carry nothing."""
        frame = av.VideoFrame(self._info.width, self._info.height, self._encoding.pix_fmt)
        _fill(frame, rgb_of_planes(y, u, v, self._encoding.format))
        frame.pts, frame.time_base = pts, self._info.time_base
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            packets = self._context.encode(frame)
        except (av.error.FFmpegError, ValueError) as error:
            encoding, info = self._encoding, self._info
            why = f"{encoding.encoder} refuses {info.width}x{info.height} {encoding.pix_fmt} ({error})"
            raise MediaError(f"cannot write pictures of {info.path}", why, "Try .tif.") from error
        for packet in packets:
            self._put(packet.pts, bytearray(packet))

    def _put(self, pts: int, data: bytes | bytearray) -> None:
        if self._encoding.encoder == "dpx":
            data[_TRANSFER] = _BT709  # FFmpeg says "linear" of whatever it writes
        if self._encoding.comment:
            data = with_words(bytes(data), self._encoding.comment)
        path = self._folder / f"{pts:012}{self._encoding.suffix}"
        path.unlink(missing_ok=True)  # of a chunk that is made again: it may be the finished picture's other name
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._list.append({"file": path.name, "pts": pts, "bytes": len(data), "hash": hashlib.sha256(data).hexdigest()})

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._encode(None)
            sync_folder(self._folder)
            self._path.write_text(json.dumps(self._list, indent=0))


def open_writer(path: Path, encoding: Encoding, info: FilmInfo, threads: int) -> ChunkWriter | FrameWriter:
    """What writes a chunk of a film: a piece of video, or pictures and their list.

    Args:
        threads: to use. The encoder gets half as many again, as x264 does by itself: some always wait.
    """
    kind = FrameWriter if encoding.chunk_suffix == LIST_SUFFIX else ChunkWriter
    return kind(path, encoding, info, threads * 3 // 2)


def read_list(path: Path) -> list[tuple[int, Path, str]]:
    """Pts, file and SHA-256 of every picture of a chunk, in order.

    Raises:
        MediaError: it is no such list.
    """
    try:
        folder = path.parent / _FOLDER
        found = json.loads(path.read_bytes())
        entries = [(int(e["pts"]), folder / Path(e["file"]).name, str(e["hash"])) for e in found]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise MediaError(f"cannot read the chunk {path}", str(error), "Run again with an empty work folder.") from error
    return sorted(entries)


def count_in(path: Path) -> int:
    """How many frames a chunk holds, whatever it is written as.

    Raises:
        MediaError: it cannot be read, or a picture is not there or not as it was written.
    """
    if path.suffix != LIST_SUFFIX:
        return count_frames(path)
    entries = read_list(path)
    for _, picture, expected in entries:
        if not picture.is_file() or picture.is_symlink() or sha256(picture) != expected:
            raise MediaError(f"cannot use the chunk {path}", f"{picture} is missing or changed")
    return len(entries)


def bytes_of(chunk: Path) -> int:
    """The size of a chunk, that of its pictures included."""
    size = chunk.stat().st_size
    return size if chunk.suffix != LIST_SUFFIX else size + sum(p.stat().st_size for _, p, _ in read_list(chunk))


def _fill(frame: av.VideoFrame, rgb: np.ndarray) -> None:
    """Copy R'G'B' codes (H, W, 3) into a frame of a packed or a planar (G, B, R) format."""
    codes = rgb if rgb.dtype == np.uint8 else rgb.astype(">u2" if frame.format.is_big_endian else "<u2", copy=False)
    layers = [codes.reshape(frame.height, -1)] if len(frame.planes) == 1 else [codes[..., i] for i in (1, 2, 0)]
    for plane, layer in zip(frame.planes, layers, strict=True):
        target = np.frombuffer(plane, codes.dtype).reshape(frame.height, -1)
        target[:, : layer.shape[1]] = layer
