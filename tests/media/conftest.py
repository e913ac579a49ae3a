"""Tests of media/ need ffprobe: an independent witness of what a file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from witness import FFPROBE, Result, run_identity


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FFPROBE is None and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs ffprobe, an independent witness"))


@pytest.fixture
def identity(tmp_path: Path) -> Callable[..., Result]:
    """`run_identity` in a folder of its own."""

    def run(source: Path, **choice: Any) -> Result:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        return run_identity(source, folder, **choice)

    return run
