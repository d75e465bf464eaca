"""Chords in bad sound: the band neither chases what is none, nor loses what is there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.music.chord_following import FollowedChords
from kelly_live.music.synchronization import JOIN_CONFIDENCE
from kelly_live.sync.audio_tracker import AudioTracker
from tests.sync.bad_audio import CAPO_CHORDS, make_hum, make_noise, pick_capo_loop, play_drums, retune, speak
from tests.sync.synthetic_music import FIRST_BEAT, RATE, song
from tests.sync.test_chords import find_chord

BLOCK = RATE // 10
BPM = 90.0
TONIC = 2
SECONDS = 16.0

Moment = tuple[float, SyncState, FollowedChords]


def follow(sound: np.ndarray, bpm: float = BPM, targets: tuple[str, ...] = ("key", "chords")) -> list[Moment]:
    """What is heard of a sound each tenth of a second, and which chord the band plays to it."""
    tracker, chords, moments = AudioTracker(targets), FollowedChords(), list[Moment]()
    for start in range(0, len(sound) - BLOCK + 1, BLOCK):
        now = (start + BLOCK) / RATE
        tracker.push(AudioWindow(sound[start : start + BLOCK], RATE, now))
        state = tracker.estimate(now)
        chords = chords.step(now * bpm / 60.0, now, bpm, state.chord)
        moments.append((now, state, chords))
    return moments


def confidence(state: SyncState) -> float:
    return 0.0 if state.chord is None else state.chord.confidence


def count_changes(moments: list[Moment]) -> int:
    return sum(one.name != other.name for (_, _, one), (_, _, other) in pairwise(moments))


def share_right(moments: list[Moment], truth: Callable[[float], tuple[int, str]], skip: float = 3.0) -> float:
    """How much of the time, after the first seconds, the band plays the chord that sounds."""
    return float(np.mean([chords.name == truth(now) for now, _, chords in moments if now > skip]))


def sounding_chord(seconds: float) -> tuple[int, str]:
    return find_chord(seconds, BPM, TONIC, major=True)


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return song(BPM, TONIC, True, SECONDS)


NO_CHORDS = {
    "drums": lambda: play_drums(SECONDS),
    "speech": lambda: speak(SECONDS),
    "white noise": lambda: make_noise(SECONDS, pink=False),
    "pink noise": lambda: make_noise(SECONDS, pink=True),
    "50 Hz": lambda: make_hum(SECONDS, 50.0),
    "60 Hz": lambda: make_hum(SECONDS, 60.0),
    "two keys": lambda: 0.5 * (song(BPM, 0, True, SECONDS) + song(BPM, 6, True, SECONDS)),
}


@pytest.mark.parametrize("kind", NO_CHORDS)
def test_what_has_no_chords_is_not_chased(kind: str) -> None:
    moments = follow(NO_CHORDS[kind]())
    later = [one for one in moments if one[0] > 3.0]
    assert np.mean([confidence(state) for _, state, _ in later]) < JOIN_CONFIDENCE
    assert count_changes(moments) <= 2  # one that it takes at first, and its end
    # The band plays its own chords, or one without a third that fits several.
    assert all(chords.name is None or chords.is_doubtful for now, _, chords in moments if now > 8.0)
    keys = [0.0 if state.key is None else state.key.confidence for _, state, _ in later]
    assert max(keys) < JOIN_CONFIDENCE


@pytest.mark.parametrize("a_hz", [415.3, 430.0, 452.0, 466.2])
def test_in_another_tuning_the_chords_are_those_that_sound(music: np.ndarray, a_hz: float) -> None:
    ratio = a_hz / 440.0
    shift = round(12.0 * np.log2(ratio))  # what lies nearest on a synth that is tuned to 440 Hz

    def truth(seconds: float) -> tuple[int, str]:
        root, quality = sounding_chord(seconds * ratio)
        return (root + shift) % 12, quality

    assert share_right(follow(retune(music, a_hz), BPM * ratio), truth) >= 0.75


DAMAGE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clipped": lambda sound: np.clip(20.0 * sound, -0.5, 0.5),
    "offset": lambda sound: 0.3 * sound + 0.4,
    "50 Hz": lambda sound: 0.5 * sound + 2.0 * make_hum(SECONDS, 50.0)[: len(sound)],
    "60 Hz": lambda sound: 0.5 * sound + 2.0 * make_hum(SECONDS, 60.0)[: len(sound)],
    "noise": lambda sound: 0.5 * sound + 0.3 * make_noise(SECONDS, pink=True)[: len(sound)],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_bad_line_leaves_the_chords_right(music: np.ndarray, damage: str) -> None:
    moments = follow(DAMAGE[damage](music).astype(np.float32))
    heard = [(now, state.chord and state.chord.chord) for now, state, _ in moments if now > 3.0]
    right = [chord is not None and (chord.root, chord.quality) == sounding_chord(now) for now, chord in heard]
    assert np.mean(right) >= 0.8
    assert sum(chords.name is not None and not chords.is_doubtful for _, _, chords in moments) >= 0.75 * len(moments)


def test_a_capo_and_seven_eighths_are_followed_bar_by_bar() -> None:
    sound, bar = pick_capo_loop(24.0, capo=3, bpm=160.0)

    def truth(seconds: float) -> tuple[int, str]:
        root, third, _ = CAPO_CHORDS[int(seconds / bar) % 4]
        return (root + 3) % 12, "major" if third - root == 4 else "minor"

    moments = follow(sound, 80.0)
    assert share_right(moments, truth) >= 0.75
    assert count_changes(moments) <= 2 + 24.0 / bar  # one a bar, and the first


def test_after_five_minutes_of_silence_the_band_joins_again_at_once(music: np.ndarray) -> None:
    rest = np.zeros(300 * RATE, np.float32)
    moments = follow(np.concatenate([music[: 6 * RATE], rest, music[int(FIRST_BEAT * RATE) :]]), targets=("chords",))
    resting = [one for one in moments if 12.0 < one[0] < 306.0]
    assert {state for _, state, _ in resting} == {SyncState()}
    assert all(chords.name is None for now, _, chords in resting if now > 20.0)
    again = [(now - 306.0 + FIRST_BEAT, state, chords) for now, state, chords in moments if now > 306.0]
    assert share_right(again, sounding_chord, skip=1.0) >= 0.75
