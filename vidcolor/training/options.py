"""What determines a training run: one frozen table of options, from defaults, a TOML file and the command line. No torch."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vidcolor.errors import UsageError

TOO_MUCH = 2**63  # of any number: torch takes no seed beyond, and TOML has no larger integers


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Everything that determines a run; stored in its checkpoints. Meanings and advice: docs/training.md."""

    model: str
    data: tuple[str, ...]
    validation: tuple[str, ...]
    steps: int = 20_000
    batch: int = 32  # pictures a step and process
    size: int = 144  # side of the training pictures, pixels
    rate: float = 2e-3
    encoder_rate: float = 0.3  # × rate; 0 freezes the encoder
    recall: float = 0.0  # weight of keeping what a pretrained encoder knows of ImageNet's classes; 0 lets it forget
    weight_decay: float = 0.01
    warmup: int = 200  # steps
    cooldown: float = 1.0  # the last part of the run, 0…1, in which the rate falls as a half cosine
    loss: str = "chroma-weighted"
    ema: float = 0.999
    seed: int = 0
    threads: int = 2
    minutes_between_checkpoints: float = 3.0
    steps_between_validations: int = 1000
    steps_between_logs: int = 50
    samples: int = 8  # pictures on the sheet that is drawn at every validation; 0 draws none
    whole: float = 0.35  # share of the pictures, 0…1, that are shown whole, squashed to a square; others are cut
    degrade: bool = True  # show the network worn film instead of clean luma
    pretrained: bool = True  # begin with ImageNet weights where the network has an encoder for them
    device: str = "auto"  # auto, cpu, cuda
    precision: str = "bf16"  # of the forward pass: bf16 or fp32
    compile: str = "auto"  # torch.compile: auto (on a GPU, where it works), on, off

    def validate(self) -> None:
        """Raises:
        UsageError: a value that cannot be meant.
        """
        at_least = {"steps": 1, "batch": 1, "size": 16, "warmup": 0, "threads": 1, "steps_between_validations": 1}
        at_least |= {"steps_between_logs": 1, "samples": 0, "rate": 0, "encoder_rate": 0, "weight_decay": 0, "seed": 0}
        at_least |= {"recall": 0, "minutes_between_checkpoints": 0}
        for name, least in at_least.items():
            if not least <= getattr(self, name) < TOO_MUCH:
                why = f"it must be at least {least} and less than 2⁶³"
                raise UsageError(f"cannot train with {name} = {getattr(self, name)}", why)
        for name in ("cooldown", "ema", "whole"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"cannot train with {name} = {getattr(self, name)}", "it must be within 0 and 1")
        if self.recall and not self.encoder_rate:
            raise UsageError(
                f"cannot train with recall = {self.recall}",
                "the encoder is frozen and forgets nothing",
                "Leave it out.",
            )
        choices_of = {
            "device": ("auto", "cpu", "cuda"),
            "precision": ("bf16", "fp32"),
            "compile": ("auto", "on", "off"),
        }
        for name, choices in choices_of.items():
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"cannot train with {name} = '{getattr(self, name)}'", f"there are {', '.join(choices)}"
                )
        for name in ("data", "validation"):
            if not getattr(self, name):
                option = {"data": "--data", "validation": "--val"}[name]
                raise UsageError(
                    "cannot train",
                    f"there is no {name}",
                    f"Name folders or .tar shards with {option}, or in the TOML file.",
                )
            for path in getattr(self, name):
                if path.encode(errors="replace").decode() != path:  # bytes that are not UTF-8
                    raise UsageError(f"cannot use {name} = {path!r}", "options.toml cannot hold it", "Rename it.")


def read_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file, by name; lists of paths are relative to the file.

    Raises:
        UsageError: it cannot be read, or names an option that does not exist.
    """
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"cannot read the options {path}", str(error), "See docs/training.md.") from error
    check_names(given, str(path))
    for name in ("data", "validation"):
        if name in given:
            paths = [given[name]] if isinstance(given[name], str) else given[name]
            if not isinstance(paths, list) or not all(isinstance(each, str) for each in paths):
                raise UsageError(f"cannot use {name} = {given[name]!r} in {path}", "it must be paths")
            given[name] = tuple(str(path.parent / Path(p)) for p in paths)
    return given


def check_names(given: Mapping[str, Any], where: str) -> None:
    """Raises:
    UsageError: an option that does not exist.
    """
    known = [field.name for field in fields(TrainOptions)]
    for name in given:
        if name not in known:
            raise UsageError(
                f"cannot use '{name}' in {where}", "there is no such option", f"There are {', '.join(known)}."
            )


def make_options(*layers: Mapping[str, Any]) -> TrainOptions:
    """Defaults, overridden by each layer in turn; values of None do not count. Paths become absolute: a run can be gone on
    with from any folder.

    Raises:
        UsageError: a value is missing, of the wrong kind, or cannot be meant.
    """
    merged: dict[str, Any] = {"model": "lite", "data": (), "validation": ()}
    for layer in layers:
        merged |= {name: value for name, value in layer.items() if value is not None}
    kinds = {"int": int, "float": (int, float), "str": str, "bool": bool}
    for field in fields(TrainOptions):
        if field.name not in merged:
            continue
        value = merged[field.name]
        kind = kinds.get(str(field.type))
        if kind is None:
            merged[field.name] = tuple(os.path.abspath(path) for path in value)
        elif not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"cannot train with {field.name} = {value!r}", f"it must be of kind {field.type}")
    options = TrainOptions(**merged)
    options.validate()
    return options


def to_toml(options: TrainOptions) -> str:
    """The options as a file that `read_toml` reads."""
    # JSON's strings, numbers, lists and booleans are TOML's too.
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in asdict(options).items())
