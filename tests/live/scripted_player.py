"""A scripted player and the band that hears him: what the live tests of playing together share."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.live.conftest import JackMonitor, end, leave, wait_for
from tests.live.live_program import START_UP_SECONDS, keep_lines


class ScriptedPlayer:
    """A JACK client of its own: keyboard_player.py, or player.py with a sound file. Times are on JACK's clock."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.has_left = False  # by itself, when it was closed
        self._read()

    def ask(self, line: str) -> float:
        """Have it begin something; return when that begins."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        return float(self._read())

    def close(self) -> None:
        """Leave the graph."""
        self.has_left = leave(self._process)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()[-1]


@contextmanager
def keyboard(name: str, bpm: float, tune: str) -> Iterator[ScriptedPlayer]:
    """A player of one of keyboard_player.py's tunes, who begins at `ask("play")`, or as `ask("play SECONDS")` says."""
    with closing(ScriptedPlayer("keyboard_player.py", name, str(bpm), tune)) as player:
        yield player


@contextmanager
def sound_player(name: str, path: Path) -> Iterator[ScriptedPlayer]:
    """An input that is silent until `ask("sound")` plays the file from its start."""
    with closing(ScriptedPlayer("player.py", name, str(path))) as player:
        player.ask("0")
        yield player


class Band:
    """A kelly-live that plays, what it prints, and what the monitor hears of it."""

    def __init__(self, monitor: JackMonitor, *options: str) -> None:
        self.monitor = monitor
        self._lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kelly_live", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        keep_lines(self._process, self._lines)
        monitor.listen_to("Kelly Live")
        self._paced_from = (time.monotonic(), monitor.now())

    def wait_for_line(self, text: str) -> None:
        """Wait until it has printed a line with this in it."""
        wait_for(lambda: any(text in line for _, line in list(self._lines)), f"a line with {text!r}", START_UP_SECONDS)

    def wait_for_first_note(self) -> float:
        """Wait for it; return when it came."""
        wait_for(lambda: self.onsets(), "a first note", START_UP_SECONDS)
        return self.onsets()[0][0]

    def onsets(self, since: float = 0.0) -> list[tuple[float, int, int]]:
        """Return the time, channel 1-16 and pitch of the notes that began after a time."""
        return [
            (seconds, (data[0] & 15) + 1, data[1])
            for seconds, data in self.monitor.of_kind(0x90)
            if data[2] > 0 and seconds > since
        ]

    def start_pace(self) -> None:
        """Compare the server's clock with the real one from now on."""
        self._paced_from = (time.monotonic(), self.monitor.now())

    def listen_until(self, seconds: float, slowest_pace: float) -> None:
        """Listen until a time on the server's clock; skip the test where that clock was slower than so much."""
        wait_for(lambda: self.monitor.now() > seconds, "the end of the music", 150.0)
        real, server = self._paced_from
        pace = (self.monitor.now() - server) / (time.monotonic() - real)
        if pace < slowest_pace:  # the player's beats, which are frames of the server, did not come in time
            pytest.skip(f"the sound server kept {pace:.0%} of real time: this machine is too busy to play on")

    def close(self) -> None:
        """End it."""
        end(self._process)


@contextmanager
def band(monitor: JackMonitor, *options: str) -> Iterator[Band]:
    """A kelly-live whose notes the monitor receives."""
    with closing(Band(monitor, *options)) as running:
        yield running
