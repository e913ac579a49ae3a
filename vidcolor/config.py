"""The options of a run: one frozen record, one table of defaults, one fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, is_dataclass
from fractions import Fraction

from vidcolor.errors import UsageError

ON_DAMAGE = ("hold", "skip", "fail")
DECODERS = ("cpu", "nvdec")
RES = 32, 2048  # pixels: least and most of the short side of what a network sees
MAX_PIXELS = 1 << 26  # 8192×8192; twice an 8K frame
STDOUT_FORMATS = ("auto", "nut", "y4m")
PROTOCOLS = ("http", "https", "crypto")
"""By which films can be read, if that is allowed, that are no files; crypto: playlists whose films are encrypted."""

LATEST = 10**7  # seconds: no film lasts four months, and what is far beyond it fits no time stamp


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a film or picture is coloured. The defaults here are those of the command line and its help."""

    model: str = "auto"
    weights: str | os.PathLike[str] | None = None  # ONNX file instead of the shipped weights
    backend: str = "auto"
    res: int = 144  # short side of the picture that the network sees, in pixels
    saturation: float = 1.0  # factor on a* and b*
    smooth: float = 1.0  # strength of the temporal smoothing; 0 switches it off
    codec: str = "auto"
    crf: float | None = None  # None: the codec's own default
    preset: str | None = None  # None: the codec's own default
    start: Fraction | None = None  # seconds from the film's first frame
    end: Fraction | None = None  # seconds from the film's first frame, exclusive
    threads: int | None = None  # None: one for every core
    rate: Fraction | None = None  # frames a second of an image sequence; None: the film says it
    stdout_format: str = "auto"  # of a film on standard output: one of STDOUT_FORMATS
    on_damage: str = "hold"  # what becomes of frames that cannot be decoded: one of ON_DAMAGE
    decoder: str = "cpu"  # what decodes films: one of DECODERS
    deinterlace: bool = False  # make interlaced frames whole
    tag: bool = True  # say in the output's metadata that a machine chose the colours
    provenance: bool = False  # write a record of it beside the output
    verify: bool = False  # compare the output with its source at the end
    max_pixels: int = MAX_PIXELS  # of a frame or picture
    max_frames: int = 10_000_000  # of a film: 46 hours at 60 a second
    allow_protocol: tuple[str, ...] = ()  # of PROTOCOLS: by which films are read that are no files

    def validate(self) -> None:
        """Refuse what cannot be meant, before any work.

        Raises:
            UsageError: the first option that is out of range.
        """
        _within("--res", self.res, *RES)
        _within("--saturation", self.saturation, 0, 4)
        _within("--smooth", self.smooth, 0, 1)
        if self.crf is not None:
            _within("--crf", self.crf, 0, 63)
        if self.threads is not None:
            _within("--threads", self.threads, 1, 1024)
        if self.on_damage not in ON_DAMAGE:
            raise UsageError(f"--on-damage cannot be '{self.on_damage}'", f"it can be {', '.join(ON_DAMAGE)}")
        if self.decoder not in DECODERS:
            raise UsageError(f"--decoder cannot be '{self.decoder}'", f"it can be {' or '.join(DECODERS)}")
        if self.decoder == "nvdec" and self.on_damage == "fail":
            why = "NVIDIA's decoder makes up for damage within a picture without a word"
            raise UsageError("--on-damage fail cannot be kept with --decoder nvdec", why, "Use --decoder cpu.")
        if self.stdout_format not in STDOUT_FORMATS:
            raise UsageError(
                f"--stdout-format cannot be '{self.stdout_format}'", f"it can be {', '.join(STDOUT_FORMATS)}"
            )
        if unknown := [name for name in self.allow_protocol if name not in PROTOCOLS]:
            raise UsageError(f"--allow-protocol cannot be '{unknown[0]}'", f"it can be {', '.join(PROTOCOLS)}")
        _within("--max-pixels", self.max_pixels, 1, 1 << 31)
        _within("--max-frames", self.max_frames, 1, 1 << 62)
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise UsageError(f"--rate {_shown(self.rate)} is out of range", "it can be up to 1000 frames a second")
        for option, time in (("--start", self.start), ("--end", self.end)):
            if time is not None and time > LATEST:
                raise UsageError(f"{option} {_shown(time)} is out of range", f"it can be up to {LATEST} seconds")
        if self.start is not None and self.start < 0:
            raise UsageError("--start is before the film's first frame", "it can be 0 or more seconds")
        if self.end is not None and self.end <= (self.start or 0):
            raise UsageError(
                "--end is not after --start",
                f"the piece from {_shown(self.start or 0)} to {_shown(self.end)} s is empty",
            )


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """What becomes of work that is not finished; nothing here changes the film."""

    folder: str | os.PathLike[str] | None = None  # where work folders are made; None: beside the output
    resume: bool = True  # go on from chunks that an earlier run finished; False: delete them first
    keep: bool = False  # leave the work folder when the film is finished

    def given(self) -> list[str]:
        """The options of `vidcolor run` that were given."""
        said = {"--workdir": self.folder is not None, "--no-resume": not self.resume, "--keep-work": self.keep}
        return [option for option, given in said.items() if given]


def _within(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        shown = f"{value:g}" if isinstance(value, float) else value  # of integers every digit
        raise UsageError(f"{option} {shown} is out of range", f"it can be {low} to {high}")


def _shown(value: Fraction) -> str:
    try:
        return f"{float(value):g}"
    except OverflowError:
        return "beyond 1e308"


def fingerprint(*records: object) -> str:
    """A hash over everything that is given: equal if and only if all fields are equal."""
    plain = [asdict(r) if is_dataclass(r) and not isinstance(r, type) else r for r in records]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()
