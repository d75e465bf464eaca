"""The shipped mapper: sensible music for each feeling, calm when unsure, quick, deterministic."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.emotion_space import TRUSTED_CONFIDENCE, create_state, relax_state
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import find_model_set, find_resources
from kelly_live.core.values import (
    EMOTIONS,
    MODES,
    NEUTRAL_PROBABILITIES,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
)
from kelly_live.mapping.mapper import (
    CALM_AROUSAL,
    CALM_DENSITY,
    CALM_REGISTER,
    STIRRED_AROUSAL,
    LearnedMapper,
    accompaniment_unrest,
    lean_density,
    lean_dynamics,
    lean_modes,
    lean_register,
    load_mapper,
)

unit = st.floats(-1.0, 1.0)
MAJOR = ("ionian", "lydian", "mixolydian")


@pytest.fixture(scope="module")
def mapper() -> LearnedMapper:
    return load_mapper(find_resources("models"))


def bright(music: MusicParameters) -> float:
    """Share of the modes with a major third."""
    return sum(w for w, name in zip(music.modes, MODES, strict=True) if name in MAJOR)


def loudness(music: MusicParameters) -> float:
    return (music.dynamics.floor + music.dynamics.ceiling) / 2


def test_excitement_is_fast_bright_loud_and_busy_where_sadness_is_slow_dark_soft_and_sparse(
    mapper: LearnedMapper,
) -> None:
    excited, sad = mapper(create_state(emotion="excited")), mapper(create_state(emotion="sad"))
    assert excited.tempo.suggested > 1.25 * sad.tempo.suggested
    assert bright(excited) > 0.7
    assert bright(sad) < 0.35
    assert loudness(excited) > loudness(sad) + 0.15
    # Busy is notes a second: a beat of a fast tempo holds about as many notes as one of a slow tempo.
    assert excited.density * excited.tempo.suggested > 1.6 * sad.density * sad.tempo.suggested
    assert excited.density > sad.density
    assert excited.register.centre > sad.register.centre


def test_quiet_sadness_is_minor_and_quiet_contentment_is_major(mapper: LearnedMapper) -> None:
    shares = [bright(mapper(create_state(valence, -0.8))) for valence in (-0.8, -0.4, 0.0, 0.4, 0.8)]
    assert shares == sorted(shares)
    assert shares[1] < 0.3
    assert shares[3] > 0.85


@given(st.lists(st.floats(0.01, 1.0), min_size=len(MODES), max_size=len(MODES)), unit)
def test_valence_decides_between_major_and_minor_and_not_within_them(raw: list[float], valence: float) -> None:
    modes = tuple(weight / sum(raw) for weight in raw)
    leant, leant_back = lean_modes(modes, valence), lean_modes(modes, -valence)
    assert sum(leant) == pytest.approx(1.0)
    assert leant[0] / leant[3] == pytest.approx(modes[0] / modes[3])  # ionian and lydian
    assert leant[1] / leant[5] == pytest.approx(modes[1] / modes[5])  # dorian and aeolian
    assert (leant[0] - leant_back[0]) * valence >= 0.0
    assert lean_modes(modes, 0.0) == modes


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), unit)
def test_a_taste_moves_clear_and_unclear_modes_alike(taste: float, base: float, valence: float) -> None:
    def weights(major: float) -> tuple[float, ...]:
        return tuple(major / 3.0 if name in MAJOR else (1.0 - major) / 4.0 for name in MODES)

    def major(modes: tuple[float, ...]) -> float:
        return sum(modes) - 4.0 * modes[MODES.index("aeolian")]

    nobodys, with_taste = lean_modes(weights(base), valence), lean_modes(weights(taste), valence, weights(base))
    assert sum(with_taste) == pytest.approx(1.0)
    assert lean_modes(weights(base), valence, weights(base)) == pytest.approx(nobodys)
    base_major, taste_major = major(nobodys), major(with_taste)
    way = (taste - base) / (1.0 - base) if taste > base else (taste - base) / base
    assert taste_major == pytest.approx(base_major + way * (1.0 - base_major if taste > base else base_major), abs=1e-6)


def test_bitterness_is_accompanied_restlessly_where_it_is_stirred(mapper: LearnedMapper) -> None:
    angry, happy, sad = (mapper(create_state(emotion=name)).unrest for name in ("angry", "happy", "sad"))
    assert angry > 0.4
    assert happy < -0.6
    assert abs(sad) < 0.2
    assert mapper(create_state(emotion="neutral")).unrest == 0.0


@given(unit, unit)
def test_unrest_grows_with_bitterness_and_stays_within_its_range(valence: float, arousal: float) -> None:
    assert -1.0 <= accompaniment_unrest(valence, arousal) <= 1.0
    assert (
        accompaniment_unrest(-1.0, arousal)
        >= accompaniment_unrest(valence, arousal)
        >= accompaniment_unrest(1.0, arousal)
    )
    assert accompaniment_unrest(valence, -1.0) == 0.0


def test_calm_content_lies_above_quiet_sadness(mapper: LearnedMapper) -> None:
    """By CALM_REGISTER at most: what the net does by itself is not done twice."""
    content, sad = (mapper(create_state(valence, CALM_AROUSAL)).register for valence in (0.5, -0.5))
    assert 2.0 < content.centre - sad.centre <= CALM_REGISTER + 1e-6


@given(unit, unit, st.floats(0.0, 127.0), st.floats(0.0, 40.0))
def test_register_follows_valence_where_it_is_calm_and_within_midi(
    valence: float, arousal: float, low: float, width: float
) -> None:
    register = Register(low, low + 0.5 * (min(127.0, low + width) - low), min(127.0, low + width))
    leant = lean_register(register, valence, arousal)
    assert leant.high - leant.low == pytest.approx(register.high - register.low)
    assert (leant.centre - register.centre) * valence >= 0.0
    assert lean_register(register, 0.0, arousal) == register
    assert lean_register(register, valence, 1.0) == register
    assert abs(leant.centre - register.centre) <= abs(lean_register(register, valence, -1.0).centre - register.centre)


@pytest.mark.parametrize("model_set", ["open", "research"])
def test_calm_music_is_sparse_in_either_set(model_set: str) -> None:
    """By CALM_DENSITY: what the net does by itself is not done twice."""
    mapper = load_mapper(find_model_set(model_set))
    calm, stirred = (mapper(create_state(0.0, arousal)).density for arousal in (CALM_AROUSAL, STIRRED_AROUSAL))
    assert calm == pytest.approx(CALM_DENSITY * stirred, rel=0.1)


@given(st.floats(0.0, 3.0), unit, st.floats(0.3, 1.0))
def test_density_falls_only_where_it_is_calm(density: float, arousal: float, share: float) -> None:
    leant = lean_density(density, arousal, share)
    assert leant == density if arousal >= 0.0 else 0.0 <= leant <= density
    assert lean_density(density, CALM_AROUSAL, share) == pytest.approx(share * density)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), unit)
def test_level_rises_where_it_is_stirred_and_keeps_its_range(low: float, width: float, arousal: float) -> None:
    dynamics = Dynamics(low, low + (1.0 - low) * width, 0.4)
    leant = lean_dynamics(dynamics, arousal)
    assert leant.ceiling - leant.floor == pytest.approx(dynamics.ceiling - dynamics.floor)
    assert dynamics.ceiling <= leant.ceiling <= 1.0
    assert leant == dynamics or arousal > 0.0


def test_what_is_very_stirred_is_played_forte_and_what_is_very_calm_softly(mapper: LearnedMapper) -> None:
    stirred, calm = (127.0 * loudness(mapper(create_state(0.0, arousal))) for arousal in (0.8, -0.8))
    assert 92.0 < stirred < 112.0
    assert calm < 50.0


def test_anger_is_fast_dark_and_loud_and_louder_than_fear(mapper: LearnedMapper) -> None:
    angry, neutral = mapper(create_state(emotion="angry")), mapper(create_state(emotion="neutral"))
    assert angry.tempo.suggested > neutral.tempo.suggested + 10
    assert bright(angry) < 0.35
    assert loudness(angry) > loudness(neutral) + 0.05
    assert loudness(angry) > loudness(mapper(create_state(emotion="fearful"))) + 0.05


def test_the_four_quadrants_differ_clearly(mapper: LearnedMapper) -> None:
    corners = {(v, a): mapper(create_state(v, a)) for v in (-0.5, 0.5) for a in (-0.5, 0.5)}
    for v in (-0.5, 0.5):
        assert corners[v, 0.5].tempo.suggested > 1.2 * corners[v, -0.5].tempo.suggested
        busy, sparse = corners[v, 0.5], corners[v, -0.5]
        assert busy.density * busy.tempo.suggested > 1.5 * sparse.density * sparse.tempo.suggested
        assert loudness(corners[v, 0.5]) > loudness(corners[v, -0.5]) + 0.1
    for a in (-0.5, 0.5):
        assert bright(corners[0.5, a]) > bright(corners[-0.5, a]) + 0.3


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=8, max_size=8), unit, unit, unit, st.floats(0.0, 1.0))
def test_every_state_maps_to_checked_parameters_and_always_the_same(
    weights: list[float], valence: float, arousal: float, dominance: float, confidence: float
) -> None:
    mapper = load_mapper(find_resources("models"))
    probabilities = tuple(weight / sum(weights) for weight in weights)
    state = EmotionState(probabilities, valence, arousal, dominance, confidence, time=1.0)
    music = mapper(state)  # MusicParameters checks itself
    assert mapper(replace(state, time=99.0)) == music


def test_low_confidence_moves_a_state_towards_neutral(mapper: LearnedMapper) -> None:
    happy, rest = create_state(emotion="happy"), EmotionState(NEUTRAL_PROBABILITIES, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert mapper(replace(happy, confidence=TRUSTED_CONFIDENCE)) == mapper(happy)
    assert mapper(replace(happy, confidence=0.0)) == mapper(rest)
    calm, lively = mapper(rest).tempo.suggested, mapper(happy).tempo.suggested
    assert calm < mapper(replace(happy, confidence=TRUSTED_CONFIDENCE / 4)).tempo.suggested < lively
    half = relax_state(replace(happy, confidence=TRUSTED_CONFIDENCE / 2))
    assert half.valence == pytest.approx(happy.valence / 2)
    assert sum(half.probabilities) == pytest.approx(1.0)


def test_a_call_is_quick_enough_for_every_hop(mapper: LearnedMapper) -> None:
    states = [create_state(emotion=name) for name in EMOTIONS] * 10
    mapper(states[0])
    # CPU time of this process: a busy machine must not fail a test of our own work.
    begin = time.process_time()
    for state in states:
        mapper(state)
    assert (time.process_time() - begin) / len(states) < 0.002


def test_a_missing_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        load_mapper(tmp_path)
