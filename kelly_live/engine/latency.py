"""Measure a rig's latency: play clicks into a MIDI output, and hear them in an audio input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kelly_live.audio.round_trip import LONGEST_SECONDS, HeardSound, RoundTrip, measure_round_trip
from kelly_live.core.commands import Notes, Start
from kelly_live.core.errors import AudioError
from kelly_live.core.protocols import AudioSource, NoteSink
from kelly_live.core.timebase import Clock
from kelly_live.core.values import NoteEvent
from kelly_live.core.wording import plural
from kelly_live.engine.options.latency import LatencyOptions

if TYPE_CHECKING:
    from kelly_live.core.values import AudioWindow

LEAD_SECONDS = 1.0  # of the room alone, before the first click
_BPM = 60.0  # beats are seconds
# Uneven, so that a sound which repeats by itself is never taken for the clicks.
_INTERVALS_SECONDS = (1.0, 1.15, 1.07, 1.23, 1.02, 1.11)
_CLICK_SECONDS = 0.1
_VELOCITY = 110
_READ_SECONDS = 0.1
_TAIL_SECONDS = 0.5  # what an input with large buffers delivers late


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """What was measured between two ports.

    `input_seconds`: the part of the audio input, by its driver; None where that is not known.
    """

    output: str
    source: str
    round_trip: RoundTrip
    input_seconds: float | None

    @property
    def latency_seconds(self) -> float:
        """By how much notes must leave earlier to be heard in time, to a tenth of a millisecond."""
        return round(self.round_trip.seconds - (self.input_seconds or 0.0), 4)

    def describe(self) -> list[str]:
        """Say what was heard, and what follows from it, one line each."""
        trip = self.round_trip
        first, last = min(trip.latencies) * 1e3, max(trip.latencies) * 1e3
        stray = trip.sent - trip.lost - len(trip.latencies)
        count = f"{trip.sent - trip.lost} of {plural(trip.sent, 'click')} heard"
        count += f", {stray} of them at another time" if stray else ""
        part = "by an amount that its driver does not tell"
        if self.input_seconds is not None:
            part = f"by about {self.input_seconds * 1e3:.1f} ms"
        lines = [
            f"{self.output!r} is heard in {self.source!r} {trip.seconds * 1e3:.1f} ms after its time "
            f"({first:.1f} to {last:.1f} ms; {count})",
            f"the audio input delays what it hears {part}; the rest is the synth, its sound output and the way between",
            f"suggested: --latency-ms {self.latency_seconds * 1e3:.1f}",
        ]
        if trip.is_clipped:
            lines.insert(1, f"{self.source!r} is overdriven; the time holds, but turn it down to play")
        return lines


def list_click_times(count: int) -> list[float]:
    """Return when clicks fall, in seconds after the first."""
    times = [0.0]
    for i in range(count - 1):
        times.append(times[-1] + _INTERVALS_SECONDS[i % len(_INTERVALS_SECONDS)])
    return times


def measure_latency(
    source: AudioSource, sink: NoteSink, clock: Clock, options: LatencyOptions, *, source_name: str, output: str
) -> LatencyReport:
    """Play the clicks and hear them; takes some ten seconds. `sink` is open, and sends without a latency.

    `source_name` and `output` name the two ends in errors. Raises AudioError, MidiError.
    """
    source.start()
    origin = clock.now() + LEAD_SECONDS
    times = list_click_times(options.clicks)
    sink.send(Start(origin, _BPM))
    sink.send(
        Notes(tuple(NoteEvent(t, _CLICK_SECONDS, options.note, _VELOCITY, options.channel, "click") for t in times))
    )
    windows, delays = _listen(source, clock, until=origin + times[-1] + LONGEST_SECONDS + _TAIL_SECONDS)
    _require_running(source, sink)
    round_trip = measure_round_trip(HeardSound(windows), [origin + t for t in times], source=source_name, output=output)
    return LatencyReport(output, source_name, round_trip, float(np.median(delays)) if delays else None)


def _listen(source: AudioSource, clock: Clock, *, until: float) -> tuple[Sequence[AudioWindow], Sequence[float]]:
    """Return what the source delivers until then, and its delays in seconds where it knows them."""
    windows: list[AudioWindow] = []
    delays: list[float] = []
    while clock.now() < until and not source.is_finished:
        window = source.read(_READ_SECONDS)
        if window is None:
            continue
        windows.append(window)
        if (delay := source.health().delay_seconds) is not None:
            delays.append(delay)
    return windows, delays


def _require_running(source: AudioSource, sink: NoteSink) -> None:
    """Raise AudioError if an end of the rig was lost meanwhile."""
    problem = source.health().problem or sink.health().error
    if problem is not None:
        raise AudioError(f"the measurement broke off: {problem}")
