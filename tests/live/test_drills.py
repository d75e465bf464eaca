"""Fault drills: what breaks, how long old notes sound, and how soon new ones do.

Fault drills: what breaks, how long the notes of then still sound, how soon there are new ones; counted by another JACK
client. With KELLY_LIVE_DRILLS=FILE each drill adds its row to a table (`make drills`).
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import RepeatingSource
from kelly_live.audio.supervised_source import STALL_SECONDS, SupervisedSource
from kelly_live.core.emotion_space import create_state
from kelly_live.core.protocols import EmotionOverride, EmotionReader
from kelly_live.core.resources import find_resources
from kelly_live.core.timebase import ManualClock, MonotonicClock
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.engine.build import create_conductor, create_override_stage, load_emotion_reader
from kelly_live.engine.offline import accompany
from kelly_live.engine.session import STATE_HOLD_SECONDS, LiveSession
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.supervised_sink import SupervisedSink
from kelly_live.recording.log import LogReader
from kelly_live.recording.records import StepRecord
from tests.live.conftest import JackMonitor, JackServer, end, start_jackd, wait_for
from tests.live.live_program import DENSE, LiveProgram, MusicObserver, add_row, children, longest_gap, most_at_once
from tests.live.scripted_player import sound_player
from tests.live.thread_waits import waits

pytestmark = pytest.mark.timeout(200)
SILENCE_LIMIT = 1.0
KILLED_LIMIT = 0.2  # after SIGKILL of the host
RECOVERY_LIMIT = 2.0
TAKES = 3
WATCHED_SECONDS = 4.0  # of music that goes on, whose notes end as written: a bar later at most
PLAYER = "kelly-player"  # whose sound is the input
BURST_LIMIT = 40  # notes in a tenth of a second: the whole band on a beat are ten, five seconds at once 75


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `kelly-live` with these options; it is made to end with the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*options: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kelly_live", *options]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, **{**pipes, **settings})
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def program(start: Start, monitor: JackMonitor) -> LiveProgram:
    """Playing into the monitor's own port, so that it finds its way back by itself."""
    program = LiveProgram(monitor, start("--midi-out", "kelly-monitor:in", *DENSE))
    program.wait_for_first_note()
    return program


@pytest.fixture
def patient_program(patient_server: JackServer, start: Start) -> Iterator[LiveProgram]:
    """Start the program on a server that waits for nobody.

    On a server that waits for nobody: one that is stopped or killed would hold the other up, and its clock too.
    """
    pytest.importorskip("jack")
    with closing(JackMonitor("kelly-patient")) as monitor:
        program = LiveProgram(monitor, start("--midi-out", "kelly-patient:in", *DENSE))
        program.wait_for_first_note()
        yield program


def test_the_host_is_killed(patient_program: LiveProgram) -> None:
    program = patient_program
    wait_for(lambda: len(program.monitor.list_sounding_notes()) >= 2, "a chord")
    fault = program.monitor.now()
    program.process.kill()
    program.process.wait(5.0)
    wait_for(lambda: not program.is_sounding(), "silence", 5.0)
    over = program.hanging_seconds(fault)
    add_row("SIGKILL of the host", over, None, None, "every note ended by the scheduler process, which then leaves")
    assert over < KILLED_LIMIT


def test_the_scheduler_process_is_killed(own_server: JackServer, start: Start) -> None:
    """One of several tries must be within the limits.

    Half a second of it may be JACK's: it opens no port while it waits for the killed client. What a starved machine
    adds is not ours, so one take within the limits will do. Short periods: a port takes some of them to open.
    """
    pytest.importorskip("jack")
    with closing(JackMonitor("kelly-orphan")) as monitor:
        program = LiveProgram(monitor, start("--midi-out", "kelly-orphan:in", *DENSE))
        program.wait_for_first_note()
        takes = 0
        while takes < TAKES:
            takes += 1
            wait_for(lambda: len(monitor.list_sounding_notes()) >= 2, "a chord")
            fault = monitor.now()
            os.kill(program.child("kelly_live.midi.scheduler_process"), signal.SIGKILL)
            back = program.wait_until_plays_again(fault + 0.05, "the kill") - fault
            over = program.hanging_seconds(fault)
            if over < SILENCE_LIMIT and back < RECOVERY_LIMIT:
                break
            program.play_for(monitor.now(), 3.0)
        then = "another takes over in step; exit code 130 at Ctrl-C" + f" (take {takes})" * (takes > 1)
        add_row("SIGKILL of the scheduler process", over, back, None, then)
        assert over < SILENCE_LIMIT
        assert back < RECOVERY_LIMIT
        program.end()


