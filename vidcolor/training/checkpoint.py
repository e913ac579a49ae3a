"""Checkpoints: written whole or not at all, loaded without running code from the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn


def save_checkpoint(
    path: Path, model: str, options: dict[str, Any], step: int, network: nn.Module, ema: nn.Module, optimiser
) -> None:
    state = {
        "model": model,
        "options": options,
        "step": step,
        "network": network.state_dict(),
        "ema": ema.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, model: str) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote.

    Raises:
        ValueError: the checkpoint is of another model.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["model"] != model:
        raise ValueError(f"{path} is a checkpoint of {state['model']}, not of {model}")
    return state
