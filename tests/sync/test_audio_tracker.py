"""The audio tracker: beat and key of synthetic music, and no confidence where there is neither."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.sync.audio_tracker import ATTACK_DELAY_SECONDS, AudioTracker
from kelly_live.sync.onsets import FRAMES_PER_SECOND, OnsetStrength
from tests.sync.synthetic_music import FIRST_BEAT, RATE, song

BLOCK = RATE // 20


def push_sound(sound: np.ndarray, tracker: AudioTracker, start: float = 0.0) -> float:
    """Push it to the tracker in blocks of 50 ms, from second `start` of its clock; return when it ended."""
    for i in range(0, len(sound) - BLOCK + 1, BLOCK):
        tracker.push(AudioWindow(sound[i : i + BLOCK], RATE, start + (i + BLOCK) / RATE))
    return start + (len(sound) // BLOCK) * BLOCK / RATE


def track(sound: np.ndarray) -> tuple[SyncState, float]:
    tracker = AudioTracker()
    end = push_sound(sound, tracker)
    return tracker.estimate(end), end


def beat_error(state: SyncState, bpm: float, end: float) -> float:
    """Return how far the predicted next beat is from the true one, in seconds."""
    assert state.beat is not None
    period = 60.0 / state.beat.bpm
    predicted_beat = state.beat.beat_seconds + period * math.ceil((end - state.beat.beat_seconds) / period)
    true = 60.0 / bpm
    distance = (predicted_beat - FIRST_BEAT) % true
    return min(distance, true - distance)


@pytest.mark.parametrize("bpm", [72.0, 96.0, 125.0, 150.0])
def test_a_band_s_next_beat_is_predicted_within_25_ms(bpm: float) -> None:
    state, end = track(song(bpm, 0))
    assert state.beat is not None
    assert state.beat.confidence >= 0.5
    assert min(abs(state.beat.bpm * ratio / bpm - 1.0) for ratio in (0.5, 1.0, 2.0)) < 0.04
    assert beat_error(state, bpm if state.beat.bpm < 1.5 * bpm else 2.0 * bpm, end) < 0.025


@pytest.mark.parametrize(("tonic", "major"), [(0, True), (6, True), (9, False), (2, False)])
def test_a_band_s_key_is_estimated(tonic: int, major: bool) -> None:
    key = track(song(110.0, tonic, major))[0].key
    assert key is not None
    assert (key.tonic, key.mode) == (tonic, "ionian" if major else "aeolian")
    assert key.confidence >= 0.5


def test_a_band_that_is_tuned_40_cents_high_is_in_the_same_key() -> None:
    sharp = song(110.0, 3)
    places = np.arange(0.0, len(sharp) - 1, 2.0 ** (40.0 / 1200.0))
    key = track(np.interp(places, np.arange(len(sharp)), sharp).astype(np.float32))[0].key
    assert key is not None
    assert key.tonic == 3


def test_noise_and_silence_give_no_confidence() -> None:
    noise = 0.1 * np.random.default_rng(2).standard_normal(15 * RATE).astype(np.float32)
    for sound in (noise, np.zeros(5 * RATE, np.float32)):
        state, _ = track(sound)
        assert state.beat is None or state.beat.confidence < 0.3
        assert state.key is None or state.key.confidence < 0.3


def test_after_the_player_stops_there_is_no_beat() -> None:
    tracker = AudioTracker()
    end = push_sound(song(96.0, 0), tracker)
    assert (tracker.estimate(end).beat or pytest.fail("no beat")).confidence >= 0.5
    assert tracker.estimate(end + 3.0) == SyncState()  # no sound comes any more
    end = push_sound(np.zeros(15 * RATE, np.float32), tracker, end)
    beat = tracker.estimate(end).beat
    assert beat is None or beat.confidence < 0.5


def test_how_the_sound_is_cut_does_not_matter() -> None:
    sound = song(96.0, 0)[: 6 * RATE]
    one_block, many_blocks = AudioTracker(), AudioTracker()
    one_block.push(AudioWindow(sound, RATE, 6.0))
    rng = np.random.default_rng(3)
    start = 0
    while start < len(sound):
        end = min(len(sound), start + int(rng.integers(1, 3000)))
        many_blocks.push(AudioWindow(sound[start:end], RATE, end / RATE))
        start = end
    one, other = one_block.estimate(6.0), many_blocks.estimate(6.0)
    assert one.beat is not None
    assert other.beat is not None
    assert other.beat.beat_seconds == pytest.approx(one.beat.beat_seconds, abs=1e-6)
    assert other.beat.confidence == pytest.approx(one.beat.confidence, abs=1e-6)
    assert one.key == other.key


def test_sound_that_was_dropped_does_not_move_the_beat() -> None:
    sound = song(96.0, 0)
    tracker = AudioTracker(("tempo",))
    gap = range(160, 168)  # 0.4 s at second 8
    for i in range(len(sound) // BLOCK):
        if i not in gap:
            tracker.push(AudioWindow(sound[i * BLOCK : (i + 1) * BLOCK], RATE, (i + 1) * BLOCK / RATE))
    assert beat_error(tracker.estimate(16.0), 96.0, 16.0) < 0.03


def test_an_attack_shows_when_its_delay_says() -> None:
    sound = song(60.0, 0, drums=False)
    strengths = OnsetStrength().push(sound).sum(axis=1)
    for beat in range(1, 8):
        first = round((FIRST_BEAT + beat - 0.1) * FRAMES_PER_SECOND)
        peak = first + int(np.argmax(strengths[first : first + 25]))
        assert (peak + 1) / FRAMES_PER_SECOND - ATTACK_DELAY_SECONDS == pytest.approx(FIRST_BEAT + beat, abs=0.015)


def test_only_the_chosen_targets_are_estimated() -> None:
    sound = song(96.0, 0)[: 4 * RATE]
    for targets in (("tempo",), ("key",)):
        tracker = AudioTracker(targets)
        push_sound(sound, tracker)
        state = tracker.estimate(4.0)
        assert (state.beat is not None, state.key is not None) == ("tempo" in targets, "key" in targets)


@pytest.mark.parametrize("wrong", [(), ("groove",), ("tempo", "feel")])
def test_an_unknown_target_is_refused(wrong: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="cannot follow"):
        AudioTracker(wrong)


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="resample"):
        AudioTracker().push(AudioWindow(np.zeros(100, np.float32), 44_100, 0.1))