def test_the_analysis_process_is_killed(start: Start, monitor: JackMonitor, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with closing(OscReceiver()) as feelings, said.open("w") as output:
        osc = ("--osc", f"127.0.0.1:{feelings.port}")
        program = LiveProgram(monitor, start("--midi-out", "kelly-monitor:in", *DENSE, *osc, stdout=output))
        program.wait_for_first_note()
        wait_for(lambda: len(feelings.readings) > 2, "a feeling", 30.0)
        fault, killed = monitor.now(), time.monotonic()
        os.kill(program.child("kelly_live.workers.service_child"), signal.SIGKILL)
        # What was felt before the kill is told by then.
        wait_for(lambda: feelings.since(killed + 0.5), "a feeling again", 60.0)
        back = feelings.since(killed + 0.5)[0][0] - killed
        gap = program.play_for(fault, WATCHED_SECONDS)
        over = program.hanging_seconds(fault)
        add_row("SIGKILL of the analysis process", over, back, gap, "the music goes on; another process loads the nets")
        wait_for(lambda: "the analysis: back" in said.read_text(), "a line about it", 60.0)
        program.end()
    assert gap < RECOVERY_LIMIT
    assert over < WATCHED_SECONDS, "a note hangs"
    assert "the analysis restarts (the analysis ended by itself (exit code -9))" in said.read_text()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_ends_on_a_repeated_signal(program: LiveProgram, name: str) -> None:
    fault = program.monitor.now()
    for _ in range(2):
        program.process.send_signal(getattr(signal, name))
    out, err = program.process.communicate(timeout=20.0)
    wait_for(lambda: not program.is_sounding(), "silence", 5.0)
    over = program.hanging_seconds(fault)
    description = "Ctrl-C" if name == "SIGINT" else name
    add_row(f"{description}, twice", over, None, None, f"exit code {program.process.returncode}")
    assert (program.process.returncode, err) == (128 + getattr(signal, name), "")
    assert "stopped:" in out
    assert over < SILENCE_LIMIT


def test_the_midi_port_vanishes_and_returns(start: Start, jack_server: JackServer) -> None:
    pytest.importorskip("jack")
    before = JackMonitor("kelly-fleeting")
    program = LiveProgram(before, start("--midi-out", "kelly-fleeting:in", *DENSE))
    program.wait_for_first_note()
    before.close()
    time.sleep(1.5)
    with closing(JackMonitor("kelly-fleeting")) as again:
        program.monitor = again
        return_time = again.now()
        back = program.wait_until_plays_again(0.0, "the port's return") - return_time
        add_row("the MIDI port vanishes and returns", None, back, None, "told in the status line; then exit code 130")
        assert back < RECOVERY_LIMIT
        assert again.of_kind(0xB0), "what hung in the synth is silenced first"
        output = program.end()
    assert "'kelly-fleeting:in' is gone" in output
    assert "the MIDI port: back" in output


def test_the_sound_server_dies_and_returns_at_another_rate(start: Start, own_server: JackServer) -> None:
    pytest.importorskip("jack")
    first = JackMonitor("kelly-doomed-monitor")
    program = LiveProgram(first, start("--midi-out", "kelly-doomed-monitor:in", *DENSE))
    program.wait_for_first_note()
    own_server.process.terminate()
    own_server.process.wait(10.0)
    first.close()
    time.sleep(2.0)
    server = start_jackd(own_server.name, waits_for_clients=False, sample_rate=44100)
    try:
        with closing(JackMonitor("kelly-doomed-monitor")) as again:
            program.monitor = again
            returned = again.now()
            back = program.wait_until_plays_again(0.0, "the server's return") - returned
            add_row("the sound server dies and returns, 48 to 44.1 kHz", None, back, None, "input and port reopened")
            assert back < RECOVERY_LIMIT + 1.0  # a try may have begun just before
            wait_for(
                lambda: len(children(program.process.pid, "kelly_live.audio.capture")) == 1, "an input again", 10.0
            )
            assert program.process.poll() is None
            assert "the MIDI port: back" in program.end()
    finally:
        end(server.process)


def test_the_input_stops_delivering(patient_program: LiveProgram) -> None:
    program = patient_program
    capture = program.child("kelly_live.audio.capture")
    os.kill(capture, signal.SIGSTOP)
    fault, start = program.monitor.now(), time.monotonic()
    wait_for(
        lambda: set(children(program.process.pid, "kelly_live.audio.capture")) - {capture}, "another capture", 20.0
    )
    restart_seconds = time.monotonic() - start
    gap = program.play_for(fault, max(WATCHED_SECONDS, restart_seconds))
    over = program.hanging_seconds(fault)
    then = f"the music goes on; capture started anew after {restart_seconds:.1f} s"
    add_row("the input stops delivering", over, None, gap, then)
    assert restart_seconds > STALL_SECONDS - 1.0  # what came before the fault was still on its way
    assert gap < RECOVERY_LIMIT
    assert over < WATCHED_SECONDS, "a note hangs"
    assert "delivers nothing" in program.end()


class OscReceiver:
    """What a session tells by OSC, each reading with its time (s, monotonic)."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, dict[str, Any]]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while packet := self._socket.recv(65536):
            values = {message.address.removeprefix("/kelly/"): message.params[0] for message in OscBundle(packet)}
            self.readings.append((time.monotonic(), values))

    def since(self, moment: float) -> list[tuple[float, dict[str, Any]]]:
        return [one for one in list(self.readings) if one[0] > moment]

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5.0)
        self._socket.close()


def test_the_input_delivers_what_is_no_number(start: Start, monitor: JackMonitor) -> None:
    recording = find_resources("presets") / "demo" / "recording.ogg"
    with closing(OscReceiver()) as feelings, sound_player(PLAYER, recording) as player:
        monitor.listen_to(PLAYER, "audio")
        player.ask("sound")
        osc = ("--osc", f"127.0.0.1:{feelings.port}")
        process = start("--midi-out", "kelly-monitor:in", "--audio-in", PLAYER, "--seed", "1", *osc)
        program = LiveProgram(monitor, process)
        program.wait_for_first_note()
        wait_for(lambda: confidence(feelings.readings) > 0.3, "a feeling", 30.0)
        player.ask("nan")
        fault = monitor.now()
        monitor.peak_since_last()
        gap = program.play_for(fault, WATCHED_SECONDS / 2)
        peaks = [monitor.peak_since_last()]
        player.ask("inf")
        gap = max(gap, program.play_for(fault, WATCHED_SECONDS))
        peaks.append(monitor.peak_since_last())
        over = program.hanging_seconds(fault)
        lowest = confidence(feelings.readings)
        player.ask("sound")
        return_time = time.monotonic()
        wait_for(lambda: confidence(feelings.since(return_time)) > lowest + 0.1, "a feeling again", 20.0)
        readings = feelings.since(return_time)
        back = next(at for at, values in readings if values["confidence"] > lowest + 0.1) - return_time
        program.play_for(monitor.now(), 0.5)
        add_row(
            "the input delivers NaN, then infinity", over, back, gap, "heard as silence; then the sound is heard again"
        )
        output = program.end()
    assert player.has_left, "the input does not leave the graph by itself"
    assert math.isnan(peaks[0]), "NaN is on the wire"
    assert math.isinf(peaks[1]) or math.isnan(peaks[1]), "and infinity"
    numbers = [value for _, values in feelings.readings for value in values.values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
    assert "nan" not in output
    assert "inf" not in output
    assert gap < RECOVERY_LIMIT
    assert over < WATCHED_SECONDS, "a note hangs"
    assert back < RECOVERY_LIMIT


def confidence(readings: Sequence[tuple[float, dict[str, Any]]]) -> float:
    """Of the latest."""
    return float(readings[-1][1]["confidence"]) if readings else 0.0


class Stalls:
    """An EmotionReader that stands still inside `push` for as long as `goes` is not set."""

    def __init__(self, reader: EmotionReader) -> None:
        self.goes, self.stands = threading.Event(), threading.Event()
        self.goes.set()
        self.sample_rate, self.hop_seconds = reader.sample_rate, reader.hop_seconds
        self._reader = reader
        self.reset, self.close = reader.reset, reader.close

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        if not self.goes.is_set():
            self.stands.set()
            self.goes.wait(60.0)
        return [create_state(emotion="excited", time=state.time) for state in self._reader.push(block)]


_PHRASE_SECONDS = 9.0  # four bars at 107 BPM: a new feeling's groove has begun


def notes_in_three_seconds(observer: MusicObserver) -> int:
    """By this machine's clock: JACK's runs slow where its clients are held up."""
    count_before, start = len(observer.onsets()), time.monotonic()
    wait_for(lambda: time.monotonic() - start > 3.0, "three seconds")
    return len(observer.onsets()) - count_before


def test_the_analysis_stalls(monitor: JackMonitor) -> None:
    """In this process, so that the stall is the analysis's alone; all else is as in `kelly-live`."""
    stage = create_override_stage(EmotionOverride())
    initial = stage.map(None, 0.0)
    stalls, clock, observer = Stalls(load_emotion_reader("cpu")), MonotonicClock(), MusicObserver(monitor)
    sink = SupervisedSink("kelly-monitor:in")
    session = LiveSession(
        source=SupervisedSource(None, clock), reader=stalls, stage=stage, conductor=create_conductor(sink, seed=1),
        sink=sink, clock=clock,
    )  # fmt: skip
    excited = stage.mapper(create_state(emotion="excited"))
    between = statistics.mean((initial.parameters.tempo.suggested, excited.tempo.suggested))
    sink.open()
    session_thread = threading.Thread(target=session.run, daemon=True)
    session_thread.start()
    try:
        wait_for(lambda: session.snapshot().conductor.bpm > between, "excitement", 60.0)
        arrival_time = clock.now()  # the tempo has; how the band plays follows with the phrase
        wait_for(lambda: clock.now() - arrival_time > _PHRASE_SECONDS, "the next phrase", 15.0)
        before = notes_in_three_seconds(observer)
        stalls.goes.clear()
        assert stalls.stands.wait(10.0)
        fault, start = monitor.now(), clock.now()
        wait_for(lambda: session.snapshot().problem, "a word about it", 15.0)
        report_seconds, held_bpm = clock.now() - start, session.snapshot().conductor.bpm
        wait_for(lambda: clock.now() - start > 16.0, "the hold, the relaxing and a phrase", 25.0)
        calm = notes_in_three_seconds(observer)
        relaxed_bpm, problem = session.snapshot().conductor.bpm, session.snapshot().problem
        gap, over = longest_gap(observer.onsets(), fault), observer.hanging_seconds(fault)
        return_time = clock.now()
        stalls.goes.set()
        wait_for(lambda: session.snapshot().problem is None, "readings again", 10.0)
        back = clock.now() - return_time
        wait_for(lambda: session.snapshot().conductor.bpm > between, "excitement again", 30.0)
    finally:
        stalls.goes.set()
        session.stop()
        session_thread.join(20.0)
    tempos, counts = f"{held_bpm:.0f} BPM relaxes to {relaxed_bpm:.0f}", f"{before} notes in 3 s to {calm}"
    then = f"told after {report_seconds:.1f} s, {tempos}, {counts}, and back"
    add_row("the analysis stalls for 20 s", over, back, gap, then)
    assert not session_thread.is_alive()
    assert problem is not None
    assert problem.startswith("nothing was read for")
    assert STATE_HOLD_SECONDS / 2 < report_seconds < 10.0  # the last reading was made before
    assert held_bpm > between > relaxed_bpm
    assert calm < before
    assert gap < RECOVERY_LIMIT
    assert over < WATCHED_SECONDS, "a note hangs"
    assert back < RECOVERY_LIMIT
    wait_for(lambda: not monitor.list_sounding_notes(), "silence", 5.0)


def test_the_process_is_suspended(patient_program: LiveProgram) -> None:
    program = patient_program
    program.play_for(program.monitor.now(), 2.0)
    usual = most_at_once(program.onsets(), 0.0)
    program.process.send_signal(signal.SIGSTOP)
    fault = program.monitor.now()
    time.sleep(5.0)
    over = program.hanging_seconds(fault)
    goes_on = program.monitor.now()
    program.process.send_signal(signal.SIGCONT)
    back = program.wait_until_plays_again(goes_on, "the suspension") - goes_on
    program.play_for(goes_on, 2.0)
    burst = most_at_once(program.onsets(), goes_on)
    then = f"goes on at the next bar, no burst: {burst} notes in .1 s at most, {usual} before"
    add_row("SIGSTOP of the host for 5 s", over, back, None, then)
    assert over < SILENCE_LIMIT
    assert back < RECOVERY_LIMIT + 1.0  # the next bar line
    assert burst < BURST_LIMIT
    program.end()


WALL_CLOCK = """
import os, time

def moved(tell=time.time):
    with open(os.environ["KELLY_LIVE_MOVED"]) as file:
        return tell() + float(file.read())

time.time = moved
time.time_ns = lambda: int(moved() * 1e9)
"""
WAITS_BY_WALL_CLOCK = """
import ctypes, struct, time
lock = ctypes.create_string_buffer(64)
ctypes.CDLL(None).sem_init(lock, 0, 0)
print("waits", flush=True)
ctypes.CDLL(None).sem_timedwait(lock, struct.pack("ll", int(time.time()) + 3600, 0))
"""


def test_the_system_clock_jumps(start: Start, patient_server: JackServer, tmp_path: Path) -> None:
    """The wall clock moves, and no thread waits by it.

    Nobody may set a machine's clock for a test, and libfaketime 0.9.10 lets time.sleep fail and timed waits come late.
    So the wall clock that Python tells is moved, and the kernel is asked by which clock every thread waits.
    """
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(WALL_CLOCK)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "KELLY_LIVE_MOVED": str(offset)}
    with closing(JackMonitor("kelly-patient")) as monitor:
        program = LiveProgram(monitor, start("--midi-out", "kelly-patient:in", *DENSE, env=environment))
        program.wait_for_first_note()
        program.play_for(monitor.now(), 2.0)
        processes = [program.process.pid, *children(program.process.pid)]
        assert {program.child("kelly_live.midi.scheduler_process"), program.child("kelly_live.audio.capture")} < set(
            processes
        )
        fault = monitor.now()
        wait_count, wall_clock_waits = 0, set[str]()
        for seconds in (3600, -3600):
            offset.write_text(f"{seconds:5}")
            jump_time = monitor.now()
            while not program.onsets(jump_time + WATCHED_SECONDS / 2):
                for process in processes:
                    count, by_wall_clock = waits(process)
                    wait_count += count
                    wall_clock_waits.update(by_wall_clock)
                time.sleep(0.005)
        gap, burst = longest_gap(program.onsets(), fault), most_at_once(program.onsets(), fault)
        over = program.hanging_seconds(fault)
        findings = f"of {wait_count} waits of its {len(processes)} processes {len(wall_clock_waits)} go by that clock"
        then = f"no burst ({burst} notes in .1 s at most); {findings if wait_count else 'waits not looked at'}"
        add_row("the system clock jumps, +1 h, then -2 h", over, None, gap, then)
        assert not wall_clock_waits
        assert gap < RECOVERY_LIMIT
        assert over < WATCHED_SECONDS, "a note hangs"
        assert burst < BURST_LIMIT
        program.end()


