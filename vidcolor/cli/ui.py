"""All of rich: tables, the progress bar, and what people read on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from vidcolor.backends.engine_build import BuildStep

MOST_DAMAGE = 20  # lines of damage that are shown
SECONDS_BETWEEN_LINES = 10.0  # of plain progress where standard error is no terminal


class _Tables(Console):
    def on_broken_pipe(self) -> None:
        raise  # rich would leave with 1; nobody reading is told like everywhere else


def console() -> Console:
    """For what was asked for: tables on standard output, never cut where it is no terminal."""
    return _Tables(width=None if sys.stdout.isatty() else 160)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    result = Table(box=None, pad_edge=False, header_style="bold")
    for title in header:
        result.add_column(title, overflow="fold")
    for row in rows:
        result.add_row(*map(escape, row))  # 'vidcolor[train]' is text, not rich's markup
    return result


def findings_table(findings: Sequence[dict[str, str]]) -> Table:
    """What `verify` found, with what differs in capitals."""
    rows = [
        (
            f["what"],
            f["source"],
            f["output"],
            f["verdict"].upper() if f["verdict"] == "differs" else f["verdict"],
            f["note"],
        )
        for f in findings
    ]
    return table(("compared", "source", "output", "verdict", "note"), rows)


def counted(number: int | None, what: str) -> str:
    """1 frame, 2 frames."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def duration(seconds: float) -> str:
    """1:02:03 or 4:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(seconds: float) -> str:
    """A moment of a film, 0:01:02.345."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


class JsonReport:
    """Every event as one JSON object a line on standard output.

    In ASCII alone: a name that is not UTF-8 has no other form, and comes back from "\\udcff" by os.fsencode.
    """

    def __call__(self, event: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(event, default=str) + "\n")  # at once: a GPU's stage may report beside the others
        sys.stdout.flush()


