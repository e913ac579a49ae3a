"""An evaluation as JSON, CSV and HTML, and as cells for the table on a terminal."""

from __future__ import annotations

import base64
import csv
import html
import io
from dataclasses import asdict, dataclass
from typing import Any

from vidcolor.evaluation import published
from vidcolor.evaluation.stills import TRUTH, Measured
from vidcolor.evaluation.summary import ALL, CLASSIFIER_COLUMNS, COLOURED, COLUMNS, Column, Row

HOW_TO_READ = (
    "Read gain over grey together with CF/truth, over the coloured pictures: more saturation raises one and lowers the "
    "other. A grey answer has an SSIM of 0.9 and more. Then look at the sheet."
)


@dataclass(frozen=True, slots=True)
class Model:
    """A network that was measured: what a figure must name to be a result."""

    row: str  # its name in the table
    model: str
    weights: str  # SHA-256 of the ONNX file
    backend: str
    precision: str
    device: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a table needs to stand alone."""

    sources: tuple[str, ...]
    res: int
    keep_aspect: bool
    saturation: float
    measured: Measured
    models: tuple[Model, ...]
    rows: tuple[Row, ...]
    classifier: str | None = None  # its name and what the answers are compared with

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*COLUMNS, *(CLASSIFIER_COLUMNS if self.classifier else ()))

    def facts(self) -> list[str]:
        """What was measured, a sentence each."""
        count, near_grey = len(self.measured.names), int((~self.measured.coloured()).sum())
        size = f"short side {self.res}, aspect kept" if self.keep_aspect else f"{self.res}×{self.res}, squashed"
        lines = [
            f"{', '.join(self.sources)}: {count} pictures, {near_grey} of them near-grey; {size}; saturation {self.saturation:g}"
        ]
        for what, counts in (("left out", self.measured.skipped), ("handled", self.measured.handled)):
            if counts:
                lines.append(f"{what}: " + ", ".join(f"{number} {why}" for why, number in counts.most_common()))
        for m in self.models:
            lines.append(f"{m.row}: {m.model}, weights {m.weights[:12]}…, {m.backend} {m.precision}, {m.device}")
        if self.classifier:
            lines.append(f"classifier: {self.classifier}; FD is the Fréchet distance between its features")
        return lines


def to_json(report: Report) -> dict[str, Any]:
    """One object: facts, rows with every figure at full precision, and the published table."""
    return {
        "type": "eval",
        "kind": "stills",
        "sources": list(report.sources),
        "pictures": len(report.measured.names),
        "coloured": int(report.measured.coloured().sum()),
        "near_grey": int((~report.measured.coloured()).sum()),
        "skipped": dict(report.measured.skipped),
        "handled": dict(report.measured.handled),
        "res": report.res,
        "keep_aspect": report.keep_aspect,
        "saturation": report.saturation,
        "classifier": report.classifier,
        "models": [asdict(model) for model in report.models],
        "rows": [{"answer": row.answer, "over": row.over, "count": row.count, **row.values} for row in report.rows],
        "published": {"source": published.SOURCE, "rows": [row._asdict() for row in published.TABLE]},
    }


def to_csv(report: Report) -> str:
    """One line a row, with a header; the published rows follow with `over` naming their set."""
    keys = [key for c in report.columns for key in ((c.key, f"{c.key}_std") if c.spread else (c.key,))]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["answer", "over", "count", *keys], restval="", lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        values = {key: "" if row.values.get(key) is None else f"{row.values[key]:.6g}" for key in keys}
        writer.writerow({"answer": row.answer, "over": row.over, "count": row.count, **values})
    for row in published.TABLE:
        figures = {"psnr": row.psnr, "psnr_std": row.psnr_std, "ssim": row.ssim, "piqe": row.piqe}
        writer.writerow({"answer": row.method, "over": f"published: {row.dataset}", "count": 1000, **figures})
    return text.getvalue()


def cells(report: Report, over: str) -> tuple[list[str], list[list[str]]]:
    """(header, lines) of one table as text."""
    header = ["", *(c.title for c in report.columns)]
    lines = [[row.answer, *(_cell(row.values, c) for c in report.columns)] for row in report.rows if row.over == over]
    return header, lines


def _cell(values: dict[str, float | None], column: Column) -> str:
    value = values.get(column.key)
    if value is None:
        return "–"
    spread = values.get(f"{column.key}_std") if column.key in ("psnr", "gain") else None
    return f"{value:.{column.digits}f}" + (f" ±{spread:.1f}" if spread is not None else "")


def published_cells() -> tuple[list[str], list[list[str]]]:
    """(header, lines) of the published table as text."""
    lines = [
        [r.method, r.dataset, f"{r.psnr:.1f} ±{r.psnr_std:g}", f"{r.ssim:.2f}", f"{r.piqe:.2f}"]
        for r in published.TABLE
    ]
    return ["published", "set", "PSNR dB", "SSIM", "PIQE"], lines


def titles(report: Report) -> dict[str, str]:
    """The headings of the two tables, by what they are over."""
    counts = {row.over: row.count for row in report.rows if row.answer == TRUTH}
    return {
        COLOURED: f"the {counts[COLOURED]} coloured pictures (mean chroma of the truth ≥ 4)",
        ALL: f"all {counts[ALL]} pictures",
    }


_STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2em;max-width:80em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.25em .7em;text-align:right;border-bottom:1px solid #ccc}td:first-child{text-align:left}img{max-width:100%}"
)


def to_html(report: Report, sheet_png: bytes | None = None) -> str:
    """One page that needs nothing else: facts, tables, the published rows, and the sheet if there is one."""
    parts = [f"<p>{html.escape(line)}</p>" for line in report.facts()]
    for over, title in titles(report).items():
        parts.append(f"<h2>{html.escape(title.capitalize())}</h2>{_html_table(*cells(report, over))}")
    parts.append(f"<p>{html.escape(HOW_TO_READ)}</p><h2>Published elsewhere</h2><p>{html.escape(published.SOURCE)}</p>")
    parts.append(_html_table(*published_cells()))
    if sheet_png:
        parts.append(
            f'<h2>Sheet</h2><img alt="sheet" src="data:image/png;base64,{base64.b64encode(sheet_png).decode()}">'
        )
    head = f'<meta charset="utf-8"><title>vidcolor eval</title><style>{_STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body><h1>vidcolor eval</h1>{''.join(parts)}</body></html>\n"


def _html_table(header: list[str], lines: list[list[str]]) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(header, 'th')}{''.join(row(line, 'td') for line in lines)}</table>"
