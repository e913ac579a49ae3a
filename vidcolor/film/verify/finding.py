"""One comparison of a source with its output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was compared, what both hold, and the verdict.

    `verdict` is "same"; "stated", where the output differs in a way that `run` states before it begins; or "differs".
    """

    what: str
    source: str
    output: str
    verdict: str
    note: str = ""

    @property
    def differs(self) -> bool:
        return self.verdict == "differs"
