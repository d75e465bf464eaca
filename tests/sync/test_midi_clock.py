"""A MIDI clock as a source, read as scores: ticks from a script, and the beat that follows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CONTINUE, START, STOP, song_position
from kelly_live.core.sync_state import BeatEstimate, SongPosition, SyncState, Transport
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.sync.midi_clock import MidiClockSource

Script = list[tuple[float, bytes]]


def ticks(start: float, count: int, bpm: float = 120.0, late: Callable[[], float] = lambda: 0.0) -> Script:
    return [(start + i * 60.0 / (bpm * CLOCKS_PER_BEAT) + late(), CLOCK) for i in range(count)]


class ClockInput:
    """A MIDI clock source and its time; `at` polls every 10 ms, as the conductor does."""

    def __init__(self, script: Sequence[tuple[float, bytes]]) -> None:
        self.clock = ManualClock()
        self.input = ScriptedInput(sorted(script, key=lambda one: one[0]), self.clock)
        self.source = MidiClockSource(self.input)

    def at(self, seconds: float) -> SyncState:
        while self.clock.now() + 0.01 < seconds:
            self.clock.advance(0.01)
            self.source.estimate(self.clock.now())
        self.clock.sleep_until(seconds)
        return self.source.estimate(seconds)


def read_beat(state: SyncState) -> tuple[float, float, float, int | None]:
    """Where the beat lies (s), BPM, confidence, the beat's number."""
    estimate = require_beat(state)
    return round(estimate.beat_seconds, 6), round(estimate.bpm, 6), estimate.confidence, estimate.beat_number


def require_beat(state: SyncState) -> BeatEstimate:
    assert state.beat is not None
    return state.beat


def test_before_the_first_tick_there_is_no_beat_and_the_band_waits() -> None:
    assert ClockInput([]).at(1.0) == SyncState(transport=Transport(playing=False))


def test_start_then_ticks_is_the_top_and_every_24th_tick_a_beat() -> None:
    clock_input = ClockInput([(0.99, START), *ticks(1.0, 200)])
    assert clock_input.at(0.995).transport == Transport(playing=False)
    first = clock_input.at(1.005)
    assert first == SyncState(transport=Transport(True, 1), start=SongPosition(1.0, 0.0)), "its tempo is not known yet"
    state = clock_input.at(1.2)
    assert state.transport == Transport(playing=True, start_count=1)
    assert read_beat(state) == (1.0, 120.0, 1.0, 0)
    assert read_beat(clock_input.at(2.3)) == (2.0, 120.0, 1.0, 2)


def test_a_clock_that_already_runs_gives_the_tempo_and_the_start_is_known_before_its_first_tick() -> None:
    clock_input = ClockInput([*ticks(1.0, 100), (1.0 + 50.5 / 48.0, START)])
    assert clock_input.at(1.5).transport == Transport(playing=False)
    assert require_beat(clock_input.at(1.5)).bpm == pytest.approx(120.0)
    state = clock_input.at(1.0 + 50.6 / 48.0)
    assert state.transport == Transport(playing=True, start_count=1)
    assert read_beat(state) == (round(1.0 + 51.0 / 48.0, 6), 120.0, 1.0, 0)


def test_a_stop_shows_at_the_next_poll_and_continue_goes_on_where_it_was() -> None:
    # Two beats and a half, a stop, a second's rest in which the clock runs on, and on.
    script = [(0.99, START), *ticks(1.0, 160), (1.0 + 59.5 / 48.0, STOP), (1.0 + 107.5 / 48.0, CONTINUE)]
    clock_input = ClockInput(script)
    assert clock_input.at(1.0 + 59.4 / 48.0).transport == Transport(True, 1)
    assert clock_input.at(1.0 + 59.6 / 48.0).transport == Transport(False, 1)
    state = clock_input.at(1.0 + 107.6 / 48.0)
    assert state.transport == Transport(True, 2)
    assert require_beat(state).beat_number == 2  # the next tick is the 61st: beat 2 and a half
    assert require_beat(state).beat_seconds == pytest.approx(1.0 + (108.0 - 12.0) / 48.0)


