"""Chords as roman numerals, and how phrases end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kelly_live.music.analysis import name_cadence, name_chord
from kelly_live.music.harmony import HARMONIC_MINOR, ChordSpan, Phrase, plan_phrase
from kelly_live.music.theory import Key, build_chord, build_mode_scale

C_MAJOR, C_MINOR = Key(0, build_mode_scale("ionian")), Key(0, build_mode_scale("aeolian"))


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (C_MAJOR, ["I", "ii", "iii", "IV", "V", "vi", "vii°"]),
        (C_MINOR, ["i", "ii°", "bIII", "iv", "v", "bVI", "bVII"]),
        (Key(9, build_mode_scale("dorian")), ["i", "ii", "bIII", "IV", "v", "vi°", "bVII"]),
        (Key(3, build_mode_scale("lydian")), ["I", "II", "iii", "#iv°", "V", "vi", "vii"]),
        (Key(4, build_mode_scale("phrygian")), ["i", "bII", "bIII", "iv", "v°", "bVI", "bvii"]),
    ],
)
def test_degrees_are_named_against_the_major_scale_of_the_tonic(key: Key, names: list[str]) -> None:
    assert [name_chord(build_chord(key, degree)) for degree in range(7)] == names


def test_sevenths_and_the_dominant_of_minor() -> None:
    assert [name_chord(build_chord(C_MAJOR, degree, seventh=True)) for degree in (0, 1, 4)] == ["Imaj7", "ii7", "V7"]
    assert name_chord(build_chord(Key(0, HARMONIC_MINOR), 4, seventh=True)) == "V7"
    assert name_chord(build_chord(Key(0, HARMONIC_MINOR), 2)) == "bIII+"


def end_with(*degrees: int) -> Phrase:
    phrase = plan_phrase(1, 0, C_MAJOR, start_bar=0)
    spans = [ChordSpan(float(n), n + 1.0, build_chord(C_MAJOR, degree)) for n, degree in enumerate(degrees)]
    return replace(phrase, spans=tuple(spans))


@pytest.mark.parametrize(
    ("degrees", "cadence"),
    [((4, 0), "authentic"), ((3, 0), "plagal"), ((1, 0), "modal"), ((0,), "tonic"), ((1, 4), "half"),
     ((4, 5), "deceptive"), ((0, 3), "open"), ((1, 5), "open")],
)  # fmt: skip
def test_a_phrase_ends_as_its_last_two_chords_say(degrees: tuple[int, ...], cadence: str) -> None:
    assert name_cadence(end_with(*degrees)) == cadence
