"""The scheduler process: owns the port, sends at absolute deadlines, ends soon after its parent.

Two threads. The reader blocks on stdin and queues commands. The main thread does everything else: it is the only
caller of `send`, waits on the queue until a millisecond before the next deadline, and spins the rest. It ends on a
stop, on SIGTERM, and when its parent is gone (stdin closes); each way, every sounding note is released first.
SchedulerClient runs it as `python -m kelly_live.midi.scheduler_process`; torch and numpy are never imported here.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

from kelly_live.core.commands import SinkCommand, Stop
from kelly_live.core.errors import KellyError, MidiError, WorkerError
from kelly_live.core.timebase import MonotonicClock, read_clock
from kelly_live.midi.backend import DelayedOut, PlacingOut, WatchedOut
from kelly_live.midi.backend_registry import find_frame_accurate_backends
from kelly_live.midi.backends.native import discard_native_stderr
from kelly_live.midi.latencies import find_latency, load_latencies
from kelly_live.midi.ports import VIRTUAL_PORT_NAME, NullPort, OpenedPort, open_output
from kelly_live.midi.reports import Failure, HealthReport, PortReady
from kelly_live.midi.scheduler import CAPACITY_NOTES, LATE_LIMIT_SECONDS, SchedulerCore
from kelly_live.midi.trace import TracingPort
from kelly_live.workers.child import END_SIGNALS, TERMINAL_SIGNALS, ParentConnection, ignore_signals
from kelly_live.workers.realtime import (
    SWITCH_INTERVAL_SECONDS,
    freeze_gc,
    request_realtime_priority,
    request_timer_period,
    set_switch_interval,
)

SPIN_SECONDS = 0.001  # a sleeping thread wakes up to about this late; only the last stretch is spun
REPORT_SECONDS = 0.25
INBOX_COMMANDS = 1024
SILENCE_REPEATS, SILENCE_REPEAT_SECONDS = 2, 0.05  # two periods of 1024 frames, or more
_INBOX_FULL_SECONDS = 0.002
_WATCH_SECONDS = 0.1  # how often the parent's life is checked, beside the end of stdin
_PORT_CHECK_SECONDS = 0.5
_CHORE_SLACK_SECONDS = 0.005  # chores wait for a gap this long …
_CHORE_PATIENCE_SECONDS = 1.0  # … but not longer than this
_PLACING_SWITCH_SECONDS = 0.0001  # how long a thread may keep the interpreter from a sound server's thread
_REALTIME_PRIORITY = 10  # under jackd's, over everything that is not audio


class SchedulerLoop:
    """The main thread's loop: waits, spins, sends. The reader thread and the signal handler fill `inbox`.

    `sent_until`, after a stop, is the time of the music up to which its notes were sent.
    """

    def __init__(
        self, core: SchedulerCore, opened_port: OpenedPort, parent: ParentConnection[SinkCommand], spin_seconds: float
    ) -> None:
        self.inbox: SimpleQueue[SinkCommand | Failure] = SimpleQueue()
        self.sent_until: float | None = None
        self._core = core
        self._opened_port = opened_port
        self._connection = parent
        self._spin = spin_seconds
        self._running = True
        self._parent = os.getppid()
        self._chore_at = self._report_at = self._port_check_at = 0.0

    def run(self) -> None:
        """Run until a stop or a failure. Raises MidiError if the port or the pipe is broken."""
        while self._running:
            now = read_clock()
            deadline = self._core.next_deadline()
            spare_seconds = math.inf if deadline is None else deadline - self._spin - now
            chores_due = now >= self._chore_at
            if chores_due and (spare_seconds > _CHORE_SLACK_SECONDS or now > self._chore_at + _CHORE_PATIENCE_SECONDS):
                self._do_chores(now)
            elif spare_seconds > 0.0:
                self._wait(spare_seconds if chores_due else min(spare_seconds, self._chore_at - now))
            else:
                self._drain_inbox()
                self._send_due()
        now = read_clock()
        self._core.run_due(now)  # so that it is known to the note what was sent
        self.sent_until = self._core.sent_until(now)

    def _send_due(self) -> None:
        deadline = self._core.next_deadline()
        if deadline is None or deadline - self._spin > read_clock():
            return  # a command moved it
        while (now := read_clock()) < deadline:
            self._core.warm_caches()
        self._core.run_due(now)

    def _wait(self, timeout: float) -> None:
        with contextlib.suppress(Empty):
            self._apply(self.inbox.get(timeout=timeout))

    def _drain_inbox(self) -> None:
        with contextlib.suppress(Empty):
            for _ in range(self.inbox.qsize()):
                self._apply(self.inbox.get_nowait())

    def _apply(self, message: SinkCommand | Failure) -> None:
        match message:
            case Stop():
                self._running = False
            case Failure(text):
                raise MidiError(text)
            case _:
                self._core.apply(message)

    def _do_chores(self, now: float) -> None:
        self._chore_at = now + _WATCH_SECONDS
        if self.is_orphaned:
            self._running = False
        if self._core.sounding_keys and is_stopped(self._parent):
            self._core.release(now)  # a suspended parent can't end a long note, nor say how long it will be suspended
        if now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            self._connection.send(HealthReport(self._core.health()))
        if now >= self._port_check_at:
            self._port_check_at = now + _PORT_CHECK_SECONDS
            if not self._is_port_there():
                raise MidiError(f"the MIDI output {self._opened_port.name!r} is gone; plug it in again and restart")

    def _is_port_there(self) -> bool:
        """Return False if the port is surely gone."""
        out = self._opened_port.out
        try:
            return not isinstance(out, WatchedOut) or out.is_alive()
        except OSError:  # no file descriptor is left to look; notes can still be sent, and the next look may find one
            return True

    @property
    def is_orphaned(self) -> bool:
        """Whether the parent is gone; on Windows that is not known."""
        return os.getppid() != self._parent


def is_stopped(process: int) -> bool:
    """Return whether a process is suspended (SIGSTOP, Ctrl-Z); False where the system does not tell."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


