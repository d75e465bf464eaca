"""Chords that are heard in the audio: the right ones, after a change soon, and in a loop before it."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.core.sync_state import ChordChange
from kelly_live.core.values import AudioWindow
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.chord_features import HOP_SECONDS
from kelly_live.sync.chord_loop import LoopMemory
from kelly_live.sync.chord_net import CHORDS
from tests.sync.synthetic_music import FIRST_BEAT, MAJOR, MINOR, RATE, song

BLOCK = RATE // 20


def hear(sound: np.ndarray, targets: tuple[str, ...] = ("chords",)) -> list[tuple[float, ChordChange | None]]:
    """Push a sound in blocks of 50 ms; return each time with the chord that was heard then."""
    tracker = AudioTracker(targets)
    heard = []
    for start in range(0, len(sound) - BLOCK + 1, BLOCK):
        now = 5.0 + (start + BLOCK) / RATE
        tracker.push(AudioWindow(sound[start : start + BLOCK], RATE, now))
        estimate = tracker.estimate(now).chord
        heard.append((now - 5.0, None if estimate is None else estimate.chord))
    return heard


def find_chord(seconds: float, bpm: float, tonic: int, *, major: bool) -> tuple[int, str]:
    """Return the root and quality that the synthetic song has at a time."""
    chord = (MAJOR if major else MINOR)[int((seconds - FIRST_BEAT) * bpm / 60.0) // 2 % 4]
    return (tonic + chord[0]) % 12, "major" if chord[1] - chord[0] == 4 else "minor"


@pytest.mark.parametrize(("bpm", "tonic", "major"), [(90.0, 2, True), (72.0, 9, False), (108.0, 6, True)])
def test_triads_with_bass_and_drums_are_heard(bpm: float, tonic: int, major: bool) -> None:
    right = [
        chord is not None and (chord.root, chord.quality) == find_chord(seconds, bpm, tonic, major=major)
        for seconds, chord in hear(song(bpm, tonic, major, seconds=24.0))
        if seconds > 2.0
    ]
    assert np.mean(right) >= 0.75  # the time until a change is heard included


def test_the_time_of_a_chord_is_that_of_its_sound() -> None:
    for seconds, chord in hear(song(90.0, 2)):
        if chord is not None:
            assert 0.0 <= 5.0 + seconds - chord.seconds <= HOP_SECONDS + 1e-6


def test_silence_and_noise_have_no_chord_for_long() -> None:
    assert {chord for _, chord in hear(np.zeros(4 * RATE, np.float32))} == {None}
    music_then_silence = np.concatenate([song(90.0, 2, seconds=6.0), np.zeros(8 * RATE, np.float32)])
    assert hear(music_then_silence)[-1][1] is None


def one_hot(index: int) -> np.ndarray:
    return np.where(np.arange(CHORDS) == index, 0.8, 0.2 / (CHORDS - 1))


def test_a_loop_is_expected_from_its_third_round_on() -> None:
    memory = LoopMemory()
    for hop in range(160):  # C, Am, F, G of one second each, four times
        memory.step(one_hot((0, 21, 5, 7)[hop // 10 % 4]))
        if hop >= 90 and hop % 10 == 6:
            expected = [memory.expect(hops) for hops in (2, 12, 22)]
            following = [(0, 21, 5, 7)[(hop + 2 + hops) // 10 % 4] for hops in (2, 12, 22)]
            assert [int(row.argmax()) for row in expected if row is not None] == following
    assert memory.seconds == pytest.approx(4.0)


def test_what_does_not_repeat_is_not_expected() -> None:
    memory, rng = LoopMemory(), np.random.default_rng(3)
    for _ in range(40):
        chord = one_hot(int(rng.integers(24)))
        for _ in range(8):
            memory.step(chord)
            assert memory.expect(1) is None or memory.seconds is not None
    assert memory.seconds is None
