"""Search for quotations: the longest run of notes that a melody shares with others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from kelly_live.core.arrays import Floats

MIN_SHARED_NOTES = 6


class MelodyIndex:
    """An index of melodies for quotations: runs of (interval, time between onsets) in any key."""

    GRAM = 4

    def __init__(self, melodies: Iterable[tuple[str, Floats]]) -> None:
        self._lines: list[list[tuple[int, int]]] = []
        self._owners: list[str] = []
        self._index: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = defaultdict(list)
        for owner, notes in melodies:
            line = tokenize_melody(notes)
            for start in range(len(line) - self.GRAM + 1):
                self._index[tuple(line[start : start + self.GRAM])].append((len(self._lines), start))
            self._lines.append(line)
            self._owners.append(owner)

    def find_longest_quote(self, notes: Floats, owner: str = "") -> float:
        """Find the longest run, in beats between its outer onsets, that a melody of another owner shares.

        Runs of one repeated interval and one value (a scale, a repeated note) do not count.
        """
        line = tokenize_melody(notes)
        best = 0
        for start in range(len(line) - self.GRAM + 1):
            matches = self._index.get(tuple(line[start : start + self.GRAM]), ())
            for number, place in matches:
                if self._owners[number] == owner:
                    continue
                other = self._lines[number]
                size = self.GRAM
                while (
                    start + size < len(line) and place + size < len(other) and line[start + size] == other[place + size]
                ):
                    size += 1
                run = line[start : start + size]
                if len(run) + 1 >= MIN_SHARED_NOTES and len(set(run)) > 2:
                    best = max(best, sum(gap for _, gap in run))
        return best / 4.0


def tokenize_melody(notes: Floats) -> list[tuple[int, int]]:
    """Convert rows of onset (beats), length, pitch, … to (semitones, sixteenths) between notes."""
    places = np.rint(notes[:, 0] * 4.0).astype(int)
    pitches = notes[:, 2].astype(int)
    return [(int(p), int(g)) for p, g in zip(np.diff(pitches), np.diff(places), strict=True)]