def test_song_position_is_where_continue_begins() -> None:
    clock_input = ClockInput([(0.5, song_position(64)), (0.99, CONTINUE), *ticks(1.0, 30)])
    assert read_beat(clock_input.at(1.3)) == (1.0, 120.0, 1.0, 16)


def test_start_while_it_plays_is_the_top_again_and_a_jump_that_continues_counts_as_a_start() -> None:
    clock_input = ClockInput(
        [
            *((0.99, START), *ticks(1.0, 200), (1.0 + 47.5 / 48.0, START)),
            *((1.0 + 95.5 / 48.0, song_position(64)), (1.0 + 95.6 / 48.0, CONTINUE)),
        ]
    )
    assert clock_input.at(1.9).transport == Transport(True, 1)
    state = clock_input.at(2.1)
    assert state.transport == Transport(True, 2)
    assert read_beat(state) == (2.0, 120.0, 1.0, 0)
    state = clock_input.at(3.1)
    assert state.transport == Transport(True, 3)
    assert read_beat(state) == (3.0, 120.0, 1.0, 16)


def test_a_position_that_says_what_is_known_is_no_jump() -> None:
    clock_input = ClockInput([(0.99, START), *ticks(1.0, 100), (1.0 + 47.5 / 48.0, song_position(8))])
    assert clock_input.at(2.5).transport == Transport(True, 1)


def test_a_clock_that_runs_only_while_it_plays_begins_at_its_first_tick_at_the_tempo_it_had() -> None:
    clock_input = ClockInput([(0.9, START), *ticks(1.0, 48), (2.0, STOP), (6.0, START), *ticks(6.3, 48)])
    assert clock_input.at(6.2).transport == Transport(False, 1)
    state = clock_input.at(6.305)
    assert state.transport == Transport(True, 2)
    assert read_beat(state) == (6.3, 120.0, 1.0, 0)


def test_a_start_off_the_running_clocks_beat_has_a_beat_of_its_own() -> None:
    free = ticks(1.0, 48)
    clock_input = ClockInput([*free, (2.0, START), *ticks(2.01, 48)])
    assert read_beat(clock_input.at(2.4)) == (2.01, 120.0, 1.0, 0)


def test_the_confidence_in_a_lost_clock_falls_and_the_band_plays_on() -> None:
    clock_input = ClockInput([(0.99, START), *ticks(1.0, 49)])
    assert require_beat(clock_input.at(2.05)).confidence == 1.0
    assert require_beat(clock_input.at(2.5)).confidence == pytest.approx(0.5, abs=0.1)
    state = clock_input.at(3.2)
    assert state.beat is None
    assert state.transport == Transport(True, 1)


@pytest.mark.parametrize("bpm", [10.0, 640.0])
def test_a_tempo_that_no_music_has_gives_no_beat_and_is_said(bpm: float) -> None:
    clock_input = ClockInput([(0.99, START), *ticks(1.0, 60, bpm)])
    assert clock_input.at(2.2) == SyncState(transport=Transport(True, 1), start=SongPosition(1.0, 0.0))
    assert clock_input.source.state == f"the MIDI clock says {bpm:.0f} BPM; 20 to 400 can be followed"


def worst_phase(truth: TempoMap, clock_input: ClockInput, start: float, end: float) -> tuple[float, float]:
    """Return the largest error of the beat (s) and of the tempo (share), sampled every 10 ms."""
    phase = tempo = 0.0
    seconds = start
    while (seconds := seconds + 0.01) < end:
        estimate = require_beat(clock_input.at(seconds))
        assert estimate.beat_number is not None
        beat = truth.beat_at(seconds)
        reckoned = estimate.beat_number + (seconds - estimate.beat_seconds) * estimate.bpm / 60.0
        bpm = next(point.bpm for point in reversed(truth.points()) if point.beat <= beat)
        phase = max(phase, abs(reckoned - beat) * 60.0 / bpm)
        tempo = max(tempo, abs(estimate.bpm / bpm - 1.0))
    return phase, tempo


