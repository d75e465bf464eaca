"""Pitch classes of note names."""

from __future__ import annotations

import pytest

from kelly_live.core.pitch_names import parse_pitch_class


@pytest.mark.parametrize(
    ("name", "pitch_class"), [("C", 0), ("Eb", 3), ("F#", 6), ("Cb", 11), ("B#", 0), ("Bb", 10), ("Abb", 7), ("F##", 7)]
)
def test_accidentals_move_the_letter_round_the_octave(name: str, pitch_class: int) -> None:
    assert parse_pitch_class(name) == pitch_class


def test_a_text_without_a_letter_is_an_error() -> None:
    with pytest.raises(KeyError):
        parse_pitch_class("H")
