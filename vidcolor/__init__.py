"""Colour black-and-white films without touching their luma, their time, or anything else in them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidcolor.api import colorize_image, colorize_video

__version__ = "0.1.0"
__all__ = ["__version__", "colorize_image", "colorize_video"]

# Kept from being imported: with it, OpenVINO tells a server of every run and keeps a number for the user in ~/intel.
sys.modules.setdefault("openvino_telemetry", None)


def __getattr__(name: str) -> Any:
    if name in ("colorize_image", "colorize_video"):
        return getattr(import_module("vidcolor.api"), name)
    raise AttributeError(f"module 'vidcolor' has no attribute '{name}'")
