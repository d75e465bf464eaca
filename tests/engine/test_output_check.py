"""`kelly-live test-note`: which notes a synth gets."""

from dataclasses import replace

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.output_check import LENGTH_SECONDS, build_test_notes, play_test_notes
from tests.music.band import RecordingSink


class LostSink(RecordingSink):
    """A sink whose port vanishes."""

    def health(self) -> SchedulerHealth:
        return replace(super().health(), error="the MIDI output 'Synth' is gone")


def test_a_broken_chord_then_the_chord_on_the_channel_that_is_asked_for() -> None:
    sink, clock = RecordingSink(), ManualClock(100.0)
    play_test_notes(sink, clock, channel=3)
    notes = [(note.onset_beats, note.pitch, note.channel) for note in sink.notes]
    assert notes == [(0.0, 60, 3), (0.5, 64, 3), (1.0, 67, 3), (1.5, 72, 3), *((2.0, p, 3) for p in (60, 64, 67, 72))]
    assert clock.now() == 100.0 + LENGTH_SECONDS


def test_no_note_sounds_into_the_next_of_its_pitch() -> None:
    last_end: dict[int, float] = {}
    for note in build_test_notes(1):
        assert note.onset_beats >= last_end.get(note.pitch, 0.0)
        last_end[note.pitch] = note.onset_beats + note.duration_beats


def test_a_port_that_is_lost_is_told() -> None:
    with pytest.raises(MidiError, match="the test notes broke off: the MIDI output 'Synth' is gone"):
        play_test_notes(LostSink(), ManualClock())