@settings(max_examples=10, deadline=None)
@given(st.floats(40.0, 240.0), st.integers(0, 2**32))
def test_jitter_of_a_sound_servers_period_leaves_the_beat_under_2_ms(bpm: float, seed: int) -> None:
    """Each tick up to 2.7 ms late (128 frames at 48 kHz), which the beat is late on average."""
    rng = random.Random(seed)
    clock_input = ClockInput([(0.99, START), *ticks(1.0, 400, bpm, lambda: rng.uniform(-0.00133, 0.00133))])
    start = 1.0 + 48 * 60.0 / (bpm * 24.0)
    phase, tempo = worst_phase(TempoMap(1.0, bpm), clock_input, start, start + 2.0)
    assert phase < 0.002
    assert tempo < 0.02


def test_a_ramp_is_followed_and_a_new_tempo_is_known_within_a_beat() -> None:
    truth = TempoMap(1.0, 100.0)
    for quarter in range(60):
        truth.add(TempoPoint(4.0 + quarter / 4.0, 100.0 + quarter))
    script = [(0.99, START), *((truth.seconds_at(i / 24.0), CLOCK) for i in range(24 * 19))]
    phase, tempo = worst_phase(truth, ClockInput(script), 1.5, truth.seconds_at(18.5))
    assert phase < 0.005
    assert tempo < 0.03

    leap = TempoMap(1.0, 120.0)
    leap.add(TempoPoint(8.0, 90.0))
    script = [(0.99, START), *((leap.seconds_at(i / 24.0), CLOCK) for i in range(24 * 16))]
    clock_input = ClockInput(script)
    clock_input.at(leap.seconds_at(8.9))
    phase, tempo = worst_phase(leap, clock_input, leap.seconds_at(9.0), leap.seconds_at(15.0))
    assert phase < 0.005
    assert tempo < 0.01


def test_a_tick_that_was_held_up_moves_nothing() -> None:
    script = [(0.99, START), *ticks(1.0, 200)]
    script[100] = (script[100][0] + 0.019, CLOCK)
    phase, tempo = worst_phase(TempoMap(1.0, 120.0), ClockInput(script), 1.5, 4.5)
    assert phase < 0.003
    assert tempo < 0.01


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.3),
            st.sampled_from([CLOCK, CLOCK, CLOCK, START, STOP, CONTINUE, song_position(5), song_position(16383)]),
        ),
        max_size=80,
    )
)
def test_whatever_comes_the_lead_is_sound(gaps: list[tuple[float, bytes]]) -> None:
    """No order of messages raises; the transport is as the last button says, and a take never goes back."""
    seconds, script = 0.0, []
    for gap, message in gaps:
        seconds += gap
        script.append((seconds, message))
    clock_input = ClockInput(script)
    take = 0
    for i in range(40):
        state = clock_input.at(seconds * ((i + 1) / 40.0))  # in the end exactly `seconds`, when the last message comes
        assert state.transport is not None
        assert state.transport.start_count >= take
        take = state.transport.start_count
    buttons = [message for _, message in script if message in (START, CONTINUE, STOP)]
    if not buttons or buttons[-1] == STOP:
        assert not state.transport.playing


def test_coarse_stamps_are_seen_through() -> None:
    """JACK at 512 frames stamps all of a period alike: 10.7 ms late at most, made up for on average."""
    grain = 512 / 48_000
    clock_input = ClockInput([])
    script = [(0.99, START), *((seconds + -seconds % grain, CLOCK) for seconds, _ in ticks(1.0, 400))]
    clock_input.input = ScriptedInput(script, clock_input.clock, grain_seconds=grain)
    clock_input.source = MidiClockSource(clock_input.input)
    phase, tempo = worst_phase(TempoMap(1.0, 120.0), clock_input, 3.0, 8.0)
    assert phase < 0.004
    assert tempo < 0.01
