"""Frame-accurate output through a real JACK server: at its sample, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from kelly_live.core.commands import Notes, Start, Stop, Tuning
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CLOCK, key_tunings, note_off, note_on
from kelly_live.core.values import NoteEvent
from kelly_live.midi.backends import jack as backend_jack
from kelly_live.midi.scheduler_client import SchedulerClient
from tests.live.conftest import (
    PERIOD_SECONDS,
    SAMPLE_RATE,
    JackMonitor,
    JackServer,
    end,
    realtime_is_granted,
    wait_for,
)
from tests.live.frames import Listener, perform

SILENCE_LIMIT_SECONDS = 0.2
PARENT = """
import sys, time
from kelly_live.core.commands import Notes, Start
from kelly_live.core.values import NoteEvent
from kelly_live.midi.scheduler_client import SchedulerClient
scheduler = SchedulerClient("monitor in", frame_accurate=True)
scheduler.open()
print(scheduler.process_id, flush=True)
scheduler.send(Start(time.monotonic() + 0.2, 120.0))
voices = ((60, 1), (64, 1), (38, 10))
scheduler.send(Notes(tuple(NoteEvent(0.0, 1000.0, pitch, 80, channel, "pad") for pitch, channel in voices)))
time.sleep(60)
"""


def scheduler(query: str | None = "monitor in", **options: object) -> SchedulerClient:
    return SchedulerClient(query, frame_accurate=True, **options)  # type: ignore[arg-type]


@pytest.fixture
def prompt_server(prompt_server: JackServer) -> JackServer:
    if not realtime_is_granted():
        pytest.skip("no right to real-time priority here")
    return prompt_server


def test_notes_and_clock_fall_on_their_sample(prompt_server: JackServer) -> None:
    """The better of two performances is accurate to a small part of a period.

    A period is 128 frames: what waits for the next one is a third of that off, in the median. The better of two
    performances decides: this machine may have been put aside as a whole.
    """
    listener = Listener()
    try:
        tries: list[float] = []
        while len(tries) < 2 and min(tries, default=9.0) > 2.0:
            measurement = perform(listener, 1.5, frame_accurate=True)
            off = [float(np.median(np.abs(each))) * SAMPLE_RATE for each in (measurement.gaps, measurement.ticks)]
            print(f"  off by {off[0]:.1f} frames (notes), {off[1]:.1f} frames (clock), {measurement.xruns} xruns")
            tries.append(max(off))
            assert measurement.unended == 0
            assert measurement.notes >= 36 - measurement.xruns
        assert min(tries) <= 2.0
    finally:
        listener.close()


def drop_repeated_offs(messages: list[bytes]) -> list[bytes]:
    """Without the ends that a rushed server was told again."""
    sounding_keys: set[int] = set()
    kept_messages = []
    for message in messages:
        if message[0] & 0xF0 == 0x90:
            sounding_keys.add(message[1])
        elif message[1] not in sounding_keys:
            continue
        else:
            sounding_keys.discard(message[1])
        kept_messages.append(message)
    return kept_messages


def test_without_a_name_a_virtual_port_waits_to_be_connected(monitor: JackMonitor) -> None:
    with scheduler(None, virtual_name="Kelly Frames") as sink:
        monitor.listen_to("Kelly Frames")
        sink.send(Tuning("mts"))
        sink.send(Start(time.monotonic() + 0.1, 120.0))
        sink.send(Notes((NoteEvent(0.0, 0.2, 60, 80, 1, "part", cents=50.0),)))
        wait_for(lambda: monitor.of_kind(0x80), "the note")
    tuning_messages = [data for _, data in monitor.events if data[0] == 0xF0]
    assert key_tunings(0, {60: (60 << 14) + (1 << 13)}) in tuning_messages  # twelve bytes, whole
    assert monitor.list_sounding_notes() == set()


@pytest.mark.parametrize("victim", ["the parent, SIGKILL", "the scheduler, SIGTERM"])
def test_every_note_ends_when_a_process_does(monitor: JackMonitor, victim: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        scheduler_pid = int(parent.stdout.readline())
        wait_for(lambda: monitor.list_sounding_notes() == {(1, 60), (1, 64), (10, 38)}, "three held notes")
        killed = monitor.now()
        if victim.startswith("the parent"):
            parent.kill()
        else:
            os.kill(scheduler_pid, signal.SIGTERM)
        wait_for(lambda: len({data for _, data in monitor.of_kind(0xB0)}) == 4, "the silence")
        assert monitor.list_sounding_notes() == set()
        silent = max(seconds for seconds, _ in monitor.of_kind(0x80, 0xB0))
        print(f"  {victim}: silent after {(silent - killed) * 1e3:.1f} ms")
        assert silent - killed < SILENCE_LIMIT_SECONDS
    finally:
        parent.kill()
        parent.communicate()


def test_a_port_that_vanishes_is_reported(jack_server: JackServer) -> None:
    receiver = JackMonitor("kelly-vanishing")
    with scheduler("vanishing in") as sink:
        sink.send(Start(time.monotonic(), 120.0))
        receiver.close()
        wait_for(lambda: sink.health().error, "the report")
        assert "'kelly-vanishing:in' is gone" in str(sink.health().error)
    with pytest.raises(MidiError, match="no MIDI output"):
        scheduler("vanishing in").open()


def test_a_server_that_dies_is_reported_and_the_stop_is_still_quick(own_server: JackServer) -> None:
    sink = scheduler(None, send_clock=True)
    sink.open()
    sink.send(Start(time.monotonic(), 120.0))
    end(own_server.process)
    wait_for(lambda: sink.health().error, "the report")
    start = time.monotonic()
    sink.send(Stop())
    assert time.monotonic() - start < 4.0
    assert "is gone" in str(sink.health().error)


def held_up(seed: int) -> Callable[[backend_jack.JackOut, int, float], None]:
    """JACK's thread, late by up to seven periods every tenth time."""
    place, luck = backend_jack.JackOut._place, random.Random(seed)

    def late(self: backend_jack.JackOut, frames: int, now: float) -> None:
        place(self, frames, now)
        if self.cycles > 200 and luck.random() < 0.1:
            time.sleep(luck.choice((1.1, 2.2, 7.0)) * PERIOD_SECONDS)

    return late


