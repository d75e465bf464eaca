"""Play a few notes into a MIDI output, to hear whether the synth is wired."""

from __future__ import annotations

from kelly_live.core.commands import Notes, Start
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import NoteSink
from kelly_live.core.timebase import Clock
from kelly_live.core.values import NoteEvent

BPM = 120.0
LEAD_SECONDS = 0.25  # a fresh connection takes a moment
_ARPEGGIO = (60, 64, 67, 72)
_VELOCITY = 90
_CHORD_BEAT, _CHORD_BEATS = 2.0, 2.0
LENGTH_SECONDS = LEAD_SECONDS + (_CHORD_BEAT + _CHORD_BEATS) * 60.0 / BPM


def build_test_notes(channel: int) -> tuple[NoteEvent, ...]:
    """Return C, E, G and C in eighths, then the chord for a half note, on a MIDI channel (1-16)."""
    arpeggio = [NoteEvent(0.5 * i, 0.45, pitch, _VELOCITY, channel, "test") for i, pitch in enumerate(_ARPEGGIO)]
    chord = [NoteEvent(_CHORD_BEAT, _CHORD_BEATS, pitch, _VELOCITY, channel, "test") for pitch in _ARPEGGIO]
    return (*arpeggio, *chord)


def play_test_notes(sink: NoteSink, clock: Clock, *, channel: int = 1) -> None:
    """Play the test notes and wait for their end: 2.25 s. `sink` is open. Raises MidiError if it was lost."""
    begin = clock.now()
    sink.send(Start(begin + LEAD_SECONDS, BPM))
    sink.send(Notes(build_test_notes(channel)))
    clock.sleep_until(begin + LENGTH_SECONDS)
    if (problem := sink.health().error) is not None:
        raise MidiError(f"the test notes broke off: {problem}")
