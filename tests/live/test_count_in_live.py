"""A count-in on a real server: four strokes, and the band's first downbeat is the fifth beat.

What is stated is README's and docs/playing.md's: it enters on the next downbeat, at that tempo.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.live.conftest import SAMPLE_RATE, JackMonitor, JackServer
from tests.live.scripted_player import Band, ScriptedPlayer, band, keyboard, sound_player

BPM = 96.0
BEAT = 60.0 / BPM
LEAD_SECONDS = 1.0  # of hiss before the first click
LISTENED_BEATS = 8
ENTERS_WITHIN_SECONDS = 0.05
ON_BEAT_SECONDS = 0.05
_SLOWEST_PACE = 0.985
OPTIONS = ("--count-in", "--emotion", "happy", "--freeze", "--seed", "3")


def assert_enters_on_the_fifth_beat(running: Band, player: ScriptedPlayer, question: str, lead: float) -> None:
    running.wait_for_line("listening to")
    running.monitor.now()
    assert not running.onsets()
    running.start_pace()
    first = player.ask(question) + lead
    downbeat = first + 4 * BEAT
    running.listen_until(downbeat + LISTENED_BEATS * BEAT, _SLOWEST_PACE)
    onsets = [seconds for seconds, _, _ in running.onsets()]
    halves = [((seconds - downbeat) / BEAT * 2.0 + 0.5) % 1.0 - 0.5 for seconds in onsets]
    off = [half * BEAT / 2.0 for half in halves]
    entry, middle = (onsets[0] - downbeat) * 1e3, statistics.median(off) * 1e3
    print(f"it enters {entry:+.0f} ms from the downbeat; its notes lie {middle:+.0f} ms from the half beats (median)")
    assert onsets[0] == pytest.approx(downbeat, abs=ENTERS_WITHIN_SECONDS)
    assert abs(statistics.median(off)) < ON_BEAT_SECONDS
    assert sum(abs(seconds) < ON_BEAT_SECONDS for seconds in off) / len(off) >= 0.8
    running.wait_for_line("counted in: 9")


@pytest.mark.timeout(180)
def test_four_pads_count_the_band_in(jack_server: JackServer, monitor: JackMonitor) -> None:
    with keyboard("count-pads", BPM, "count") as player, band(monitor, "--play-in", "count-pads", *OPTIONS) as running:
        assert_enters_on_the_fifth_beat(running, player, "play", 0.0)


@pytest.mark.timeout(180)
def test_four_clicks_of_the_sticks_count_the_band_in(
    jack_server: JackServer, monitor: JackMonitor, tmp_path: Path
) -> None:
    path = tmp_path / "clicks.wav"
    soundfile.write(path, make_clicks(), SAMPLE_RATE)
    with (
        sound_player("count-sticks", path) as player,
        band(monitor, "--audio-in", "count-sticks", *OPTIONS) as running,
    ):
        assert_enters_on_the_fifth_beat(running, player, "sound", LEAD_SECONDS)


def make_clicks() -> np.ndarray:
    """Make a room's hiss, in which sticks strike four times; then a minute of the room."""
    rng = np.random.default_rng(1)
    sound = 1e-4 * rng.standard_normal(60 * SAMPLE_RATE)
    length = SAMPLE_RATE // 20
    click = 0.3 * rng.standard_normal(length) * np.exp(-np.arange(length) / (0.0075 * SAMPLE_RATE))
    for beat in range(4):
        start = round((LEAD_SECONDS + beat * BEAT) * SAMPLE_RATE)
        sound[start : start + length] += click
    return sound.astype(np.float32)
