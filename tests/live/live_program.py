"""A running kelly-live and who hears it: what the fault drills measure, and the table that they fill."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.live.conftest import JackMonitor, wait_for

START_UP_SECONDS = 60.0  # on a loaded machine
# Dense music that nothing heard can thin out.
DENSE = ("--seed", "1", "--emotion", "excited", "--freeze")
_BURST_SECONDS = 0.1


def keep_lines(process: subprocess.Popen[str], lines: list[tuple[float, str]]) -> threading.Thread:
    """Keep what a program prints, each line with its time; return the thread, which ends with the program."""

    def read() -> None:
        assert process.stdout is not None
        lines.extend((time.monotonic(), line.rstrip()) for line in process.stdout)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader


def add_row(fault: str, over: float | None, back: float | None, gap: float | None, then: str) -> None:
    """One line of the drill table, in seconds as measured; None where there is nothing to measure."""
    cells = [fault, *("-" if t is None else f"{max(0.0, t):.2f} s" for t in (over, back, gap)), then]
    print(" | ".join(cells))
    if table := os.environ.get("KELLY_LIVE_DRILLS"):
        with Path(table).open("a") as file:
            file.write("| " + " | ".join(cells) + " |\n")


def children(process: int, module: str = "") -> list[int]:
    """Its child processes that run a module of ours, or all."""
    process_ids = []
    for entry in Path("/proc").iterdir():
        try:
            status = entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()
            command = entry.joinpath("cmdline").read_bytes().decode().split("\0")
        except (OSError, IndexError):
            continue  # not a process, or one that has just ended
        if int(status[1]) == process and (not module or module in command):
            process_ids.append(int(entry.name))
    return process_ids


def longest_gap(onsets: list[float], since: float) -> float:
    """The longest time without a new note from the last one before `since` on."""
    before = max((t for t in onsets if t <= since), default=since)
    times = [before, *(t for t in onsets if t > since)]
    return max((after - earlier for earlier, after in itertools.pairwise(times)), default=0.0)


def most_at_once(onsets: list[float], since: float) -> int:
    """The most notes that began within a tenth of a second."""
    times = [t for t in onsets if t > since]
    return max((sum(t <= u < t + _BURST_SECONDS for u in times) for t in times), default=0)


@dataclass
class MusicObserver:
    """What a monitor makes of the music. Times are the monitor's."""

    monitor: JackMonitor

    def onsets(self, since: float = 0.0) -> list[float]:
        return [t for t, data in self.monitor.of_kind(0x90) if data[2] > 0 and t > since]

    def wait_for_first_note(self) -> None:
        wait_for(lambda: self.onsets(), "a first note", START_UP_SECONDS)

    def wait_until_plays_again(self, since: float, event: str) -> float:
        """When the first note after `since` came."""
        wait_for(lambda: self.onsets(since), f"a note after {event}", 30.0)
        return self.onsets(since)[0]

    def play_for(self, since: float, seconds: float) -> float:
        """Until it has played for so long after `since`; the longest gap between two notes meanwhile."""
        wait_for(lambda: self.onsets(since + seconds), f"music {seconds:g} s later", 30.0 + seconds)
        return longest_gap(self.onsets(), since)

    def is_sounding(self) -> bool:
        """Whether anything does, All Notes Off and All Sound Off obeyed."""
        now = self.monitor.now()
        return self.hanging_seconds(now, now + 1.0) > 0.0

    def hanging_seconds(self, fault: float, until: float | None = None) -> float:
        """Return for how long after a fault earlier notes kept sounding.

        How long after the fault notes that had begun before it were still sounding; to `until` [default: now] if never
        ended.
        """
        until = self.monitor.now() if until is None else until
        start_by_voice: dict[tuple[int, int], float] = {}
        last = fault
        for t, data in sorted(self.monitor.of_kind(0x80, 0x90, 0xB0)):
            if t > until:
                break
            ends_all = data[0] & 0xF0 == 0xB0 and data[1] in (120, 123)
            gone = [v for v in start_by_voice if v[0] == data[0] & 15 and (ends_all or v[1] == data[1])]
            if data[0] & 0xF0 != 0xB0 or ends_all:
                for voice in gone:
                    start = start_by_voice.pop(voice)
                    last = max(last, t) if start <= fault < t else last
            if data[0] & 0xF0 == 0x90 and data[2] > 0:
                start_by_voice[data[0] & 15, data[1]] = t
        if any(start <= fault for start in start_by_voice.values()):
            return until - fault
        return last - fault


@dataclass
class LiveProgram(MusicObserver):
    """A running kelly-live, and who hears it."""

    process: subprocess.Popen[str]

    def child(self, module: str) -> int:
        return int(wait_for(lambda: children(self.process.pid, module), f"a process {module}")[0])

    def wait_for_first_note(self) -> None:
        wait_for(lambda: self.onsets() or self.process.poll() is not None, "a first note", START_UP_SECONDS)
        assert self.process.poll() is None, f"it ended: {self.process.communicate()}"

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        """End it in order; what it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60.0)
        assert (self.process.returncode, err) == (128 + number, ""), err
        wait_for(lambda: not self.is_sounding(), "silence", 5.0)
        return out
