"""The direction of imports (docs/architecture.md) and what the base install may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vidcolor"

# Each layer may import itself and what stands below it; layers on one line are siblings and do not see each other.
LAYERS = [
    ["cli"],
    ["api"],
    ["film", "training", "bench"],
    ["media", "backends", "temporal", "evaluation"],
    ["models"],
    ["color", "config"],
    ["files"],
    ["errors"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HOMES = {
    "rich": {"cli"},
    "click": {"cli"},
    "torch": {"models", "training", "backends", "bench"},
    "onnx": {"models", "training"},
    "openvino": {"backends"},
    "tensorrt": {"backends"},
    "tensorrt_rtx": {"backends"},
    "cuda": {"backends"},
    "av": {"media", "cli"},
    "ffmpeg": {"media"},
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """(dotted module, whether it is imported when the file is) of every import in a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(f"{node.module}.{alias.name}", id(node) in top) for alias in node.names]
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in ("__init__", "__main__"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = room(path)
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] == "vidcolor" and parts[1] in RANK and parts[1] != here:
            assert RANK[parts[1]] > RANK[here], f"{here} may not import {module}"
        if parts[0] in HOMES:
            assert here in HOMES[parts[0]], f"{parts[0]} has no business in {here}"


def test_every_room_has_a_layer():
    assert {room(p) for p in FILES} <= set(RANK)


def loaded_by(code: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in result.stdout.split("\n")[-2].split()}


def test_importing_vidcolor_is_light():
    assert not loaded_by("import vidcolor") & {"torch", "openvino", "av", "cv2", "numpy", "rich", "click"}


def test_a_run_on_a_cpu_loads_no_torch(tmp_path):
    sample = PACKAGE.parent / "samples" / "vfr10.mkv"
    loaded = loaded_by(f"import vidcolor; vidcolor.colorize_video({str(sample)!r}, {str(tmp_path / 'out.mkv')!r})")
    assert "openvino" in loaded
    assert not loaded & {"torch", "tensorrt", "tensorrt_rtx", "cuda", "onnx"}
