"""What a run reports while it goes on: plain dictionaries, the same for the screen and for `--json`.

docs/json.md describes every key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vidcolor.media.address import Source

Event = dict[str, Any]
Report = Callable[[Event], None]


def warning_event(source: Source, message: str) -> Event:
    return {"type": "warning", "input": str(source), "message": message}


def film_event(source: Source, *, kind: str = "film", error: str | None = None, **facts: Any) -> Event:
    """One input's entry in the summary, also reported when it is finished or has failed."""
    return {"type": "film", "input": str(source), "kind": kind, "error": error, **facts}


def summary_event(films: list[Event], error: str | None, codes: list[int]) -> Event:
    """The guaranteed last event.

    Args:
        codes: exit codes of the inputs and of the run itself.
    """
    failed = [code for code in codes if code]
    if error == "interrupted":
        exit_code = 130
    else:
        exit_code = 0 if not failed else 2 if len(failed) == len(codes) and set(failed) == {2} else 1
    entries = [{key: value for key, value in film.items() if key != "type"} for film in films]
    return {"type": "summary", "films": entries, "error": error, "exit_code": exit_code}
