"""A keyboard player on a real MIDI server: the band joins the tempo, the key and the chords."""

from __future__ import annotations

import pytest

from tests.live.conftest import JackMonitor, JackServer
from tests.live.keyboard_player import BEATS_PER_CHORD, CHORDS
from tests.live.scripted_player import band, keyboard

BPM = 100.0
BEAT = 60.0 / BPM
DRUMS = 10
_SLOWEST_PACE = 0.97
JOIN_SECONDS, LISTEN_SECONDS = 20.0, 10.0


@pytest.mark.timeout(240)
def test_the_band_joins_a_keyboard_player(jack_server: JackServer, monitor: JackMonitor) -> None:
    pytest.importorskip("jack")
    options = ("--play-in", "stage-keys", "--follow", "all", "--seed", "3")
    with keyboard("stage-keys", BPM, "loop") as player, band(monitor, *options) as running:
        running.wait_for_first_note()
        first = player.ask("play")
        running.start_pace()
        running.listen_until(first + JOIN_SECONDS + LISTEN_SECONDS, _SLOWEST_PACE)
        onsets = [
            (seconds, pitch) for seconds, channel, pitch in running.onsets(first + JOIN_SECONDS) if channel != DRUMS
        ]
    assert len(onsets) > 20
    in_key = [pitch % 12 in {0, 2, 4, 5, 7, 9, 11} for _, pitch in onsets]
    in_chord = [
        pitch % 12 in {key % 12 for key in CHORDS[int((seconds + 0.05 - first) / BEAT / BEATS_PER_CHORD) % 4]}
        for seconds, pitch in onsets
    ]
    halves = [((seconds - first) / (BEAT / 2.0) + 0.5) % 1.0 - 0.5 for seconds, _ in onsets]
    on_beat = [abs(off) * BEAT / 2.0 < 0.07 for off in halves]
    # What is heard: a band in the player's key, mostly in his chords (passing notes are none), on his half beats.
    assert sum(in_key) / len(onsets) >= 0.9
    assert sum(in_chord) / len(onsets) >= 0.6
    assert sum(on_beat) / len(onsets) >= 0.6
