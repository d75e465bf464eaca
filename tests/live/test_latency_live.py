"""A rig's latency on a real server: `kelly-live latency` says what JACK's own frames say."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kelly_live.midi.latencies import load_latencies
from tests.live.conftest import PERIOD_SECONDS, JackMonitor, JackServer, end, running_fluidsynth

# From a click's due time to the frame of its note-on: the sender's lateness, and the next period. Sound of a client
# is there as its period begins, so it is stamped up to a period before its frames.
MOST_SEND_SECONDS = 2 * PERIOD_SECONDS + 0.003


@pytest.fixture
def synth(prompt_server: JackServer) -> Iterator[str]:
    """The JACK name of a fluidsynth whose sound is one of the audio inputs."""
    pytest.importorskip("jack", exc_type=(ImportError, OSError))
    with closing(JackMonitor("kelly-rig")) as monitor, running_fluidsynth(monitor) as port:
        yield port.partition(":")[0]


@pytest.mark.timeout(120)
def test_the_latency_is_what_the_servers_frames_say(
    synth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monitor = subprocess.Popen(
        [sys.executable, "-m", "tests.live.click_monitor", synth],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert monitor.stdout is not None
        assert monitor.stdout.readline() == "listening\n"
        program = subprocess.run(
            [sys.executable, "-m", "kelly_live", "latency", "--midi-out", synth, "--audio-in", synth, "--store"],
            capture_output=True, text=True, timeout=90.0, check=False,
        )  # fmt: skip
        assert program.returncode == 0, program.stderr
        told, _ = monitor.communicate(timeout=20.0)
    finally:
        end(monitor)
    by_frames = [float(line) for line in told.split()]
    assert len(by_frames) == 8
    found = re.search(r"is heard in .* ([\d.]+) ms after its time", program.stdout)
    assert found is not None, program.stdout
    off = float(found.group(1)) / 1000.0 - statistics.median(by_frames)
    assert -PERIOD_SECONDS - 0.001 <= off <= MOST_SEND_SECONDS, (program.stdout, by_frames)
    stored = load_latencies(tmp_path / "kelly-live" / "latencies.yaml")
    assert len(stored) == 1
    assert 0.0 < stored.popitem()[1] <= float(found.group(1)) / 1000.0 + 1e-4


@pytest.mark.timeout(60)
def test_a_synth_that_is_not_heard_is_one_line(synth: str) -> None:
    """Clicks on a key that the drum kit does not have make no sound."""
    program = subprocess.run(
        [sys.executable, "-m", "kelly_live", "latency", "--midi-out", synth, "--audio-in", synth, "--note", "127",
         "--clicks", "3"],
        capture_output=True, text=True, timeout=50.0, check=False, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert program.returncode == 1
    (line,) = program.stderr.splitlines()
    assert "stays silent while clicks play into" in line
