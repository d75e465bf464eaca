"""The time from starting the program to its first note.

The engine of `kelly-live` starts with a file for the microphone, in a process of its own:
`python -m kelly_live.lab.bench.first_note RECORDING TRACE DEVICE`.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.termination import run_command, temporary_folder
from kelly_live.midi.trace import read_trace

PLAYED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a session.

    Attributes:
        first_note_seconds: The time from starting the program to its first note.
        memory_bytes: The peak of its process, plus what its worker processes held at the end.
    """

    first_note_seconds: float
    memory_bytes: int


def measure_start(recording: Path, device: str) -> Start:
    """Start a session once.

    Raises:
        MidiError: It does not start, or plays no note.
    """
    with temporary_folder() as folder:
        trace = Path(folder) / "trace"
        start = time.monotonic()
        command = [sys.executable, "-m", "kelly_live.lab.bench.first_note", str(recording), str(trace), device]
        result = run_command(command, timeout=120.0)
        if result.returncode != 0:
            raise MidiError(f"a session did not start: {(result.stderr.strip() or 'no output').splitlines()[-1]}")
        ons = [message.seconds for message in read_trace(trace) if get_kind(message.data) == "note_on"]
        if not ons:
            raise MidiError(f"no note in {PLAYED_SECONDS:g} s; run `kelly-live lab bench` again")
        return Start(ons[0] - start, int(result.stdout.split()[-1]))


def main(recording: str, trace: str, device: str) -> None:
    """Play for PLAYED_SECONDS and print the bytes of memory. Runs in the measured process."""
    from kelly_live.lab.bench.memory import read_peak_bytes, read_resident_bytes
    from kelly_live.lab.bench.playing import create_engine

    with create_engine(Path(recording), Path(trace), device) as engine:
        engine.wait(PLAYED_SECONDS)
        print(read_peak_bytes() + sum(read_resident_bytes(process_id) or 0 for process_id in engine.process_ids))


if __name__ == "__main__":
    main(*sys.argv[1:4])
