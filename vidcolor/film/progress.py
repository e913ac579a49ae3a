"""How far a film has come, told as events."""

from __future__ import annotations

import time

from vidcolor.errors import MediaError
from vidcolor.film.events import Report, warning_event
from vidcolor.film.plan import Plan
from vidcolor.media.carried import lost
from vidcolor.media.damage import seconds
from vidcolor.media.source import LumaFrame

PROGRESS_SECONDS = 0.25  # between two progress events
LOOK_FOR_COLOUR = 50  # frames at the beginning in which a source that has colour already shows it


class Progress:
    """Counts frames and reports them; time left is reckoned from this run's own work alone."""

    def __init__(self, plan: Plan, frames_before: int, report: Report) -> None:
        self.plan, self.report = plan, report
        self.frames = frames_before  # done in all
        self.number = 0
        """Of the next frame in the film; to be set where others before it are done already."""
        self.made = 0
        self._coloured = False
        self._mixed = False  # that not all frames are interlaced, or none, was told
        self._said: list[str] = []  # what is lost, and was told
        self._started = self._shown = time.monotonic()

    def __call__(self, frame: LumaFrame, begins_shot: bool) -> None:
        source = self.plan.info.path
        if self.made == 0 or begins_shot:
            begins = seconds(frame.pts - self.plan.info.start_pts, self.plan.info)
            kind = "cut" if begins_shot else "start"
            self.report(
                {"type": "shot", "input": str(source), "start_frame": self.number, "start_time": begins, "kind": kind}
            )
        if not self._coloured and self.made < LOOK_FOR_COLOUR and frame.carries_colour():
            self._coloured = True
            self.report(warning_event(source, "the source has colour already; it is coloured anew from its luma alone"))
        if unsaid := [what for what in lost(frame.carried(), self.plan.encoding.encoder) if what not in self._said]:
            self._said += unsaid
            why = f"{self.plan.encoding.encoder} does not write what comes with the pictures"
            self.report(warning_event(source, f"{why}: {', '.join(unsaid)}"))
        if not self._mixed and self._is_mixed(frame):
            self._mixed = True
            self.report(warning_event(source, self._of_mixed(frame)))
        self.number += 1
        self.frames += 1
        self.made += 1
        if self.frames > (most := self.plan.options.max_frames):
            raise MediaError(
                f"cannot go on in {source}", f"it has more than {most} frames", "If it is meant to: --max-frames N"
            )
        if time.monotonic() - self._shown >= PROGRESS_SECONDS:
            self.show()

    def _is_mixed(self, frame: LumaFrame) -> bool:
        """Whether a frame is interlaced where the film's first is not, or the other way round."""
        info = self.plan.info
        told = info.frames_flagged or not info.interlaced  # by the frames, not by the container alone
        return told and not info.deinterlace and not frame.corrupt and frame.interlaced != info.interlaced

    def _of_mixed(self, frame: LumaFrame) -> str:
        info = self.plan.info
        at = f"at {seconds(frame.pts - info.start_pts, info):.3f} s a frame is"
        if info.interlaced:
            return f"{at} not interlaced, unlike the first: all are written as interlaced; no line is changed"
        whole = "--deinterlace makes such frames whole"
        return f"{at} interlaced, unlike the first: none is written as interlaced; no line is changed; {whole}"

    def show(self) -> None:
        self._shown = time.monotonic()
        total = self.plan.estimated_frames
        fps = self.made / max(1e-9, self._shown - self._started)
        left = (total - self.frames) / fps if total and fps and self.frames <= total else None
        self.report(
            {
                "type": "progress",
                "input": str(self.plan.info.path),
                "frames": self.frames,
                "total": total,
                "fps": round(fps, 2),
                "seconds_left": None if left is None else round(left, 1),
            }
        )
