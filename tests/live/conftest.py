"""Real servers for the live tests: a private jackd with its dummy driver, and fluidsynth.

Where a program is missing the tests are skipped, with the reason; with KELLY_LIVE_REQUIRE_LIVE=1 (CI) they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest

from kelly_live.midi.backend import MidiBackend

SAMPLE_RATE = 48000
PERIOD_FRAMES = 128
PERIOD_SECONDS = PERIOD_FRAMES / SAMPLE_RATE
LIBRARIES = ("rtmidi", "libremidi", "jack")  # that reach JACK, as they are called in kelly_live.midi.backends
SOUND_FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.live)


def unavailable(reason: str) -> NoReturn:
    if os.environ.get("KELLY_LIVE_REQUIRE_LIVE") == "1":
        pytest.fail(f"{reason} (KELLY_LIVE_REQUIRE_LIVE=1, so this is a failure)")
    pytest.skip(reason)


def need_program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        unavailable(f"{name} is not installed; apt install {package}")
    return path


def need_library(library: str) -> Callable[[], Sequence[MidiBackend]]:
    """What finds the back ends of one of LIBRARIES; skips where this interpreter does not have it."""
    module = pytest.importorskip(f"kelly_live.midi.backends.{library}", exc_type=ImportError)
    find_backends: Callable[[], Sequence[MidiBackend]] = module.find_backends
    return find_backends


def wait_for(condition: Callable[[], Any], description: str, timeout: float = 10.0) -> Any:
    """Poll until `condition` is true and return what it gave; a failure names `description`."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{description} did not happen within {timeout:g} s"
        time.sleep(0.005)
    return value


@dataclass(frozen=True)
class JackServer:
    """A running jackd that only this test run knows."""

    name: str
    process: subprocess.Popen[bytes]


