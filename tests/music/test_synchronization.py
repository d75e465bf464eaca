"""The band joins somebody else's beat: how near its beats come to theirs, and that it never jumps."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState
from kelly_live.core.timebase import ManualClock
from kelly_live.generators.band import GeneratorBand
from kelly_live.music.conductor import Conductor
from kelly_live.music.synchronization import FLYWHEEL_BEATS, KEY_CONFIDENCE
from tests.music.band import RecordingSink, make_parameters


class Beats:
    """A player with a tempo curve (BPM at a second), whose beats are estimated `jitter` seconds off."""

    def __init__(
        self,
        bpm_at: Callable[[float], float],
        first: float = 0.0,
        *,
        has_numbers: bool = False,
        jitter: float = 0.0,
        confidence: Callable[[float], float] = lambda now: 1.0,
    ) -> None:
        self.times = [first]
        while self.times[-1] < 90.0:
            now = self.times[-1]
            for _ in range(100):  # the beat takes as long as the curve says, in hundredths
                now += 0.6 / bpm_at(now)
            self.times.append(now)
        self._bpm_at, self._counted, self._confidence = bpm_at, has_numbers, confidence
        rng = random.Random(1)
        self._estimated = [time + rng.uniform(-jitter, jitter) for time in self.times]

    def estimate(self, now: float) -> SyncState:
        i = int(np.searchsorted(self.times, now)) - 1
        if i < 0:
            return SyncState()
        return SyncState(
            BeatEstimate(
                self._estimated[i], self._bpm_at(now), self._confidence(now), beat_number=i if self._counted else None
            )
        )


def synchronize(player: Beats, own_bpm: float = 100.0, seconds: float = 60.0) -> Conductor:
    """Return a conductor that has followed a player, in steps of 20 ms."""
    conductor = Conductor(RecordingSink(), GeneratorBand([]), seed=1)
    parameters = make_parameters(bpm=own_bpm)
    clock = ManualClock()
    conductor.start(0.3, parameters)
    while clock.now() < seconds:
        conductor.advance(clock.now(), parameters, player.estimate(clock.now()))
        clock.advance(0.02)
    return conductor


def our_beats(conductor: Conductor, start: float, end: float) -> np.ndarray:
    beats = np.array([conductor.seconds_at(float(beat)) for beat in range(400)])
    return beats[(beats >= start) & (beats < end)]


def distances(conductor: Conductor, player: Beats, start: float, end: float) -> np.ndarray:
    """From each of our beats to the nearest of theirs, in seconds."""
    player_beats = np.array(player.times)
    return np.array([np.min(np.abs(player_beats - beat)) for beat in our_beats(conductor, start, end)])


@pytest.mark.parametrize("jitter", [0.0, 0.001])
def test_beats_follow_a_midi_clock_within_5_ms(jitter: float) -> None:
    clock = Beats(lambda now: 120.0, 0.137, has_numbers=True, jitter=jitter)
    assert distances(synchronize(clock), clock, 10.0, 60.0).max() < 0.005


def test_bar_lines_follow_a_midi_clock() -> None:
    clock = Beats(lambda now: 97.0, 0.9, has_numbers=True)
    conductor = synchronize(clock)
    i = int(np.searchsorted(clock.times, 40.0))
    assert i % 4 == round(conductor.tempo_map.beat_at(clock.times[i])) % 4


def test_a_clock_that_speeds_up_is_followed_within_5_ms() -> None:
    ramp = Beats(lambda now: min(140.0, 90.0 + max(0.0, now - 20.0)), has_numbers=True)
    assert distances(synchronize(ramp, seconds=80.0), ramp, 10.0, 80.0).max() < 0.005


@pytest.mark.parametrize(("player_bpm", "own_bpm"), [(104.0, 100.0), (120.0, 90.0), (84.0, 110.0)])
def test_an_estimated_beat_is_joined_within_eight_bars(player_bpm: float, own_bpm: float) -> None:
    player = Beats(lambda now: player_bpm, 0.2, jitter=0.01)
    conductor = synchronize(player, own_bpm)
    assert conductor.status().synchronized == ("tempo",)
    assert np.median(distances(conductor, player, conductor.seconds_at(32.0), 60.0)) < 0.015


@pytest.mark.parametrize(("player_bpm", "band_bpm"), [(60.0, 120.0), (180.0, 90.0), (130.0, 130.0)])
def test_half_or_double_tempo_is_chosen_where_it_is_nearer_to_our_own(player_bpm: float, band_bpm: float) -> None:
    conductor = synchronize(Beats(lambda now: player_bpm), own_bpm=105.0)
    assert conductor.status().bpm == pytest.approx(band_bpm, rel=0.02)


def test_an_estimate_of_twice_the_beat_does_not_change_our_tempo() -> None:
    conductor = synchronize(Beats(lambda now: 70.0 if now < 30.0 else 140.0), own_bpm=95.0)
    assert conductor.status().bpm == pytest.approx(70.0, rel=0.02)


def test_an_uncertain_beat_changes_nothing() -> None:
    unsure = synchronize(Beats(lambda now: 140.0, confidence=lambda now: 0.45))
    assert [(point.beat, point.bpm) for point in unsure.tempo_map.points()] == [(0.0, 100.0)]


def test_a_lost_beat_is_continued_and_then_released() -> None:
    player = Beats(lambda now: 120.0, confidence=lambda now: 1.0 if now < 20.0 else 0.0)
    conductor = synchronize(player, own_bpm=90.0)
    loss_beat = conductor.tempo_map.beat_at(20.0)
    after = {p.beat - loss_beat: p.bpm for p in conductor.tempo_map.points() if p.beat > loss_beat + 1.0}
    assert all(abs(bpm - 120.0) < 2.0 for beats, bpm in after.items() if beats < FLYWHEEL_BEATS - 1.0)
    assert conductor.status().bpm == 90.0
    assert conductor.status().synchronized == ()


@settings(max_examples=10, deadline=None)
@given(
    bpm=st.floats(50.0, 210.0), first=st.floats(0.0, 2.0), own_bpm=st.floats(50.0, 200.0), wobble=st.floats(0.0, 0.05)
)
def test_the_beat_never_jumps(bpm: float, first: float, own_bpm: float, wobble: float) -> None:
    """Whatever is estimated, a beat is at most a sixth longer or shorter than the one before."""
    conductor = synchronize(Beats(lambda now: bpm, first, jitter=wobble), own_bpm, seconds=15.0)
    points = [p.bpm for p in conductor.tempo_map.points()]
    assert all(abs(b / a - 1.0) < 0.04 for a, b in pairwise(points))
    intervals = np.diff(our_beats(conductor, 0.0, 15.0))
    assert np.all(np.abs(np.log(intervals[1:] / intervals[:-1])) < np.log(7.0 / 6.0))


def list_keys(*spans: tuple[float, KeyEstimate | None]) -> tuple[list[str], Conductor]:
    """List the tonic and mode at each beat of 16 bars at 120 BPM, for keys from these seconds on."""
    conductor = Conductor(RecordingSink(), GeneratorBand([]), seed=1, tonic=0)
    parameters = make_parameters(bpm=120.0)
    conductor.start(0.0, parameters)
    names = []
    for step in range(3200):
        now = step / 100.0
        estimate = [key for start, key in spans if start <= now][-1] if now >= spans[0][0] else None
        conductor.advance(now, parameters, SyncState(key=estimate))
        if step % 50 == 0:
            names.append(f"{conductor.status().tonic} {conductor.status().mode}")
    return names, conductor


def test_an_estimated_key_is_joined_where_a_phrase_starts() -> None:
    names, conductor = list_keys((1.0, KeyEstimate(9, "aeolian", 0.6)))
    assert names[:14] == ["C ionian"] * 14
    assert names[17:] == ["A aeolian"] * len(names[17:])
    assert conductor.status().synchronized == ("key",)


def test_inside_a_phrase_only_a_long_and_certain_key_is_joined() -> None:
    unsure, _ = list_keys((0.0, KeyEstimate(9, "aeolian", 0.6)), (8.5, KeyEstimate(2, "dorian", KEY_CONFIDENCE - 0.05)))
    sure, _ = list_keys((0.0, KeyEstimate(9, "aeolian", 0.6)), (8.5, KeyEstimate(2, "dorian", KEY_CONFIDENCE)))
    assert unsure[17:30] == ["A aeolian"] * 13
    assert sure[17:26] == ["A aeolian"] * 9
    assert sure[29] == "D dorian"


def test_a_key_that_is_lost_leaves_its_tonic_and_gives_the_mode_back() -> None:
    names, conductor = list_keys((0.0, KeyEstimate(9, "aeolian", 0.6)), (9.0, None))
    assert names[40] == "A ionian"
    assert conductor.status().synchronized == ()


def tempo_at(conductor: Conductor, seconds: float) -> float:
    beat = conductor.tempo_map.beat_at(seconds)
    return [point.bpm for point in conductor.tempo_map.points() if point.beat <= beat][-1]


def ramp(first_bpm: float, last_bpm: float, start: float = 20.0, beats: int = 16) -> Callable[[float], float]:
    """A tempo that goes by the same share each beat for about so many beats from second `start` on."""
    length = beats * 60.0 / np.sqrt(first_bpm * last_bpm)
    return lambda now: float(first_bpm * (last_bpm / first_bpm) ** np.clip((now - start) / length, 0.0, 1.0))


@pytest.mark.parametrize(("first_bpm", "last_bpm"), [(56.0, 81.0), (100.0, 140.0), (100.0, 60.0), (150.0, 210.0)])
def test_an_accelerando_and_a_ritardando_are_followed_within_70_ms(first_bpm: float, last_bpm: float) -> None:
    player = Beats(ramp(first_bpm, last_bpm))
    conductor = synchronize(player, own_bpm=100.0, seconds=60.0)
    level = round(2.0 * tempo_at(conductor, 19.0) / first_bpm) / 2.0
    assert conductor.status().bpm == pytest.approx(level * last_bpm, rel=0.01)
    assert conductor.status().level_change is None
    judged = player if level <= 1.0 else Beats(lambda now: 2.0 * ramp(first_bpm, last_bpm)(now))
    assert np.mean(distances(conductor, judged, 20.0, 59.0) < 0.07) >= 0.9


@pytest.mark.parametrize("share", [0.8, 1.2])
def test_a_step_of_the_tempo_is_followed_within_eight_beats(share: float) -> None:
    player = Beats(lambda now: 100.0 if now < 20.0 else 100.0 * share)
    conductor = synchronize(player, seconds=40.0)
    assert np.max(distances(conductor, player, 20.0 + 8 * 60.0 / (100.0 * share), 39.0)) < 0.07


def test_a_tempo_that_leaps_by_an_octave_while_it_slows_down_keeps_the_level() -> None:
    # The player slows from 80 to 64; the estimate follows at twice that.
    conductor = synchronize(Beats(lambda now: 80.0 if now < 20.0 else 128.0), own_bpm=100.0, seconds=40.0)
    assert conductor.status().bpm == pytest.approx(64.0, rel=0.01)
    assert conductor.status().level_change is None


def test_another_tempo_is_taken_once_it_has_lasted_and_is_told() -> None:
    three_for_two = Beats(lambda now: 90.0 if now < 20.0 or now > 22.0 else 135.0)
    conductor = synchronize(three_for_two, own_bpm=90.0, seconds=40.0)
    assert all(abs(point.bpm / 90.0 - 1.0) < 0.25 for point in conductor.tempo_map.points())
    assert conductor.status().level_change is None
    conductor = synchronize(Beats(lambda now: 90.0 if now < 20.0 else 135.0), own_bpm=110.0, seconds=40.0)
    change = conductor.status().level_change
    assert change is not None
    assert (round(change.bpm_before), round(change.bpm)) == (90, 135)
    assert conductor.status().bpm == pytest.approx(135.0, rel=0.01)


def test_a_level_far_from_the_emotion_s_tempo_is_chosen_anew() -> None:
    conductor = synchronize(Beats(ramp(110.0, 38.0, beats=32)), own_bpm=110.0, seconds=80.0)
    change = conductor.status().level_change
    assert change is not None
    assert conductor.status().bpm == pytest.approx(76.0, rel=0.01)


def rest_for_ten_seconds(now: float) -> float:
    """The confidence in the beat of a player who rests from 20 s to 30 s."""
    return 0.0 if 20.0 <= now < 30.0 else 1.0


def test_who_comes_back_after_a_rest_is_met_at_the_level_that_he_left() -> None:
    """Meanwhile the emotion has come to call for a tempo that is nearer to half of his."""
    player = Beats(lambda now: 100.0, confidence=rest_for_ten_seconds)
    conductor = Conductor(RecordingSink(), GeneratorBand([]), seed=1)
    stirred, calm = make_parameters(bpm=110.0), make_parameters(bpm=62.0)
    clock = ManualClock()
    conductor.start(0.3, stirred)
    while clock.now() < 45.0:
        conductor.advance(clock.now(), stirred if clock.now() < 20.0 else calm, player.estimate(clock.now()))
        clock.advance(0.02)
    assert conductor.status().bpm == pytest.approx(100.0, rel=0.01)
    assert np.max(np.abs(distances(conductor, player, 36.0, 45.0))) < 0.02


def test_a_new_tempo_after_a_rest_is_met_at_the_level_of_the_emotion() -> None:
    player = Beats(lambda now: 100.0 if now < 25.0 else 140.0, confidence=rest_for_ten_seconds)
    conductor = synchronize(player, own_bpm=72.0, seconds=45.0)
    assert conductor.status().bpm == pytest.approx(70.0, rel=0.01)
