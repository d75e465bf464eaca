"""Key, tempo, metre and style as a musician types them."""

from __future__ import annotations

import pytest

import kelly_live
from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.external_io import ExternalIOOptions
from kelly_live.engine.options.piece import FixedKey, PieceOptions, parse_metre


@pytest.mark.parametrize(
    ("text", "tonic", "mode"),
    [
        ("C", 0, None), ("c", 0, None), ("F#", 6, None), ("Bb", 10, None), ("Cb", 11, None), ("B#", 0, None),
        ("Ebm", 3, "aeolian"), ("A minor", 9, "aeolian"), ("D major", 2, "ionian"), ("d dorian", 2, "dorian"),
        ("G♭ Mixolydian", 6, "mixolydian"), (" e locrian ", 4, "locrian"),
    ],
)  # fmt: skip
def test_a_key_is_a_tonic_and_perhaps_a_mode(text: str, tonic: int, mode: str | None) -> None:
    assert FixedKey.parse(text) == FixedKey(tonic, mode)


@pytest.mark.parametrize("text", ["", "H", "Cx", "C blues", "1", "C##", "C minor 7", "ⅭC"])
def test_what_is_no_key_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ConfigError, match=r"key|mode"):
        FixedKey.parse(text)


@pytest.mark.parametrize(("text", "beats"), [("3/4", 3), ("2/4", 2), ("12/4", 12)])
def test_a_metre_is_so_many_quarter_notes(text: str, beats: int) -> None:
    assert parse_metre(text) == beats


@pytest.mark.parametrize("text", ["", "1/4", "13/4", "6/8", "3", "3/4/4", "-3/4", "٣/4"])
def test_what_is_no_such_metre_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="metre"):
        parse_metre(text)


def test_a_piece_keeps_what_is_fixed() -> None:
    piece = kelly_live.compose("happy", key="D dorian", tempo=96.0, metre="3/4", style="waltz", bars=9, seed=2)
    assert (piece.tonic, piece.mode) == ("D", "dorian")
    assert piece.end_seconds == pytest.approx(9 * 3 * 60.0 / 96.0)
    bass = [note for note in piece.notes if note.part == "bass"]
    assert {round(note.onset_beats) % 3 for note in bass} <= {0, 2}
    dorian = {(2 + step) % 12 for step in (0, 2, 3, 5, 7, 9, 10)}
    assert {note.pitch % 12 for note in piece.notes if note.part == "melody"} <= dorian


def test_a_style_changes_how_the_section_plays_and_not_the_melody_s_rhythm() -> None:
    plain, swinging = (kelly_live.compose("neutral", style=style, bars=9, seed=2) for style in ("plain", "swing"))
    keys = [{n.pitch for n in piece.notes if n.part == "percussion"} for piece in (plain, swinging)]
    assert 51 in keys[1]
    assert keys[0] != keys[1]
    onsets = [[round(4 * n.onset_beats) for n in piece.notes if n.part == "melody"] for piece in (plain, swinging)]
    assert onsets[0] == onsets[1]


def test_what_is_fixed_cannot_be_followed_too() -> None:
    with pytest.raises(ConfigError, match="--tempo"):
        LiveOptions(piece=PieceOptions(tempo=120.0), follow=("tempo",))
    with pytest.raises(ConfigError, match="--key"):
        LiveOptions(piece=PieceOptions(key=FixedKey(0)), follow=("key",))
    with pytest.raises(ConfigError, match="--clock follow"):
        LiveOptions(piece=PieceOptions(tempo=120.0), external_io=ExternalIOOptions(clock="follow"))
    LiveOptions(piece=PieceOptions(key=FixedKey(0)), follow=("tempo",))
