"""Breaks a player's chords: one of their tones at a time, in an order and at a rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kelly_live.core.values import NoteEvent
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect
from kelly_live.generators.parameter import Parameter, Value
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import SOFTEST_VELOCITY

_STEPS_PER_BEAT = {"quarter": 1, "eighth": 2, "triplet": 3, "sixteenth": 4}
_ORDERS = ("up", "down", "up-down")
_SAME_TIME_BEATS = 1e-9
_OFF_BEAT_VELOCITY = 0.88  # of a note's own, where a tone falls between two beats


class Arpeggiator(NoteEffect):
    """Plays the tones of a player's chords one after the other."""

    descriptor = EffectDescriptor(
        "arpeggiator",
        "breaks chords into single notes",
        (
            Parameter("rate", "eighth", "how long a tone is", choices=tuple(_STEPS_PER_BEAT)),
            Parameter("order", "up", "in which order the tones come", choices=_ORDERS),
            Parameter("octaves", 1, "over how many octaves", low=1, high=3),
            Parameter("gate", 0.9, "how much of its length a tone sounds", low=0.1, high=1.0),
            Parameter("hold", True, "go on with a chord that has ended until the next one, for a bar at most"),
        ),
        needs_pitch=True,
    )

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self._chord: list[NoteEvent] = []

    def process(
        self, notes: Sequence[NoteEvent], context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the tones on the steps of the slice; the chord of the last bar of all stays whole."""
        if context.closing:
            self._chord = []
            return notes
        per_beat = _STEPS_PER_BEAT[self.values.choice("rate")]
        incoming = list(notes)
        broken: list[NoteEvent] = []
        first, end = (math.ceil(beat * per_beat - _SAME_TIME_BEATS) for beat in (start_beat, end_beat))
        for place in range(first, end):
            beat = place / per_beat
            while incoming and incoming[0].onset_beats <= beat + _SAME_TIME_BEATS:
                self._strike(incoming.pop(0))
            if tone := self._choose_tone(context, place, beat, per_beat):
                broken.append(tone)
        for note in incoming:
            self._strike(note)
        return broken

    def reset(self) -> None:
        """Let go of the chord."""
        self._chord = []

    def _strike(self, note: NoteEvent) -> None:
        """Add a note to the chord, of which only what still sounds stays: a pad may hold a common tone."""
        self._chord = [held for held in self._chord if _sounds(held, note.onset_beats)]
        self._chord.append(note)

    def _choose_tone(self, context: MusicContext, place: int, beat: float, per_beat: int) -> NoteEvent | None:
        held_over = float(context.beats_per_bar) if self.values.switch("hold") else 0.0
        chord = {note.pitch: note for note in self._chord if _sounds(note, beat, held_over)}
        if not chord:
            return None
        tones = [
            replace(chord[pitch], pitch=pitch + 12 * octave)
            for octave in range(round(self.values.number("octaves")))
            for pitch in sorted(chord)
            if pitch + 12 * octave <= 127
        ]
        match self.values.choice("order"):
            case "down":
                tones.reverse()
            case "up-down":
                tones += tones[-2:0:-1]
        tone = tones[place % (context.beats_per_bar * per_beat) % len(tones)]
        is_on_beat = place % per_beat == 0
        velocity = tone.velocity if is_on_beat else round(tone.velocity * _OFF_BEAT_VELOCITY)
        return replace(
            tone,
            onset_beats=beat,
            duration_beats=self.values.number("gate") / per_beat,
            velocity=max(SOFTEST_VELOCITY, velocity),
        )


def _sounds(note: NoteEvent, beat: float, held_over: float = 0.0) -> bool:
    """Tell whether a note sounds at a beat; `held_over` beats are added to its duration."""
    return beat < note.onset_beats + note.duration_beats + held_over - _SAME_TIME_BEATS
