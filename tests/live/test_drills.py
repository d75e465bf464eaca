"""Fault drills: what breaks, how long the notes of then still sound, how soon there are new ones; counted by another
JACK client. With KELLY_LIVE_DRILLS=FILE each drill adds its row to a table (`make drills`)."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import ScriptedSource
from kelly_live.cli.parts import make_analyzer, make_conductor
from kelly_live.midi.client import OfflineScheduler
from kelly_live.protocols import Steering
from kelly_live.session import accompany
from kelly_live.timebase import ManualClock
from tests.live.conftest import JackServer, Witness, end, start_jackd, wait_for

pytestmark = pytest.mark.timeout(200)
START_UP_SECONDS = 60.0  # on a loaded machine
SILENCE_LIMIT = 1.0
KILLED_LIMIT = 0.2  # after SIGKILL of the host
RECOVERY_LIMIT = 2.0
# Dense music that nothing heard can thin out.
DENSE = ("--seed", "1", "--emotion", "excited", "--freeze")


def row(fault: str, silent: float | None, back: float | None, then: str) -> None:
    """One line of the drill table: seconds until the notes of then were over, and until new ones came."""
    cells = [fault, *("-" if t is None else f"{max(0.0, t):.2f} s" for t in (silent, back)), then]
    print(" | ".join(cells))
    if table := os.environ.get("KELLY_LIVE_DRILLS"):
        with Path(table).open("a") as file:
            file.write("| " + " | ".join(cells) + " |\n")


def children(process: int, module: str) -> list[int]:
    """Its child processes that run a module of ours."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            status = entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()
            command = entry.joinpath("cmdline").read_bytes().decode().split("\0")
        except (OSError, IndexError):
            continue  # not a process, or one that has just ended
        if int(status[1]) == process and module in command:
            found.append(int(entry.name))
    return found


@dataclass
class Stage:
    """A running kelly-live, and who hears it."""

    process: subprocess.Popen[str]
    witness: Witness

    def child(self, module: str) -> int:
        return int(wait_for(lambda: children(self.process.pid, module), f"a process {module}")[0])

    def onsets(self, since: float = 0.0) -> list[float]:
        return [t for t, data in self.witness.of_kind(0x90) if data[2] > 0 and t > since]

    def plays(self) -> None:
        wait_for(lambda: self.onsets(), "a first note", START_UP_SECONDS)

    def plays_again(self, since: float, what: str) -> float:
        """When the first note after `since` came."""
        wait_for(lambda: self.onsets(since), f"a note after {what}", 30.0)
        return self.onsets(since)[0]

    def sounds(self) -> bool:
        """Whether anything does, All Notes Off and All Sound Off obeyed."""
        now = self.witness.now()
        return self.hung(now, now + 1.0) > 0.0

    def hung(self, fault: float, until: float) -> float:
        """How long after the fault notes that had begun before it were still sounding; to `until` if never ended."""
        sounding: dict[tuple[int, int], float] = {}
        last = fault
        for t, data in sorted(self.witness.of_kind(0x80, 0x90, 0xB0)):
            if t > until:
                break
            ends_all = data[0] & 0xF0 == 0xB0 and data[1] in (120, 123)
            gone = [v for v in sounding if v[0] == data[0] & 15 and (ends_all or v[1] == data[1])]
            if data[0] & 0xF0 != 0xB0 or ends_all:
                for voice in gone:
                    began = sounding.pop(voice)
                    last = max(last, t) if began <= fault < t else last
            if data[0] & 0xF0 == 0x90 and data[2] > 0:
                sounding[data[0] & 15, data[1]] = t
        if any(began <= fault for began in sounding.values()):
            return until - fault
        return last - fault


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `kelly-live` with these options; it is made to end with the test."""
    running: list[subprocess.Popen[str]] = []

    def run(*options: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kelly_live", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def stage(start: Start, witness: Witness) -> Stage:
    """Playing into the witness's own port, so that it finds its way back by itself."""
    stage = Stage(start("--midi-out", "kelly-witness:in", *DENSE), witness)
    stage.plays()
    return stage


