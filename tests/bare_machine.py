"""A machine whose Python has torch and little else: what runs networks and trains them, nothing that opens films."""

import os
import subprocess
import sys

MISSING = ("av", "imagesize", "openvino", "imageio_ffmpeg", "ffmpeg")
FINDER = """
import sys


class Missing:
    names = {names!r}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Missing())
"""


def environment(folder, *also):
    """Variables for processes, and for those that they start, in which these packages cannot be found."""
    (folder / "sitecustomize.py").write_text(FINDER.format(names=(*MISSING, *also)))
    return os.environ | {"PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}


def run(folder, *arguments):
    """`python` with those arguments on such a machine."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(folder), capture_output=True, text=True
    )
