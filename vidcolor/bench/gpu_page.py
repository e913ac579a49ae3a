"""The figures in docs/gpu.md: what `gpu-check` measured, as Markdown, and put into the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vidcolor.bench.words import HEADER
from vidcolor.errors import VidcolorError

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def markdown(report: dict[str, Any]) -> str:
    """The report as it stands in docs/gpu.md."""
    installed = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [
        f"Measured on {report['date']}: {report['machine']}, compute capability {report['gpu']['capability']}; {installed}.",
        "",
    ]
    for network in report["networks"]:
        weights = "random weights" if network["random_weights"] else "its trained weights"
        lines += [
            f"`{network['model']}` at {report['res']}×{report['res']}, {weights}, {report['repeats']} batches a row:",
            "",
        ]
        lines += [*_table(HEADER, network["table"]), "", network.get("verdict", "not yet measured"), ""]
        agreement = [
            (
                a["backend"],
                a["precision"],
                f"{a['max']:.3f}",
                f"{a['mean']:.4f}",
                f"{a['psnr']:.1f}",
                f"{a['wanted']:.0f}",
            )
            for a in network["agreement"]
        ]
        lines += [f"Against float32, on {network['compared_on']}:", ""]
        lines += [*_table(("backend", "precision", "max |Δab|", "mean |Δab|", "PSNR, dB", "wanted"), agreement), ""]
    rows = [
        (
            c["clip"],
            c["size"],
            c["backend"],
            f"{c['frames_per_second']:.1f}",
            f"{c['ratio']:.2f}",
            _stages(c["stage_ms"]),
        )
        for c in report["clips"]
    ]
    decoded = [
        (
            d["clip"],
            d["film"],
            f"{d['same']} of {d['frames']}",
            f"{d['cpu_frames_per_second']:.0f}",
            f"{d['nvdec_frames_per_second']:.0f}",
        )
        for d in report["decoding"]
    ]
    header = ("clip", "film", "frames equal to the CPU's", "CPU, frames/s", "NVDEC, frames/s")
    lines += ["Decoding, `--decoder nvdec` beside the CPU:", "", *_table(header, decoded), ""]
    lines += [
        "The whole command:",
        "",
        *_table(("clip", "size", "backend", "frames/s", "of a plain transcode", "busy ms a frame"), rows),
        "",
    ]
    lines += [f"* {text}" for text in report["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def _stages(stage_ms: dict[str, float]) -> str:
    return ", ".join(f"{name} {ms:.2f}" for name, ms in stage_ms.items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rows = rows or [["not yet measured", *[""] * (len(header) - 1)]]
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def put_into(page: str, figures: str) -> str:
    """A page with its figures replaced.

    Raises:
        VidcolorError: the page has no place for them.
    """
    if BEGIN not in page or END not in page:
        raise VidcolorError("the page has no place for the figures", f"it has no lines {BEGIN} and {END}")
    return f"{page.split(BEGIN)[0]}{BEGIN}\n\n{figures}\n{END}{page.split(END)[1]}"
