"""What will be done to one film, decided before any work: frozen, written down, and hashed."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version

import cv2
import numpy as np

from vidcolor import __version__
from vidcolor.backends.base import BackendInfo
from vidcolor.backends.choose import Choice, choose_backend, choose_model
from vidcolor.config import RunOptions, fingerprint
from vidcolor.media.formats import Encoding
from vidcolor.media.probe import FilmInfo
from vidcolor.models.base import ModelSpec
from vidcolor.models.registry import find_spec
from vidcolor.models.weights import Weights, find_weights

CHUNK_SECONDS = 20  # long enough that the extra key frame costs nothing, short enough to lose little
TOLD = Fraction(1, 10**6)  # seconds: what times are told in, by `shots` too; a frame's own time, so rounded, is its own
# Options that are in a plan as what they came to ("auto" and its choice are the same job), and those that only refuse.
_ELSEWHERE = frozenset([
    "model", "weights", "backend", "decoder", "codec", "crf", "preset", "threads", "max_pixels", "max_frames",
    "stdout_format", "tag", "provenance", "verify", "allow_protocol",
])  # fmt: skip
# Where plans differ in the first, differences that begin like the others follow from it.
_LEADS = {
    "source.path": ("source.", "piece."),
    "source.size": ("source.changed", "piece."),
    "model": ("weights",),
    "encoding.codec": ("encoding.",),
    "backend.name": ("backend.",),
    "options.start": ("piece.",),
    "options.end": ("piece.",),
}
_NAMES = {
    "source.path": "the source",
    "source.size": "the source's size",
    "model": "--model",
    "weights": "the network's weights",
    "encoding.codec": "--codec",
    "encoding.comment": "the statement in every picture",
    "backend.name": "--backend",
    "backend.precision": "the backend's precision",
    "backend.device": "the backend's device",
    "backend.version": "the backend's version",
    "decoder": "--decoder",
    "threads": "--threads",
    "versions.vidcolor": "vidcolor's version",
    "versions.av": "PyAV's version",
    "versions.cv2": "OpenCV's version",
    "versions.numpy": "NumPy's version",
}


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
    runtime: BackendInfo | None = None  # what the network runs on; known once it does

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
        if self.seconds is None:
            return None
        last = self.seconds - 1 / (
            2 * (self.info.average_rate or 25)
        )  # within the last frame; the end itself is rounded
        return max(1, math.ceil(last / (self.chunk_ticks * self.info.time_base)))

    def fingerprint(self) -> str:
        """Equal if and only if the finished chunks of one run can serve another."""
        return fingerprint(*self._determining().values())

    def _determining(self) -> dict[str, object]:
        options = {name: value for name, value in asdict(self.options).items() if name not in _ELSEWHERE}
        encoding = {**asdict(self.encoding), "options": dict(self.encoding.options)}
        del encoding["reason"], encoding["conversions"]  # words about the rest
        return {
            "source": {"path": self.info.place, "size": self.info.size, "changed": self.info.changed},
            "model": self.spec.name,
            "weights": self.weights.hash,
            "options": options,
            "decoder": self.info.decoder,
            "encoding": encoding,
            "backend": None if self.runtime is None else asdict(self.runtime),
            "threads": self.threads,
            "versions": {"vidcolor": __version__, "av": version("av"), "cv2": cv2.__version__, "numpy": np.__version__},
            "piece": {"first_pts": self.first_pts, "end_pts": self.end_pts, "chunk_ticks": self.chunk_ticks},
        }

    def to_json(self) -> str:
        return json.dumps({"fingerprint": self.fingerprint(), **self._determining()}, indent=2, default=str) + "\n"

    def differences(self, other: bytes) -> list[str]:
        """What `other`, the JSON of an earlier plan, has otherwise: a phrase each, less what only follows from another.

        Returns:
            Nothing if it is the same plan, and at least one phrase for anything else.
        """
        try:
            theirs = json.loads(other)
            old = _flat(theirs) if isinstance(theirs, dict) else {}
        except (ValueError, RecursionError):
            old = {}
        if "fingerprint" not in old:
            return ["its plan cannot be read"]
        new = _flat(json.loads(self.to_json()))
        if old == new:
            return []
        keys = [key for key in new if key != "fingerprint" and old.get(key) != new[key]]
        follow = {key: tuple(p for lead in keys if lead != key for p in _LEADS.get(lead, ())) for key in keys}
        told = [_phrase(key, old.get(key), new[key]) for key in keys if not key.startswith(follow[key])]
        return told or ["its plan is of another form"]


def _flat(record: dict[str, object], prefix: str = "") -> dict[str, object]:
    """The leaves of nested records, under names like "encoding.options.crf"."""
    leaves: dict[str, object] = {}
    for name, value in record.items():
        leaves |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return leaves


def _phrase(key: str, old: object, new: object) -> str:
    """A difference in words; `key` is that of a leaf."""
    if key == "source.changed":
        return "the source was written to since"
    if key == "weights":
        old, new = str(old)[:12], str(new)[:12]
    option = key.removeprefix("encoding.").removeprefix("options.")
    name = f"--{option.replace('_', '-')}" if "options." in key else _NAMES.get(key, key.replace(".", " "))
    return f"{name} was {_shown(old)}, is {_shown(new)}"


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)


def piece_of(info: FilmInfo, options: RunOptions) -> tuple[int, int | None] | None:
    """First pts and end (exclusive; None: the film's) of the part that was asked for; None: the whole film."""
    if options.start is None and options.end is None:
        return None
    start, end = (
        None if t is None else info.start_pts + math.ceil((t - TOLD) / info.time_base)
        for t in (options.start, options.end)
    )
    return info.start_pts if start is None else start, end


def make_plan(info: FilmInfo, options: RunOptions, encoding: Encoding, threads: int) -> Plan:
    """Decide everything about one film.

    Raises:
        UsageError, ModelError: an option that cannot be meant, weights that cannot be used.
    """
    model = choose_model(options.model)
    spec = find_spec(model.name)
    first_pts, end_pts = piece_of(info, options) or (info.start_pts, None)
    return Plan(
        info=info,
        options=options,
        encoding=encoding,
        spec=spec,
        weights=find_weights(spec, options.weights),
        backend=choose_backend(options.backend),
        model=model,
        first_pts=first_pts,
        end_pts=end_pts,
        chunk_ticks=max(1, round(CHUNK_SECONDS / info.time_base)),
        threads=threads,
    )
