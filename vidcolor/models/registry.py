"""The table of models. A new model is a folder beside this file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from vidcolor.models import lite
from vidcolor.models.base import ModelSpec

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (lite.SPEC,)}


def load_network(name: str) -> nn.Module:
    """The torch module of a model, randomly initialised. Needs the `train` extra."""
    module, cls = MODELS[name].network.split(":")
    return getattr(import_module(module), cls)()
