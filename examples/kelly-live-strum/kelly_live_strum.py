"""A note effect for kelly-live: chords are strummed, as on a guitar.

It needs nothing but Python: kelly-live runs it in any environment, and gives it plain values. An effect is made with
the values of its parameters; `process` is given the player's notes of a span and returns those that sound instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

NEARLY_AT_ONCE = 0.02  # beats: a chord's notes may be played so far apart already
SHORTEST_BEATS = 0.1
SOFTER = 5  # of velocity, for each string after the first


class Strum:
    """Spreads the notes of a chord: down-strokes on the beats, up-strokes between them."""

    descriptor: Mapping[str, Any] = {
        "name": "strum",
        "help": "strums chords: downwards on the beats, upwards between them",
        "needs_pitch": True,
        "parameters": [
            {
                "name": "spread", "default": 60.0, "low": 0.0, "high": 200.0, "unit": "ms",
                "help": "how long a stroke takes, from the first string to the last",
            },
            {"name": "up-strokes", "default": True, "help": "strike upwards between the beats"},
        ],
    }  # fmt: skip

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._waiting: list[dict[str, Any]] = []
        self.configure(values)

    def configure(self, values: Mapping[str, Any]) -> None:
        """Take the values of the parameters, also while it plays."""
        self._spread_ms = values.get("spread", 60.0)
        self._has_up_strokes = values.get("up-strokes", True)

    def reset(self) -> None:
        self._waiting = []

    def save_state(self) -> Any:
        return self._waiting

    def load_state(self, state: Any) -> None:
        self._waiting = list(state)

    def process(
        self, notes: Sequence[Any], context: Any, start_beat: float, end_beat: float
    ) -> Sequence[dict[str, Any]]:
        spread_beats = self._spread_ms / 60_000.0 * context.bpm
        for _, chord in groupby(notes, key=lambda note: round(note.onset_beats / NEARLY_AT_ONCE)):
            self._waiting += self._strum(list(chord), spread_beats)
        self._waiting.sort(key=lambda note: (note["onset_beats"], note["pitch"]))
        due = [note for note in self._waiting if note["onset_beats"] < end_beat]
        self._waiting = self._waiting[len(due) :]
        return [note for note in due if note["onset_beats"] >= start_beat]

    def _strum(self, chord: list[Any], spread_beats: float) -> list[dict[str, Any]]:
        is_upwards = self._has_up_strokes and round(chord[0].onset_beats % 1.0, 2) not in (0.0, 1.0)
        strings = sorted(
            chord, key=lambda note: note.pitch, reverse=is_upwards
        )  # a guitar's low string is struck first
        strummed = []
        for place, note in enumerate(strings):
            delay = spread_beats * place / (len(strings) - 1) if place else 0.0
            strummed.append(
                {
                    "onset_beats": note.onset_beats + delay,
                    "duration_beats": max(SHORTEST_BEATS, note.duration_beats - delay),
                    "pitch": note.pitch,
                    "velocity": max(1, note.velocity - SOFTER * place),
                    "cents": note.cents,
                }
            )
        return strummed