def _read_commands(parent: ParentConnection[SinkCommand], inbox: SimpleQueue[SinkCommand | Failure]) -> None:
    """Thread: commands. Ends with stdin, which ends with the parent.

    A full inbox (the port holds up the main thread) is waited for: the parent's outbox, which is bounded and counted,
    then takes no more.
    """
    try:
        for command in parent.receive():
            while inbox.qsize() >= INBOX_COMMANDS:
                time.sleep(_INBOX_FULL_SECONDS)
            inbox.put(command)
        inbox.put(Stop())
    except WorkerError as error:
        inbox.put(Failure(f"{error}; restart kelly-live"))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kelly_live.midi.scheduler_process", description=__doc__)
    parser.add_argument("--output", help="name of the MIDI output; none: a virtual port")
    parser.add_argument("--virtual-name", default=VIRTUAL_PORT_NAME, metavar="NAME", help="what that is called")
    parser.add_argument("--frame-accurate", action="store_true", help="place each message at its frame, through JACK")
    parser.add_argument("--null", action="store_true", help="send nowhere: to measure timing")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="send nowhere, write there when each message left")
    parser.add_argument("--clock", action="store_true", help="send MIDI clock")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="send all that much earlier")
    parser.add_argument("--measured-latency", action="store_true", help="send as early as is stored for the output")
    parser.add_argument("--late-limit", type=float, default=LATE_LIMIT_SECONDS, metavar="SECONDS")
    parser.add_argument("--spin", type=float, default=SPIN_SECONDS, metavar="SECONDS")
    parser.add_argument("--capacity", type=int, default=CAPACITY_NOTES, metavar="NOTES")
    parser.add_argument("--no-realtime", action="store_true", help="run without real-time priority")
    return parser.parse_args(arguments)


def _open(options: argparse.Namespace) -> OpenedPort:
    if options.trace:
        return OpenedPort(TracingPort(options.trace), TracingPort.name, is_virtual=False)
    if options.null:
        return OpenedPort(NullPort(), NullPort.name, is_virtual=False)
    backends = find_frame_accurate_backends() if options.frame_accurate else None
    return open_output(options.output, backends, virtual_name=options.virtual_name)


def main(arguments: Sequence[str]) -> int:
    """Run the process, and return its exit code."""
    options = _parse(arguments)
    ignore_signals(*TERMINAL_SIGNALS)  # while a Ctrl-Z stops the parent, its notes must end
    discard_native_stderr()
    parent: ParentConnection[SinkCommand] = ParentConnection(SinkCommand, blocking=False)
    try:
        measured_latency_by_output = load_latencies() if options.measured_latency else {}
        opened_port = _open(options)
    except KellyError as error:
        parent.send(Failure(str(error)))
        return error.exit_code
    measured_latency = find_latency(opened_port.name, measured_latency_by_output)
    if measured_latency is None and options.measured_latency and isinstance(opened_port.out, DelayedOut):
        measured_latency = opened_port.out.delay_seconds
    core = SchedulerCore(
        opened_port.out,
        late_limit_seconds=options.late_limit,
        latency_seconds=options.latency if measured_latency is None else measured_latency,
        send_clock=options.clock,
        capacity_notes=options.capacity,
        clock=MonotonicClock(),
    )
    placing = isinstance(opened_port.out, PlacingOut)
    loop = SchedulerLoop(core, opened_port, parent, 0.0 if placing else options.spin)
    for name in END_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: loop.inbox.put(Stop()))
    set_switch_interval(_PLACING_SWITCH_SECONDS if placing else SWITCH_INTERVAL_SECONDS)
    reader = threading.Thread(target=_read_commands, args=(parent, loop.inbox), name="commands", daemon=True)
    if not placing:
        reader.start()
    request_timer_period()
    if not options.no_realtime:
        request_realtime_priority(_REALTIME_PRIORITY)
    if placing:
        reader.start()  # inherits the real-time turn: the server's thread may have to wait for the interpreter it holds
    freeze_gc()
    gc.disable()  # the send path makes no cycles, and a collection is a pause
    parent.send(PortReady(opened_port.name, opened_port.is_virtual, measured_latency))
    failure: str | None = None
    try:
        loop.run()
    except (KellyError, OSError) as error:
        failure = str(error)
    finally:
        failure = end_notes(core, lambda: loop.is_orphaned) or failure
        parent.send(HealthReport(replace(core.health(), sent_until=loop.sent_until)))
        if failure is not None:
            parent.send(Failure(failure))
        try:
            opened_port.out.close()  # last: the close of a port whose system died may take a second
        except OSError as error:
            parent.send(Failure(f"the MIDI output {opened_port.name!r} was not closed ({error}); the system closes it"))
    return 0 if failure is None else 1


def end_notes(
    core: SchedulerCore, is_orphaned: Callable[[], bool], sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """End all that sounds, and return why that failed.

    After a failure, and once the parent was killed, it is said again some periods later: an overloaded JACK may lose
    the period in which it is said, and then nobody is left to say it again.
    """
    failure: str | None = None
    for attempt in range(1 + SILENCE_REPEATS):
        if attempt:
            sleep(SILENCE_REPEAT_SECONDS)
            if failure is None and not is_orphaned():
                break
        try:
            core.finish()
        except (MidiError, OSError) as error:
            failure = failure or str(error)
    return failure


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
