"""Colour black-and-white films without touching their luma, their time, or anything else in them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidcolor.api import colorize_image, colorize_video

__version__ = "0.1.0"
__all__ = ["__version__", "colorize_image", "colorize_video"]


def __getattr__(name: str) -> Any:
    if name in ("colorize_image", "colorize_video"):
        return getattr(import_module("vidcolor.api"), name)
    raise AttributeError(f"module 'vidcolor' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
