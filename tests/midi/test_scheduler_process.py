"""The scheduler process and its client, without a MIDI system: start, feed, report, die."""

import contextlib
import itertools
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.commands import Notes, Pause, SinkCommand, Start, Stop, TempoChange
from kelly_live.core.errors import MidiError, WorkerError
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.timebase import TempoPoint, read_clock
from kelly_live.core.values import NoteEvent
from kelly_live.midi import scheduler_client as client_module
from kelly_live.midi.reports import Failure, HealthReport, PortReady, Report
from kelly_live.midi.scheduler_client import NOTES_PER_MESSAGE, SchedulerClient, split_notes
from kelly_live.midi.scheduler_process import INBOX_COMMANDS, _read_commands, is_stopped
from kelly_live.midi.trace import read_trace
from kelly_live.workers.framing import FrameDecoder, encode_frame
from tests.core.test_commands import commands
from tests.workers.until import stop_process

COMMAND = [sys.executable, "-P", "-m", "kelly_live.midi.scheduler_process", "--null"]
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def wait_for(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within the time limit"
        time.sleep(0.01)


def held_note(onset: float = 0.0, pitch: int = 60) -> NoteEvent:
    return NoteEvent(onset, 1000.0, pitch, 80, 1, "pad")


def raw_process() -> subprocess.Popen[bytes]:
    """Started, and ready: its first report is waiting to be read."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
    assert select.select([process.stdout], [], [], 10.0)[0]
    return process


def reports(stream: bytes) -> list[Report]:
    return FrameDecoder[Report](Report).feed(stream)


def test_the_scheduler_never_loads_the_heavy_libraries() -> None:
    pytest.importorskip("rtmidi")
    script = (
        "import sys, kelly_live.midi.scheduler_process, kelly_live.midi.scheduler_client\n"
        "import kelly_live.midi.backends.rtmidi\n"
        "print([name for name in ('torch', 'numpy', 'librosa', 'scipy', 'matplotlib', 'mido') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_listing_needs_no_midi_library_at_import() -> None:
    script = (
        "import sys, kelly_live.midi.ports\n"
        "print([name for name in ('rtmidi', 'pylibremidi', 'alsa_midi', 'ctypes') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_notes_go_through_the_process_and_the_health_comes_back() -> None:
    with SchedulerClient(null=True, late_limit_seconds=60.0) as scheduler:
        scheduler.send(Start(time.monotonic(), 300.0))
        scheduler.send(TempoChange(TempoPoint(0.5, 240.0)))
        scheduler.send(
            Notes(tuple([NoteEvent(1.0 + i / 8, 0.1, 60, 80, 1, "x") for i in range(16)] + [held_note(1.0, 72)]))
        )
        wait_for(lambda: scheduler.health().sent_messages >= 33)
        wait_for(lambda: scheduler.health().sounding_notes == 1)
        assert scheduler.health().worst_late_seconds >= scheduler.health().p50_late_seconds > 0.0
    last = scheduler.health()
    assert last.error is None
    assert last.sounding_notes == 0
    assert last.sent_messages == 33 + 1 + 2  # the held note's off, CC 123, CC 120


def test_many_notes_are_handed_over_in_several_messages() -> None:
    many = tuple(NoteEvent(float(i), 1.0, 60, 64, 1, "") for i in range(NOTES_PER_MESSAGE * 2 + 1))
    parts = split_notes(Notes(many))
    assert [len(part.notes) for part in parts] == [NOTES_PER_MESSAGE, NOTES_PER_MESSAGE, 1]
    assert [note for part in parts for note in part.notes] == list(many)


@given(st.lists(commands, max_size=10), st.data())
def test_every_command_survives_the_pipe_however_it_is_cut(
    sent_commands: list[SinkCommand], data: st.DataObject
) -> None:
    stream = b"".join(map(encode_frame, sent_commands))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder: FrameDecoder[SinkCommand] = FrameDecoder(SinkCommand)
    received = [
        message
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for message in decoder.feed(stream[start:end])
    ]
    assert received == sent_commands


@given(commands, st.data())
def test_a_flipped_byte_raises_nothing_but_worker_errors(message: SinkCommand, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WorkerError):  # anything else fails the test
        FrameDecoder[SinkCommand](SinkCommand).feed(bytes(frame))


def test_stop_is_quick_idempotent_and_makes_later_calls_harmless() -> None:
    scheduler = SchedulerClient(null=True)
    scheduler.open()
    scheduler.send(Stop())
    scheduler.send(Stop())
    scheduler.send(Notes((held_note(),)))
    scheduler.send(TempoChange(TempoPoint(1.0, 100.0)))
    assert scheduler.health().dropped_notes == 1
    assert scheduler.exit_code == 0
    with pytest.raises(MidiError, match="opened twice"):
        scheduler.open()


@pytest.mark.parametrize("latency_seconds", [0.0, 0.25])
def test_a_stop_tells_to_the_note_what_was_sent(tmp_path: Path, latency_seconds: float) -> None:
    """A note a millisecond, so that some are due between the stop and the process's taking of it."""
    trace = tmp_path / "trace"
    scheduler = SchedulerClient(trace=trace, latency_seconds=latency_seconds, late_limit_seconds=60.0)
    scheduler.open()
    origin = read_clock() + latency_seconds
    scheduler.send(Start(origin, 60.0))
    scheduler.send(Notes(tuple(NoteEvent(i / 1000, 0.0005, 60, 80, 1, "x") for i in range(3000))))
    wait_for(lambda: scheduler.health().sent_messages >= 100)
    scheduler.send(Stop())
    sent_until = scheduler.health().sent_until
    assert sent_until is not None
    sent_notes = sum(get_kind(message.data) == "note_on" for message in read_trace(trace))
    assert sent_notes == sum(origin + i / 1000 <= sent_until for i in range(3000))
    assert 50 <= sent_notes < 3000


@posix_only
def test_a_stop_sends_what_was_due_and_still_waits_for_a_starved_process(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    scheduler = SchedulerClient(trace=trace, late_limit_seconds=60.0)
    scheduler.open()
    process_id = scheduler.process_id or 0
    stop_process(process_id)
    scheduler.send(Start(read_clock() - 10.0, 60.0))
    scheduler.send(Notes(tuple(NoteEvent(i / 1000, 0.0005, 60, 80, 1, "x") for i in range(3000))))  # fills the pipe
    threading.Timer(0.2, os.kill, (process_id, signal.SIGCONT)).start()
    scheduler.send(Stop())
    assert sum(get_kind(message.data) == "note_on" for message in read_trace(trace)) == 3000


def test_a_scheduler_that_was_never_opened_can_be_stopped() -> None:
    SchedulerClient(null=True).send(Stop())


def test_a_port_that_is_not_there_is_one_line() -> None:
    pytest.importorskip("rtmidi")
    with pytest.raises(MidiError, match="kelly-live devices") as caught:
        SchedulerClient("no such port anywhere").open()
    assert "\n" not in str(caught.value)


def test_a_process_that_says_nothing_is_given_up() -> None:
    scheduler = SchedulerClient(command=[sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(MidiError, match=r"not ready within 0\.2 s"):
        scheduler.open(timeout_seconds=0.2)
    assert scheduler.exit_code is not None


def test_a_process_that_cannot_start_is_one_line() -> None:
    scheduler = SchedulerClient(command=["/no/such/python"])
    with pytest.raises(MidiError, match="cannot be started"):
        scheduler.open()
    broken = SchedulerClient(command=[sys.executable, "-c", "print('hello')"])
    with pytest.raises(MidiError, match="ended by itself"):
        broken.open()


@posix_only
def test_a_killed_scheduler_is_noticed() -> None:
    scheduler = SchedulerClient(null=True)
    scheduler.open()
    assert scheduler.process_id is not None
    os.kill(scheduler.process_id, signal.SIGKILL)
    wait_for(lambda: scheduler.health().error is not None)
    assert scheduler.health().error == "the MIDI scheduler ended by itself (exit code -9); restart kelly-live"
    scheduler.send(Notes((held_note(),)))
    scheduler.send(Stop())


@posix_only
def test_a_stuck_scheduler_neither_blocks_the_conductor_nor_survives_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_PATIENCE_SECONDS", 0.2)
    scheduler = SchedulerClient(null=True)
    scheduler.open()
    assert scheduler.process_id is not None
    stop_process(scheduler.process_id)
    scheduler.send(Start(time.monotonic(), 120.0))
    start = time.monotonic()
    for _ in range(100):
        scheduler.send(Notes(tuple([held_note()] * 100)))
    assert time.monotonic() - start < 10.0
    # What the pipe (64 kB, under 4096 notes) and the outbox (40 such frames) cannot hold is dropped, and counted.
    assert 10_000 - 4096 - 4096 <= scheduler.health().dropped_notes <= 10_000 - 4000
    scheduler.send(Stop())
    assert scheduler.exit_code == -signal.SIGKILL


@posix_only
def test_a_stopped_parent_does_not_block_the_scheduler() -> None:
    process = raw_process()  # its reports are never read
    assert process.stdin is not None
    writer = os.open(f"/proc/{process.pid}/fd/{_report_fd(process.pid)}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(writer, bytes(1))  # to the last byte
    except BlockingIOError:
        pass
    finally:
        os.close(writer)
    time.sleep(0.6)  # two reports find the pipe full
    process.stdin.write(encode_frame(Stop()))
    process.stdin.close()
    assert process.wait(20.0) == 0


def _report_fd(pid: int) -> int:
    """The scheduler's end of its report pipe: the only pipe it has open for writing beside stderr."""
    folder = f"/proc/{pid}/fd"
    if not os.path.isdir(folder):
        pytest.skip("needs /proc")
    pipes = [int(fd) for fd in os.listdir(folder) if os.readlink(f"{folder}/{fd}").startswith("pipe:")]
    stderr = {os.readlink(f"{folder}/{fd}") for fd in pipes}
    assert len(stderr) == 3
    for fd in sorted(pipes):
        with open(f"/proc/{pid}/fdinfo/{fd}") as info:
            flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags"))
        if flags & os.O_ACCMODE == os.O_WRONLY and flags & os.O_NONBLOCK:
            return fd
    raise AssertionError("the scheduler has no non-blocking report pipe")


@posix_only
def test_ctrl_c_is_the_parents_business() -> None:
    process = raw_process()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    out, errors = process.communicate(timeout=20.0)
    assert process.returncode == 0
    assert errors == b""
    assert isinstance(reports(out)[0], PortReady)


@posix_only
def test_ctrl_z_stops_the_parent_only_so_that_what_sounds_still_ends() -> None:
    """The stop reaches the whole group of a shell's job, and so the scheduler, in the middle of a note.

    A note every second: whoever looks too late for one sees the next.
    """
    with SchedulerClient(null=True, late_limit_seconds=60.0) as scheduler:
        scheduler.send(Start(time.monotonic(), 60.0))
        scheduler.send(Notes(tuple(NoteEvent(0.2 + i, 0.5, 60, 80, 1, "x") for i in range(60))))
        wait_for(lambda: scheduler.health().sounding_notes == 1)
        assert scheduler.process_id is not None
        os.kill(scheduler.process_id, signal.SIGTSTP)
        wait_for(lambda: scheduler.health().sounding_notes == 0)


def test_the_end_of_stdin_is_the_end() -> None:
    process = raw_process()
    out, errors = process.communicate(input=b"", timeout=10.0)
    assert (process.returncode, errors) == (0, b"")
    assert isinstance(reports(out)[-1], HealthReport)


def test_garbage_on_stdin_ends_it_with_one_line() -> None:
    process = raw_process()
    out, errors = process.communicate(input=b"GET / HTTP/1.1\r\n\r\n", timeout=10.0)
    assert (process.returncode, errors) == (1, b"")
    last = reports(out)[-1]
    assert isinstance(last, Failure)
    assert "sent something else than messages" in last.message


def test_the_inbox_is_bounded_and_what_waits_for_it_is_not_lost() -> None:
    class Flood:
        def receive(self) -> Iterator[SinkCommand]:
            yield from itertools.repeat(Pause(), INBOX_COMMANDS + 100)

    inbox: SimpleQueue[SinkCommand | Failure] = SimpleQueue()
    reader = threading.Thread(target=_read_commands, args=(Flood(), inbox), daemon=True)
    reader.start()
    wait_for(lambda: inbox.qsize() == INBOX_COMMANDS)
    reader.join(0.05)
    assert inbox.qsize() == INBOX_COMMANDS
    commands = [inbox.get(timeout=20.0) for _ in range(INBOX_COMMANDS + 101)]
    assert commands == [Pause()] * (INBOX_COMMANDS + 100) + [Stop()]


@posix_only
def test_an_idle_scheduler_does_not_spin() -> None:
    with SchedulerClient(null=True) as scheduler:
        assert scheduler.process_id is not None
        stat = f"/proc/{scheduler.process_id}/stat"
        if not os.path.exists(stat):
            pytest.skip("needs /proc")

        def cpu_seconds() -> float:
            with open(stat) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = cpu_seconds()
        time.sleep(1.0)
        assert cpu_seconds() - before < 0.1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell whether a process stands")
def test_a_process_that_stands_is_told_from_one_that_runs() -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not is_stopped(other.pid)
        other.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(other.pid))
        other.send_signal(signal.SIGCONT)
        wait_for(lambda: not is_stopped(other.pid))
    finally:
        other.kill()
        other.communicate()
    assert not is_stopped(other.pid)
