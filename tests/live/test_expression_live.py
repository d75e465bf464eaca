"""A held chord swells through scheduler process, JACK and a running fluidsynth; and what a crash leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.commands import Expression, Notes, PartProgram, Start, Tuning
from kelly_live.core.midi_messages import channel_pressure, control_change
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.tuning import CHANNEL, PROGRAM
from kelly_live.midi.scheduler_client import SchedulerClient
from tests.live.conftest import SAMPLE_RATE, JackMonitor, wait_for

HELD = """
import sys, time
from kelly_live.core.commands import Expression, Notes, PartProgram, Start, Tuning
from kelly_live.core.values import NoteEvent
from kelly_live.midi.scheduler_client import SchedulerClient

scheduler = SchedulerClient("kelly-monitor")
scheduler.open()
scheduler.send(Tuning(sys.argv[1], programs=(PartProgram(3, 48),)))
scheduler.send(Start(time.monotonic(), 60.0))
scheduler.send(Notes(tuple(NoteEvent(0.0, 1000.0, key, 50, 3, "pad") for key in (48, 60, 64)), 0.4))
scheduler.send(Expression(0.2, 0.6, 1.0))
print(scheduler.process_id, flush=True)
time.sleep(60)
"""


def test_a_held_chord_fades_and_swells_with_the_loudness(organ: str, tmp_path: Path) -> None:
    """Struck once; from its third beat on softer by 16 dB, from its fifth as loud as before."""
    out = tmp_path / "tape.npy"
    script = str(Path(__file__).with_name("recorder.py"))
    with SchedulerClient(organ, late_limit_seconds=60.0) as scheduler:
        port = organ.partition(":")[0] + ":left"
        recorder = subprocess.Popen([sys.executable, script, port, "6", str(out)], stdout=subprocess.PIPE, text=True)
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "recording\n"
        scheduler.send(Tuning(programs=(PartProgram(CHANNEL, PROGRAM),)))
        scheduler.send(Start(time.monotonic() + 0.3, 90.0))
        chord = tuple(NoteEvent(0.0, 6.0, key, 110, CHANNEL, "pad") for key in (48, 60, 67))
        scheduler.send(Notes(chord, 0.8))
        for beat, loudness in ((2.0, 0.1), (4.0, 0.8)):
            scheduler.send(Expression(beat, loudness))
        assert recorder.wait(40.0) == 0
    sound = np.load(out).astype(float)
    block = SAMPLE_RATE // 20
    level = np.sqrt(np.mean(sound[: len(sound) // block * block].reshape(-1, block) ** 2, axis=1))
    sounding = level[level > 0.02 * level.max()]  # a busy machine's JACK runs slow: thirds, not seconds
    third = len(sounding) // 3
    assert third >= 6
    before, softer, after = (
        20.0 * np.log10(np.median(sounding[n * third + third // 2 : (n + 1) * third - 1])) for n in range(3)
    )
    assert softer - before < -10.0
    assert after - softer > 10.0


@pytest.mark.parametrize("mode", ["bend", "mpe"])
@pytest.mark.parametrize("victim", ["parent", "scheduler"])
def test_a_killed_process_leaves_every_controller_at_rest(monitor: JackMonitor, mode: str, victim: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HELD, mode], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        scheduler = int(parent.stdout.readline())

        def latest() -> dict[tuple[int, int], int]:
            """The latest value by status byte and controller; -1 is pressure."""
            values = {}
            for _, data in list(monitor.events):
                if data[0] & 0xF0 == 0xB0 and data[1] in (11, 74):
                    values[data[0], data[1]] = data[2]
                elif data[0] & 0xF0 == 0xD0:
                    values[data[0], -1] = data[1]
            return values

        wait_for(lambda: 127 in latest().values() and 96 in latest().values(), "a chord that has swollen")
        os.kill(parent.pid if victim == "parent" else scheduler, signal.SIGKILL)
        rest = {11: 127, 74: 64, -1: 0}
        wait_for(
            lambda: all(value == rest[number] for (_, number), value in latest().items()),
            "every controller at rest",
            15.0,
        )
    finally:
        parent.kill()
        parent.wait()
    assert control_change(1 if mode == "mpe" else 3, 11, 127) in {data for _, data in monitor.events}
    assert channel_pressure(3, 0) in {data for _, data in monitor.events}
