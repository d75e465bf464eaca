"""A keyboard player who trades fours with the band, on a real MIDI server."""

from __future__ import annotations

import pytest

from tests.live.conftest import JackMonitor, JackServer
from tests.live.keyboard_player import TURN_BEATS
from tests.live.scripted_player import band, keyboard

BPM = 150.0
BEAT = 60.0 / BPM
MELODY_CHANNEL = 3
TURNS = 2
_SLOWEST_PACE = 0.985  # else his beats leave the band's
OPTIONS = ("--play-in", "fours-keys", "--role", "trade", "--tempo", f"{BPM:g}", "--key", "C", "--emotion", "happy",
           "--freeze", "--when-silent", "play", "--seed", "3")  # fmt: skip


@pytest.mark.timeout(240)
def test_fours_are_traded_with_a_keyboard_player(jack_server: JackServer, monitor: JackMonitor) -> None:
    pytest.importorskip("jack")
    with keyboard("fours-keys", BPM, "fours") as player, band(monitor, *OPTIONS) as running:
        # He counts the band's bars from its first note, and begins a turn later: until he has played, each is his.
        origin = running.wait_for_first_note()
        running.start_pace()
        first = origin + TURN_BEATS * BEAT
        assert player.ask(f"play {first}") == pytest.approx(first, abs=0.01)
        running.listen_until(first + TURNS * TURN_BEATS * BEAT, _SLOWEST_PACE)
        melody = [
            (seconds - first) / BEAT
            for seconds, channel, _ in running.onsets(first - 0.5 * BEAT)
            if channel == MELODY_CHANNEL
        ]

    def in_turn(number: int) -> list[float]:
        start = number * TURN_BEATS
        return [beat - start for beat in melody if start + 1.0 <= beat < start + TURN_BEATS - 1.0]

    assert not in_turn(0)  # his
    assert len(in_turn(1)) >= 8  # the band's
