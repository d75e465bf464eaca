"""Modes, keys, tunings and chords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.values import MODES, Scale
from kelly_live.music.theory import (
    MODE_SEMITONES,
    Key,
    build_chord,
    build_mode_scale,
    find_nearest_mode,
    measure_voice_leading,
    spell_key,
)

RAST = Scale("rast", (0.0, 204.0, 384.0, 498.0, 702.0, 906.0, 1088.0))
PENTATONIC = Scale("pentatonic", (0.0, 200.0, 400.0, 700.0, 900.0))
QUARTER_TONES = Scale("quarter tones", tuple(50.0 * k for k in range(24)))
KEYS = st.builds(
    Key, st.integers(0, 11), st.sampled_from([*map(build_mode_scale, MODES), RAST, PENTATONIC, QUARTER_TONES])
)


@pytest.mark.parametrize(
    ("mode", "semitones"),
    [
        ("ionian", (0, 2, 4, 5, 7, 9, 11)),
        ("dorian", (0, 2, 3, 5, 7, 9, 10)),
        ("phrygian", (0, 1, 3, 5, 7, 8, 10)),
        ("lydian", (0, 2, 4, 6, 7, 9, 11)),
        ("mixolydian", (0, 2, 4, 5, 7, 9, 10)),
        ("aeolian", (0, 2, 3, 5, 7, 8, 10)),
        ("locrian", (0, 1, 3, 5, 6, 8, 10)),
    ],
)
def test_each_mode_has_its_tones(mode: str, semitones: tuple[int, ...]) -> None:
    assert MODE_SEMITONES[mode] == semitones
    assert find_nearest_mode(build_mode_scale(mode)) == mode


@pytest.mark.parametrize(
    ("mode", "tonic", "names"),
    [
        ("ionian", 0, "C Dm Em F G Am Bdim"),
        ("aeolian", 9, "Am Bdim C Dm Em F G"),
        ("dorian", 2, "Dm Em F G Am Bdim C"),
        ("phrygian", 4, "Em F G Am Bdim C Dm"),
        ("lydian", 5, "F G Am Bdim C Dm Em"),
        ("mixolydian", 10, "Bb Cm Ddim Eb Fm Gm Ab"),
    ],
)
def test_the_chords_of_a_mode(mode: str, tonic: int, names: str) -> None:
    key = Key(tonic, build_mode_scale(mode))
    assert " ".join(build_chord(key, degree).name for degree in range(7)) == names


def test_sevenths_have_their_names() -> None:
    key = Key(0, build_mode_scale("ionian"))
    assert [build_chord(key, d, seventh=True).name for d in (0, 1, 4, 6)] == ["Cmaj7", "Dm7", "G7", "Bm7b5"]


def test_a_key_is_spelled_a_letter_a_degree() -> None:
    assert spell_key(Key(6, build_mode_scale("ionian")))[0] in ("F#", "Gb")
    assert spell_key(Key(10, build_mode_scale("aeolian"))) == ("Bb", "C", "Db", "Eb", "F", "Gb", "Ab")


def test_a_tuning_keeps_its_cents_and_finds_its_mode() -> None:
    key = Key(2, RAST)
    third = key.note(key.step_near(66))
    assert (third.pitch, third.cents) == (66, -16.0)
    assert key.mode == "ionian"
    assert len(build_chord(Key(0, QUARTER_TONES), 0).degrees) == 3


@given(KEYS, st.integers(-10, 120))
def test_nearest_step_undoes_cents(key: Key, step: int) -> None:
    assert key.step_near(key.cents(step) / 100.0) == step
    note = key.note(step)
    assert abs(note.cents) <= 50.0
    assert abs(100.0 * note.pitch + note.cents - key.cents(step)) < 0.01


@given(KEYS, st.floats(0, 127), st.floats(0, 40))
def test_steps_within_a_range_lie_in_it_or_next_to_it(key: Key, low: float, width: float) -> None:
    steps = key.steps_within(low, low + width)
    assert len(steps) >= 1
    if len(steps) > 1:
        assert key.cents(steps[0]) >= 100.0 * low - 1e-6
        assert key.cents(steps[-1]) <= 100.0 * (low + width) + 1e-6


@given(KEYS, st.integers(0, 23), st.floats(0, 100))
def test_the_nearest_chord_tone_is_one_and_is_nearest(key: Key, degree: int, step: float) -> None:
    chord = build_chord(key, degree % key.size)
    tone = chord.step_near(step)
    assert chord.has(tone)
    closer = [s for s in range(int(step) - 40, int(step) + 41) if chord.has(s) and abs(s - step) < abs(tone - step)]
    assert not closer


def test_voice_leading_counts_semitones() -> None:
    assert measure_voice_leading((60, 64, 67), (60, 65, 69)) == 3
    assert measure_voice_leading((60, 64, 67), (60, 64, 67, 72)) == 5
