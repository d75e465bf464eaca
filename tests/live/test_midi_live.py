"""The scheduler process through a real JACK server, timed by an independent JACK client."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import pytest

from kelly_live.core.commands import Notes, Start, Stop, TempoChange
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CLOCK, START, STOP, note_off, note_on
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.midi.backend_registry import find_backends
from kelly_live.midi.ports import VIRTUAL_PORT_NAME, list_outputs, open_output, resolve_output
from kelly_live.midi.scheduler_client import SchedulerClient
from tests.live.conftest import (
    LIBRARIES,
    PERIOD_SECONDS,
    JackMonitor,
    JackServer,
    end,
    need_library,
    wait_for,
)

SILENCE_LIMIT_SECONDS = 0.2
MELODY = [60, 62, 64, 65, 67, 69, 71, 72]

PARENT = """
import sys, time
from kelly_live.core.commands import Notes, Start
from kelly_live.core.values import NoteEvent
from kelly_live.midi.scheduler_client import SchedulerClient
scheduler = SchedulerClient(sys.argv[1] if len(sys.argv) > 1 else None)
scheduler.open()
print(scheduler.process_id, flush=True)
sys.stdin.readline()  # until the test has connected its inputs
scheduler.send(Start(time.monotonic(), 120.0))
voices = ((60, 1), (64, 1), (38, 10))
scheduler.send(Notes(tuple(NoteEvent(0.0, 1000.0, pitch, 80, channel, "pad") for pitch, channel in voices)))
time.sleep(60)
"""


def melody(count: int, beats_apart: float = 0.25) -> list[NoteEvent]:
    return [
        NoteEvent(i * beats_apart, beats_apart * 0.8, MELODY[i % len(MELODY)], 80, 1, "melody") for i in range(count)
    ]


def spacing_error(times: list[float], expected_seconds: float) -> float:
    """Return the median error of the gaps, as a share of what is allowed.

    The median of how far the gaps are from `expected_seconds`, as a share of what is allowed: a fifth of the gap, and
    the JACK period by which a delivery may be off. A wrong schedule is further off than that; how punctual a right one
    is, `kelly-live lab bench` measures.
    """
    errors = sorted(abs(b - a - expected_seconds) for a, b in itertools.pairwise(times))
    median = errors[len(errors) // 2]
    print(f"  gap error: median {median * 1e3:.2f} ms, worst {errors[-1] * 1e3:.2f} ms")
    return median / max(PERIOD_SECONDS + 0.001, 0.2 * expected_seconds)


def drop_repeats(messages: Iterable[bytes]) -> list[bytes]:
    """Leave out an end that is sent again with no note between: an output through libjack does so where JACK missed a
    period."""
    kept_messages: list[bytes] = []
    ends: set[bytes] = set()
    for data in messages:
        if data[0] & 0xF0 == 0x90:
            ends = {end for end in ends if (end[0] ^ data[0]) & 0x0F or end[1] not in (data[1], 120, 123)}
        elif data in ends:
            continue
        else:
            ends.add(data)
        kept_messages.append(data)
    return kept_messages


def in_three_tries(performance: Callable[[], float]) -> None:
    """Repeat a check up to three times.

    A starved machine tears the gaps that jackd (without real-time rights) delivers; a wrong schedule is wrong each
    time. So the best of three performances decides; what is sent, and in which order, must be right in all.
    """
    tries: list[float] = []
    while len(tries) < 3 and min(tries, default=2.0) > 1.0:
        tries.append(performance())
    assert min(tries) <= 1.0


def test_the_jack_port_is_listed_and_found_by_a_part_of_its_name(monitor: JackMonitor) -> None:
    assert monitor.port_name in [port.name for port in list_outputs()]
    assert resolve_output("monitor in").name == monitor.port_name
    with pytest.raises(MidiError, match=r"kelly-monitor:in.*kelly-live devices"):
        resolve_output("no such port")


def test_two_ports_of_one_kind_need_more_of_the_name(monitor: JackMonitor) -> None:
    twin = JackMonitor("kelly-monitor-twin")
    try:
        with pytest.raises(MidiError, match="ambiguous"):
            resolve_output("kelly-monitor")
        assert resolve_output("twin").name == twin.port_name
    finally:
        twin.close()


def test_notes_reach_a_named_port_in_order_and_in_time(monitor: JackMonitor) -> None:
    messages = [m for i in range(24) for m in (note_on(1, MELODY[i % 8], 80), note_off(1, MELODY[i % 8]))]

    def performance() -> float:
        monitor.events.clear()
        with SchedulerClient("monitor in") as scheduler:
            scheduler.send(Start(time.monotonic() + 0.2, 120.0))
            scheduler.send(Notes(tuple(melody(24))))
            wait_for(lambda: len(monitor.events) >= 48 and monitor.events[-1][1] == messages[-1], "24 notes")
        health = scheduler.health()
        late = (health.p50_late_seconds, health.p99_late_seconds, health.worst_late_seconds)
        print("  deadline error p50/p99/worst: " + " / ".join(f"{seconds * 1e3:.3f} ms" for seconds in late))
        assert drop_repeats(data for _, data in monitor.events)[:48] == messages
        return spacing_error([seconds for seconds, _ in monitor.of_kind(0x90)], 0.125)

    in_three_tries(performance)


def test_a_tempo_change_on_the_way_is_heard(monitor: JackMonitor) -> None:
    def performance() -> float:
        monitor.events.clear()
        with SchedulerClient("monitor in") as scheduler:
            scheduler.send(Start(time.monotonic() + 0.2, 120.0))
            scheduler.send(Notes(tuple(melody(16))))
            scheduler.send(TempoChange(TempoPoint(2.0, 240.0)))
            wait_for(lambda: len(monitor.of_kind(0x80)) >= 16, "16 notes")
        onsets = [seconds for seconds, _ in monitor.of_kind(0x90)]
        return max(spacing_error(onsets[:9], 0.125), spacing_error(onsets[8:], 0.0625))

    in_three_tries(performance)


def test_without_a_name_a_virtual_port_waits_to_be_connected(monitor: JackMonitor) -> None:
    scheduler = SchedulerClient()
    port = scheduler.open()
    assert (port.name, port.is_virtual) == ("Kelly Live", True)
    try:
        monitor.listen_to("Kelly Live")
        scheduler.send(Start(time.monotonic() + 0.1, 120.0))
        scheduler.send(Notes(tuple(melody(8))))
        wait_for(lambda: len(monitor.of_kind(0x80)) >= 8, "8 notes")
    finally:
        scheduler.send(Stop())
    assert [data[1] for _, data in monitor.of_kind(0x90)] == MELODY
    assert monitor.list_sounding_notes() == set()


def test_clock_is_24_ticks_a_beat(monitor: JackMonitor) -> None:
    def performance() -> float:
        monitor.events.clear()
        with SchedulerClient("monitor in", send_clock=True) as scheduler:
            scheduler.send(Start(time.monotonic() + 0.2, 120.0))
            scheduler.send(Notes(tuple(NoteEvent(float(beat), 0.5, 60, 80, 1, "beat") for beat in range(5))))
            wait_for(lambda: len(monitor.of_kind(0x90)) >= 5, "5 beats")
        wait_for(lambda: monitor.events[-1][1] == STOP, "the stop")
        events = list(monitor.events)
        assert events[0][1] == START
        beats = [i for i, (_, data) in enumerate(events) if data[0] == 0x90]
        for start, stop in itertools.pairwise(beats):
            assert sum(data == CLOCK for _, data in events[start:stop]) == 24
        return spacing_error([seconds for seconds, data in events if data == CLOCK], 0.5 / 24)

    in_three_tries(performance)


@pytest.fixture(params=["virtual", "named"])
def playing_parent(request: pytest.FixtureRequest, monitor: JackMonitor) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A parent process with a scheduler that holds three notes; and the scheduler's process id."""
    arguments = [] if request.param == "virtual" else ["monitor in"]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    try:
        scheduler_pid = int(parent.stdout.readline())
        if request.param == "virtual":
            monitor.listen_to("Kelly Live")
        parent.stdin.write("go\n")
        wait_for(lambda: monitor.list_sounding_notes() == {(1, 60), (1, 64), (10, 38)}, "three held notes")
        yield parent, scheduler_pid
    finally:
        parent.kill()
        parent.communicate()


