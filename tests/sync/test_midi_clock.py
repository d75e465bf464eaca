"""A MIDI clock that comes in, read as scores: ticks from a script, and what it leads to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CONTINUE, START, STOP, song_position
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.core.values import BeatEstimate, SyncState, Transport
from kelly_live.midi.inputs import ScriptedInput
from kelly_live.sync.midi_clock import MidiClockSource

Script = list[tuple[float, bytes]]


def ticks(start: float, count: int, bpm: float = 120.0, late: Callable[[], float] = lambda: 0.0) -> Script:
    return [(start + i * 60.0 / (bpm * CLOCKS_PER_BEAT) + late(), CLOCK) for i in range(count)]


class ExternalIO:
    """A follower and its clock; `at(seconds)` polls as the conductor does, every 10 ms, and says what leads then."""

    def __init__(self, script: Sequence[tuple[float, bytes]]) -> None:
        self.clock = ManualClock()
        self.input = ScriptedInput(sorted(script, key=lambda one: one[0]), self.clock)
        self.follower = MidiClockSource(self.input)

    def at(self, seconds: float) -> SyncState:
        while self.clock.now() + 0.01 < seconds:
            self.clock.advance(0.01)
            self.follower.estimate(self.clock.now())
        self.clock.sleep_until(seconds)
        return self.follower.estimate(seconds)


def led(lead: SyncState) -> tuple[float, float, float, int | None]:
    """Where the beat lies (s), BPM, confidence, the beat's number."""
    pulse = pulse_of(lead)
    return round(pulse.beat_seconds, 6), round(pulse.bpm, 6), pulse.confidence, pulse.beat_number


def pulse_of(lead: SyncState) -> BeatEstimate:
    assert lead.beat is not None
    return lead.beat


def test_nobody_leads_before_a_clock_is_heard_and_the_band_waits() -> None:
    assert ExternalIO([]).at(1.0) == SyncState(transport=Transport(playing=False))


def test_start_then_ticks_is_the_top_and_every_24th_tick_a_beat() -> None:
    studio = ExternalIO([(0.99, START), *ticks(1.0, 200)])
    assert studio.at(0.995).transport == Transport(playing=False)
    lead = studio.at(1.2)
    assert lead.transport == Transport(playing=True, start_count=1)
    assert led(lead) == (1.0, 120.0, 1.0, 0)
    assert led(studio.at(2.3)) == (2.0, 120.0, 1.0, 2)


def test_a_clock_that_already_runs_gives_the_tempo_and_the_start_is_known_before_its_first_tick() -> None:
    studio = ExternalIO([*ticks(1.0, 100), (1.0 + 50.5 / 48.0, START)])
    assert studio.at(1.5).transport == Transport(playing=False)
    assert pulse_of(studio.at(1.5)).bpm == pytest.approx(120.0)
    lead = studio.at(1.0 + 50.6 / 48.0)
    assert lead.transport == Transport(playing=True, start_count=1)
    assert led(lead) == (round(1.0 + 51.0 / 48.0, 6), 120.0, 1.0, 0)


def test_a_stop_is_told_at_the_next_poll_and_continue_goes_on_where_it_was() -> None:
    # Two beats and a half, a stop, a second's rest in which the clock runs on, and on.
    script = [(0.99, START), *ticks(1.0, 160), (1.0 + 59.5 / 48.0, STOP), (1.0 + 107.5 / 48.0, CONTINUE)]
    studio = ExternalIO(script)
    assert studio.at(1.0 + 59.4 / 48.0).transport == Transport(True, 1)
    assert studio.at(1.0 + 59.6 / 48.0).transport == Transport(False, 1)
    lead = studio.at(1.0 + 107.6 / 48.0)
    assert lead.transport == Transport(True, 2)
    assert pulse_of(lead).beat_number == 2  # the next tick is the 61st: beat 2 and a half
    assert pulse_of(lead).beat_seconds == pytest.approx(1.0 + (108.0 - 12.0) / 48.0)


def test_song_position_is_where_continue_begins() -> None:
    studio = ExternalIO([(0.5, song_position(64)), (0.99, CONTINUE), *ticks(1.0, 30)])
    assert led(studio.at(1.3)) == (1.0, 120.0, 1.0, 16)


def test_start_while_it_plays_is_the_top_again_and_a_jump_is_a_new_take() -> None:
    studio = ExternalIO(
        [(0.99, START), *ticks(1.0, 200), (1.0 + 47.5 / 48.0, START), (1.0 + 95.5 / 48.0, song_position(64))]
    )
    assert studio.at(1.9).transport == Transport(True, 1)
    lead = studio.at(2.1)
    assert lead.transport == Transport(True, 2)
    assert led(lead) == (2.0, 120.0, 1.0, 0)
    lead = studio.at(3.1)
    assert lead.transport == Transport(True, 3)
    assert led(lead) == (3.0, 120.0, 1.0, 16)


def test_a_position_that_says_what_is_known_is_no_jump() -> None:
    studio = ExternalIO([(0.99, START), *ticks(1.0, 100), (1.0 + 47.5 / 48.0, song_position(8))])
    assert studio.at(2.5).transport == Transport(True, 1)


