"""Chord sheets: given this text, these chords in these bars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kelly_live
from kelly_live.core.errors import ConfigError
from kelly_live.music.chord_sheet import ChordSheet, ChordSymbol
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.sheet_harmony import apply_sheet
from kelly_live.music.theory import NOTE_NAMES, Key, build_mode_scale


@pytest.mark.parametrize(
    ("text", "sheet"),
    [
        ("| Am | F | C G |", "| Am | F | C G |"),
        ("Am F C G", "| Am | F | C | G |"),
        ("|: Dm7 . G7 / :| % |\nCmaj7 ||", "| Dm7 Dm7 G7 G7 | Dm7 Dm7 G7 G7 | Dm7 Dm7 G7 G7 | Cmaj7 |"),
        ("Am | F | C | G", "| Am | F | C | G |"),
        ("|: Am | F :| C | G |", "| Am | F | Am | F | C | G |"),
        ("|: Am | F :|: C :|", "| Am | F | Am | F | C | C |"),
        ("|: Am | F |1. C | G :|2. C | Am |", "| Am | F | C | G | Am | F | C | Am |"),
        ("|: Am | F |1 C :|2 G :|| Dm |", "| Am | F | C | Am | F | G | Dm |"),
        ("| Am | F |[1.,2. C :|[3. G | D || E |", "| Am | F | C | Am | F | C | Am | F | G | D | E |"),
        ("|: Am |1-3. F :|4.G |: C :|", "| Am | F | Am | F | Am | F | Am | G | C | C |"),
        ("|: Am | F |1. C :|\n|2. G |\n|: Dm |1. E :|2. A |", "| Am | F | C | Am | F | G | Dm | E | Dm | A |"),
        ("|: Am | F |1. C :| G |", "| Am | F | C | Am | F | G |"),
        ("||: Am | F :|| x3", "| Am | F | Am | F | Am | F |"),
        ("| Am | F | (2x)\n| C |", "| Am | F | Am | F | C |"),
        ("Verse: | Am | F |\nChorus | C - - | G / / |", "| Am | F | C C C | G G G |"),
        ("| C . . | F . G |", "| C C C | F F G |"),
        ("| C6/9 | n.c. | D/F# | C7alt |", "| C6/9 | N.C. | D/F# | C7alt |"),
        ("{sot}\ne|--0--|\n{eot}\n[C]Slow [*twice][F]words", "| C | F |"),
        ("[Verse 1]\nAm      F\nA long time ago\n\n[Chorus]\nC  G", "| Am | F | C | G |"),
        ("[Intro]\n| Am | F |\nla la", "| Am | F |"),
        ("{title: A song}\n# a comment\n[C]Words and [Am7]words\nmore [F]words", "| C | Am7 | F |"),
        ("{start_of_grid}\n| Bb . . . | F/A . Gm . |\n{end_of_grid}", "| Bb Bb Bb Bb | F/A F/A Gm Gm |"),
        ("| N.C. | F#ø7 | B°7 | Ebsus |", "| N.C. | F#ø7 | B°7 | Ebsus |"),
    ],
)
def test_what_musicians_write_is_read(text: str, sheet: str) -> None:
    assert str(ChordSheet.parse(text)) == sheet
    assert str(ChordSheet.parse(sheet)) == sheet


@pytest.mark.parametrize(
    ("text", "root", "tones"),
    [
        ("C", 0, (0, 4, 7)),
        ("F#m", 6, (0, 3, 7)),
        ("B♭maj7", 10, (0, 4, 7, 11)),
        ("EbM7", 3, (0, 4, 7, 11)),
        ("G7b9", 7, (0, 4, 7, 10)),
        ("G13", 7, (0, 4, 7, 10)),
        ("Amin7", 9, (0, 3, 7, 10)),
        ("A-7", 9, (0, 3, 7, 10)),
        ("Bm7b5", 11, (0, 3, 6, 10)),
        ("C+", 0, (0, 4, 8)),
        ("D5", 2, (0, 7)),
        ("C/E", 0, (0, 4, 7)),
        ("Gsus2", 7, (0, 2, 7)),
        ("Gsus", 7, (0, 5, 7)),
        ("G7sus4", 7, (0, 5, 7, 10)),
        ("Am(maj7)", 9, (0, 3, 7, 11)),
    ],
)
def test_a_chord_has_its_tones(text: str, root: int, tones: tuple[int, ...]) -> None:
    chord = ChordSymbol.parse(text)
    assert (chord.root, chord.tones) == (root, tones)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "| |",
        "| H |",
        "| Am | x |",
        "| Cfoo |",
        "a",
        "| C " * 600,
        "| C" + " C" * 9 + "|",
        "%",
        "| C | F | C | G :| x99\n| F | F | G | G :| x99",
        "words",
    ],
)
def test_what_is_no_sheet_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        ChordSheet.parse(text)
    assert "\n" not in str(error.value)


def test_german_names_get_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"'Hm' is no chord that is known.*H is written B"):
        ChordSheet.parse("| Hm | Em |")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        sheet = ChordSheet.parse(text)
    except ConfigError:
        return
    assert ChordSheet.parse(str(sheet)).bars == sheet.bars


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("| C | Am | F | G |", (0, "ionian")),
        ("| Am | F | C | G |", (9, "aeolian")),
        ("| Em | C | G | D |", (4, "aeolian")),
        ("| Dm | Gm | A7 | Dm |", (2, "aeolian")),
        ("| Eb | Bb | Cm | Ab |", (3, "ionian")),
        ("| Dm7 | G7 | Cmaj7 | Cmaj7 |", (0, "ionian")),
    ],
)
def test_the_key_is_that_of_the_chords(text: str, key: tuple[int, str]) -> None:
    assert ChordSheet.parse(text).find_key() == key


def test_a_phrase_has_the_sheet_s_chords_in_its_bars() -> None:
    sheet = ChordSheet.parse("| Am | F | C G |")
    key = Key(9, build_mode_scale("aeolian"))
    phrase = apply_sheet(sheet, plan_phrase(1, 1, key, start_bar=4))
    assert [(span.start_beat, span.end_beat, span.chord.name) for span in phrase.spans] == [
        (16.0, 20.0, "F"),
        (20.0, 22.0, "C"),
        (22.0, 24.0, "G"),
        (24.0, 28.0, "Am"),
        (28.0, 32.0, "F"),
    ]


def test_the_band_plays_the_sheet() -> None:
    performance = kelly_live.compose("happy", bars=9, seed=3, chords="| Eb | Cm7 | Ab | Bb7 |", tempo=100.0)
    assert performance.tonic == "Eb"
    expected = [{3, 7, 10}, {0, 3, 7, 10}, {8, 0, 3}, {10, 2, 5, 8}]
    bass = [note for note in performance.notes if note.channel == 2]
    for bar in range(8):
        roots = [note.pitch % 12 for note in bass if abs(note.onset_beats - 4.0 * bar) < 0.15]
        assert set(roots) <= expected[bar % 4], (bar, [NOTE_NAMES[root] for root in roots])
