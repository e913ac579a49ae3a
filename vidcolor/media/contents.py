"""What the streams of a file hold: packet by packet, without decoding anything; or the samples of one sound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av

from vidcolor.media.opening import open_film
from vidcolor.media.probe import FilmInfo

_NO_TEXT = b"\0\0"  # MP4 has a sample of subtitles where there are none: its text is 0 bytes long
# Blu-ray's subtitles: MPEG-TS has a packet for each segment of a picture, Matroska one for all, with the time of the
# first, which is of this kind.
_PGS, _BEGINS_PICTURE = "hdmv_pgs_subtitle", 0x16


@dataclass(slots=True)
class Content:
    """What a stream's packets hold, without how they are cut; subtitles without text are none.

    What goes on a subtitle that an earlier packet began belongs to that one.
    """

    packets: int = 0
    start: Fraction | None = None  # seconds
    end: Fraction | None = None
    last: Fraction | None = None  # when the last packet begins
    open_ended: bool = False  # nothing says how long that one lasts, or files differ on whether what is cut off counts
    cues: list[Fraction] = field(default_factory=list)  # of subtitles: when each begins
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, data: bytes, pts: int | None, duration: int | None, base: Fraction, shortened: bool = False) -> None:
        self.packets += 1
        self._digest.update(data)
        if pts is not None:
            time, end = pts * base, (pts + (duration or 0)) * base
            self.start = time if self.start is None else min(self.start, time)
            self.end = end if self.end is None else max(self.end, end)
            if self.last is None or time >= self.last:
                self.last, self.open_ended = time, shortened or not duration

    def go_on(self, data: bytes) -> None:
        """Take in what belongs to the packet before."""
        self._digest.update(data)

    def moved(self, seconds: Fraction) -> Content:
        """The same, so much later."""
        start, end, last = (None if time is None else time + seconds for time in (self.start, self.end, self.last))
        return replace(self, start=start, end=end, last=last, cues=[time + seconds for time in self.cues])

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def read_contents(info: FilmInfo, indexes: list[int]) -> dict[int, Content]:
    """Packets of some streams, as far as the film can be read."""
    contents = {index: Content() for index in indexes}
    codecs = {stream.index: stream.codec for stream in info.streams}
    if not indexes:
        return contents
    with open_film(info.path, info.protocols) as container:
        packed = []
        for index in indexes:
            stream = container.streams[index]
            if stream.type == "attachment":
                contents[index].add(stream.data, None, None, Fraction(1))
            else:
                packed.append(stream)
        try:
            for packet in container.demux(*packed) if packed else ():
                stream = packet.stream
                if not packet.size or (stream.name == "mov_text" and bytes(packet)[:2] == _NO_TEXT):
                    continue
                content, data = contents[packet.stream_index], bytes(packet)
                pgs = codecs[packet.stream_index] == _PGS
                if pgs and not _whole_segments(data):
                    continue  # cut: nobody can show it
                if pgs and content.packets and data[0] != _BEGINS_PICTURE:
                    content.go_on(data)
                    continue
                shortened = packet.has_sidedata("skip_samples")  # which Ogg takes off the duration, Matroska does not
                content.add(data, packet.pts, packet.duration, packet.time_base, shortened)
                if stream.type == "subtitle" and packet.pts is not None:
                    content.cues.append(packet.pts * packet.time_base)
        except av.error.FFmpegError:
            pass  # a damaged source ends here; `run` copies as far too
    return contents


def _whole_segments(data: bytes) -> bool:
    """Whether these are segments to the end: each has a byte for its kind, two for its length, and so many more."""
    at = 0
    while at < len(data):
        at += 3 + int.from_bytes(data[at + 1 : at + 3])
    return at == len(data)


def samples_of(info: FilmInfo, index: int) -> str:
    """SHA-256 of a sound's samples as numbers of 64 bits, as far as it can be decoded: that of any PCM that holds them all."""
    digest, to_double = hashlib.sha256(), av.AudioResampler(format="dbl")
    with open_film(info.path, info.protocols) as container:
        try:
            for frame in container.decode(container.streams[index]):
                for part in to_double.resample(frame):
                    digest.update(part.to_ndarray().tobytes())
        except av.error.FFmpegError:
            pass  # as above
    return digest.hexdigest()
