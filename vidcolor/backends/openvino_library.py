"""OpenVINO as it is imported here: without its telemetry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TELEMETRY = "openvino_telemetry"


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Import openvino inside this, wherever it is imported.

    By itself it tells Google Analytics of every import, from a thread and a process of its own, for up to three seconds
    where there is no answer, and leaves a file in the home folder. Where the package that does so is missing, it has a
    stand-in that does nothing. Whoever has imported OpenVINO before keeps it as it is.
    """
    missing = object()
    before = sys.modules.get(_TELEMETRY, missing)
    sys.modules[_TELEMETRY] = None
    try:
        yield
    finally:
        if before is missing:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before
