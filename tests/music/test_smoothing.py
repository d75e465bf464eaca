"""Parameters are smoothed at musical places: what is played for what is asked for at these beats."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.values import MODES, RHYTHMS, Dynamics, MusicParameters, Register, Scale, TempoRange, TimingWeights
from kelly_live.music.conductor import Conductor
from kelly_live.music.smoothing import (
    DENSITY_BAND,
    EMPHATIC_MARGIN,
    MODE_MARGIN,
    TEMPO_BAND,
    TEMPO_CHANGE_PER_BEAT,
    ParameterSmoother,
)
from tests.music.band import RecordingSink, band, make_parameters

RAST = Scale("rast", (0.0, 204.0, 384.0, 498.0, 702.0, 906.0, 1088.0))


def smooth(
    target_at: Callable[[float], MusicParameters], *, beats: float, slice_beats: float = 0.25
) -> list[tuple[float, MusicParameters]]:
    """(beat, what is in force) for each slice, the first at beat 0."""
    smoother = ParameterSmoother.begin(0.0, target_at(0.0))
    states = [(0.0, smoother.current)]
    for number in range(1, int(beats / slice_beats)):
        smoother = smoother.step(number * slice_beats, target_at(number * slice_beats))
        states.append((smoother.beat, smoother.current))
    return states


def turn(before: MusicParameters, after: MusicParameters, *, at: float) -> Callable[[float], MusicParameters]:
    return lambda beat: before if beat < at else after


def changes(states: Sequence[tuple[float, MusicParameters]], of: str) -> list[float]:
    """The beats at which a field changed."""
    return [beat for (_, a), (beat, b) in itertools.pairwise(states) if getattr(a, of) != getattr(b, of)]


def mixture(**weights: float) -> MusicParameters:
    return replace(make_parameters(), modes=tuple(weights.get(mode, 0.0) for mode in MODES))


@pytest.mark.parametrize("wobble", [0.98, 1.02])
def test_a_tempo_that_wobbles_by_2_percent_is_not_followed(wobble: float) -> None:
    states = smooth(lambda beat: make_parameters(bpm=100.0 * (wobble if beat % 2 else 1.0)), beats=64)
    assert {now.tempo.suggested for _, now in states} == {100.0}


def test_a_new_tempo_starts_within_a_bar_and_arrives_exactly() -> None:
    states = smooth(turn(make_parameters(bpm=100.0), make_parameters(bpm=120.0), at=8.0), beats=48)
    tempo_changes = changes(states, "tempo")
    assert 8.0 <= tempo_changes[0] <= 9.0
    assert tempo_changes == [tempo_changes[0] + 0.25 * n for n in range(len(tempo_changes))], (
        "one smoother, without a halt"
    )
    at = {beat: now.tempo.suggested for beat, now in states}
    assert at[12.0] > 110.0, "more than half way after a bar"
    assert at[16.0] > 118.0
    assert states[-1][1].tempo.suggested == 120.0


def test_dynamics_follow_at_once() -> None:
    states = dict(
        smooth(turn(make_parameters(floor=0.2, ceiling=0.4), make_parameters(floor=0.6, ceiling=0.8), at=5.0), beats=12)
    )
    assert states[4.75].dynamics.floor == 0.2
    assert states[5.0].dynamics.floor > 0.3
    assert states[6.0].dynamics.floor > 0.56
    assert states[8.0].dynamics.floor == pytest.approx(0.6, abs=0.008)


def test_density_and_rhythm_move_at_bar_lines() -> None:
    before, after = make_parameters(density=0.5), make_parameters(density=2.5, rhythm="syncopated")
    states = smooth(turn(before, after, at=5.5), beats=40)
    for field in ("density", "rhythms"):
        beats = changes(states, field)
        assert beats[0] == 8.0
        assert all(beat % 4 == 0 for beat in beats)
    assert dict(states)[12.0].density > 2.0
    assert states[-1][1].density == pytest.approx(2.5, abs=0.25 * DENSITY_BAND)


def test_timing_moves_at_a_bar_line() -> None:
    states = smooth(turn(make_parameters(), make_parameters(behind=0.8), at=2.0), beats=32)
    assert changes(states, "timing")[0] == 4.0


def test_a_register_three_semitones_away_waits_for_the_next_phrase() -> None:
    states = smooth(turn(make_parameters(centre=69.0), make_parameters(centre=72.0), at=1.0), beats=40)
    assert changes(states, "register")[0] == 16.0
    assert states[-1][1].register.centre == pytest.approx(72.0, abs=0.1)


def test_a_register_an_octave_off_climbs_by_bars_and_is_there_at_the_phrase() -> None:
    states = smooth(turn(make_parameters(centre=60.0), make_parameters(centre=72.0), at=0.5), beats=33)
    at = {beat: now.register.centre for beat, now in states}
    assert [at[beat] for beat in (3.75, 4.0, 8.0, 12.0)] == pytest.approx([60.0, 62.0, 64.0, 66.0])
    assert at[16.0] > 71.5
    assert all(beat % 4 == 0 for beat in changes(states, "register"))


def test_a_mode_that_leads_a_little_comes_with_the_phrase_and_one_that_leads_by_far_with_the_bar() -> None:
    """With a lead of: 4 %, 20 %, 100 %."""
    major = mixture(ionian=1.0)
    for after, at, beats in (
        (mixture(aeolian=0.52, ionian=0.48), 1.0, []),
        (mixture(aeolian=0.6, ionian=0.4), 1.0, [16.0]),
        (mixture(aeolian=1.0), 8.5, [12.0]),
    ):
        states = smooth(turn(major, after, at=at), beats=40)
        assert [beat for beat in changes(states, "modes") if dict(states)[beat].mode == "aeolian"][:1] == beats
    assert MODE_MARGIN < 0.2 < EMPHATIC_MARGIN


def test_a_mode_requested_for_two_beats_only_is_not_played() -> None:
    """Two beats of minor, right before the phrase; then major again."""
    major, minor = mixture(ionian=1.0), mixture(aeolian=1.0)
    states = smooth(lambda beat: minor if 14.0 <= beat < 16.0 else major, beats=48)
    assert {now.mode for _, now in states} == {"ionian"}


def test_two_modes_that_take_turns_are_one_mode() -> None:
    """On the border between major and minor, by 12 % to and fro every other beat."""
    states = smooth(
        lambda beat: mixture(ionian=0.44, aeolian=0.56) if beat // 2 % 2 else mixture(ionian=0.56, aeolian=0.44),
        beats=256,
    )
    assert {now.mode for _, now in states} == {"ionian"}


def groove_changes(
    before: MusicParameters, after: MusicParameters, *, at: float, beats_per_bar: int = 4
) -> list[float]:
    """The beats at which another groove comes in."""
    smoother, found = ParameterSmoother.begin(0.0, before, beats_per_bar), []
    for number in range(1, 160):
        last, beat = smoother, 0.25 * number
        smoother = smoother.step(beat, before if beat < at else after)
        if smoother.current.groove != last.current.groove:
            found.append(beat)
    return found


def test_a_groove_comes_with_half_a_phrase_and_after_a_clear_move_with_half_a_bar() -> None:
    rock = replace(make_parameters(mode="aeolian", floor=0.5, ceiling=0.7, density=1.0), groove="rock")
    beside = replace(rock, groove="march")
    for after, beat in (
        (beside, 16.0),
        (replace(beside, density=1.5), 12.0),
        (replace(beside, dynamics=Dynamics(0.2, 0.4, 0.2)), 12.0),
        (replace(beside, modes=make_parameters(mode="ionian").modes), 12.0),
    ):
        assert groove_changes(rock, after, at=10.5) == [beat]


def test_after_a_clear_move_a_groove_in_three_comes_with_the_bar() -> None:
    calm, stirred = make_parameters(density=0.5), replace(make_parameters(density=2.0), groove="waltz")
    assert groove_changes(calm, stirred, at=7.0, beats_per_bar=3) == [9.0]


def test_a_groove_that_a_clear_move_asked_for_less_than_a_beat_is_not_played() -> None:
    rock, dance = replace(make_parameters(density=0.5), groove="rock"), replace(make_parameters(), groove="dance")
    states = smooth(lambda beat: dance if 9.25 <= beat < 10.25 else rock, beats=40)
    assert {now.groove for _, now in states} == {"rock"}


def test_a_scale_comes_with_the_phrase_if_it_was_asked_for_a_bar_long() -> None:
    states = smooth(turn(make_parameters(), make_parameters(scale=RAST), at=6.0), beats=40)
    assert changes(states, "scale") == [16.0]
    states = smooth(turn(make_parameters(), make_parameters(scale=RAST), at=13.0), beats=40)
    assert changes(states, "scale") == [32.0]


def test_noise_of_the_live_net_does_not_change_the_music() -> None:
    """Two minutes of a steady feeling whose parameters wander (AR(1), tempo SD 4 %) every 0.6 beats."""
    rng, wander = random.Random(4), [0.0]

    def wandering(beat: float) -> MusicParameters:
        w = wander[-1] = 0.8 * wander[-1] + 0.6 * rng.gauss(0.0, 1.0)
        share = min(1.0, max(0.0, 0.54 + 0.06 * w))
        return replace(
            make_parameters(bpm=120.0 * (1.0 + 0.04 * w), density=1.0 + 0.06 * w, centre=69.0 + 1.5 * w),
            modes=mixture(ionian=share, aeolian=1.0 - share).modes,
            dynamics=Dynamics(0.4 + 0.02 * w, 0.6 + 0.02 * w, 0.2),
        )

    script = [(0.6 * n, wandering(0.6 * n)) for n in range(400)]
    asked_modes = sum(a.mode != b.mode for (_, a), (_, b) in itertools.pairwise(script))
    states = smooth(lambda beat: script[int(beat / 0.6 + 1e-9)][1], beats=239)
    assert asked_modes > 20
    assert {now.mode for _, now in states} == {"ionian"}
    assert all(beat % 16 == 0 for field in ("register", "density") for beat in changes(states, field))
    bpms = [bpm for bpm, _ in itertools.groupby(now.tempo.suggested for _, now in states)]
    turns = sum((b - a) * (c - b) < 0.0 for a, b, c in zip(bpms, bpms[1:], bpms[2:], strict=False))
    asked_bpms = [now.tempo.suggested for _, now in script]
    asked_turns = sum(
        (b - a) * (c - b) < 0.0 for a, b, c in zip(asked_bpms, asked_bpms[1:], asked_bpms[2:], strict=False)
    )
    assert turns < 0.2 * asked_turns


def weights(length: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(st.floats(0.01, 1.0), min_size=length, max_size=length).map(
        lambda raw: tuple(value / sum(raw) for value in raw)
    )


@st.composite
def anything(draw: st.DrawFn) -> MusicParameters:
    tempo = sorted(draw(st.lists(st.floats(20.0, 300.0), min_size=3, max_size=3)))
    register = sorted(draw(st.lists(st.floats(0.0, 127.0), min_size=3, max_size=3)))
    band_of_loudness = sorted(draw(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2)))
    return MusicParameters(
        tempo=TempoRange(*tempo),
        modes=draw(weights(len(MODES))),
        register=Register(*register),
        dynamics=Dynamics(*band_of_loudness, draw(st.floats(0.0, 1.0))),
        timing=TimingWeights(*draw(weights(3))),
        density=draw(st.floats(0.0, 3.0)),
        rhythms=draw(weights(len(RHYTHMS))),
        scale=draw(st.none() | st.just(RAST)),
        unrest=draw(st.floats(-1.0, 1.0)),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(anything(), st.sampled_from([0.25, 0.5, 1.0, 1.75, 4.0, 40.0])), min_size=2, max_size=25))
def test_any_target_gives_valid_parameters_within_reach(
    script: list[tuple[MusicParameters, float]],
) -> None:
    """Tempo and dynamics move by bounded steps, the rest only across a bar line."""
    smoother = ParameterSmoother.begin(0.0, script[0][0])
    for target_at, beats in script:
        before, smoother = smoother, smoother.step(smoother.beat + beats, target_at)
        old, new = before.current, smoother.current
        assert (
            abs(new.tempo.suggested / old.tempo.suggested - 1.0) <= (1.0 + TEMPO_CHANGE_PER_BEAT) ** beats - 1.0 + 1e-9
        )
        assert abs(new.dynamics.floor - old.dynamics.floor) <= 1.0 - 2.7 ** (-2.0 * beats) + 0.02
        if int(smoother.beat // 4) == int(before.beat // 4):
            assert (new.density, new.unrest, new.register, new.rhythms, new.timing) == (
                old.density,
                old.unrest,
                old.register,
                old.rhythms,
                old.timing,
            )
            assert new.modes == old.modes
        if int(smoother.beat // 16) == int(before.beat // 16):
            assert new.scale == old.scale


@settings(max_examples=40, deadline=None)
@given(anything(), anything())
def test_a_constant_target_is_reached_and_then_nothing_moves(first: MusicParameters, then: MusicParameters) -> None:
    states = smooth(turn(first, then, at=1.0), beats=224)
    settled = {now for beat, now in states if beat >= 160.0}
    assert len(settled) == 1
    last = settled.pop()
    assert abs(then.tempo.suggested / last.tempo.suggested - 1.0) <= TEMPO_BAND + 1e-9
    assert last.density == pytest.approx(then.density, abs=DENSITY_BAND)
    assert last.register.centre == pytest.approx(then.register.centre, abs=1.01)
    assert last.dynamics.floor == pytest.approx(then.dynamics.floor, abs=0.01)
    assert then.modes[MODES.index(last.mode)] >= max(then.modes) - MODE_MARGIN - 1e-9
    assert last.scale == then.scale


@settings(max_examples=40, deadline=None)
@given(anything(), anything(), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_bar_line_changes_do_not_depend_on_the_slices(
    first: MusicParameters, then: MusicParameters, slice_beats: float
) -> None:
    """The target turns right after beat 8: averages and bar lines do not depend on the slices."""
    fine = dict(smooth(turn(first, then, at=8.01), beats=64))
    coarse = dict(smooth(turn(first, then, at=8.01), beats=64, slice_beats=slice_beats))
    for bar in range(16):
        one, other = fine[4.0 * bar], coarse[4.0 * bar]
        assert one.density == pytest.approx(other.density)
        assert one.register.centre == pytest.approx(other.register.centre)
        assert one.rhythms == pytest.approx(other.rhythms)
        assert one.timing.behind == pytest.approx(other.timing.behind)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(0, 999))
def test_the_same_feeling_gives_the_same_notes_however_advance_is_called(steps: list[int], seed: int) -> None:
    """One caller advances every 10 ms, the other at random; the feeling turns between two bars."""

    def notes(steps: Sequence[int]) -> list[object]:
        sink, centiseconds = RecordingSink(), 0
        conductor = Conductor(sink, band(), seed=seed, tonic=0)
        calm, wild = make_parameters(bpm=120.0), make_parameters(bpm=140.0, mode="aeolian", density=2.0, centre=76.0)
        conductor.start(0.0, calm)
        for step in itertools.cycle(steps):
            before, centiseconds = centiseconds, min(900, centiseconds + step)
            if before < 300 <= centiseconds:
                conductor.advance(2.999, calm)
            conductor.advance(centiseconds / 100.0, calm if centiseconds < 300 else wild)
            if centiseconds == 900:
                return sorted((n.part, n.onset_beats, n.pitch, n.velocity) for n in sink.notes)
        raise AssertionError

    assert notes(steps) == notes([1])