def test_a_wait_by_the_wall_clock_is_detected() -> None:
    process = subprocess.Popen([sys.executable, "-c", WAITS_BY_WALL_CLOCK], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        if not waits(os.getpid())[0] and not waits(process.pid)[0]:
            pytest.skip("this system does not tell what a thread waits for")
        assert wait_for(lambda: waits(process.pid)[1], "a wait by the wall clock")[0].endswith(": futex")
    finally:
        end(process)


@pytest.mark.timeout(900)
def test_full_scale_noise() -> None:
    """Offline, through the real nets; `make drills` has ten minutes of it."""
    seconds = float(os.environ.get("KELLY_LIVE_DRILL_NOISE_SECONDS", "10"))
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, 10 * ANALYSIS_RATE).astype(np.float32)
    scheduler = OfflineScheduler()
    source = RepeatingSource(noise, ManualClock(), seconds=seconds)
    performance = accompany(
        source, load_emotion_reader("cpu"), create_override_stage(EmotionOverride()),
        create_conductor(scheduler, seed=1), scheduler,
    )  # fmt: skip
    ons = [m for m in performance.messages if m.data[0] & 0xF0 == 0x90]
    offs = [m for m in performance.messages if m.data[0] & 0xF0 == 0x80]
    gap = longest_gap([m.seconds for m in ons], 0.0)
    last = performance.readings[-1].state
    then = f"{len(ons)} notes, {len(ons) - len(offs)} of them hung; at last heard as {last.emotion}"
    add_row(f"full-scale noise for {seconds:.0f} s", None, None, gap, f"{then} ({last.confidence:.0%})")
    assert len(ons) == len(offs) > seconds
    assert len(performance.readings) > 3.9 * seconds  # one each 250 ms, to the end
    assert all(
        math.isfinite(n) for r in performance.readings for n in (r.state.valence, r.state.arousal, r.state.confidence)
    )
    assert last.confidence < 0.9


