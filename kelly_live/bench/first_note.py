"""From starting the program to its first note: the parts of a live session in the order of `kelly-live`, a file for the
microphone, in a process of its own (`python -m kelly_live.bench.first_note RECORDING TRACE`)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kelly_live.errors import MidiError
from kelly_live.midi.trace import read_trace

PLAYED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """`first_note`: seconds from starting the program; `memory`: the most that its process held, bytes."""

    first_note: float
    memory: int


def measure_start(recording: Path, device: str) -> Start:
    """Start it once. Raises MidiError."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        began = time.monotonic()
        command = [sys.executable, "-m", "kelly_live.bench.first_note", str(recording), str(trace), device]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120.0)
        if done.returncode != 0:
            raise MidiError(f"a session did not start: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
        ons = [message.seconds for message in read_trace(trace) if message.data[0] & 0xF0 == 0x90]
        if not ons:
            raise MidiError(f"no note in {PLAYED_SECONDS:g} s; run `kelly-live bench` again")
        return Start(ons[0] - began, int(done.stdout.split()[-1]))


def main(recording: str, trace: str, device: str) -> None:
    from kelly_live.audio.sources import FileSource
    from kelly_live.bench.memory import peak_bytes
    from kelly_live.cli.parts import make_analyzer, make_conductor, torch_ahead
    from kelly_live.midi.client import SchedulerClient
    from kelly_live.protocols import Steering
    from kelly_live.session import LiveSession, Snapshot
    from kelly_live.timebase import MonotonicClock

    sys.setswitchinterval(0.0005)
    torch_ahead()
    clock = MonotonicClock()
    sink = SchedulerClient(trace=Path(trace))
    sink.open()
    analyzer, opening = make_analyzer(device, Steering())
    session = LiveSession(
        source=FileSource(recording, clock, realtime=True),
        analyzer=analyzer,
        conductor=make_conductor(sink, seed=1),
        sink=sink,
        clock=clock,
        opening=opening,
    )
    began = time.monotonic()

    def on_status(snapshot: Snapshot) -> None:
        if time.monotonic() - began > PLAYED_SECONDS:
            session.stop()

    session.run(on_status)
    print(peak_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:4])
