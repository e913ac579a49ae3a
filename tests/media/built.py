"""Films that take more than one command to make: odd streams, broken indexes, times that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matrix import FILMS, PICTURE, SOUND, X264, make
from witness import ffmpeg

SECOND = tuple(word.format(rate="25", seconds="1") for word in PICTURE)
SMALL = ("-f", "lavfi", "-i", "mandelbrot=size=48x32:rate=10")
CARD = ("-f", "lavfi", "-i", "color=red:size=32x32")
TONE = tuple(word.format(seconds="1") for word in SOUND)


def _edit_list(path: Path) -> None:
    """Begins in the middle of a group of pictures: the frames before are in the file, and hidden."""
    ffmpeg("-ss", "0.6", "-i", make("bframes.mp4", path.parent), "-c", "copy", path)


def _empty_edit(path: Path) -> None:
    """Sound first; the picture begins half a second later."""
    ffmpeg("-itsoffset", "0.5", *SECOND, *TONE, *X264, "-bf", "2", "-c:a", "aac", path)


def _two_videos(path: Path) -> None:
    ffmpeg(*SECOND, *SMALL, *TONE, "-map", "0:v", "-map", "1:v", "-map", "2:a", "-t", "1", *X264, "-c:a", "aac", path)


def _second_is_default(path: Path) -> None:
    ffmpeg(
        *SMALL, *SECOND, "-map", "0:v", "-map", "1:v", "-t", "1", *X264,
        "-disposition:0", "0", "-disposition:1", "default", path,
    )  # fmt: skip


def _cover(path: Path) -> None:
    ffmpeg(
        *SECOND, *CARD, "-map", "0:v", "-map", "1:v", *X264, "-c:v:1", "mjpeg", "-frames:v:1", "1", "-t", "1",
        "-disposition:v:1", "attached_pic", path,
    )  # fmt: skip


def _still_first(path: Path) -> None:
    """A stream of one picture, not marked as a cover, before the film."""
    card = path.with_name("card.jpg")
    ffmpeg(*CARD, "-frames:v", "1", card)
    ffmpeg("-i", card, *SECOND, "-map", "0:v", "-map", "1:v", *X264, "-c:v:0", "copy", path)


def _without(mark: bytes, source: str) -> Callable[[Path], None]:
    """The film `source` with a part of its index called something else."""

    def build(path: Path) -> None:
        data = make(source, path.parent).read_bytes()
        assert mark in data
        at = data.rindex(mark)
        path.write_bytes(data[:at] + b"JUNK"[: len(mark)] + data[at + len(mark) :])

    return build


def _piped(path: Path) -> None:
    """Written where nothing can be sought: no duration, no index."""
    made = make("bframes.mp4", path.parent)
    ffmpeg("-i", made, "-c", "copy", "-f", "matroska", "-live", "1", path)


def _swapped_times(path: Path) -> None:
    """Two frames whose times are exchanged; Matroska stores no decoding times that could tell."""
    swap = "if(eq(N\\,9)\\,PTS+1\\,if(eq(N\\,10)\\,PTS-1\\,PTS))"
    ffmpeg(*SECOND, *X264, "-bf", "0", "-bsf:v", f"setts=pts='{swap}':dts=N", path)


def _overlap(path: Path) -> None:
    """Two recordings one after the other, the second's clock 0.4 s behind the first's end."""
    first, second = make("h264_aac.ts", path.parent), path.with_name("second.ts")
    ffmpeg("-i", first, "-c", "copy", "-output_ts_offset", "1", second)
    path.write_bytes(first.read_bytes() + second.read_bytes())


# Films that conform whole.
BUILT: dict[str, Callable[[Path], None]] = {
    "edit_list.mp4": _edit_list,
    "empty_edit.mov": _empty_edit,
    "two_videos.mkv": _two_videos,
    "two_videos.mp4": _two_videos,
    "two_videos.ts": _two_videos,
    "second_is_default.mkv": _second_is_default,
    "cover.mp4": _cover,
    "still_first.mkv": _still_first,
    "still_first.mp4": _still_first,
    "piped.mkv": _piped,
    "no_index.avi": _without(b"idx1", "mpeg4_mp3.avi"),
    "no_cues.mkv": _without(b"\x1c\x53\xbb\x6b", "late_start.mkv"),
    "no_sync_samples.mp4": _without(b"stss", "bframes.mp4"),
    "no_composition_times.mp4": _without(b"elst", "bframes.mp4"),
}  # fmt: skip
# Films with frames that come too late to be shown: those are left out, and named.
LATE: dict[str, Callable[[Path], None]] = {
    "swapped_times.mkv": _swapped_times,
    "overlap.ts": _overlap,
}


def build(name: str, folder: Path) -> Path:
    """Make the film `name`, of BUILT, LATE or the matrix, in `folder`."""
    if name in FILMS:
        return make(name, folder)
    path = folder / name
    {**BUILT, **LATE}[name](path)
    return path
