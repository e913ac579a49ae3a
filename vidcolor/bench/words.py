"""Figures in words: rows of a table, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vidcolor.bench.network import PAPER, RATES, Timing

HEADER = (
    "",
    "batch",
    "frames/s",
    "ms a frame",
    "95 % below, ms",
    "TFLOP/s",
    "of the matmul ceiling",
    "memory, MB",
    "real time at " + "/".join(map(str, RATES)),
)


def as_dict(timing: Timing) -> dict[str, Any]:
    """For `--json`."""
    return {
        **asdict(timing),
        "share_of_ceiling": timing.share,
        "real_time": {str(r): ok for r, ok in timing.real_time().items()},
    }


def network_tables(timings: Sequence[Timing]) -> tuple[Sequence[str], list[tuple[str, ...]], str]:
    """Header, rows (ours, then the paper's), and a plain verdict on the fastest of ours."""
    rows = [
        (
            f"{t.backend} {t.version}, {t.precision}",
            str(t.batch),
            f"{t.frames_per_second:.1f}",
            f"{t.median_ms:.4g}",
            f"{t.p95_ms:.4g}",
            f"{t.tflops:.3g}",
            "not measured" if t.share is None else f"{t.share:.0%} of {t.ceiling_tflops:.3g}",
            f"{t.memory_mb:.0f}",
            _rates(t.real_time()),
        )
        for t in timings
    ]
    for name, rate in PAPER:
        reached = _rates({r: rate >= r for r in RATES})
        rows.append((f"Table 1: {name}", "", f"{rate:.1f}", f"{1e3 / rate:.3g}", "", "", "", "", reached))
    return HEADER, rows, verdict(timings)


def _rates(reached: dict[int, bool]) -> str:
    return "/".join("yes" if ok else "no" for ok in reached.values())


def verdict(timings: Sequence[Timing]) -> str:
    """What the fastest row means for films on this device."""
    best = max(timings, key=lambda t: t.frames_per_second)
    ours = PAPER[-1][1]
    kept = [str(rate) for rate, ok in best.real_time().items() if ok]
    missed = [str(rate) for rate, ok in best.real_time().items() if not ok]
    real_time = f"real time at {', '.join(kept)} fps" if kept else "not real time at any rate of films"
    missed_words = f", not at {', '.join(missed)}" if kept and missed else ""
    against = best.frames_per_second / ours
    disturbed = (
        " A share of the ceiling above 100 % means that other work disturbed its measurement."
        if any(t.share is not None and t.share > 1 for t in timings)
        else ""
    )
    return (
        f"On {best.device} the network alone is {real_time}{missed_words}: {best.frames_per_second:.1f} frames/s, "
        f"{against:.2g} × the {ours:g} images/s of the paper.{disturbed}"
    )
