"""Lateness of the send path: the scheduler process plays a grid, idle or beside a load."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.commands import Notes, Start, Stop
from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, get_kind
from kelly_live.core.termination import temporary_folder
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.load import stress_cores, stress_nets
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.trace import TracedMessage, read_trace

BPM = 120.0
NOTES_PER_BEAT = 12  # 24 notes a second, as dense as a busy arrangement
NOTE_SHARE = 0.9  # of the way to the next note
_OFFSET_NOTES = 0.37  # off the clock's grid
_KEYS = 40
BEAT_SECONDS = 60.0 / BPM
NOTE_SECONDS = BEAT_SECONDS / NOTES_PER_BEAT


@dataclass(frozen=True, slots=True)
class Punctuality:
    """What the trace of a grid shows.

    Attributes:
        late_seconds: The lateness of each note-on and note-off.
        tick_seconds: The intervals of the MIDI clock.
        drift_seconds: How far the last tick lay from its due time.
        dropped_notes: The number of notes that were not sent.
    """

    late_seconds: tuple[float, ...]
    tick_seconds: tuple[float, ...]
    drift_seconds: float
    dropped_notes: int

    @property
    def jitter_seconds(self) -> float:
        """The standard deviation of the clock's intervals."""
        return float(np.std(self.tick_seconds))


def measure_punctuality(seconds: float, *, net: bool = False, busy: bool = False, realtime: bool = True) -> Punctuality:
    """Play a grid for `seconds` into a port that records when each message left.

    Args:
        seconds: How long to play.
        net: Whether the nets run in this process meanwhile, without a pause.
        busy: Whether a loop spins on every core meanwhile.
        realtime: Whether the scheduler process asks for real-time priority.

    Raises:
        MidiError: The scheduler process cannot play.
    """
    with temporary_folder() as folder, ExitStack() as loads:
        if busy:
            loads.enter_context(stress_cores())
        if net:
            loads.enter_context(stress_nets())
        trace = Path(folder) / "trace"
        client = SchedulerClient(trace=trace, send_clock=True, realtime=realtime)
        try:
            client.open()
            origin = time.monotonic() + 0.2
            client.send(Start(origin, BPM))
            for beat in range(math.ceil(seconds / BEAT_SECONDS)):
                client.send(Notes(tuple(_create_beat(beat))))
                time.sleep(max(0.0, origin + beat * BEAT_SECONDS - time.monotonic()))
            time.sleep(2.0 * BEAT_SECONDS)  # the last note ends a little after its beat
        finally:
            client.send(Stop())
        return analyze_trace(read_trace(trace), origin, client.health().dropped_notes)


def analyze_trace(trace: Sequence[TracedMessage], origin: float, dropped_notes: int = 0) -> Punctuality:
    """Compare the trace of the grid with its due times; beat 0 is at `origin` (seconds)."""
    late = []
    for seconds, data in trace:
        # A note repeats every beat, so the nearest due time says which one it was.
        kind = get_kind(data)
        if kind in ("note_on", "note_off"):
            phase = (data[1] - _KEYS + _OFFSET_NOTES + (0.0 if kind == "note_on" else NOTE_SHARE)) * NOTE_SECONDS
            beats = (seconds - origin - phase) / BEAT_SECONDS
            late.append((beats - round(beats)) * BEAT_SECONDS)
    ticks = [seconds for seconds, data in trace if data == CLOCK]
    due_time = origin + (len(ticks) - 1) * BEAT_SECONDS / CLOCKS_PER_BEAT
    return Punctuality(tuple(late), tuple(np.diff(ticks)), ticks[-1] - due_time if ticks else math.nan, dropped_notes)


def _create_beat(beat: int) -> list[NoteEvent]:
    return [
        NoteEvent(
            beat + (i + _OFFSET_NOTES) / NOTES_PER_BEAT,
            NOTE_SHARE / NOTES_PER_BEAT,
            _KEYS + i,
            64,
            1 + beat % 8,
            "bench",
        )
        for i in range(NOTES_PER_BEAT)
    ]