def test_a_clock_that_runs_only_while_it_plays_begins_at_its_first_tick_at_the_tempo_it_had() -> None:
    studio = ExternalIO([(0.9, START), *ticks(1.0, 48), (2.0, STOP), (6.0, START), *ticks(6.3, 48)])
    assert studio.at(6.2).transport == Transport(False, 1)
    lead = studio.at(6.305)
    assert lead.transport == Transport(True, 2)
    assert led(lead) == (6.3, 120.0, 1.0, 0)


def test_a_start_off_the_running_clocks_beat_has_a_beat_of_its_own() -> None:
    free = ticks(1.0, 48)
    studio = ExternalIO([*free, (2.0, START), *ticks(2.01, 48)])
    assert led(studio.at(2.4)) == (2.01, 120.0, 1.0, 0)


def test_a_lost_clock_is_believed_less_and_less_and_the_band_plays_on() -> None:
    studio = ExternalIO([(0.99, START), *ticks(1.0, 49)])
    assert pulse_of(studio.at(2.05)).confidence == 1.0
    assert pulse_of(studio.at(2.5)).confidence == pytest.approx(0.5, abs=0.1)
    lead = studio.at(3.2)
    assert lead.beat is None
    assert lead.transport == Transport(True, 1)


@pytest.mark.parametrize("bpm", [10.0, 400.0])
def test_a_tempo_that_no_music_has_leads_nothing(bpm: float) -> None:
    lead = ExternalIO([(0.99, START), *ticks(1.0, 60, bpm)]).at(1.5)
    assert lead == SyncState(transport=Transport(False, 0))


def worst_phase(truth: TempoMap, studio: ExternalIO, start: float, end: float) -> tuple[float, float]:
    """The worst distance of the beat from its place (s), and of the tempo from the true one (share), every 10 ms."""
    phase = tempo = 0.0
    seconds = start
    while (seconds := seconds + 0.01) < end:
        pulse = pulse_of(studio.at(seconds))
        assert pulse.beat_number is not None
        beat = truth.beat_at(seconds)
        reckoned = pulse.beat_number + (seconds - pulse.beat_seconds) * pulse.bpm / 60.0
        bpm = next(point.bpm for point in reversed(truth.points()) if point.beat <= beat)
        phase = max(phase, abs(reckoned - beat) * 60.0 / bpm)
        tempo = max(tempo, abs(pulse.bpm / bpm - 1.0))
    return phase, tempo


@settings(max_examples=10, deadline=None)
@given(st.floats(40.0, 240.0), st.integers(0, 2**32))
def test_jitter_of_a_sound_servers_period_leaves_the_beat_under_2_ms(bpm: float, seed: int) -> None:
    """Each tick up to 2.7 ms late (128 frames at 48 kHz), which the beat is late on average."""
    dice = random.Random(seed)
    studio = ExternalIO([(0.99, START), *ticks(1.0, 400, bpm, lambda: dice.uniform(-0.00133, 0.00133))])
    start = 1.0 + 48 * 60.0 / (bpm * 24.0)
    phase, tempo = worst_phase(TempoMap(1.0, bpm), studio, start, start + 2.0)
    assert phase < 0.002
    assert tempo < 0.02


def test_a_ramp_is_followed_and_a_new_tempo_is_known_within_a_beat() -> None:
    truth = TempoMap(1.0, 100.0)
    for quarter in range(60):
        truth.add(TempoPoint(4.0 + quarter / 4.0, 100.0 + quarter))
    script = [(0.99, START), *((truth.seconds_at(i / 24.0), CLOCK) for i in range(24 * 19))]
    phase, tempo = worst_phase(truth, ExternalIO(script), 1.5, truth.seconds_at(18.5))
    assert phase < 0.005
    assert tempo < 0.03

    leap = TempoMap(1.0, 120.0)
    leap.add(TempoPoint(8.0, 90.0))
    script = [(0.99, START), *((leap.seconds_at(i / 24.0), CLOCK) for i in range(24 * 16))]
    studio = ExternalIO(script)
    studio.at(leap.seconds_at(8.9))
    phase, tempo = worst_phase(leap, studio, leap.seconds_at(9.0), leap.seconds_at(15.0))
    assert phase < 0.005
    assert tempo < 0.01


def test_a_tick_that_was_held_up_moves_nothing() -> None:
    script = [(0.99, START), *ticks(1.0, 200)]
    script[100] = (script[100][0] + 0.019, CLOCK)
    phase, tempo = worst_phase(TempoMap(1.0, 120.0), ExternalIO(script), 1.5, 4.5)
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
    studio = ExternalIO(script)
    take = 0
    for i in range(40):
        lead = studio.at(seconds * (i + 1) / 40.0)
        assert lead.transport is not None
        assert lead.transport.start_count >= take
        take = lead.transport.start_count
    buttons = [message for _, message in script if message in (START, CONTINUE, STOP)]
    if not buttons or buttons[-1] == STOP:
        assert not lead.transport.playing


def test_coarse_stamps_are_seen_through() -> None:
    """JACK at 512 frames stamps all of a period alike: 10.7 ms late at most, made up for on average."""
    grain = 512 / 48_000
    studio = ExternalIO([])
    script = [(0.99, START), *((seconds + -seconds % grain, CLOCK) for seconds, _ in ticks(1.0, 400))]
    studio.input = ScriptedInput(script, studio.clock, grain_seconds=grain)
    studio.follower = MidiClockSource(studio.input)
    phase, tempo = worst_phase(TempoMap(1.0, 120.0), studio, 3.0, 8.0)
    assert phase < 0.004
    assert tempo < 0.01
