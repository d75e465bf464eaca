"""Pitches and pitch classes of note names, as people and corpora spell them."""

from __future__ import annotations

import re

from kelly_live.core.errors import ConfigError

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def parse_pitch_class(name: str) -> int:
    """Parse a capital letter with any number of `#` and `b`, such as `Eb`, to its pitch class 0-11.

    Raises:
        KeyError: The first letter is none of NATURALS.
    """
    return (NATURALS[name[0]] + name.count("#") - name[1:].count("b")) % 12


_PITCH = re.compile(r"([A-Ga-g])([#b]*)(-?\d)|(\d{1,3})")


def parse_pitch(text: str) -> int:
    """Parse a note such as `C4` (60), `Eb2`, or a number, to a MIDI note number 0-127. Raises ConfigError."""
    match = _PITCH.fullmatch(text.strip())
    pitch = -1
    if match is not None:
        letter, shifts, octave, number = match.groups()
        if number is not None:
            pitch = int(number)
        else:
            pitch = NATURALS[letter.upper()] + shifts.count("#") - shifts.count("b") + 12 * (int(octave) + 1)
    if not 0 <= pitch <= 127:
        raise ConfigError(f"{text[:20]!r} is no note: write C4 (middle C), Eb2, or a MIDI number from 0 to 127")
    return pitch


def parse_key_range(text: str) -> tuple[int, int]:
    """Parse the lowest and highest note of a range, `C2-B3` or `36-59`. Raises ConfigError."""
    match = re.fullmatch(r"\s*(\S+?)\s*-\s*(\S+)\s*", text)
    if match is None:
        raise ConfigError(f"{text[:40]!r} is no range of keys: write the lowest and the highest, as in C2-B3")
    low, high = parse_pitch(match.group(1)), parse_pitch(match.group(2))
    if low > high:
        raise ConfigError(f"the range {text[:40]!r} is empty: write the lowest key first")
    return low, high


def format_key_range(keys: tuple[int, int]) -> str:
    """Format a range of keys as it is parsed."""
    return f"{keys[0]}-{keys[1]}"
