"""The beat of a player's own notes: given these onsets, these beats; and no beat where there is none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from kelly_live.core.midi_messages import ReceivedMessage, note_on
from kelly_live.core.sync_state import BeatEstimate
from kelly_live.core.values import AudioWindow
from kelly_live.sync.note_tracker import NoteTracker
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_tracker import PlayerTracker

BLOCK_SECONDS = 0.05
SILENCE = np.zeros(round(BLOCK_SECONDS * SAMPLE_RATE), np.float32)
CHORD = (60, 64, 67)


def list_beats(bpm_at: Callable[[float], float], seconds: float, first: float = 0.5) -> list[float]:
    beats = [first]
    while beats[-1] < seconds:
        beats.append(beats[-1] + 60.0 / bpm_at(beats[-1]))
    return beats


def play_pop(beats: Sequence[float], deviation: float = 0.008) -> list[ReceivedMessage]:
    """A bass on each beat, a chord on every other, a melody in eighths, as uneven as a good player."""
    rng = np.random.default_rng(1)
    notes = []
    for number, (beat, after) in enumerate(itertools.pairwise(beats)):
        half = 0.5 * (beat + after)
        notes += [(beat, 36, 90), (beat, 72 + number % 5, 100), (half, 74, 70)]
        notes += [(beat, pitch, 80) for pitch in CHORD] if number % 2 == 0 else []
    return sort_notes([ReceivedMessage(at + float(rng.normal(0.0, deviation)), note_on(1, *key)) for at, *key in notes])


def sort_notes(notes: list[ReceivedMessage]) -> list[ReceivedMessage]:
    return sorted(notes, key=lambda message: message.seconds)


def track(
    notes: Sequence[ReceivedMessage], seconds: float, tracker: NoteTracker | PlayerTracker | None = None
) -> list[tuple[float, BeatEstimate | None]]:
    """Return what is estimated after each block."""
    tracker = tracker or NoteTracker()
    estimates, next_note = [], 0
    for block in range(1, round(seconds / BLOCK_SECONDS) + 1):
        now = block * BLOCK_SECONDS
        due = []
        while next_note < len(notes) and notes[next_note].seconds < now:
            due.append(notes[next_note])
            next_note += 1
        tracker.push(AudioWindow(SILENCE, SAMPLE_RATE, now, tuple(due)))
        estimates.append((now, tracker.estimate(now).beat))
    return estimates


def predict_next(beat: BeatEstimate, now: float) -> float:
    period = 60.0 / beat.bpm
    return beat.beat_seconds + period * math.ceil((now - beat.beat_seconds) / period)


def measure_share(estimates: list[tuple[float, BeatEstimate | None]], beats: Sequence[float], start: float) -> float:
    """Return the share of moments from `start` on at which a sure beat is predicted within 50 ms of one or a half."""
    places = np.sort(np.concatenate([beats, 0.5 * (np.array(beats[1:]) + np.array(beats[:-1]))]))
    rights = [
        beat is not None and beat.confidence >= 0.5 and float(np.min(np.abs(places - predict_next(beat, now)))) < 0.05
        for now, beat in estimates
        if now >= start
    ]
    return float(np.mean(rights))


@pytest.mark.parametrize("bpm", [66.0, 96.0, 132.0])
def test_a_steady_beat_is_known_within_two_seconds(bpm: float) -> None:
    beats = list_beats(lambda now: bpm, 20.0)
    estimates = track(play_pop(beats), 20.0)
    assert measure_share(estimates, beats, start=beats[0] + 2.0) >= 0.9
    last = estimates[-1][1]
    assert last is not None
    assert min(abs(last.bpm * ratio / bpm - 1.0) for ratio in (0.5, 1.0, 2.0)) < 0.02


@pytest.mark.parametrize(("first_bpm", "last_bpm"), [(56.0, 81.0), (100.0, 140.0), (120.0, 72.0)])
def test_the_beat_is_known_through_a_ramp(first_bpm: float, last_bpm: float) -> None:
    length = 16 * 60.0 / math.sqrt(first_bpm * last_bpm)
    beats = list_beats(
        lambda now: first_bpm * (last_bpm / first_bpm) ** min(max((now - 10.0) / length, 0.0), 1.0), 40.0
    )
    assert measure_share(track(play_pop(beats), 40.0), beats, start=5.0) >= 0.9


def test_a_breath_of_a_beat_and_a_half_is_followed_within_four_beats() -> None:
    before = list_beats(lambda now: 100.0, 12.0)
    after = list_beats(lambda now: 100.0, 26.0, first=before[-1] + 0.9)
    estimates = track(play_pop(before) + play_pop(after), 26.0)
    assert measure_share(estimates, after, start=after[4]) >= 0.9


def test_without_notes_for_four_seconds_there_is_no_beat() -> None:
    beats = list_beats(lambda now: 100.0, 10.0)
    estimates = dict(track(play_pop(beats), 20.0))
    times = sorted(estimates)
    assert estimates[times[-1]] is None
    assert all(estimates[time] is not None for time in times if 1.0 < time < 10.0)


@pytest.mark.parametrize("rate", [1.0, 8.0, 60.0])
def test_random_notes_are_no_beat(rate: float) -> None:
    rng = np.random.default_rng(7)
    onsets = np.sort(rng.uniform(0.0, 20.0, round(20.0 * rate)))
    notes = [ReceivedMessage(float(at), note_on(1, int(rng.integers(40, 90)), 80)) for at in onsets]
    sure = [beat is not None and beat.confidence >= 0.5 for _, beat in track(notes, 20.0)]
    assert np.mean(sure) < 0.1


def test_sixty_even_notes_a_second_are_no_beat() -> None:
    notes = [ReceivedMessage(number / 60.0, note_on(1, 60 + number % 12, 80)) for number in range(60 * 15)]
    sure = [beat is not None and beat.confidence >= 0.5 for _, beat in track(notes, 15.0)]
    assert np.mean(sure) < 0.1


def test_rubato_speech_rhythm_is_not_chased() -> None:
    rng = np.random.default_rng(3)
    onsets = np.cumsum(rng.lognormal(math.log(0.28), 0.5, 80))  # syllables
    notes = [ReceivedMessage(float(at), note_on(1, 64, int(rng.integers(50, 110)))) for at in onsets]
    sure = [beat is not None and beat.confidence >= 0.5 for _, beat in track(notes, 20.0)]
    assert np.mean(sure) < 0.15


def test_a_loop_in_seven_eight_keeps_one_pulse() -> None:
    eighth = 0.25
    notes = []
    for bar in range(12):
        start = 0.5 + bar * 7 * eighth
        accents = {0: 100, 2: 85, 4: 85}
        notes += [ReceivedMessage(start + place * eighth, note_on(1, 72, accents.get(place, 55))) for place in range(7)]
        notes += [ReceivedMessage(start + place * eighth, note_on(1, 40, 100)) for place in accents]
    estimates = track(sort_notes(notes), 20.0)
    tempi = {round(math.log2(beat.bpm), 1) for now, beat in estimates if now > 8.0 and beat and beat.confidence >= 0.5}
    assert len(tempi) <= 2


def test_the_same_notes_give_the_same_beats_after_a_gap_in_the_input_too() -> None:
    beats = list_beats(lambda now: 90.0, 8.0)
    assert track(play_pop(beats), 8.0) == track(play_pop(beats), 8.0)
    tracker = NoteTracker()
    track(play_pop(beats), 8.0, tracker)
    tracker.push(AudioWindow(SILENCE, SAMPLE_RATE, 20.0, ()))  # the machine was suspended
    assert tracker.estimate(20.0).beat is None


def test_the_notes_beat_comes_before_that_of_the_sound() -> None:
    beats = list_beats(lambda now: 96.0, 6.0)
    tracker = PlayerTracker(("tempo",))
    with_silent_sound = track(play_pop(beats), 6.0, tracker)
    assert with_silent_sound == track(play_pop(beats), 6.0)
