"""The whole chain on real servers, from a recording to sound.

The main job on real servers: a recording through JACK into `kelly-live`, notes out of its port into an independent JACK
client and into fluidsynth, whose sound is heard.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
import soxr

from kelly_live.core.resources import find_resources
from tests.live.conftest import SAMPLE_RATE, JackMonitor, JackServer, wait_for

WHOLE_RECORDING_SECONDS = 45.0
START_UP_SECONDS = 60.0  # on a loaded machine; what a quiet one takes, `kelly-live lab bench` tells


class Player:
    """An independent JACK client that plays samples over and over into every PortAudio input."""

    def __init__(self, samples: np.ndarray) -> None:
        import jack

        self.client: jack.Client = jack.Client("kelly-player", no_start_server=True)
        self.port = self.client.outports.register("out")
        self._samples = samples
        self._position = 0
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, frames: int) -> None:
        indices = (self._position + np.arange(frames)) % len(self._samples)
        self.port.get_array()[:] = self._samples[indices]
        self._position += frames

    def play_into(self, part_of_name: str) -> None:
        def inputs() -> list:
            return [p for p in self.client.get_ports(is_audio=True, is_input=True) if part_of_name in p.name]

        for port in wait_for(inputs, f"an audio input port {part_of_name!r}", START_UP_SECONDS):
            self.client.connect(self.port, port)

    def close(self) -> None:
        self.client.deactivate()
        self.client.close()


@pytest.fixture
def player(jack_server: JackServer) -> Iterator[Player]:
    pytest.importorskip("jack")
    samples, rate = soundfile.read(find_resources("presets") / "demo" / "recording.ogg", dtype="float32")
    player = Player(soxr.resample(samples, rate, SAMPLE_RATE).astype(np.float32))
    yield player
    player.close()


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(jack_server: JackServer) -> Iterator[Start]:
    """Start `kelly-live` with these options; it is made to end with the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*options: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "kelly_live", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def notes_on(recorder: JackMonitor) -> list[tuple[float, bytes]]:
    return [event for event in recorder.of_kind(0x90) if event[1][2] > 0]


def list_channels(recorder: JackMonitor) -> set[int]:
    return {(data[0] & 15) + 1 for _, data in notes_on(recorder)}


@pytest.mark.timeout(300)
def test_a_recording_in_music_out_of_a_real_synth(
    start: Start, player: Player, monitor: JackMonitor, fluidsynth: str
) -> None:
    seconds = float(os.environ.get("KELLY_LIVE_LIVE_SECONDS", "6"))
    process = start("--midi-out", fluidsynth, "--clock", "send", "--seed", "3")
    monitor.listen_to("kelly-live")
    player.play_into("PortAudio")
    wait_for(lambda: notes_on(monitor), "a first note", START_UP_SECONDS)
    monitor.peak_since_last()
    time.sleep(seconds)
    # Where in the recording it began to listen is chance, and the drums rest in its calm half.
    wait_for(lambda: {1, 2, 3, 10} <= list_channels(monitor), "a note of every part", WHOLE_RECORDING_SECONDS)
    peak = monitor.peak_since_last()

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20.0)
    wait_for(lambda: not monitor.list_sounding_notes(), "the last note's end", 5.0)
    print(out)

    assert process.returncode == 128 + signal.SIGINT, err
    assert err == ""
    assert peak > 0.01  # fluidsynth is not silent
    notes = notes_on(monitor)
    assert len(notes) > seconds  # more than a note a second, all parts together
    assert len({data[1] for _, data in notes}) >= 8
    assert monitor.of_kind(0xF8)  # MIDI clock
    lines = out.splitlines()
    assert lines[0].startswith("loading")
    assert lines[1].startswith("listening to ")
    assert "stopped:" in lines[-1]
    tempo_lines = [line for line in lines[1:-1] if "BPM" in line]
    assert tempo_lines  # the plain status of a terminal that is none
    levels = [float(found) for found in re.findall(r"in (-?\d+) dB", out)]
    assert max(levels) > -50.0  # it heard the recording, not the dummy driver's silence


@pytest.mark.timeout(200)
def test_devices_marks_what_would_be_chosen(start: Start, monitor: JackMonitor) -> None:
    out, err = start("devices", "--midi-out", "monitor").communicate(timeout=60.0)
    assert err == ""
    assert "-> system" in out.split("MIDI outputs")[0]
    assert f"-> {monitor.port_name}" in out.split("MIDI outputs")[1]


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--midi-out", "no such port"), "no MIDI output matches"),
        (("--audio-in", "no such input"), "no audio input matches"),
    ],
)
def test_a_wrong_name_is_one_line_that_lists_what_there_is(
    start: Start, monitor: JackMonitor, options: tuple[str, ...], complaint: str
) -> None:
    process = start(*options)
    _, err = process.communicate(timeout=START_UP_SECONDS)
    assert process.returncode == 1
    assert len(err.strip().splitlines()) == 1
    assert complaint in err
    assert "kelly-live devices" in err


@pytest.mark.timeout(200)
def test_without_a_sound_server_it_says_so_in_one_line(start: Start) -> None:
    process = start("--midi-out", "anything", JACK_DEFAULT_SERVER="kelly-no-such-server")
    _, err = process.communicate(timeout=START_UP_SECONDS)
    assert process.returncode == 1
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("kelly-live: ")
