"""The key of a player's own notes: soon, and theirs rather than what else sounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.values import MAJOR_MODES, AudioWindow
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_tracker import PlayerTracker
from tests.sync.synthetic_music import song

BLOCK_SECONDS = 0.05
CADENCE = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))  # I IV V I, a second each


def play(tonic: int, sound: np.ndarray, *, channel: int = 0) -> list[tuple[float, tuple[int, bool] | None]]:
    """Play the cadence over and over beside a sound, as long as that lasts; return tonic and third at each time."""
    tracker, heard = PlayerTracker(("key",)), list[tuple[float, tuple[int, bool] | None]]()
    size = round(BLOCK_SECONDS * SAMPLE_RATE)
    for start in range(0, len(sound) - size + 1, size):
        now = (start + size) / SAMPLE_RATE
        second = start / SAMPLE_RATE
        notes = _press(second, [48 + tonic + tone for tone in CADENCE[int(second) % 4]], channel)
        tracker.push(AudioWindow(sound[start : start + size], SAMPLE_RATE, now, tuple(notes)))
        key = tracker.estimate(now).key
        heard.append((now, None if key is None else (key.tonic, key.mode in MAJOR_MODES)))
    return heard


def _press(second: float, pitches: Sequence[int], channel: int) -> list[ReceivedMessage]:
    if abs(second - round(second)) < 1e-6:
        return [ReceivedMessage(second, bytes((0x90 | channel, pitch, 80))) for pitch in pitches]
    if abs(second % 1.0 - 0.9) < 1e-6:
        return [ReceivedMessage(second, bytes((0x80 | channel, pitch, 0))) for pitch in pitches]
    return []


@pytest.mark.parametrize("tonic", [3, 6, 9])
def test_the_key_of_a_cadence_is_known_in_four_seconds(tonic: int) -> None:
    heard = play(tonic, np.zeros(6 * SAMPLE_RATE, np.float32))
    assert {key for now, key in heard if now >= 4.0} == {(tonic, True)}


def test_while_notes_are_played_the_sound_beside_them_has_no_key() -> None:
    other = song(90.0, 2, seconds=8.0)
    assert play(8, other)[-1][1] == (8, True)


def test_drums_on_channel_10_are_no_notes() -> None:
    assert play(8, np.zeros(4 * SAMPLE_RATE, np.float32), channel=9)[-1][1] is None