FULL_BYTES = 12_000


def test_the_disk_is_full_while_recording(start: Start, monitor: JackMonitor, tmp_path: Path) -> None:
    """And has room again."""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, resource.RLIM_INFINITY))

    midi, log = tmp_path / "take.mid", tmp_path / "take.jsonl"
    program = LiveProgram(
        monitor, start("--midi-out", "kelly-monitor:in", "--record", str(midi), *DENSE, preexec_fn=small_disk)
    )
    program.wait_for_first_note()
    wait_for(lambda: log.stat().st_size >= FULL_BYTES, "a full disk", 60.0)
    fault, full = monitor.now(), time.monotonic()
    copy = shutil.copy(log, tmp_path / "kept.jsonl")
    gap = program.play_for(fault, WATCHED_SECONDS)
    over = program.hanging_seconds(fault)
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    room_time = time.monotonic()
    wait_for(lambda: log.stat().st_size > FULL_BYTES, "more of the log", 20.0)
    back = time.monotonic() - room_time
    program.play_for(monitor.now(), 1.0)
    output = program.end()
    lost_seconds = full - max(record.time for record in LogReader(copy).records() if isinstance(record, StepRecord))
    then = f"told; the file lacks the last {lost_seconds:.1f} s while it lasts, and nothing after it"
    add_row("the disk is full while recording, then is not", over, back, gap, then)
    assert "not recording: File too large" in output
    assert "the recording: back" in output
    assert gap < RECOVERY_LIMIT
    assert over < WATCHED_SECONDS, "a note hangs"
    assert back < RECOVERY_LIMIT
    assert lost_seconds < 1.0
    replay = [sys.executable, "-m", "kelly_live", "replay", str(log), "--midi", str(tmp_path / "again.mid")]
    replay_output = subprocess.run(replay, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "notes: the same" in replay_output
    assert (tmp_path / "again.mid").read_bytes() == midi.read_bytes()
