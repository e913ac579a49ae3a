"""Films run through media/ with their colour taken out, and what ffprobe says of the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

from vidcolor.media.container_times import tick
from vidcolor.media.ffmpeg import find_ffmpeg
from vidcolor.media.formats import Encoding, choose_encoding
from vidcolor.media.probe import FilmInfo, probe
from vidcolor.media.remux import remux
from vidcolor.media.sink import ChunkWriter
from vidcolor.media.source import FilmSource
from vidcolor.media.streams import plan_streams

FFPROBE = shutil.which("ffprobe")
SHARED = Path(os.environ.get("VIDCOLOR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; its complaint is the test's."""
    done = subprocess.run(
        [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def shared_clips() -> list[Path]:
    """The awkward clips that lie beside the repository, and the one with sound before picture, if they are there."""
    found = sorted((SHARED / "awkward").glob("*")) + sorted((SHARED / "video").glob("bw_friday*"))
    return [path for path in found if not path.name.startswith("12b")]


def describe(path: Path) -> dict[str, Any]:
    """What ffprobe says of streams, format and chapters."""
    return _ffprobe(path, "-show_streams", "-show_format", "-show_chapters")


def programs(path: Path) -> list[dict[str, Any]]:
    """What ffprobe says of the services of a transport stream."""
    return _ffprobe(path, "-show_programs")["programs"]


def shown_frames(path: Path, stream: int) -> list[dict[str, Any]]:
    """What ffprobe says of every shown frame."""
    entries = "frame=best_effort_timestamp,interlaced_frame,top_field_first,width,height"
    return _ffprobe(path, "-select_streams", str(stream), "-show_entries", entries)["frames"]


def shown_side_data(path: Path) -> list[dict[str, Any]]:
    """What ffprobe says of the side data of the first frame of the first film."""
    found = _ffprobe(path, "-select_streams", "v:0", "-read_intervals", "%+#1", "-show_frames")["frames"]
    return found[0].get("side_data_list", [])


def packets(path: Path, stream: int) -> list[tuple[Fraction, int]]:
    """Time in seconds and size in bytes of every packet of a stream."""
    found = _ffprobe(path, "-select_streams", str(stream), "-show_entries", "packet=pts,size:stream=time_base")
    base = Fraction(found["streams"][0]["time_base"])
    return [(int(p.get("pts", 0)) * base, int(p["size"])) for p in found["packets"]]


@cache
def _ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [FFPROBE, "-v", "error", *arguments, "-of", "json", f"file:{path}"], capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout)


@dataclass
class Result:
    """A film that went through source, chunks and remux with its colour taken out."""

    source: Path
    output: Path
    info: FilmInfo
    encoding: Encoding
    written: int
    damage: list[tuple[int | None, str]]

    def source_times(self) -> list[Fraction | None]:
        """When ffprobe shows each frame of the source, in seconds; None where it does not know."""
        base = Fraction(describe(self.source)["streams"][self.info.film]["time_base"])
        times = (frame.get("best_effort_timestamp") for frame in shown_frames(self.source, self.info.film))
        return [None if time is None else int(time) * base for time in times]

    def output_frames(self) -> tuple[int, list[dict[str, Any]]]:
        """The index of the film in the output, and ffprobe's frames of it."""
        streams = describe(self.output)["streams"]
        before = plan_streams(self.info, self.encoding.suffix)[: self.info.film]
        film = sum(plan.action in ("copy", "convert") for plan in before)
        assert streams[film]["codec_type"] == "video"
        return film, shown_frames(self.output, film)

    def output_times(self) -> list[Fraction]:
        film, frames = self.output_frames()
        base = Fraction(describe(self.output)["streams"][film]["time_base"])
        return [int(frame["best_effort_timestamp"]) * base for frame in frames]

    def expected(self, time: Fraction) -> Fraction:
        """A time of the source as the output's container can hold it: the nearest."""
        unit = tick(self.encoding.suffix)
        return time if unit is None else floor(time / unit + Fraction(1, 2)) * unit


def grey_planes(encoding: Encoding, info: FilmInfo) -> tuple[np.ndarray, np.ndarray]:
    width, height = encoding.format.chroma_size(info.width, info.height)
    grey = np.full((height, width), encoding.format.mid, encoding.format.dtype)
    return grey, grey


def run_identity(source: Path, folder: Path, frames_per_chunk: int = 13, threads: int = 2, **choice: Any) -> Result:
    """Everything that colouring a film does, but the colouring."""
    info = probe(source)
    encoding = choose_encoding(info, **choice)
    info = encoding.prepare(info)
    planes = grey_planes(encoding, info)
    chunks: list[Path] = []
    with FilmSource(info, threads) as film:
        for frames in _batches(iter(film), frames_per_chunk):
            chunks.append(folder / f"chunk-{len(chunks)}{encoding.chunk_suffix}")
            with ChunkWriter(chunks[-1], encoding, info, threads) as writer:
                for frame in frames:
                    writer.write(frame.pts, frame.duration, frame.y, *planes)
        damage = film.damage
    output = folder / f"out{encoding.suffix}"
    written = remux(info, encoding, chunks, output, {"comment": "coloured by a test"})
    return Result(source, output, info, encoding, written, damage)


def _batches(frames: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
