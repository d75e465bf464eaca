"""Pitch classes of note names, as people and corpora spell tonics and roots."""

from __future__ import annotations

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def parse_pitch_class(name: str) -> int:
    """Parse a capital letter with any number of `#` and `b`, such as `Eb`, to its pitch class 0-11.

    Raises:
        KeyError: The first letter is none of NATURALS.
    """
    return (NATURALS[name[0]] + name.count("#") - name[1:].count("b")) % 12