@pytest.mark.parametrize("victim", ["the parent, SIGKILL", "the scheduler, SIGTERM"])
def test_every_note_ends_when_a_process_does(
    playing_parent: tuple[subprocess.Popen[str], int], monitor: JackMonitor, victim: str
) -> None:
    parent, scheduler_pid = playing_parent
    killed = monitor.now()
    if victim.startswith("the parent"):
        parent.kill()
    else:
        os.kill(scheduler_pid, signal.SIGTERM)
    # note-offs, then CC 123 and CC 120 on the two channels that were used
    wait_for(lambda: len({data for _, data in monitor.of_kind(0xB0)}) >= 4, "the silence")
    assert monitor.list_sounding_notes() == set()
    assert sorted(drop_repeats(data for _, data in monitor.of_kind(0x80))) == [
        note_off(1, 60),
        note_off(1, 64),
        note_off(10, 38),
    ]
    assert [data.hex() for data in drop_repeats(data for _, data in monitor.of_kind(0xB0))] == [
        "b07b00",
        "b07800",
        "b97b00",
        "b97800",
    ]
    silent = max(seconds for seconds, _ in monitor.of_kind(0x80, 0xB0))
    print(f"  {victim}: silent after {(silent - killed) * 1e3:.1f} ms")
    assert silent - killed < SILENCE_LIMIT_SECONDS
    wait_for(lambda: not os.path.exists(f"/proc/{scheduler_pid}") or _is_zombie(scheduler_pid), "the scheduler to end")


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before the open, or between the open and the read
        return True