def ended(stage: Stage, number: signal.Signals = signal.SIGINT) -> str:
    """End it in order; what it said."""
    stage.process.send_signal(number)
    out, err = stage.process.communicate(timeout=60.0)
    assert (stage.process.returncode, err) == (0, ""), err
    wait_for(lambda: not stage.sounds(), "silence", 5.0)
    return out


def test_the_host_is_killed(stage: Stage) -> None:
    wait_for(lambda: len(stage.witness.sounding()) >= 2, "a chord")
    fault = stage.witness.now()
    stage.process.kill()
    stage.process.wait(5.0)
    wait_for(lambda: not stage.sounds(), "silence", 5.0)
    silent = stage.hung(fault, stage.witness.now())
    row("SIGKILL of the host", silent, None, "every note ended by the scheduler process, which then leaves")
    assert silent < KILLED_LIMIT


def test_the_scheduler_process_is_killed(stage: Stage) -> None:
    wait_for(lambda: len(stage.witness.sounding()) >= 2, "a chord")
    fault = stage.witness.now()
    os.kill(stage.child("kelly_live.midi.process"), signal.SIGKILL)
    back = stage.plays_again(fault + 0.05, "the kill")
    silent = stage.hung(fault, stage.witness.now())
    row("SIGKILL of the scheduler process", silent, back - fault, "another takes over in step; exit code 0")
    assert silent < SILENCE_LIMIT
    assert back - fault < RECOVERY_LIMIT
    ended(stage)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_is_told_to_end_and_told_again(stage: Stage, name: str) -> None:
    fault = stage.witness.now()
    for _ in range(2):
        stage.process.send_signal(getattr(signal, name))
    out, err = stage.process.communicate(timeout=20.0)
    wait_for(lambda: not stage.sounds(), "silence", 5.0)
    silent = stage.hung(fault, stage.witness.now())
    row(f"{'Ctrl-C' if name == 'SIGINT' else name}, twice", silent, None, f"exit code {stage.process.returncode}")
    assert (stage.process.returncode, err) == (0, "")
    assert "stopped:" in out
    assert silent < SILENCE_LIMIT


def test_the_midi_port_vanishes_and_returns(start: Start, jack_server: JackServer) -> None:
    pytest.importorskip("jack")
    before = Witness("kelly-fleeting")
    stage = Stage(start("--midi-out", "kelly-fleeting:in", *DENSE), before)
    stage.plays()
    before.close()
    time.sleep(1.5)
    again = stage.witness = Witness("kelly-fleeting")
    try:
        returned = again.now()
        back = stage.plays_again(0.0, "the port's return")
        row("the MIDI port vanishes and returns", None, back - returned, "told in the status line; exit code 0")
        assert back - returned < RECOVERY_LIMIT
        assert again.of_kind(0xB0), "what hung in the synth is silenced first"
        said = ended(stage)
        assert "'kelly-fleeting:in' is gone" in said
        assert "the MIDI port: back" in said
    finally:
        again.close()


def test_the_sound_server_dies_and_returns_at_another_rate(start: Start, own_server: JackServer) -> None:
    pytest.importorskip("jack")
    first = Witness("kelly-doomed-witness")
    stage = Stage(start("--midi-out", "kelly-doomed-witness:in", *DENSE), first)
    stage.plays()
    own_server.process.terminate()
    own_server.process.wait(10.0)
    first.close()
    time.sleep(2.0)
    server = start_jackd(own_server.name, waits_for_clients=False, sample_rate=44100)
    again = stage.witness = Witness("kelly-doomed-witness")
    try:
        returned = again.now()
        back = stage.plays_again(0.0, "the server's return")
        row("the sound server dies and returns, 48 to 44.1 kHz", None, back - returned, "input and port reopened")
        assert back - returned < RECOVERY_LIMIT + 1.0  # a try may have begun just before
        wait_for(lambda: len(children(stage.process.pid, "kelly_live.audio.capture")) == 1, "an input again", 10.0)
        assert stage.process.poll() is None
        ended(stage)
    finally:
        again.close()
        end(server.process)


