"""What will be done to one film, decided before any work: frozen, written down, and hashed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from fractions import Fraction

from vidcolor import __version__
from vidcolor.backends.choose import Choice, choose_backend, choose_model
from vidcolor.config import RunOptions, fingerprint
from vidcolor.media.formats import Encoding
from vidcolor.media.probe import FilmInfo
from vidcolor.models.base import ModelSpec
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights, find_weights

CHUNK_SECONDS = 20  # long enough that the extra key frame costs nothing, short enough to lose little


@dataclass(frozen=True, slots=True)
class Plan:
    """One film's job. A chunk is the frames with a pts in [first_pts + i·chunk_ticks, first_pts + (i + 1)·chunk_ticks).

    Ticks are units of the source's time base. Chunks are cut by time, not by frame number, so that a plan needs no
    scan of the film and any chunk can be found by seeking.
    """

    info: FilmInfo
    options: RunOptions
    encoding: Encoding
    spec: ModelSpec
    weights: Weights
    backend: Choice
    model: Choice
    first_pts: int
    end_pts: int | None  # exclusive; None: the end of the film
    chunk_ticks: int
    threads: int

    def chunk_of(self, pts: int) -> int:
        return (pts - self.first_pts) // self.chunk_ticks

    def chunk_start(self, index: int) -> int:
        return self.first_pts + index * self.chunk_ticks

    @property
    def estimated_frames(self) -> int | None:
        """Frames in the piece, from the source's header; None where that does not say."""
        if self.end_pts is None and self.options.start is None:
            return self.info.frames
        if self.info.average_rate is None or (self.end_pts is None and self.info.duration is None):
            return None
        seconds = self.seconds
        return max(1, round(seconds * self.info.average_rate))

    @property
    def seconds(self) -> Fraction | None:
        """Length of the piece, from the source's header; None where that does not say."""
        start = self.options.start or Fraction(0)
        length = self.info.duration
        if self.options.end is not None and (length is None or self.options.end < length):
            length = self.options.end
        return None if length is None else max(Fraction(0), length - start)

    @property
    def estimated_chunks(self) -> int | None:
        seconds = self.seconds
        return None if seconds is None else max(1, -(-seconds // (self.chunk_ticks * self.info.time_base)))

    def fingerprint(self) -> str:
        """Equal if and only if the finished chunks of one run can serve another."""
        return fingerprint(*self._determining().values())

    def _determining(self) -> dict[str, object]:
        status = self.info.path.stat()
        return {
            "version": __version__,
            "source": [str(self.info.path.resolve()), status.st_size, status.st_mtime_ns],
            "options": asdict(replace(self.options, model="", weights=None, backend="", codec="", crf=None, preset=None)),
            "encoding": asdict(self.encoding),
            "model": self.spec.name,
            "weights": self.weights.hash,
            "backend": self.backend.name,
            "first_pts": self.first_pts,
            "end_pts": self.end_pts,
            "chunk_ticks": self.chunk_ticks,
            "threads": self.threads,
        }

    def to_json(self) -> str:
        return json.dumps({"fingerprint": self.fingerprint(), **self._determining()}, indent=2, default=str) + "\n"


def make_plan(info: FilmInfo, options: RunOptions, encoding: Encoding, threads: int) -> Plan:
    """Decide everything about one film.

    Raises:
        UsageError, ModelError: an option that cannot be meant, weights that cannot be used.
    """
    model = choose_model(options.model)
    spec = find_spec(model.name)
    first = info.start_pts
    start, end = (None if t is None else first + round(t / info.time_base) for t in (options.start, options.end))
    return Plan(
        info=info,
        options=options,
        encoding=encoding,
        spec=spec,
        weights=find_weights(spec, options.weights),
        backend=choose_backend(options.backend),
        model=model,
        first_pts=first if start is None else start,
        end_pts=end,
        chunk_ticks=max(1, round(CHUNK_SECONDS / info.time_base)),
        threads=threads,
    )
