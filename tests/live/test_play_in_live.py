"""A keyboard player on a real MIDI server: the band joins the tempo, the key and the chords."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.live.conftest import JackMonitor, JackServer, end, wait_for
from tests.live.keyboard_player import BEATS_PER_CHORD, CHORDS

BPM = 100.0
START_UP_SECONDS = 60.0
_SLOWEST_PACE = 0.97
JOIN_SECONDS, LISTEN_SECONDS = 20.0, 10.0


@pytest.mark.timeout(240)
def test_the_band_joins_a_keyboard_player(jack_server: JackServer, monitor: JackMonitor) -> None:
    pytest.importorskip("jack")
    keys = subprocess.Popen(
        [sys.executable, "-m", "tests.live.keyboard_player", "stage-keys", str(BPM), "loop"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert keys.stdin is not None
    assert keys.stdout is not None
    assert keys.stdout.readline() == "ready\n"
    program = subprocess.Popen(
        [sys.executable, "-m", "kelly_live", "--play-in", "stage-keys", "--follow", "all", "--seed", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        monitor.listen_to("Kelly Live")
        wait_for(lambda: monitor.of_kind(0x90), "a first note", START_UP_SECONDS)
        keys.stdin.write("play\n")
        first = float(keys.stdout.readline())
        beat = 60.0 / BPM
        began = time.monotonic()
        wait_for(lambda: monitor.now() > first + JOIN_SECONDS + LISTEN_SECONDS, "the band's turn", 120.0)
        pace = (JOIN_SECONDS + LISTEN_SECONDS) / (time.monotonic() - began)
        if pace < _SLOWEST_PACE:  # the player's beats, which are frames of the server, did not come in time
            pytest.skip(f"the sound server kept {pace:.0%} of real time: this machine is too busy to play on")
        onsets = [
            (seconds, data[1])
            for seconds, data in monitor.of_kind(0x90)
            if data[2] > 0 and data[0] != 0x99 and seconds > first + JOIN_SECONDS
        ]
        assert len(onsets) > 20
        in_key = [pitch % 12 in {0, 2, 4, 5, 7, 9, 11} for _, pitch in onsets]
        in_chord = [
            pitch % 12 in {key % 12 for key in CHORDS[int((seconds + 0.05 - first) / beat / BEATS_PER_CHORD) % 4]}
            for seconds, pitch in onsets
        ]
        halves = [((seconds - first) / (beat / 2.0) + 0.5) % 1.0 - 0.5 for seconds, _ in onsets]
        on_beat = [abs(off) * beat / 2.0 < 0.07 for off in halves]
        # What is heard: a band in the player's key, mostly in his chords (passing notes are none), on his half beats.
        assert sum(in_key) / len(onsets) >= 0.9
        assert sum(in_chord) / len(onsets) >= 0.6
        assert sum(on_beat) / len(onsets) >= 0.6
    finally:
        end(program)
        keys.stdin.close()
        end(keys)
