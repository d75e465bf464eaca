"""Capture from a real sound server.

Capture from a real sound server: what an independent JACK client plays is what we hear, and a server that dies is an
error in bounded time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.level import rms_dbfs
from tests.audio.tones import frequency_of
from tests.live.conftest import JackServer, end, start_jackd

RATE = 16_000
SECONDS = 3.0
PERFORMANCES = 3  # on a starved machine the player itself may stumble; one clean performance shows that we don't


def python(*arguments: str, server: JackServer, **streams: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "JACK_DEFAULT_SERVER": server.name, "JACK_NO_START_SERVER": "1"}
    return subprocess.Popen([sys.executable, *arguments], env=environment, text=True, **streams)


@pytest.fixture
def tone_player(jack_server: JackServer) -> Iterator[str]:
    """The name of a JACK client that plays 440 Hz at -9 dBFS."""
    pytest.importorskip("jack", exc_type=(ImportError, OSError))
    name = f"kelly-tone-{os.getpid()}"
    process = python(
        "-m",
        "tests.live.tone_player",
        name,
        "440",
        "0.5",
        server=jack_server,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n"
        yield name
        process.communicate(timeout=10.0)
    finally:
        end(process)


def capture_sound(device: str, server: JackServer, out: Path) -> np.lib.npyio.NpzFile:
    process = python("-m", "tests.live.capture", device, str(SECONDS), str(out), server=server, stderr=subprocess.PIPE)
    try:
        _, error = process.communicate(timeout=60.0)
    finally:
        end(process)
    assert process.returncode == 0, error
    return np.load(out)


def stray_dbfs(samples: np.ndarray, hz: float) -> float:
    """Measure what is left without the best-fitting sine of `hz`.

    What is left when the best-fitting sine of `hz` is taken away: one lost or doubled sample leaves a phase jump, and
    much more than -50 dB.
    """
    phase = 2.0 * np.pi * hz * np.arange(len(samples)) / RATE
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, samples, rcond=None)
    return rms_dbfs(samples - basis @ fit)


def test_one_lost_sample_is_detected() -> None:
    tone = 0.5 * np.sin(2.0 * np.pi * 440.0 * np.arange(3 * RATE) / RATE)
    assert stray_dbfs(tone, 440.0) < -100.0
    assert stray_dbfs(np.delete(tone, RATE), 440.0) > -40.0


def test_the_server_and_its_clients_are_listed(jack_server: JackServer, tone_player: str) -> None:
    code = (
        "from kelly_live.audio.devices import list_inputs, resolve_input\n"
        "for d in list_inputs(): print(d.name, d.host_api, d.channels, d.default_rate, d.is_default, sep='|')\n"
        f"print(resolve_input(None).name, resolve_input({tone_player!r}).name, sep='|')"
    )
    process = python("-c", code, server=jack_server, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=60.0)
    *device_lines, choice_line = output.splitlines()
    assert "system|JACK Audio Connection Kit|2|48000|True" in device_lines
    assert f"{tone_player}|JACK Audio Connection Kit|1|48000|False" in device_lines
    assert choice_line == f"system|{tone_player}"
    assert error == "", "PortAudio's chatter must not reach the user"


def test_what_is_played_is_what_is_heard(jack_server: JackServer, tone_player: str, tmp_path: Path) -> None:
    strays = []
    for performance in range(PERFORMANCES):
        capture = capture_sound(tone_player, jack_server, tmp_path / f"{performance}.npz")
        samples = capture["samples"][RATE // 5 :]  # the connection is made while the first sound already flows
        assert capture["dropped_seconds"] == 0.0
        assert (np.diff(capture["ends"]) >= 0.0).all()
        strays.append(stray_dbfs(samples, 440.0))
        if strays[-1] < -60.0:
            break
    else:
        pytest.fail(f"no performance of {PERFORMANCES} came through without a gap: stray {strays} dBFS")
    assert frequency_of(samples, RATE) == pytest.approx(440.0, abs=0.5)
    assert rms_dbfs(samples) == pytest.approx(-9.03, abs=0.1)
    assert capture["level_dbfs"] == pytest.approx(-9.03, abs=1.0)
    # The stamps span at least what was delivered between them; more where a starved server lags behind real time
    # (how exact they are is shown with a manual clock, in tests/audio).
    assert capture["ends"][-1] - capture["ends"][0] > capture["lengths"][1:].sum() / RATE - 0.1


def test_a_server_that_is_killed_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    server = start_jackd(f"kelly-doomed-{os.getpid()}", waits_for_clients=False)
    process = python(
        "-m", "tests.live.capture", "system", "600", str(tmp_path / "never.npz"),
        server=server, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "capturing\n"
        server.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        _, error = process.communicate(timeout=30.0)
        took = time.monotonic() - killed
    finally:
        end(process)
        end(server.process)
        # JACK has 8 places for servers on a machine, and a killed one keeps its own until its namesake leaves in order.
        end(start_jackd(server.name).process)
        for semaphore in Path("/dev/shm").glob(f"jack_sem*{server.name}*"):
            semaphore.unlink(missing_ok=True)
    assert process.returncode == 1, error
    error_lines = [line for line in error.splitlines() if line.startswith("kelly-live: ")]
    assert len(error_lines) == 1
    assert "stopped delivering" in error_lines[0]
    assert "Traceback" not in error
    assert "Assertion" not in error
    assert took < 15.0, f"{took:.1f} s from the kill to the end of the process"
    assert not (tmp_path / "never.npz").exists()
