"""How punctual the scheduler process is on this machine, idle or with every core busy."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass

from kelly_live.domain import NoteEvent
from kelly_live.midi.client import SchedulerClient

_BPM = 120.0
_NOTES_PER_BEAT = 12  # 24 notes a second, off the clock's grid, as dense as a busy arrangement


@dataclass(frozen=True, slots=True)
class DeadlineError:
    """How late messages left after their due time, in seconds; `messages` were counted, `busy_processes` ran beside."""

    p50_seconds: float
    p99_seconds: float
    worst_seconds: float
    messages: int
    dropped_notes: int
    busy_processes: int


def measure_deadline_error(seconds: float, load: bool, *, realtime: bool = True) -> DeadlineError:
    """Run the real process for `seconds`, sending to nowhere; `load`: with a busy loop on every core. Raises
    MidiError."""
    cores = os.cpu_count() or 1
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores if load else 0)]
    client = SchedulerClient(null=True, send_clock=True, realtime=realtime)
    try:
        client.open()
        origin = time.monotonic() + 0.2
        client.start(origin, _BPM)
        beats = math.ceil(seconds * _BPM / 60.0)
        for beat in range(beats):
            client.play(
                [
                    NoteEvent(
                        beat + (i + 0.37) / _NOTES_PER_BEAT, 0.9 / _NOTES_PER_BEAT, 40 + i, 64, 1 + beat % 8, "bench"
                    )
                    for i in range(_NOTES_PER_BEAT)
                ]
            )
            time.sleep(max(0.0, origin + beat * 60.0 / _BPM - time.monotonic()))
        time.sleep(60.0 / _BPM)
    finally:
        client.stop()
        for process in busy:
            process.kill()
            process.wait()
    health = client.health()
    return DeadlineError(
        p50_seconds=health.p50_late_seconds,
        p99_seconds=health.p99_late_seconds,
        worst_seconds=health.worst_late_seconds,
        messages=health.sent,
        dropped_notes=health.dropped,
        busy_processes=len(busy),
    )
