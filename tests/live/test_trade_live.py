"""A keyboard player who trades fours with the band, on a real MIDI server."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.live.conftest import JackMonitor, JackServer, end, wait_for
from tests.live.keyboard_player import TURN_BEATS

BPM = 160.0
BEAT = 60.0 / BPM
START_UP_SECONDS = 60.0
MELODY_CHANNEL = 3
WAITS_TURNS = 2  # of the band's start, before he begins
TURNS = 2
_SLOWEST_PACE = 0.985  # else his beats leave the band's


@pytest.mark.timeout(240)
def test_fours_are_traded_with_a_keyboard_player(jack_server: JackServer, monitor: JackMonitor) -> None:
    pytest.importorskip("jack")
    keys = subprocess.Popen(
        [sys.executable, "-m", "tests.live.keyboard_player", "fours-keys", str(BPM), "fours"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert keys.stdin is not None
    assert keys.stdout is not None
    assert keys.stdout.readline() == "ready\n"
    program = subprocess.Popen(
        [sys.executable, "-m", "kelly_live", "--play-in", "fours-keys", "--role", "trade", "--tempo", f"{BPM:g}",
         "--key", "C", "--emotion", "happy", "--freeze", "--when-silent", "play", "--seed", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        monitor.listen_to("Kelly Live")
        wait_for(lambda: monitor.of_kind(0x90), "a first note", START_UP_SECONDS)
        # He counts the band's bars from its first note. Until he has played, every turn is his.
        origin = monitor.of_kind(0x90)[0][0]
        first = origin + WAITS_TURNS * TURN_BEATS * BEAT
        keys.stdin.write(f"play {first}\n")
        assert float(keys.stdout.readline()) == pytest.approx(first, abs=0.01)
        seconds, began = TURNS * TURN_BEATS * BEAT, time.monotonic()
        waited = first - monitor.now()
        wait_for(lambda: monitor.now() > first + seconds, "four turns", 150.0)
        pace = (seconds + waited) / (time.monotonic() - began)
        if pace < _SLOWEST_PACE:  # the player's beats, which are frames of the server, did not come in time
            pytest.skip(f"the sound server kept {pace:.0%} of real time: this machine is too busy to play on")
        melody = [
            (seconds - first) / BEAT
            for seconds, data in monitor.of_kind(0x90)
            if data[0] == 0x90 + MELODY_CHANNEL - 1 and data[2] > 0 and seconds > first - 0.5 * BEAT
        ]

        def in_turn(number: int) -> list[float]:
            start = number * TURN_BEATS
            return [beat - start for beat in melody if start + 1.0 <= beat < start + TURN_BEATS - 1.0]

        assert not in_turn(0)  # his
        assert len(in_turn(1)) >= 8  # the band's
    finally:
        end(program)
        keys.stdin.close()
        end(keys)
