"""`kelly-live setup` and `test-note` on a real server: what is chosen is heard, and kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kelly_live.core.midi_messages import get_kind
from tests.live.conftest import JackMonitor, JackServer, running_fluidsynth, wait_for

ARPEGGIO = [60, 64, 67, 72]


@pytest.fixture
def rig(prompt_server: JackServer) -> Iterator[tuple[JackMonitor, str]]:
    """A monitor of what is sent, and the name of a fluidsynth whose sound is one of the audio inputs."""
    pytest.importorskip("jack", exc_type=(ImportError, OSError))
    with closing(JackMonitor("kelly-rig")) as monitor, running_fluidsynth(monitor) as port:
        yield monitor, port.partition(":")[0]


def run_program(*arguments: str, answers: str = "") -> str:
    """Run kelly-live with what is typed, and return what it prints."""
    program = subprocess.run(
        [sys.executable, "-m", "kelly_live", *arguments],
        input=answers, capture_output=True, text=True, timeout=80.0, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert program.returncode == 0, program.stderr
    return program.stdout


def find_number(listing: str, title: str, name: str) -> int:
    """Return the place of a name, from 1 up, in the list under a title of `kelly-live devices`."""
    lines = listing.splitlines()
    first = lines.index(title)
    return next(i for i, line in enumerate(lines[first + 1 :], 1) if name in line)


def get_struck_keys(monitor: JackMonitor) -> list[int]:
    return [message[1] for _, message in monitor.events if get_kind(message) == "note_on"]


@pytest.mark.timeout(180)
def test_setup_keeps_the_ports_that_were_heard(
    rig: tuple[JackMonitor, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor, synth = rig
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    listing = run_program("devices")
    output = find_number(listing, "MIDI outputs", "kelly-rig")
    audio_in = find_number(listing, "Audio inputs", synth)
    printed = run_program("setup", answers=f"{output}\nn\n{output}\ny\n{audio_in}\ny\nn\n")
    assert "nothing was heard: check the cable" in printed
    assert printed.count("MIDI output: where is your synth") == 2
    assert get_struck_keys(monitor) == 2 * [*ARPEGGIO, *ARPEGGIO]
    kept = tomllib.loads((tmp_path / "kelly-live" / "config.toml").read_text())
    assert "kelly-rig" in kept["midi-out"]
    assert synth in kept["audio-in"]
    monitor.events.clear()
    assert "kelly-rig" in run_program("test-note", "--channel", "3")
    wait_for(lambda: len(get_struck_keys(monitor)) == 8, "the test notes")
    assert {message[0] & 0x0F for _, message in monitor.events if get_kind(message) == "note_on"} == {2}


@pytest.mark.timeout(120)
def test_the_built_in_synth_is_heard_without_a_synth(prompt_server: JackServer) -> None:
    pytest.importorskip("jack", exc_type=(ImportError, OSError))
    with closing(JackMonitor("kelly-loudspeaker")) as monitor:
        program = subprocess.Popen(
            [sys.executable, "-m", "kelly_live", "test-note", "--sound"], stdout=subprocess.PIPE, text=True
        )
        monitor.listen_to("PortAudio", "audio")
        wait_for(lambda: monitor.peak_since_last() > 0.05, "the sound of the test notes", 20.0)
        printed, _ = program.communicate(timeout=30.0)
    assert program.returncode == 0
    assert "into 'built-in synth' on channel 1" in printed
