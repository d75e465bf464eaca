"""Read numbers and switches as people write them, and nothing else that Python would take for one."""

from __future__ import annotations

import math
import re

MAX_QUOTED = 40  # characters
_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
_NUMBER = re.compile(r"[-+]?(\d{1,15}(\.\d{0,20})?|\.\d{1,20})([eE][-+]?\d{1,3})?", re.ASCII)
_TIME = re.compile(r"(?:(\d{1,2}):(?=\d\d:))?(\d{1,3}):(\d\d(?:\.\d{1,6})?)", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d{1,19}", re.ASCII)


def parse_number(text: str) -> float:
    """Return a number of at most 15 digits before the point; NaN for any other text.

    Other text is nan, inf, 0x10, 1_000, or digits that are not ASCII. Minus zero is zero. A
    huge exponent gives infinity, which no range holds.
    """
    digits = text.strip()
    return float(digits) + 0.0 if _NUMBER.fullmatch(digits) else math.nan


def parse_whole_number(text: str) -> int | None:
    """Return a whole number of at most 19 digits; None for any other text."""
    digits = text.strip()
    return int(digits) if _WHOLE.fullmatch(digits) else None


def parse_switch(text: str) -> bool | None:
    """Return what on, yes, true, 1 and their opposites say; None for any other text."""
    word = text.strip().casefold()
    return word in _ON if word in _ON or word in _OFF else None


def parse_time(text: str) -> float:
    """Return seconds that are written as 83.5, 1:23.5 or 0:01:23.5; NaN for any other text."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return parse_number(text)
    hours, minutes, seconds = (float(part or 0.0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds if seconds < 60.0 else math.nan


def format_time(seconds: float) -> str:
    """Return seconds as a clock shows them, such as 1:23.5: the inverse of `parse_time`, to the millisecond."""
    minutes, rest = divmod(round(1000.0 * seconds), 60_000)
    return f"{minutes}:{rest / 1000.0:06.3f}".rstrip("0").rstrip(".")


def quote_value(value: object) -> str:
    """Return a value as an error message repeats it: one line of at most MAX_QUOTED characters."""
    if isinstance(value, int) and abs(value) >= 10**MAX_QUOTED:
        return f"a number of over {MAX_QUOTED} digits"  # Python refuses to print the longest
    return repr(value[:MAX_QUOTED]) if isinstance(value, str) else str(value)[:MAX_QUOTED]
