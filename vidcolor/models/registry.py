"""The table of models. A new model is a folder beside this file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from vidcolor.errors import UsageError
from vidcolor.models import lite, resnet38
from vidcolor.models.base import ModelSpec

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (lite.SPEC, resnet38.SPEC, resnet38.SPEC_PUBLISHED)}


def find_spec(name: str) -> ModelSpec:
    """The declaration of a model.

    Raises:
        UsageError: there is no such model.
    """
    if name not in MODELS:
        raise UsageError(f"no model is named '{name}'", f"there are {', '.join(MODELS)}", "See: vidcolor models")
    return MODELS[name]


def load_network(name: str) -> nn.Module:
    """The torch module of a model, randomly initialised. Needs the `train` extra."""
    spec = find_spec(name)
    module, cls = spec.network.split(":")
    return getattr(import_module(module), cls)(**dict(spec.options))