def start_jackd(
    name: str,
    *,
    waits_for_clients: bool = True,
    sample_rate: int = SAMPLE_RATE,
    realtime: bool = False,
    period_frames: int = PERIOD_FRAMES,
) -> JackServer:
    """A jackd of this name, up and answering."""
    program = need_program("jackd", "jackd2")
    need_program("jack_lsp", "jackd2")
    command = [program, *(["-R", "-P", "70"] if realtime else ["--no-realtime"]), "-n", name]
    # -S: on a busy machine a late monitor is late and not deaf; but a client that is killed holds it up for seconds.
    command += ["-S"] if waits_for_clients else []
    command += ["-d", "dummy", "-r", str(sample_rate), "-p", str(period_frames)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    environment = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    deadline = time.monotonic() + 20.0
    while not _answers(environment):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            unavailable(f"jackd does not come up (exit code {process.poll()}); try: {' '.join(command)}")
        time.sleep(0.05)
    return JackServer(name, process)


def _answers(environment: dict[str, str]) -> bool:
    try:
        listing = subprocess.run(["jack_lsp"], env=environment, capture_output=True, check=False, timeout=3.0)
    except subprocess.TimeoutExpired:  # libjack, asked for a server that is just coming up, may wait for ever
        return False
    return listing.returncode == 0


def end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def leave(process: subprocess.Popen[str], seconds: float = 5.0) -> bool:
    """Have a client leave the graph by itself, as the end of its input does: a killed one holds the server up.

    Return whether it did in time; if not, it is ended.
    """
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        end(process)
        return False
    return True


def realtime_is_granted() -> bool:
    """Whether a server and its clients may have real-time threads, so that no other load makes them late."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(70))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (AttributeError, OSError):
        return False
    return True


@pytest.fixture(scope="session")
def jack_server() -> Iterator[JackServer]:
    """Start one jackd for the whole run of this process.

    JACK_DEFAULT_SERVER leads everything, child processes too, to it. Real-time where that is granted: without, a busy
    machine's server kept a third of real time.
    """
    server = start_jackd(f"kelly-test-{os.getpid()}", realtime=realtime_is_granted())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", server.name)
        patch.setenv("JACK_NO_START_SERVER", "1")
        yield server
    end(server.process)


@contextmanager
def _server_to_harm(monkeypatch: pytest.MonkeyPatch, name: str, **options: Any) -> Iterator[JackServer]:
    """Start a second jackd, for one test, that does not wait for its clients.

    A second jackd, for one test, that does not wait for its clients: one that does is held up for seconds by a killed
    one.
    """
    server = start_jackd(f"kelly-{name}-{os.getpid()}", waits_for_clients=False, **options)
    monkeypatch.setenv("JACK_DEFAULT_SERVER", server.name)
    yield server
    end(server.process)


@pytest.fixture
def own_server(jack_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """One in the default mode."""
    with _server_to_harm(monkeypatch, "own") as server:
        yield server


@pytest.fixture
def prompt_server(jack_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """Start a jackd with real-time clients where they are granted.

    One with real-time clients where they are granted: no load makes a monitor deaf, or tears the clock that frames are
    counted by.
    """
    with _server_to_harm(monkeypatch, "prompt", realtime=realtime_is_granted()) as server:
        yield server


@pytest.fixture
def patient_server(jack_server: JackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """One with periods of 21 ms: a monitor that is late by less is not deaf."""
    with _server_to_harm(monkeypatch, "patient", period_frames=1024) as server:
        yield server


class JackMonitor:
    """The messages that the independent listener received: `events`, each with its time on JACK's clock.

    `xruns`: when JACK lost a period, and all that was in it, as it does on a busy machine.
    """

    def __init__(self, name: str = "kelly-monitor") -> None:
        self.port_name = f"{name}:in"
        self.events: list[tuple[float, bytes]] = []
        self.xruns: list[float] = []
        self._answers: SimpleQueue[list[str]] = SimpleQueue()
        script = str(Path(__file__).with_name("monitor.py"))
        self._process = subprocess.Popen(
            [sys.executable, script, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._answers.get(timeout=20.0)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            words = line.split(maxsplit=2)
            if words[0] == "midi":
                self.events.append((float(words[1]), bytes.fromhex(words[2])))
            elif words[0] == "xrun":
                self.xruns.append(float(words[1]))
            else:
                self._answers.put(line.split(maxsplit=1))

    def _ask(self, question: str) -> list[str]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        return self._answers.get(timeout=20.0)

    def now(self) -> float:
        """Seconds on JACK's clock, as of its latest period (the one that events are timed by)."""
        return float(self._ask("now")[1])

    def peak_since_last(self) -> float:
        """The loudest sample at its audio input since the last question; full scale 1."""
        return float(self._ask("peak")[1])

    def listen_to(self, part_of_name: str, kind: str = "midi") -> None:
        """Connect the output port (kind midi or audio) whose name has this in it, as in a patch bay."""
        question = f"connect {part_of_name.replace(' ', '')} {kind}"
        wait_for(lambda: self._ask(question) == ["ok"], f"a port {part_of_name!r}", 20.0)
        # JACK says yes at once, and switches to the new graph some periods later.
        settled = self.now() + 40 * PERIOD_SECONDS
        wait_for(lambda: self.now() > settled, "the connection")

    def midi_input(self, part_of_name: str) -> str:
        """The full name of another client's MIDI input, as soon as there is one."""
        return str(wait_for(lambda: self._found_input(part_of_name), f"an input {part_of_name!r}", 20.0))

    def _found_input(self, part_of_name: str) -> str | None:
        kind, rest = self._ask(f"input {part_of_name}")
        return rest.strip() if kind == "input" else None

    def of_kind(self, *statuses: int) -> list[tuple[float, bytes]]:
        """Events whose status byte (channel removed) is one of these."""
        return [e for e in list(self.events) if (e[1][0] & 0xF0 if e[1][0] < 0xF0 else e[1][0]) in statuses]

    def list_sounding_notes(self) -> set[tuple[int, int]]:
        """(channel 1-16, pitch) of what was started and not ended."""
        notes: set[tuple[int, int]] = set()
        for _, data in self.of_kind(0x80, 0x90):
            key = ((data[0] & 15) + 1, data[1])
            if data[0] & 0xF0 == 0x90 and data[2] > 0:
                notes.add(key)
            else:
                notes.discard(key)
        return notes

    def close(self) -> None:
        leave(self._process)
        self._reader.join(5.0)


@pytest.fixture
def monitor(jack_server: JackServer) -> Iterator[JackMonitor]:
    try:
        import jack  # noqa: F401
    except (ImportError, OSError) as error:
        unavailable(f"JACK-Client does not load ({error}); pip install JACK-Client")
    monitor = JackMonitor()
    yield monitor
    monitor.close()


@contextmanager
def running_fluidsynth(monitor: JackMonitor, *more: str) -> Iterator[str]:
    """A fluidsynth whose sound the monitor hears (`monitor.peak_since_last()`); its MIDI input's name."""
    program = need_program("fluidsynth", "fluidsynth")
    sound_font = next((font for font in SOUND_FONTS if Path(font).exists()), None)
    if sound_font is None:
        unavailable("no General MIDI sound font is installed; apt install fluid-soundfont-gm")
    name = f"kelly-synth-{os.getpid()}"
    options = ["-a", "jack", "-m", "jack", "-r", str(SAMPLE_RATE), "-o", f"audio.jack.id={name}"]
    options += ["-o", f"midi.jack.id={name}", "-o", "synth.cpu-cores=1", "-o", "audio.jack.autoconnect=0", *more]
    # Its shell keeps it alive for as long as stdin is open.
    process = subprocess.Popen(
        [program, *options, sound_font], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        monitor.listen_to(f"{name}:left", "audio")
        yield monitor.midi_input(f"{name}:")
        process.communicate(b"quit\n", timeout=10.0)
    finally:
        end(process)


@pytest.fixture
def fluidsynth(monitor: JackMonitor) -> Iterator[str]:
    with running_fluidsynth(monitor) as name:
        yield name


@pytest.fixture
def organ(monitor: JackMonitor, tmp_path: Path) -> Iterator[str]:
    """Start a fluidsynth that plays an organ on channel 3, without reverb and chorus.

    A fluidsynth set by hand to an organ on channel 3, without reverb, which runs notes together, and chorus, which
    moves their pitch.
    """
    by_hand = tmp_path / "by-hand"
    by_hand.write_text("prog 2 16\n")
    with running_fluidsynth(monitor, "-R", "0", "-C", "0", "-f", str(by_hand)) as name:
        yield name