def test_the_input_stops_delivering(start: Start, own_server: JackServer) -> None:
    """On a server that does not wait for a client that stands still."""
    pytest.importorskip("jack")
    stage = Stage(start("--midi-out", "kelly-patient:in", *DENSE), Witness("kelly-patient"))
    stage.plays()
    capture = stage.child("kelly_live.audio.capture")
    os.kill(capture, signal.SIGSTOP)
    fault = stage.witness.now()
    another = wait_for(
        lambda: [pid for pid in children(stage.process.pid, "kelly_live.audio.capture") if pid != capture],
        "another capture", 15.0,
    )  # fmt: skip
    assert another
    wait_for(lambda: len(stage.onsets(fault)) > 5, "music that does not wait for the sound")
    row("the input stops delivering", 0.0, 0.0, "the music goes on; capture started anew after 3 s")
    said = ended(stage)
    assert "delivers nothing" in said
    stage.witness.close()


def test_the_process_is_suspended(stage: Stage) -> None:
    stage.process.send_signal(signal.SIGSTOP)
    fault = stage.witness.now()
    time.sleep(5.0)
    silent = stage.hung(fault, stage.witness.now())
    goes_on = stage.witness.now()
    stage.process.send_signal(signal.SIGCONT)
    back = stage.plays_again(goes_on, "the suspension")
    row("SIGSTOP of the host for 5 s", silent, back - goes_on, "goes on at the next bar, no burst of old notes")
    assert silent < SILENCE_LIMIT
    assert back - goes_on < RECOVERY_LIMIT + 1.0  # the next bar line
    ended(stage)


HANGS = """
import time
from kelly_live.music.context import Descriptor

class Hangs:
    descriptor = Descriptor("hangs", "melody", 5, 0)
    def generate(self, parameters, context, start_beat, end_beat):
        if start_beat >= 4.0:
            time.sleep(3600.0)
        return []
    def reset(self):
        pass
"""


def test_a_plug_in_hangs(start: Start, witness: Witness, tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    installed = tmp_path / "hangs-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: hangs\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[kelly_live.generators]\nhangs = hangs:Hangs\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    stage = Stage(start("--midi-out", "kelly-witness:in", "--with", "hangs", *DENSE, env=environment), witness)
    stage.plays()
    first = stage.onsets()[0]
    wait_for(lambda: stage.onsets(first + 8.0), "music after it", 30.0)
    gaps = [after - before for before, after in itertools.pairwise(stage.onsets())]
    row("a plug-in hangs", 0.0, 0.0, "it is muted, by name and state; the band plays on")
    assert max(gaps) < RECOVERY_LIMIT
    assert "hangs muted-slow" in ended(stage)


def test_ten_seconds_of_full_scale_noise() -> None:
    """Offline, through the real nets; `make soak` has more of it."""
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, 10 * ANALYSIS_RATE).astype(np.float32)
    analyzer, opening = make_analyzer("cpu", Steering())
    scheduler = OfflineScheduler()
    source = ScriptedSource(noise, ManualClock())
    made = accompany(source, analyzer, make_conductor(scheduler, seed=1), scheduler, opening)
    ons = [m for m in made.messages if m.data[0] & 0xF0 == 0x90]
    offs = [m for m in made.messages if m.data[0] & 0xF0 == 0x80]
    row("full-scale noise", 0.0, 0.0, f"{len(ons)} notes, all ended; heard as {made.readings[-1].state.emotion}")
    assert len(ons) == len(offs) > 10
    assert made.readings[-1].state.confidence < 0.9


def test_the_disk_is_full_while_recording(start: Start, witness: Witness, tmp_path: Path) -> None:
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    out = tmp_path / "take.mid"
    stage = Stage(start("--midi-out", "kelly-witness:in", "--record", str(out), *DENSE, preexec_fn=small_disk), witness)
    stage.plays()
    wait_for(lambda: any(file.stat().st_size >= 30_000 for file in tmp_path.iterdir()), "a full disk", 60.0)
    fault = witness.now()
    wait_for(lambda: len(stage.onsets(fault)) > 10, "music after it", 20.0)
    row("the disk is full while recording", 0.0, 0.0, "told in the status line; what was written stays readable")
    said = ended(stage)
    assert "not recording: File too large" in said
