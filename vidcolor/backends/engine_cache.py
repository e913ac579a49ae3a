"""Engine files: named by everything that changes them, written whole or not at all, checked before they are used.

Beside NAME.engine stands NAME.json, its card: the key in full, the file's SHA-256, and what its build reported.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vidcolor.backends.profiles import Shapes
from vidcolor.config import fingerprint
from vidcolor.errors import BackendError
from vidcolor.files import sha256, write_whole

PORTABLE = "any"  # the GPU of an engine that was built where there is none


class EngineUnusable(BackendError):
    """An engine file that is damaged or is not what its card says. It is never run."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """All that an engine depends on."""

    model: str
    weights: str  # SHA-256 of the ONNX file
    recipe: int  # of the conversion to `precision`
    precision: str
    library: str  # "tensorrt" or "tensorrt-rtx"
    library_version: str
    gpu: str  # its name, or "any"
    capability: str  # compute capability, "9.0", or "any"
    shapes: Shapes
    builder: tuple[tuple[str, Any], ...]  # every option given to the builder, by name
    calibration: str = ""  # hash of the pictures that int8 and fp8 were calibrated with

    def stem(self) -> str:
        """The file's name without suffix: readable in front, certain at the end."""
        device = "any-gpu" if self.capability == PORTABLE else f"sm{self.capability.replace('.', '')}"
        library = f"{self.library}{self.library_version}"
        parts = (self.model, self.weights[:8], self.precision, self.shapes.words(), library, device)
        return f"{'_'.join(parts)}_{fingerprint(self)[:12]}"

    def differences(self, other: EngineKey) -> list[str]:
        """What is not the same, in words."""
        return [
            f"{field.name} is {_words(theirs)}, not {_words(ours)}"
            for field in fields(self)
            if (ours := getattr(self, field.name)) != (theirs := getattr(other, field.name))
        ]

    def serves(self, other: EngineKey) -> bool:
        """Whether an engine with this key computes what one with the key `other` would: only how it was tuned differs.

        Where `other` names no calibration, any will do.
        """
        free = {"shapes", "builder", *(() if other.calibration else ("calibration",))}
        if self.gpu == PORTABLE and _runs_portable(other.capability):
            free |= {"gpu", "capability"}
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self) if f.name not in free)


def _runs_portable(capability: str) -> bool:
    """Whether a GPU runs what TensorRT-RTX built without one (its documentation, "CPU-Only AOT and TensorRT-RTX Engines")."""
    return capability in ("8.0", "8.6", "8.9") or (capability != PORTABLE and int(capability.split(".")[0]) >= 12)


