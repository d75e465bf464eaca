"""Tuned notes through scheduler process, JACK and a running fluidsynth; and what is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.commands import Notes, PartProgram, Start, Tuning
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.tuning import CHANNEL, PROGRAM, create_score, measure_cents
from kelly_live.midi.ports import RecordedMessage
from kelly_live.midi.scheduler_client import SchedulerClient
from tests.live.conftest import SAMPLE_RATE, JackMonitor, wait_for
from tests.midi.receiver import Receiver

PROGRAMS = (PartProgram(CHANNEL, PROGRAM),)
BPM = 90.0
FEW = [replace(note, onset_beats=1.25 * i) for i, note in enumerate(create_score()[4:22:3])]  # quarter-tones and commas
LEFT_HANGING = """
import sys, time
from kelly_live.core.values import NoteEvent
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.core.commands import Notes, Start, Tuning

scheduler = SchedulerClient("kelly-monitor")
scheduler.open()
scheduler.send(Tuning(sys.argv[1]))
scheduler.send(Start(time.monotonic(), 60.0))
scheduler.send(Notes(tuple(NoteEvent(0.0, 1000.0, 60 + i, 80, 3, "pad", 10.0 * i - 35.0) for i in range(6))))
print(scheduler.process_id, flush=True)
time.sleep(60)
"""


def notes_on(sound: np.ndarray) -> list[np.ndarray]:
    """Return the middle of each note, found by loudness: a busy machine's JACK runs slow."""
    block = SAMPLE_RATE // 50
    level = np.sqrt(np.mean(sound[: len(sound) // block * block].reshape(-1, block) ** 2, axis=1))
    loud = np.concatenate([[False], level > 0.2 * np.quantile(level, 0.8), [False]])
    edges = np.flatnonzero(np.diff(loud.astype(int))).reshape(-1, 2)
    return [sound[block * a : block * b][block * (b - a) // 4 : -block * (b - a) // 8] for a, b in edges if b - a > 15]


@pytest.mark.parametrize("tuning", [Tuning("bend"), Tuning("mpe"), Tuning("mts")], ids=lambda t: t.mode)
def test_fluidsynth_sounds_in_tune_live(organ: str, tuning: Tuning, tmp_path: Path) -> None:
    out = tmp_path / "tape.npy"
    length = 60.0 / BPM * (FEW[-1].onset_beats + 2.0)
    script = str(Path(__file__).with_name("recorder.py"))
    with SchedulerClient(organ, late_limit_seconds=60.0) as scheduler:
        recorder = subprocess.Popen(
            [sys.executable, script, organ.partition(":")[0] + ":left", str(length), str(out)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert recorder.stdout is not None
        assert recorder.stdout.readline() == "recording\n"
        scheduler.send(tuning.with_programs(PROGRAMS))
        scheduler.send(Start(time.monotonic() + 0.3, BPM))
        scheduler.send(Notes(tuple(replace(note, velocity=100) for note in FEW)))
        assert recorder.wait(length + 20.0) == 0
    sounds = notes_on(np.load(out).astype(float))
    assert len(sounds) == len(FEW)
    errors = np.abs(measure_cents(sounds, FEW))
    assert np.median(errors) <= 3.0, errors
    assert errors.max() <= 6.0, errors


@pytest.mark.parametrize("mode", ["bend", "mpe", "mts"])
@pytest.mark.parametrize("victim", ["parent", "scheduler"])
def test_a_killed_process_leaves_no_note_and_no_bend(monitor: JackMonitor, mode: str, victim: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", LEFT_HANGING, mode], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        scheduler = int(parent.stdout.readline())

        def read_receiver() -> Receiver:
            return Receiver().hear(RecordedMessage(seconds, data) for seconds, data in list(monitor.events))

        wait_for(lambda: len(monitor.list_sounding_notes()) == 6, "six notes")
        before = read_receiver()
        assert sorted(voice.pitches[-1] for voice in before.voices) == pytest.approx(
            [60 + i + (10.0 * i - 35.0) / 100.0 for i in range(6)], abs=0.004
        )
        os.kill(parent.pid if victim == "parent" else scheduler, signal.SIGKILL)

        def straight() -> bool:
            receiver = read_receiver()
            return not receiver.list_sounding_notes() and all(
                receiver.pitch(channel, key) == key for channel in range(1, 17) for key in range(128)
            )

        wait_for(straight, "silence, and every channel back at 12-TET", 15.0)
        assert {m[1][1] for m in monitor.of_kind(0xB0) if get_kind(m[1]) == "control_change"} >= {120, 123}
    finally:
        parent.kill()
        parent.wait()


def test_plain_music_brings_no_bend_with_it(monitor: JackMonitor) -> None:
    with SchedulerClient("kelly-monitor") as scheduler:
        scheduler.send(Tuning(programs=(PartProgram(3, 11),)))
        scheduler.send(Start(time.monotonic(), 120.0))
        scheduler.send(Notes(tuple(NoteEvent(0.5 * i, 0.4, 60 + i, 80, 3, "melody") for i in range(4))))
        wait_for(lambda: len(monitor.of_kind(0x80)) == 4, "four notes")
    wait_for(lambda: len(monitor.events) == 10, "all that was sent")
    assert [data[0] & 0xF0 for _, data in monitor.events] == [0x90, 0x80] * 4 + [0xB0] * 2
