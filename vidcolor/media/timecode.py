"""Time codes: the number of a frame on tape, as hours, minutes, seconds and frames."""

from __future__ import annotations

import re
from fractions import Fraction


def advanced(code: str, frames: int, rate: Fraction) -> str | None:
    """The time code so many frames later; None if `code` is none.

    Drop frame, with a semicolon, leaves the first numbers of each minute out, but of every tenth: two at 30 a second.
    """
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)", code)
    if match is None:
        return None
    hours, minutes, seconds, number = (int(match[group]) for group in (1, 2, 3, 5))
    numbers = round(rate)  # a second
    left_out = 0 if match[4] == ":" else 2 * (numbers // 30)
    minutes += hours * 60
    count = (minutes * 60 + seconds) * numbers + number - left_out * (minutes - minutes // 10) + frames
    tens, rest = divmod(count, 600 * numbers - 9 * left_out)
    count += left_out * (9 * tens + max(0, rest - left_out) // (60 * numbers - left_out))
    seconds, number = divmod(count, numbers)
    clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{match[4]}{number:0{len(match[5])}}"