def test_a_late_thread_loses_no_note_off(own_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A late thread sends note-offs again.

    On a server that does not wait: it reads what was written a period ago again, or never. Without saying ends again, 2
    to 11 of 400 notes hang here.
    """
    monkeypatch.setattr(backend_jack.JackOut, "_place", held_up(1))
    monitor = JackMonitor("kelly-own-monitor")
    try:
        out = backend_jack.JackBackend().open(monitor.port_name)
        due_time = time.monotonic() + 0.6
        for i in range(300):
            due_time += 0.008
            time.sleep(max(0.0, due_time - 0.02 - time.monotonic()))
            out.send_at(note_on(1, 30 + i % 90, 80), due_time)
            out.send_at(note_off(1, 30 + i % 90), due_time + 0.004)
        out.close()
        assert len({data for _, data in monitor.of_kind(0x90)}) == 90
        wait_for(lambda: monitor.list_sounding_notes() == set(), "the end of all notes", 2.0)
        assert out.dropped_messages == 0
    finally:
        monitor.close()


def test_what_lay_too_long_is_a_rest_but_its_end_is_sent(monitor: JackMonitor) -> None:
    out = backend_jack.JackBackend().open(monitor.port_name)
    start = monitor.now()
    wait_for(lambda: monitor.now() > start + 0.2, "the connection")
    long_ago = time.monotonic() - 1.0
    out.send_at(note_on(1, 60, 80), long_ago)
    out.send_at(note_off(1, 60), long_ago)
    out.send(note_on(1, 61, 80))
    out.send(note_off(1, 61))
    out.close()
    wait_for(lambda: len(monitor.events) >= 3, "what is left")
    assert drop_repeated_offs([data for _, data in monitor.events]) == [note_on(1, 61, 80), note_off(1, 61)]
    assert note_off(1, 60) in [data for _, data in monitor.events]
    assert out.dropped_messages == 1
    with pytest.raises(MidiError, match="is closed"):
        out.send(note_on(1, 60, 80))


def test_more_than_a_period_holds_goes_on_in_the_next_and_what_none_holds_is_left_out(monitor: JackMonitor) -> None:
    out = backend_jack.JackBackend().open(monitor.port_name)
    start = monitor.now()
    wait_for(lambda: monitor.now() > start + 0.2, "the connection")
    burst = [message(1, key) for _ in range(20) for key in range(100) for message in (soft_on, note_off)]
    out.send(bytes([0xF0, *bytes(1 << 20), 0xF7]))
    for message in burst:
        out.send(message)
    wait_for(lambda: len(monitor.events) >= len(burst), "the burst")
    out.close()
    assert drop_repeated_offs([data for _, data in monitor.events]) == burst
    assert out.dropped_messages == 1


def soft_on(channel: int, key: int) -> bytes:
    return note_on(channel, key, 1)


def send_many(out: backend_jack.JackOut, count: int) -> None:
    for _ in range(count):
        out.send(CLOCK)


def test_a_server_that_stands_still_is_not_waited_for(own_server: JackServer) -> None:
    out = backend_jack.JackBackend().open_virtual("Kelly Still")
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(MidiError, match="is its server stuck"):
            send_many(out, 2 * backend_jack.CAPACITY_MESSAGES)
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
        out.close()
