"""Where the tests' material is."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def samples() -> Path:
    return ROOT / "samples"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, which are not part of the project; tests that need them are skipped where they are not there."""
    folder = Path(os.environ.get("VIDCOLOR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no folder of real clips; VIDCOLOR_SHARED_DATA names one")
    return folder
