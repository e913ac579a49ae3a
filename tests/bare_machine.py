"""A machine whose Python has torch and little else: what runs networks and trains them, nothing that opens films."""

import os
import subprocess
import sys

MISSING = ("av", "imagesize", "openvino", "imageio_ffmpeg", "ffmpeg")
HIDE = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.split(".")[0] in {names!r} else find(name, path, target)


PathFinder.find_spec = find_spec
"""


def environment(folder, *also):
    """Variables for processes, and for those that they start, in which these packages cannot be found."""
    (folder / "sitecustomize.py").write_text(HIDE.format(names=(*MISSING, *also)))
    return os.environ | {"PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}


def run(folder, *arguments):
    """`python` with those arguments on such a machine."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(folder), capture_output=True, text=True
    )
