"""How loud a player plays, given sounds and keys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kelly_live.core.midi_messages import ReceivedMessage, note_on
from kelly_live.core.values import AudioWindow
from kelly_live.sync.loudness import LoudnessFilter

RATE, BLOCK = 8000, 400
NOTHING: list[tuple[float, int]] = []


def noise(seconds: float, dbfs: float) -> np.ndarray:
    """White noise of an RMS level."""
    samples = np.random.default_rng(1).standard_normal(round(seconds * RATE))
    return (samples * 10.0 ** (dbfs / 20.0)).astype(np.float32)


def listen(sound: np.ndarray, notes: list[tuple[float, int]] = NOTHING) -> list[float | None]:
    """Return the loudness after each 50 ms of a sound with notes (seconds and velocity)."""
    loudness, heard = LoudnessFilter(), list[float | None]()
    for start in range(0, len(sound) - BLOCK + 1, BLOCK):
        first, end = start / RATE, (start + BLOCK) / RATE
        messages = tuple(ReceivedMessage(at, note_on(1, 60, velocity)) for at, velocity in notes if first <= at < end)
        loudness.push(AudioWindow(sound[start : start + BLOCK], RATE, end, messages))
        heard.append(loudness.estimate())
    return heard


def at(heard: list[float | None], seconds: float) -> float | None:
    return heard[round(seconds * 20) - 1]


@pytest.mark.parametrize("dbfs", [-40.0, -12.0])
def test_steady_playing_is_neither_loud_nor_soft_at_any_gain(dbfs: float) -> None:
    known = [one for one in listen(noise(20.0, dbfs)) if one is not None]
    assert len(known) > 300
    assert max(abs(one) for one in known) < 0.15


def test_louder_playing_is_loud_and_softer_playing_is_soft_within_two_seconds() -> None:
    heard = listen(np.concatenate([noise(6.0, -24.0), noise(4.0, -12.0), noise(8.0, -36.0)]))
    louder, softer = at(heard, 8.0), at(heard, 14.0)
    assert louder is not None
    assert softer is not None
    assert louder > 0.5
    assert softer < -0.8


def test_it_moves_in_no_jump() -> None:
    heard = [one for one in listen(np.concatenate([noise(6.0, -30.0), noise(6.0, -6.0)])) if one is not None]
    assert max(abs(b - a) for a, b in pairwise(heard)) < 0.2


def test_silence_and_noise_of_a_pause_have_no_loudness() -> None:
    assert set(listen(noise(10.0, -90.0))) == {None}
    assert listen(np.concatenate([noise(6.0, -20.0), noise(3.0, -90.0)]))[-1] is None


def test_a_chord_that_dies_away_is_not_soft_at_once() -> None:
    dying = noise(4.0, -12.0) * 10.0 ** (-np.arange(4 * RATE) / RATE)  # 20 dB a second
    one_second_on = at(listen(np.concatenate([noise(6.0, -12.0), dying])), 6.8)
    assert one_second_on is not None
    assert one_second_on > -0.4


def test_velocities_win_over_the_sound() -> None:
    soft = [(0.25 * number, 50) for number in range(40)]
    loud = [(10.0 + 0.25 * number, 110) for number in range(16)]
    after = at(listen(noise(14.0, -20.0), soft + loud), 12.0)
    assert after is not None
    assert after > 0.5
    sound_again = at(listen(np.concatenate([noise(24.0, -20.0)]), soft), 24.0)
    assert sound_again == pytest.approx(0.0, abs=0.15)


def test_a_flood_of_notes_and_broken_sound_stay_in_bounds() -> None:
    notes = [(number / 60.0, 1 + number % 127) for number in range(60 * 12)]
    sound = noise(12.0, -20.0)
    sound[RATE * 6] = np.nan
    assert all(one is None or -1.0 <= one <= 1.0 for one in listen(sound, notes))
