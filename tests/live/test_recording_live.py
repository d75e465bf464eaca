"""A set through JACK is recorded as an independent listener received it.

A set through JACK, recorded: what an independent listener heard is in the file, and the log gives the file again. A
controller at the MIDI input steers it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest

from kelly_live.engine.model_choice import state_terms
from tests.live.conftest import JackMonitor, JackServer, end, wait_for

OPTIONS = ("--emotion", "happy", "--culture", "turkish-makam:hicaz", "--seed", "5", "--follow", "tempo,key")
# A controller of its own: another process, as rtmidi and a Python JACK callback in one can hold each other up.
PADS = """
import sys, rtmidi
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="pads")
out.open_virtual_port("pads")
print("ready", flush=True)
for line in sys.stdin:
    out.send_message(list(bytes.fromhex(line)))
"""


class Pads:
    def __init__(self) -> None:
        command = [sys.executable, "-c", PADS]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def press(self, controller: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"b0{controller:02x}7f\nb0{controller:02x}00\n")


@pytest.fixture
def pads(monitor: JackMonitor) -> Iterator[Pads]:
    pads = Pads()
    yield pads
    end(pads.process)


@pytest.fixture
def kelly(pads: Pads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    state_terms(lambda line: None)  # the terms of the models are said once, and not in a test of other lines
    process = subprocess.Popen(
        [sys.executable, "-m", "kelly_live", *OPTIONS, "--midi-in", "pads", "--record", str(tmp_path / "set.mid")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def read_log_events(log: Path, event: str) -> list[dict]:
    lines = log.read_bytes().splitlines()[1:] if log.exists() else []
    return [record for line in lines if (record := json.loads(line))["event"] == event]


def note_ons(midi: Path) -> list[tuple[float, int, int]]:
    """(seconds, channel 0-15, key) of the file's notes, drums left out (their channel is another track)."""
    file = mido.MidiFile(midi)
    now, ons = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            ons.append((now, message.channel, message.note))
    return ons


def list_received_notes(monitor: JackMonitor) -> list[tuple[float, int, int]]:
    return [(seconds, data[0] & 15, data[1]) for seconds, data in monitor.of_kind(0x90) if data[2]]


def replayed(log: Path, midi: Path) -> str:
    command = [sys.executable, "-m", "kelly_live", "replay", str(log), "--midi", str(midi)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.timeout(200)
def test_the_recording_holds_what_sounded_and_a_controller_overrides(
    kelly: subprocess.Popen[str], pads: Pads, monitor: JackMonitor, tmp_path: Path
) -> None:
    log = tmp_path / "set.jsonl"
    monitor.listen_to("Kelly Live")
    wait_for(lambda: len(list_received_notes(monitor)) > 10, "music", 60.0)
    pads.press(27)
    wait_for(lambda: read_log_events(log, "action"), "a freeze in the log", 10.0)
    assert {"name": "freeze", "source": "midi"}.items() <= read_log_events(log, "action")[0].items()
    pads.press(29)
    wait_for(lambda: read_log_events(log, "panic"), "a panic", 10.0)
    quiet_from = monitor.now()
    wait_for(
        lambda: any(seconds > quiet_from + 0.3 for seconds, *_ in list_received_notes(monitor)), "music again", 20.0
    )
    time.sleep(1.0)
    kelly.send_signal(signal.SIGTERM)
    out, err = kelly.communicate(timeout=20.0)
    print(out)
    assert kelly.returncode == 128 + signal.SIGTERM
    assert [line for line in err.splitlines() if "terms are not open" not in line] == []  # of the culture's corpora
    wait_for(lambda: not monitor.list_sounding_notes(), "silence", 5.0)
    assert f"recorded {tmp_path / 'set.mid'}" in out

    assert "notes: the same" in replayed(log, tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "set.mid").read_bytes()
    received_notes = list_received_notes(monitor)
    dropped_notes = max((record["dropped"] for record in read_log_events(log, "counted")), default=0)
    # The last few milliseconds before the stop may go either way when it is live.
    assert (keys(received_notes) - keys(note_ons(tmp_path / "set.mid"))).total() <= 2
    assert (keys(note_ons(tmp_path / "set.mid")) - keys(received_notes)).total() <= dropped_notes + 2


def keys(notes: list[tuple[float, int, int]]) -> Counter[int]:
    """Return what was played, not when: JACK's clock runs slow on a busy machine, by a seventh."""
    return Counter(key for _, _, key in notes)


@pytest.mark.timeout(200)
def test_after_a_kill_the_log_holds_all_but_the_last_second(
    prompt_server: JackServer, kelly: subprocess.Popen[str], monitor: JackMonitor, tmp_path: Path
) -> None:
    """On a server that does not wait for clients: its MIDI input is one, and dies with it."""
    monitor.listen_to("Kelly Live")
    wait_for(lambda: len(list_received_notes(monitor)) > 24, "music", 60.0)
    killed = monitor.now()
    kelly.send_signal(signal.SIGKILL)
    kelly.communicate(timeout=20.0)
    assert not (tmp_path / "set.mid").exists()
    print(replayed(tmp_path / "set.jsonl", tmp_path / "saved.mid"))
    saved = note_ons(tmp_path / "saved.mid")
    by_ear = [note for note in list_received_notes(monitor) if note[0] < killed - 1.0]
    assert len(by_ear) > 3
    assert not keys(by_ear) - keys(saved)


@pytest.mark.timeout(60)
def test_a_control_is_learned_by_moving_it(pads: Pads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    command = [sys.executable, "-u", "-m", "kelly_live", "learn", "like", "--midi-in", "pads"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "listening to 'pads:pads'" in process.stdout.readline()
    assert "press a button" in process.stdout.readline()
    pads.press(80)
    assert process.stdout.readline().startswith("cc 80 channel 1: like (kept in")
    assert process.wait(10.0) == 0
    assert "cc, number: 80, channel: 1, action: like" in (tmp_path / "kelly-live" / "midi-controls.yaml").read_text()
