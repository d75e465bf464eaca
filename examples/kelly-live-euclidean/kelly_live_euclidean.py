"""Two interlocking lines in Euclidean rhythms, as a player of kelly-live.

The package euclidean-rhythm (by Amaar Chughtai, MIT) spreads the strokes and says how syncopated a rotation is. This
file needs it alone: kelly-live runs it in its own environment, and gives it plain values.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from euclidean_rhythm import euclidean, rotate, syncopation

MOST_SHARE = 0.7  # of the places of a bar are struck by one line at most
BELOW, ABOVE = -12.0, 0.0  # semitones from the tune's middle to those of the lines
GATE = 0.8
CHANNEL, PROGRAM = 8, 12  # marimba


class EuclideanPlayer:
    """A low line that keeps the ground, and a high one in the gaps: ostinatos, the same for a whole phrase."""

    descriptor: Mapping[str, Any] = {
        "name": "euclidean",
        "part": "euclidean",
        "channel": CHANNEL,
        "program": PROGRAM,
        "help": "two interlocking marimba lines in Euclidean rhythms",
        "parameters": [
            {
                "name": "share", "default": 1.2, "low": 0.1, "high": 2.0,
                "help": "how many strokes it has for each note of the tune",
            },
            {
                "name": "syncopation", "default": 0.5, "low": 0.0, "high": 1.0,
                "help": "how far the high line leaves the beats",
            },
            {"name": "low-line", "default": True, "help": "play the low line, too"},
        ],
    }  # fmt: skip

    def __init__(self) -> None:
        self._share, self._syncopation, self._has_low_line = 1.2, 0.5, True

    def configure(self, values: Mapping[str, Any]) -> None:
        self._share, self._syncopation = values["share"], values["syncopation"]
        self._has_low_line = values["low-line"]

    def reset(self) -> None:
        """It remembers nothing: a stroke depends on its place and the seed alone."""

    def generate(self, parameters: Any, context: Any, start_beat: float, end_beat: float) -> Sequence[dict[str, Any]]:
        bars = range(context.bar_at(start_beat), context.bar_at(end_beat - 1e-9) + 1)
        notes = [note for bar in bars for note in self._plan_bar(parameters, context, bar)]
        notes.sort(key=lambda note: (note["onset_beats"], note["pitch"]))
        return [note for note in notes if start_beat <= note["onset_beats"] < end_beat]

    def _plan_bar(self, parameters: Any, context: Any, bar: int) -> Iterator[dict[str, Any]]:
        per_bar, start = context.beats_per_bar, float(bar * context.beats_per_bar)
        slots = per_bar * (3 if context.rhythm == "triplet" else 4 if parameters.density > 2.5 else 2)
        strokes = round(min(MOST_SHARE * slots, self._share * parameters.density * per_bar))
        if context.closing:
            yield self._strike(parameters, context, start, ABOVE, 0, float(per_bar))
            return
        if strokes < 1:
            return
        low = euclidean(pulses=max(1, strokes // 2), steps=slots)
        high = self._find_rotation(euclidean(pulses=strokes, steps=slots), low, context)
        for rhythm, middle in ((low, BELOW), (high, ABOVE)) if self._has_low_line else ((high, ABOVE),):
            struck = [place for place, pulse in enumerate(rhythm) if pulse]
            for number, (place, following) in enumerate(zip(struck, [*struck[1:], slots], strict=True)):
                beat = start + place * per_bar / slots
                yield self._strike(parameters, context, beat, middle, number, (following - place) * per_bar / slots)

    def _find_rotation(self, rhythm: list[int], low: list[int], context: Any) -> list[int]:
        """Return the rotation that is as syncopated as asked; of those, one that meets the low line least."""
        rotations = sorted({tuple(rotate(rhythm, steps=steps)) for steps in range(len(rhythm))})
        rotations.sort(key=lambda one: syncopation(list(one)))
        wanted = syncopation(list(rotations[round(self._syncopation * (len(rotations) - 1))]))
        fitting = [one for one in rotations if syncopation(list(one)) == wanted]
        fewest = min(count_meetings(one, low) for one in fitting)
        best = [one for one in fitting if count_meetings(one, low) == fewest]
        return list(random.Random(f"{context.seed} {context.theme}").choice(best))

    def _strike(
        self, parameters: Any, context: Any, beat: float, middle: float, number: int, beats: float
    ) -> dict[str, Any]:
        """Return the stroke of this number: the chord's tones around the middle, from the root up."""
        centre = min(110.0, max(24.0, parameters.register.centre + middle))
        tones = context.tones_between(centre - 7.0, centre + 7.0, beat) or context.tones_between(0.0, 127.0)
        root = context.chord_at(beat).pitch_classes[0]
        first = next((place for place, tone in enumerate(tones) if tone[0] % 12 == root), 0)
        pitch, cents = tones[(first + number) % len(tones)]
        is_on_beat = beat % 1.0 == 0.0
        loud = parameters.dynamics.floor + (parameters.dynamics.ceiling - parameters.dynamics.floor) * (
            0.55 if beat % context.beats_per_bar == 0.0 else 0.4 if is_on_beat else 0.25
        )
        return {
            "onset_beats": beat,
            "duration_beats": GATE * min(1.0, beats) if beats < context.beats_per_bar else beats,
            "pitch": pitch,
            "cents": cents,
            "velocity": max(1, min(127, round(127.0 * loud))),
        }


def count_meetings(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the places at which both rhythms have a stroke."""
    return sum(a and b for a, b in zip(one, other, strict=True))
