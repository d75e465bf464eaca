"""Repeats each note a few times, softer and softer, in the harmony of the moment at which it sounds again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from kelly_live.core.values import DRUM_CHANNEL, NoteEvent
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect, WaitingNotes
from kelly_live.generators.parameter import Parameter, Value
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import SOFTEST_VELOCITY

_GATE = 0.9  # of the delay: a repeat ends before the next one


class Echo(NoteEffect):
    """Repeats a player's notes."""

    descriptor = EffectDescriptor(
        "echo",
        "repeats each note, softer and softer",
        (
            Parameter("delay", 0.75, "how long after the note its repeat comes", low=0.125, high=8.0, unit="beats"),
            Parameter("repeats", 2, "how many repeats", low=1, high=6),
            Parameter("decay", 0.6, "how loud each repeat is beside the one before", low=0.1, high=0.95),
            Parameter("fit", True, "move a repeat to the nearest tone of the chord that sounds by then"),
        ),
    )

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self._waiting = WaitingNotes()
        self._sounding: list[NoteEvent] = []  # what was returned and has not ended

    def process(
        self, notes: Sequence[NoteEvent], context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the player's notes and the repeats that are due; the last bar of all has none."""
        for note in notes:
            self._waiting.add(self._list_repeats(note))
        repeats = self._waiting.take(start_beat, end_beat)
        if context.closing:
            return notes
        own = {id(note) for note in notes}
        answer: list[NoteEvent] = []
        for note in sorted([*notes, *repeats], key=lambda note: note.onset_beats):  # own notes first
            if id(note) not in own:
                note = _fit(note, context) if self.values.switch("fit") else note
                if self._strikes_again(note):
                    continue
            answer.append(note)
            self._sounding.append(note)
        return answer

    def reset(self) -> None:
        """Forget the repeats to come."""
        self._waiting.clear()
        self._sounding.clear()

    def _strikes_again(self, repeat: NoteEvent) -> bool:
        """Tell whether a repeat would strike a pitch that sounds, and so cut it short."""
        beat = repeat.onset_beats
        self._sounding = [note for note in self._sounding if note.onset_beats + note.duration_beats > beat]
        return any(note.pitch == repeat.pitch for note in self._sounding)

    def _list_repeats(self, note: NoteEvent) -> Iterator[NoteEvent]:
        delay, velocity = self.values.number("delay"), float(note.velocity)
        for repeat in range(1, round(self.values.number("repeats")) + 1):
            velocity *= self.values.number("decay")
            if velocity < SOFTEST_VELOCITY:
                return
            yield replace(
                note,
                onset_beats=note.onset_beats + repeat * delay,
                duration_beats=min(note.duration_beats, _GATE * delay),
                velocity=round(velocity),
            )


def _fit(note: NoteEvent, context: MusicContext) -> NoteEvent:
    if note.channel == DRUM_CHANNEL:
        return note
    chord = context.chord_at(note.onset_beats)
    fitted = chord.key.note(chord.step_near(chord.key.step_near(note.pitch + note.cents / 100.0)))
    return replace(note, pitch=fitted.pitch, cents=fitted.cents) if 0 <= fitted.pitch <= 127 else note