def _words(value: object) -> str:
    if isinstance(value, Shapes):
        return value.words()
    if isinstance(value, tuple):
        return ", ".join(f"{name} {option}" for name, option in value)
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine file and its card. `key` is None where the card is missing or cannot be read."""

    path: Path
    key: EngineKey | None
    sha256: str
    report: dict[str, Any]  # when and how long it was built, its layers, its memory

    def check(self) -> None:
        """Compare the file with its card.

        Raises:
            EngineUnusable: it is not the file that was written.
        """
        if self.key is None:
            raise EngineUnusable(
                f"the engine {self.path.name} has no card", f"{self.path.stem}.json is missing or damaged", PRUNE
            )
        if self.key.stem() != self.path.stem:
            raise EngineUnusable(
                f"the engine {self.path.name} is not what its name says", "its card is another's", PRUNE
            )
        size, stated = self.path.stat().st_size, self.report.get("bytes")
        if size != stated:
            raise EngineUnusable(
                f"the engine {self.path.name} is cut short or grown", f"{size} bytes, its card states {stated}", PRUNE
            )
        found = sha256(self.path)
        if found != self.sha256:
            raise EngineUnusable(
                f"the engine {self.path.name} is damaged",
                f"SHA-256 {found[:12]}…, its card states {self.sha256[:12]}…",
                PRUNE,
            )


PRUNE = "Remove it with: vidcolor engines --prune"


def card_of(engine: Path) -> Path:
    return engine.with_suffix(".json")


def store(folder: Path, key: EngineKey, data: bytes, report: dict[str, Any]) -> Engine:
    """Write an engine, then its card: a card beside an engine means that both are whole.

    Raises:
        BackendError: it cannot be written; nothing was left half there.
    """
    path = folder / f"{key.stem()}.engine"
    digest = hashlib.sha256(data).hexdigest()
    report = {"bytes": len(data), **report}
    card = {"key": asdict(key), "sha256": digest, **report}
    try:
        card_of(path).unlink(missing_ok=True)  # of an older file of that name, which is about to go
        write_whole(path, data)
        write_whole(card_of(path), (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        path.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = f"the disk is full; it needs {len(data) / 1e6:.0f} MB" if full else (error.strerror or str(error))
        step = "Make room, or: vidcolor engines --prune --all" if full else "Check the folder's permissions."
        raise BackendError(f"cannot write an engine to {folder}", why, step) from error
    return Engine(path, key, digest, report)


def engines(folder: Path) -> Iterator[Engine]:
    """All engine files of a folder, by name, whatever their state."""
    for path in sorted(folder.glob("*.engine")):
        try:
            card = json.loads(card_of(path).read_text("utf-8"))
            engine = Engine(path, _key_from(card.pop("key")), str(card.pop("sha256")), card)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            engine = Engine(path, None, "", {})
        yield engine


def _key_from(plain: dict[str, Any]) -> EngineKey:
    """The key that a card holds. Raises ValueError, TypeError, KeyError or AttributeError if it holds none."""
    shapes = Shapes(**{name: tuple(shape) for name, shape in plain["shapes"].items()})
    builder = tuple((name, value) for name, value in plain["builder"])
    key = EngineKey(**{**plain, "shapes": shapes, "builder": builder})
    words = [getattr(key, field.name) for field in fields(key) if field.type == "str"]
    sizes = [(type(side) for side in shape) for shape in (shapes.least, shapes.usual, shapes.most) if len(shape) == 3]
    numbers = [kind for shape in sizes for kind in shape]
    if not all(type(word) is str for word in words) or type(key.recipe) is not int or numbers != [int] * 9:
        raise ValueError("a field of its key is of another kind")
    return key


def find(folder: Path, wanted: EngineKey, count: int, height: int, width: int) -> Engine | None:
    """The engine that computes what `wanted` asks for and takes `count` pictures of height × width; None: there is none.

    Of several one for this GPU, of these the one that is most nearly tuned for that size. Not checked yet: see `Engine.check`.
    """
    fit = [e for e in engines(folder) if e.key and e.key.serves(wanted) and e.key.shapes.admit(count, height, width)]
    rank = lambda e: (e.key != wanted, e.key.gpu == PORTABLE, e.key.shapes.spread(), -e.path.stat().st_mtime_ns)
    return min(fit, key=rank, default=None)


def nearest(folder: Path, wanted: EngineKey) -> list[str]:
    """Why none of the engines for the same model serves: the differences of the one that has fewest, in words."""
    others = [e.key for e in engines(folder) if e.key and e.key.model == wanted.model]
    return min((wanted.differences(key) for key in others), key=len, default=[])


def stale(engine: Engine, versions: dict[str, str], recipe: int) -> str:
    """Why an engine will never be used again on this machine; empty: it may be.

    Args:
        versions: installed libraries and their versions.
        recipe: of the conversion to the engine's precision, as it is now.
    """
    try:
        engine.check()
    except BackendError as error:
        return error.why
    key = engine.key
    if key.recipe != recipe:
        return f"its graph was made by recipe {key.recipe}, now it is {recipe}"
    if versions.get(key.library, key.library_version) != key.library_version:
        return f"{key.library} is {versions[key.library]} now, it was built with {key.library_version}"
    return ""


def remove(engine: Engine) -> int:
    """Delete an engine and its card. Returns the bytes that were freed."""
    freed = 0
    for path in (card_of(engine.path), engine.path):
        try:
            freed += path.stat().st_size
            os.unlink(path)
        except FileNotFoundError:
            continue
    return freed
