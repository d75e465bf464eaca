"""The time from starting the program to its first note.

The parts of a live session start in the order of `kelly-live`, with a file for the microphone, in a process of its own:
`python -m kelly_live.lab.bench.first_note RECORDING TRACE DEVICE`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import get_kind
from kelly_live.midi.trace import read_trace

PLAYED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a session.

    Attributes:
        first_note_seconds: The time from starting the program to its first note.
        memory_bytes: The peak of its process, plus what the analysis process held at the end.
    """

    first_note_seconds: float
    memory_bytes: int


def measure_start(recording: Path, device: str) -> Start:
    """Start a session once.

    Raises:
        MidiError: It does not start, or plays no note.
    """
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        began = time.monotonic()
        command = [sys.executable, "-m", "kelly_live.lab.bench.first_note", str(recording), str(trace), device]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120.0)
        if done.returncode != 0:
            raise MidiError(f"a session did not start: {(done.stderr.strip() or 'no output').splitlines()[-1]}")
        ons = [message.seconds for message in read_trace(trace) if get_kind(message.data) == "note_on"]
        if not ons:
            raise MidiError(f"no note in {PLAYED_SECONDS:g} s; run `kelly-live lab bench` again")
        return Start(ons[0] - began, int(done.stdout.split()[-1]))


def main(recording: str, trace: str, device: str) -> None:
    """Play for PLAYED_SECONDS and print the bytes of memory. Runs in the measured process."""
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.build import create_override_stage
    from kelly_live.lab.bench.memory import read_peak_bytes, read_resident_bytes
    from kelly_live.lab.bench.playing import play_recording
    from kelly_live.midi.scheduler_client import SchedulerClient
    from kelly_live.workers.realtime import enable_realtime

    enable_realtime()
    reader = AnalysisProxy()
    reader.start()
    sink = SchedulerClient(trace=Path(trace))
    sink.open()
    stage = create_override_stage(EmotionOverride())
    reader.open(device)
    play_recording(PLAYED_SECONDS, Path(recording), sink, reader, stage)
    print(read_peak_bytes() + (read_resident_bytes(reader.process_id) or 0))
    reader.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
