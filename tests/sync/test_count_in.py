"""A count-in: given these onsets, the band enters on the next downbeat at that tempo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kelly_live.core.midi_messages import ReceivedMessage, note_on
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import AudioWindow
from kelly_live.generators.band import GeneratorBand
from kelly_live.music.conductor import Conductor
from kelly_live.sync.count_in import NOTE_EVENNESS, CountDetector, CountInTracker
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_tracker import PlayerTracker
from tests.music.band import RecordingSink, make_parameters

BLOCK_SECONDS = 0.05
BLOCK = round(BLOCK_SECONDS * SAMPLE_RATE)


def count(onsets: Sequence[float], beats_per_bar: int = 4) -> tuple[float, float] | None:
    detector = CountDetector(NOTE_EVENNESS)
    found = [one for seconds in onsets if (one := detector.add(seconds, beats_per_bar)) is not None]
    return None if not found else (round(found[0].next_beat, 2), round(found[0].bpm))


def make_clicks(onsets: Sequence[float], seconds: float) -> np.ndarray:
    """A stick: a short decaying burst at each onset."""
    rng = np.random.default_rng(1)
    sound = 1e-4 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    burst = rng.standard_normal(800) * np.exp(-np.arange(800) / 120.0)
    for onset in onsets:
        first = round(onset * SAMPLE_RATE)
        sound[first : first + 800] += 0.3 * burst
    return sound.astype(np.float32)


def make_words(onsets: Sequence[float], seconds: float) -> np.ndarray:
    """Spoken numbers: vowels of a quarter second, voiced at 120 Hz, that swell in 40 ms, behind a soft hiss."""
    rng = np.random.default_rng(2)
    sound = 1e-4 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    time = np.arange(round(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
    for number, onset in enumerate(onsets):
        voice = sum(np.sin(2 * np.pi * 120.0 * h * time) / h for h in range(1, 20 + number))
        swell = np.minimum(time / 0.04, 1.0) * np.minimum((0.25 - time) / 0.08, 1.0)
        first = round(onset * SAMPLE_RATE)
        sound[first : first + len(time)] += 0.1 * np.asarray(voice) * swell
    return sound.astype(np.float32)


def listen(
    tracker: CountInTracker, sound: np.ndarray, notes: Sequence[ReceivedMessage] = ()
) -> list[tuple[float, SyncState]]:
    states = []
    for block in range(len(sound) // BLOCK):
        start, now = block * BLOCK_SECONDS, (block + 1) * BLOCK_SECONDS
        due = tuple(message for message in notes if start <= message.seconds < now)
        tracker.push(AudioWindow(sound[block * BLOCK : (block + 1) * BLOCK], SAMPLE_RATE, now, due))
        states.append((now, tracker.estimate(now)))
    return states


def play_four(first: float, period: float) -> list[ReceivedMessage]:
    return [ReceivedMessage(first + beat * period, note_on(10, 37, 90)) for beat in range(4)]


@pytest.mark.parametrize(
    ("onsets", "beats_per_bar", "counted"),
    [
        ([1.0, 1.5, 2.0, 2.5], 4, (3.0, 120)),
        ([1.0, 1.51, 1.99, 2.51], 4, (3.0, 120)),  # a person's hand
        ([1.0, 2.0, 3.0], 3, (4.0, 60)),  # a waltz
        ([1.0, 1.5, 2.0, 2.5], 2, (3.0, 120)),  # a bar of two is counted twice
        ([0.2, 0.9, 1.5, 2.0, 2.5, 3.0], 4, (3.5, 120)),  # the knock of a chair before it
        ([1.0, 1.01, 1.5, 2.0, 2.02, 2.5], 4, (3.0, 120)),  # chords
        ([1.0, 1.5, 2.0], 4, None),
        ([1.0, 1.4, 2.0, 2.5], 4, None),  # uneven
        ([1.0, 3.0, 5.0, 7.0], 4, None),  # too slow for a beat
        ([1.0, 1.2, 1.4, 1.6], 4, None),  # too fast
    ],
)
def test_even_onsets_are_a_count(onsets: list[float], beats_per_bar: int, counted: tuple[float, float] | None) -> None:
    assert count(onsets, beats_per_bar) == counted


@pytest.mark.parametrize("bpm", [72.0, 120.0, 168.0])
def test_a_stick_is_counted_to_within_15_ms(bpm: float) -> None:
    period = 60.0 / bpm
    onsets = [0.8 + beat * period for beat in range(4)]
    end = onsets[-1] + 0.9 * period
    state = listen(CountInTracker(None, lambda: 4), make_clicks(onsets, end))[-1][1]
    assert state.transport is not None
    assert state.transport.playing
    assert state.start is not None
    assert state.beat is not None
    assert state.start.seconds == pytest.approx(0.8 + 4 * period, abs=0.015)
    assert state.beat.bpm == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("bpm", [80.0, 110.0])
def test_four_spoken_numbers_are_counted_to_within_40_ms(bpm: float) -> None:
    period = 60.0 / bpm
    onsets = [0.8 + beat * period for beat in range(4)]
    state = listen(CountInTracker(None, lambda: 4), make_words(onsets, onsets[-1] + 0.9 * period))[-1][1]
    assert state.start is not None
    assert state.start.seconds == pytest.approx(0.8 + 4 * period, abs=0.04)


def test_until_the_count_nothing_plays_and_noise_is_no_count() -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal(10 * SAMPLE_RATE).astype(np.float32)
    states = listen(CountInTracker(PlayerTracker(("tempo",)), lambda: 4), noise)
    assert all(state.transport is not None and not state.transport.playing for _, state in states)
    assert all(state.beat is None for _, state in states)


def test_a_flood_of_notes_is_no_count() -> None:
    rng = np.random.default_rng(5)
    notes = [ReceivedMessage(float(at), note_on(1, 60, 80)) for at in np.sort(rng.uniform(0.0, 5.0, 300))]
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    states = listen(CountInTracker(None, lambda: 4), silence, notes)
    assert all(state.transport is not None and not state.transport.playing for _, state in states)


def test_the_band_enters_on_the_downbeat_and_stays_in_time() -> None:
    tracker = CountInTracker(None, lambda: 4)
    conductor, clock = Conductor(RecordingSink(), GeneratorBand([]), seed=1), ManualClock()
    parameters = make_parameters(bpm=100.0)
    conductor.start(0.0, parameters)
    silence = np.zeros(BLOCK, np.float32)
    notes = play_four(1.013, 60.0 / 87.0)
    beats = []
    while clock.now() < 12.0:
        start = clock.now()
        clock.advance(BLOCK_SECONDS)
        due = tuple(message for message in notes if start <= message.seconds < clock.now())
        tracker.push(AudioWindow(silence, SAMPLE_RATE, clock.now(), due))
        conductor.advance(clock.now(), parameters, tracker.estimate(clock.now()))
        if conductor.status().is_stopped:
            assert clock.now() < notes[-1].seconds + 2 * BLOCK_SECONDS
    beats = [conductor.seconds_at(float(beat)) for beat in range(8)]
    assert beats == pytest.approx([1.013 + (4 + beat) * 60.0 / 87.0 for beat in range(8)], abs=0.03)


def test_the_player_s_own_beat_takes_over_once_it_is_sure() -> None:
    period = 60.0 / 100.0
    notes = play_four(0.5, period)
    for beat in range(4, 40):  # he plays 104
        at = 0.5 + 4 * period + (beat - 4) * 60.0 / 104.0
        notes += [ReceivedMessage(at, note_on(1, pitch, 90)) for pitch in (36, 60, 64)]
        notes.append(ReceivedMessage(at + 30.0 / 104.0, note_on(1, 72, 70)))
    tracker = CountInTracker(PlayerTracker(("tempo",)), lambda: 4)
    states = listen(tracker, np.zeros(20 * SAMPLE_RATE, np.float32), notes)
    counted = [state.beat for now, state in states if 0.5 + 4 * period < now < 0.5 + 4.2 * period]
    assert all(beat is not None and beat.bpm == pytest.approx(100.0, rel=0.01) for beat in counted)
    last = states[-1][1].beat
    assert last is not None
    assert last.beat_number is None
    assert min(abs(last.bpm * ratio / 104.0 - 1.0) for ratio in (0.5, 1.0, 2.0)) < 0.02
