"""A MIDI input that is lost comes back by itself.

A MIDI input that is lost comes back by itself: a sender that leaves and returns, a server that dies and returns, and a
whole kelly-live that follows such a sender's clock.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.live.conftest import LIBRARIES, JackMonitor, JackServer, end, leave, need_library, start_jackd, wait_for
from tests.live.live_program import DENSE, LiveProgram, add_row
from tests.live.test_clock_live import Sender

pytest.importorskip("jack", exc_type=(ImportError, OSError))
pytestmark = pytest.mark.timeout(200)

START_SECONDS = 30.0  # of a Python process, on a loaded machine
RECOVERY_LIMIT = 2.0 + 1.0  # a try may have begun just before
A_FEW = 5  # files that libjack has open for a moment; a client that is not closed has six
TRIES_A_DEATH = 4  # and it dies twice: one file left open by each try would be more than a few
PRESSED, PRESSED_AGAIN = "b01d7f", "b01e7f"


class Listener:
    """listener.py, and what it has said."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[list[str]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.listener", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.split())

    def after(self, word: str, times: int = 1) -> list[str]:
        """What it said behind this word the `times`-th time, as soon as it has."""

        def find_lines() -> list[list[str]]:
            assert self.process.poll() in (None, 0), f"it ended with {self.process.returncode} after {self.lines[-3:]}"
            return [rest for first, *rest in list(self.lines) if first == word]

        wait_for(lambda: len(find_lines()) >= times, f"{word!r} of the listener", START_SECONDS)
        return find_lines()[times - 1]

    def hears(self, sender: Sender, connection: int, message: str) -> None:
        """Send until it is received: JACK switches to the new graph some periods after it connects."""

        def receives_note() -> bool:
            sender.does(f"send {message}")
            return ["heard", str(connection), message] in self.lines

        wait_for(receives_note, f"{message} by connection {connection}", START_SECONDS)

    def close(self) -> None:
        """In order, with nothing left open."""
        leave(self.process, START_SECONDS)
        self._reader.join(5.0)


@contextmanager
def sending(name: str, bpm: float = 120.0) -> Iterator[Sender]:
    with closing(Sender(name, bpm)) as sender:
        wait_for(lambda: f"{name}:out" in connections(), f"the port of {name}", START_SECONDS)
        yield sender


def connections() -> dict[str, list[str]]:
    """Return every port of the server with its connections; none where jack_lsp hangs."""
    try:
        listing = subprocess.run(["jack_lsp", "-c"], capture_output=True, text=True, check=False, timeout=5.0).stdout
    except subprocess.TimeoutExpired:
        return {}
    ports_by_name: dict[str, list[str]] = {}
    for line in listing.splitlines():
        if line.startswith(" "):
            ports_by_name[list(ports_by_name)[-1]].append(line.strip())
        else:
            ports_by_name[line] = []
    return ports_by_name


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_sender_that_leaves_and_returns_is_heard_again(jack_server: JackServer, library: str) -> None:
    need_library(library)
    with sending("kelly-sender") as sender:
        listener = Listener(library, "kelly-sender:out")
        open_words = listener.after("open")
        listener.hears(sender, 0, PRESSED)
    try:
        gone_words = listener.after("gone")
        listener.after("try", A_FEW + 3)
        with sending("kelly-sender") as sender:
            assert int(listener.after("back")[0]) < int(open_words[0]) + A_FEW, "the tries leave no file open"
            listener.hears(sender, 1, PRESSED_AGAIN)
            listener.close()
    finally:
        listener.close()
    assert listener.process.returncode == 0
    assert listener.lines[-1][0] == "closed"
    assert int(listener.lines[-1][1]) < int(gone_words[0]) + A_FEW


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_virtual_input_comes_back_with_its_server(own_server: JackServer, library: str) -> None:
    need_library(library)
    listener = Listener(library)
    server = own_server
    try:
        open_words = listener.after("open")
        for death in (1, 2):
            end(server.process)
            listener.after("gone", death)
            listener.after("try", TRIES_A_DEATH * death)
            server = start_jackd(own_server.name)
            assert int(listener.after("back", death)[0]) < int(open_words[0]) + A_FEW, "the tries leave no file open"
        virtual = wait_for(lambda: [port for port in connections() if port.endswith(":Kelly Live in")], "the port")
        with sending("kelly-sender") as sender:
            subprocess.run(["jack_connect", "kelly-sender:out", virtual[0]], check=True, capture_output=True)
            listener.hears(sender, 2, PRESSED)
            listener.close()
    finally:
        listener.close()
        end(server.process)
    assert listener.process.returncode == 0


@contextmanager
def performance(monitor: JackMonitor, *options: str) -> Iterator[LiveProgram]:
    command = [sys.executable, "-m", "kelly_live", *options, *DENSE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield LiveProgram(monitor, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_band_synchronises_again_to_a_returning_clock(monitor: JackMonitor) -> None:
    """A stop and a start show it: dense music rests with the clock, and goes on with it."""
    with sending("kelly-clock") as sender:
        sender.does("start")  # and it ticks
        follow = ("--clock", "follow", "--midi-in", "kelly-clock", "--midi-out", monitor.port_name)
        with performance(monitor, *follow) as program:
            wait_for(lambda: connections().get("kelly-clock:out"), "its MIDI input", 60.0)
            sender.does("start")
            program.wait_for_first_note()
            sender.close()
            gap = program.play_for(monitor.now(), 2.0)
            with sending("kelly-clock") as again:
                returned = monitor.now()
                wait_for(lambda: connections().get("kelly-clock:out"), "the input")
                back = monitor.now() - returned
                add_row("the MIDI input vanishes and returns", None, back, gap, "the band plays on; it is led again")
                assert back < RECOVERY_LIMIT

                def rests() -> bool:
                    again.does("stop")
                    return monitor.now() - program.onsets()[-1] > 2.0

                wait_for(rests, "a rest with the clock", 20.0)
                stopped = monitor.now()
                again.does("start")
                program.wait_until_plays_again(stopped, "the start")
                output = program.end()
    assert "the MIDI input 'kelly-clock:out' is gone; kelly-live opens it again" in output
    assert output.count("the MIDI input: back") == 1