def test_a_killed_scheduler_is_silenced_by_its_parent(own_server: JackServer) -> None:
    monitor = JackMonitor("kelly-own-monitor")
    try:
        with SchedulerClient("own-monitor in") as scheduler:
            scheduler.send(Start(time.monotonic() + 0.2, 120.0))
            scheduler.send(Notes((NoteEvent(0.0, 1000.0, 60, 80, 3, "pad"),)))
            wait_for(lambda: monitor.list_sounding_notes() == {(3, 60)}, "the held note")
            assert scheduler.process_id is not None
            os.kill(scheduler.process_id, signal.SIGKILL)
            wait_for(lambda: len({data for _, data in monitor.of_kind(0xB0)}) == 2, "the parent's silence")
            assert {data.hex() for _, data in monitor.of_kind(0xB0)} == {"b27b00", "b27800"}
            assert "ended by itself (exit code -9)" in str(scheduler.health().error)
    finally:
        monitor.close()


def test_a_port_that_vanishes_is_reported(jack_server: JackServer) -> None:
    recorder = JackMonitor("kelly-vanishing")
    with SchedulerClient("vanishing in") as scheduler:
        scheduler.send(Start(time.monotonic(), 120.0))
        recorder.close()
        wait_for(lambda: scheduler.health().error, "the report")
        assert "'kelly-vanishing:in' is gone" in str(scheduler.health().error)


@pytest.mark.parametrize("query", [None, "brief in"], ids=["virtual", "named"])
def test_a_server_that_dies_is_reported_and_the_stop_is_still_quick(own_server: JackServer, query: str | None) -> None:
    listener = JackMonitor("brief")
    try:
        scheduler = SchedulerClient(query, send_clock=True)
        scheduler.open()
        scheduler.send(Start(time.monotonic(), 120.0))
        end(own_server.process)
        wait_for(lambda: scheduler.health().error, "the report")
        start = time.monotonic()
        scheduler.send(Stop())
        assert time.monotonic() - start < 4.0
        assert "is gone" in str(scheduler.health().error)
    finally:
        listener.close()


def test_no_server_is_started_for_a_listing(
    jack_server: JackServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"kelly-nowhere-{os.getpid()}")
    assert not [backend.name for backend in find_backends() if "jack" in backend.name]
    assert capfd.readouterr().err == ""  # and the C libraries kept quiet about it
    if not find_backends():
        with pytest.raises(MidiError, match="no MIDI system is running"):
            open_output(None)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("query", [None, "monitor in"], ids=["virtual", "named"])
def test_each_back_end_delivers_all_it_was_given_before_it_closes(
    monitor: JackMonitor, library: str, query: str | None
) -> None:
    among = need_library(library)()
    assert [backend.name for backend in among] == [f"{'libjack' if library == 'jack' else library}:jack"]
    out = open_output(query, among)
    if query is None:
        monitor.listen_to(VIRTUAL_PORT_NAME)
    assert out.is_virtual == (query is None)
    out.out.send(note_on(1, 60, 80))
    out.out.send(note_off(1, 60))
    out.out.close()
    out.out.close()
    assert [data for _, data in wait_for(lambda: list(monitor.events), "the notes")][:2] == [
        note_on(1, 60, 80),
        note_off(1, 60),
    ]
    with pytest.raises(MidiError, match="is closed"):
        out.out.send(note_on(1, 60, 80))


def test_fluidsynth_sounds_and_falls_silent(monitor: JackMonitor, fluidsynth: str) -> None:
    with SchedulerClient(fluidsynth) as scheduler:
        scheduler.send(Start(time.monotonic(), 120.0))
        scheduler.send(Notes(tuple(NoteEvent(0.0, 1000.0, pitch, 110, 1, "chord") for pitch in (60, 64, 67))))
        wait_for(lambda: monitor.peak_since_last() > 0.02, "a sound")
    wait_for(lambda: (time.sleep(0.1), monitor.peak_since_last() < 1e-3)[1], "the silence after the stop")
