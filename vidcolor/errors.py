"""The errors that vidcolor raises: each says what happened, why, and what to do next."""

from __future__ import annotations


class VidcolorError(Exception):
    """A failure that is explained to the user in one line.

    Args:
        what: what could not be done, naming the file or option.
        why: the cause, with the evidence.
        next_step: what the user can type or change; may be empty when nothing helps.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        self.what, self.why, self.next_step = what, why, next_step
        super().__init__(what, why, next_step)

    def __str__(self) -> str:
        line = f"{self.what}: {self.why}" if self.why else self.what
        line = f"{line}. {self.next_step}" if self.next_step else line
        return " ".join(line.split())


class UsageError(VidcolorError):
    """An option or an argument that cannot be meant: nothing was started."""

    exit_code = 2


class MediaError(VidcolorError):
    """A film or picture that cannot be read, or cannot be written in the form asked for."""


class ModelError(VidcolorError):
    """A network or its weights that are missing, damaged or of another kind."""


class BackendError(VidcolorError):
    """A runtime (OpenVINO, TensorRT, torch) that is missing or that failed."""
