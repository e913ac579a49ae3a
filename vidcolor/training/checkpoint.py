"""Checkpoints: written whole or not at all, loaded without running code from the file."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidcolor.errors import ModelError, VidcolorError
from vidcolor.files import whole_file


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write everything that going on needs.

    Args:
        state: model, options, step (so many were done, each taking one batch a process), processes, pictures,
            running_loss, and what `Learner.state` gives.

    Raises:
        VidcolorError: there is no room for it; what was there before stays.
    """
    with whole_file(path) as temporary:
        try:
            torch.save(dict(state), temporary)
        except RuntimeError as error:  # which is how torch tells of a full disk
            free = shutil.disk_usage(path.parent).free / 1e6
            raise VidcolorError(
                f"cannot save {path}",
                f"torch could not write it, with {free:.0f} MB free there ({str(error).splitlines()[0]})",
                "The one before it stays as it was. Make room, and give the same command again.",
            ) from error


def load_checkpoint(path: Path, model: str | None = None) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote.

    Raises:
        ModelError: not a checkpoint, or one of another model than the one named.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found, *_ = (state[name] for name in ("model", "options", "step", "network", "ema", "optimiser"))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError, IndexError) as error:
        raise ModelError(
            f"{path} is not a checkpoint of vidcolor", f"it cannot be loaded ({type(error).__name__})"
        ) from error
    if model is not None and found != model:
        raise ModelError(
            f"cannot go on from {path}",
            f"it is a checkpoint of {found}, not of {model}",
            f"Give --model {found}, or another folder.",
        )
    return state


def fill(network: nn.Module, state: dict[str, Any], kind: str) -> None:
    """Put weights that `load_checkpoint` returned into a network: its own ("network") or their average ("ema").

    Raises:
        ModelError: they are of other layers.
    """
    try:
        network.load_state_dict(state[kind])
    except RuntimeError as error:
        raise ModelError(
            f"cannot use the weights of the checkpoint of {state['model']}",
            f"its layers are not those that this version of vidcolor has ({str(error).splitlines()[-1].strip()})",
        ) from error
