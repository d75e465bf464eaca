"""Compare how evenly python-rtmidi and the frame-accurate output reach a receiver through JACK.

`python -m tests.live.frames [--seconds N] [--no-realtime]` prints the table of docs/frame-accurate.md: the scheduler
process plays a grid and a clock into a listener, a process of its own with real-time priority, that keeps the frame of
each message; idle, and with a loop spinning on each core (beside whatever else the machine does).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from kelly_live.core.commands import Notes, Start
from kelly_live.core.midi_messages import CLOCK
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.deadlines import BEAT_SECONDS, BPM, NOTE_SECONDS, NOTES_PER_BEAT
from kelly_live.lab.bench.load import stress_cores
from kelly_live.midi.scheduler_client import SchedulerClient
from tests.live.conftest import end, start_jackd

LISTENER = "kelly-listener"


@dataclass(frozen=True, slots=True)
class Heard:
    """One performance as its receiver recorded it.

    One performance, at the receiver. `gaps`, `ticks`: seconds by which an interval between onsets, and between clocks,
    was off; `delays`: from due time to the frame where it was found; `xruns` that the server told of.
    """

    gaps: np.ndarray
    ticks: np.ndarray
    delays: np.ndarray
    notes: int
    unended: int
    xruns: int


def listen() -> None:
    """The other process: lines in are `take`, lines out a JSON of all since the last."""
    import jack

    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(20))
    client = jack.Client(LISTENER, no_start_server=True)
    port = client.midi_inports.register("in")
    events: list[tuple[int, str]] = []
    cycles: list[tuple[int, float]] = []
    xruns: list[float] = []

    @client.set_process_callback
    def process(_: int) -> None:
        first = client.last_frame_time
        cycles.append((first, time.monotonic()))
        for offset, data in port.incoming_midi_events():
            events.append((first + offset, bytes(data).hex()))

    @client.set_xrun_callback
    def xrun(delayed: float) -> None:
        xruns.append(delayed)

    client.activate()
    print(client.samplerate, flush=True)
    for _ in sys.stdin:
        lists = [list(events_so_far) for events_so_far in (events, cycles, xruns)]
        for events_so_far in (events, cycles, xruns):
            events_so_far.clear()
        print(json.dumps(lists), flush=True)
    client.deactivate()
    client.close()


def measure_grid(lists: list[list[list[float]]], rate: int, origin: float, xruns: int) -> Heard:
    """What the listener took of a grid whose beat 0 fell at `origin` (seconds, monotonic)."""
    events, cycles, _ = lists
    base = float(np.median([seconds - frame / rate for frame, seconds in cycles]))
    messages = [(frame / rate + base, bytes.fromhex(str(data))) for frame, data in events]
    onsets = [(seconds, data) for seconds, data in messages if data[0] & 0xF0 == 0x90 and data[2]]
    clocks = [seconds for seconds, data in messages if data == CLOCK]
    sounding_keys: set[int] = set()
    delays = []
    for seconds, data in messages:
        if data[0] & 0xF0 == 0x90:
            sounding_keys.add(data[1])
            phase = (seconds - origin) / BEAT_SECONDS - (data[1] - 40) / NOTES_PER_BEAT
            delays.append((phase - round(phase)) * BEAT_SECONDS)
        elif data[0] & 0xF0 == 0x80:
            sounding_keys.discard(data[1])
    # Of neighbours only: where one is lost, the count says so.
    gaps = [
        b - a - NOTE_SECONDS for (a, x), (b, y) in itertools.pairwise(onsets) if (y[1] - x[1]) % NOTES_PER_BEAT == 1
    ]
    ticks = np.diff(clocks) - BEAT_SECONDS / 24
    return Heard(np.array(gaps), ticks, np.array(delays), len(onsets), len(sounding_keys), xruns)


class Listener:
    """The listening process, started and asked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.frames", "--listen"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.rate = int(self._process.stdout.readline())

    def take(self) -> list[list[list[float]]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("take\n")
        lists: list[list[list[float]]] = json.loads(self._process.stdout.readline())
        return lists

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        end(self._process)


def perform(listener: Listener, seconds: float, *, frame_accurate: bool) -> Heard:
    with SchedulerClient(f"{LISTENER} in", send_clock=True, frame_accurate=frame_accurate) as scheduler:
        time.sleep(0.5)  # the graph settles
        listener.take()
        origin = time.monotonic() + 0.2
        scheduler.send(Start(origin, BPM))
        beats = int(seconds / BEAT_SECONDS)
        scheduler.send(
            Notes(
                tuple(
                    NoteEvent(beat + i / NOTES_PER_BEAT, 0.9 / NOTES_PER_BEAT, 40 + i, 80, 1, "grid")
                    for beat in range(beats)
                    for i in range(NOTES_PER_BEAT)
                )
            )
        )
        time.sleep(origin + beats * BEAT_SECONDS + 0.2 - time.monotonic())
        lists = listener.take()
        return measure_grid(lists, listener.rate, origin, len(lists[2]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.live.frames", description=__doc__)
    parser.add_argument("--listen", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each performance")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--busy-only", action="store_true")
    parser.add_argument("--no-realtime", action="store_true", help="a server without real-time priority")
    options = parser.parse_args()
    if options.listen:
        listen()
        return
    os.environ |= {"JACK_DEFAULT_SERVER": f"kelly-frames-{os.getpid()}", "JACK_NO_START_SERVER": "1"}
    server = start_jackd(os.environ["JACK_DEFAULT_SERVER"], waits_for_clients=False, realtime=not options.no_realtime)
    listener = Listener()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; milliseconds")
    print("| path | cores | onset interval SD / p99 / max | clock SD | delay p1 / p50 / p99 | notes | hang | xruns |")
    print("|---|---|---|---|---|---|---|---|")
    try:
        for busy, _, frame_accurate in itertools.product(
            (False, True)[options.busy_only :], range(options.rounds), (False, True)
        ):
            with stress_cores() if busy else nullcontext():
                measurement = perform(listener, options.seconds, frame_accurate=frame_accurate)
            off = np.abs(measurement.gaps) * 1e3
            low, middle, high = np.quantile(measurement.delays, (0.01, 0.5, 0.99)) * 1e3
            print(
                f"| {'frame-accurate' if frame_accurate else 'python-rtmidi'} | {'busy' if busy else 'free'} "
                f"| {measurement.gaps.std() * 1e3:.3f} / {np.quantile(off, 0.99):.3f} / {off.max():.3f} "
                f"| {measurement.ticks.std() * 1e3:.3f} | {low:.2f} / {middle:.2f} / {high:.2f} "
                f"| {measurement.notes} | {measurement.unended} | {measurement.xruns} |",
                flush=True,
            )
    finally:
        listener.close()
        end(server.process)


if __name__ == "__main__":
    main()