class TextReport:
    """Events in words on standard error: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, verbose: bool, errors_only: bool) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.verbose = verbose
        self.errors_only = errors_only
        self._bar: Progress | None = None
        self._shots = 0
        self._last_line = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        show = {
            "plan": self._show_plan,
            "progress": self._show_progress,
            "warning": lambda e: self._say(f"  warning: {e['message']}"),
            "shot": self._show_shot,
            "verify": self._show_verify,
            "film": self._show_film,
            "summary": self._show_summary,
        }
        if not self.errors_only or event.get("error"):
            show[event["type"]](event)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def _show_plan(self, event: dict[str, Any]) -> None:
        self._shots = 0
        self._last_line = time.monotonic()
        self._say(f"{event['input']} → {event['output']}")
        self._say(
            f"  model {event['model']}: {event['model_reason']}; backend {event['backend']}: {event['backend_reason']}"
        )
        if event["kind"] == "film":
            decoder = "" if event["decoder"] == "cpu" else f"; decoder {event['decoder']}"
            self._say(f"  {event['picture']}{decoder}; encoder {event['encoder']}")
        for note in event["converted"]:
            self._say(f"  converted: {note}")
        if event["kind"] == "film":
            self._show_earlier_work(event)
        if event["dry_run"]:
            self._show_dry_run(event)

    def _show_earlier_work(self, event: dict[str, Any]) -> None:
        if event["chunks_done"]:
            of_all = f" of {event['chunks']}" if event["chunks"] else ""
            self._say(f"  resumed: {event['chunks_done']}{of_all} chunks done")
        for other in event["other_work"]:
            chunks = counted(other["chunks"], "finished chunk")
            what = f"{chunks} ({other['bytes'] / 1e6:.1f} MB) of another job for this output"
            afresh = "starts afresh, without" if not event["chunks_done"] else "not used:"
            self._say(
                f"  {afresh} {what}: {'; '.join(other['differs'])}. They are kept; to remove them: {other['removal']}"
            )

    def _show_dry_run(self, event: dict[str, Any]) -> None:
        for stream in event.get("streams", ()):
            name = f"{stream['kind']} stream {stream['index']} ({stream['codec']})"
            self._say(f"  {name}: {stream['action']}{', ' + stream['note'] if stream['note'] else ''}")
        if event["kind"] == "picture" or event["work"] is None:
            return
        frames, chunks = event["frames"], event["chunks"]
        if frames is not None and chunks is not None:
            self._say(f"  about {frames} frames in about {chunks} chunks of {event['chunk_seconds']:g} s")
        free = f"{event['free_bytes'] / 1e6:.0f} MB are free there"
        if event["estimated_bytes"] is None:
            self._say(f"  the film does not say how long it is: no estimate; {free}")
            return
        self._say(
            f"  estimated: {duration(event['estimated_seconds'])}, {event['estimated_bytes'] / 1e6:.0f} MB "
            f"({event['peak_bytes'] / 1e6:.0f} MB while it is made); {free}"
        )

    def _show_shot(self, event: dict[str, Any]) -> None:
        self._shots += 1
        if self.verbose:
            self._say(f"  shot {self._shots} from {duration(event['start_time'])}, {event['kind']}")

    def _show_progress(self, event: dict[str, Any]) -> None:
        left = event["seconds_left"]
        text = f"{event['frames']} frames, {event['fps']:.1f} fps, shot {max(1, self._shots)}"
        text += f", {duration(left)} left" if left is not None else ""
        if self.console.is_terminal:
            if self._bar is None:
                columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.description}"))
                self._bar = Progress(*columns, console=self.console, transient=True)
                self._bar.add_task("")
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], total=event["total"], completed=event["frames"], description=text)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._say(f"  {text}")

    def _show_film(self, event: dict[str, Any]) -> None:
        self.close()
        if event["error"]:
            self._say(f"vidcolor: {event['error']}")
            return
        if event.get("skipped"):
            self._say(f"{event['input']}: skipped: {event['skipped']}")
            return
        if event.get("dry_run"):
            return
        if event["kind"] == "picture":
            self._say(f"  done: {event['output']}, {event['seconds']:.1f} s")
            return
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in event["stages"].items())
        self._say(
            f"  done: {event['output']}, {event['frames']} frames in {duration(event['seconds'])}: "
            f"{event['fps']:.1f} frames/s, {event['times_real_time']:.2f} × real time"
        )
        self._say(f"  seconds busy in each stage (they overlap): {stages}")
        for entry in event["ledger"][:MOST_DAMAGE]:
            first, last = (clock(entry[name]) for name in ("first_time", "last_time"))
            where, times = (first, "") if first == last else (f"{first} to {last}", f" ({entry['count']} times)")
            self._say(f"  damaged at {where}: {entry['what']}{times}; {entry['done']}")
        if len(event["ledger"]) > MOST_DAMAGE:
            self._say(f"  damaged in {len(event['ledger']) - MOST_DAMAGE} places more: see --json")

    def _show_verify(self, event: dict[str, Any]) -> None:
        self.close()
        if not event["conforms"] or self.verbose:
            self.console.print(findings_table(event["findings"]))
        self._say(
            f"  verified: {event['output']} {'conforms' if event['conforms'] else 'does not conform'} to its source"
        )

    def _show_summary(self, event: dict[str, Any]) -> None:
        if len(event["films"]) > 1:
            failed = sum(1 for film in event["films"] if film["error"])
            skipped = sum(1 for film in event["films"] if film.get("skipped"))
            planned = any(film.get("dry_run") for film in event["films"])
            done = f"{len(event['films']) - failed - skipped} {'to be done' if planned else 'done'}, {failed} failed"
            self._say(f"{done}, {skipped} skipped" if skipped else done)


class Ticker:
    """Work that is counted, on standard error: a bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._last_line = time.monotonic()

    def __call__(self, text: str, done: int, total: int | None = None) -> None:
        if self.console.is_terminal:
            if self._bar is None:
                self._bar = Progress(
                    BarColumn(), TextColumn("{task.description}"), console=self.console, transient=True
                )
                self._bar.add_task("")
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], total=total, completed=done, description=text)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.say(text)

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


class BuildProgress(Ticker):
    """The steps of an engine's builder: how far the outermost phase is, and what is done inside it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title, self._done, self._steps = title, 0, 1

    def __call__(self, step: BuildStep) -> None:
        if step.inside is None:
            self._done, self._steps = step.done, max(1, step.steps)
        inside = f", {step.phase.lower()} {step.done}/{step.steps}" if step.inside else ""
        super().__call__(f"{self._title}: step {self._done} of {self._steps}{inside}", self._done, self._steps)
