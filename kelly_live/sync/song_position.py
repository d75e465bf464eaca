"""Where a song is, by its MIDI clock: start, stop, continue, song position and ticks. Thread: one."""

from __future__ import annotations

from kelly_live.core.protocols import MidiIn
from kelly_live.sync.midi_clock import MidiClockSource


class SongPositionReader:
    """Counts the beats (quarter notes) of the MIDI clock that arrives at `source`."""

    def __init__(self, source: MidiIn) -> None:
        self._clock = MidiClockSource(source)
        self.jumps = 0

    def read(self, now: float) -> float | None:
        """Return the beat at `now`, from 0; None while the song stands, or its clock is lost.

        Each start, continue and jump counts in `jumps`.
        """
        state = self._clock.estimate(now)
        beat, transport = state.beat, state.transport
        if beat is None or beat.beat_number is None or transport is None or not transport.playing:
            return None
        self.jumps = transport.start_count
        return beat.beat_number + (now - beat.beat_seconds) * beat.bpm / 60.0

    def take_location(self) -> float | None:
        """Return once at which beat a song position has put a song that stands; None if none has."""
        return self._clock.take_location()
