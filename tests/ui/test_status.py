"""Three rows say what the hand does, the feeling, the music and trouble, at any width, the most important first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kelly_live.ui.status import (
    ASCII,
    UNICODE,
    LiveStatus,
    Piece,
    Symbols,
    describe_changes,
    fit_row,
    format_row,
    format_rows,
)
from tests.ui.sample_status import status

LOST = "the MIDI port IAC is gone; it is tried again every 2 s, and plays on when it is back"


def rows(moment: LiveStatus, width: int, symbols: Symbols = UNICODE) -> list[str]:
    return [format_row(row, symbols) for row in format_rows(moment, width, symbols)]


def test_a_wide_terminal_shows_everything() -> None:
    moment = status(
        hand=("frozen", "by hand: V+0.50"),
        playing=("with your tempo and key",),
        troubles={"the MIDI port IAC": LOST, "melody muted": "melody muted"},
        standby="next: verse 2",
        late_notes=3,
        inputs="1, 2",
        remarks=("profile ana",),
    )
    assert rows(moment, 250) == [
        "FROZEN · BY HAND: V+0.50 · happy 72% · V+0.81 A+0.51 D-0.46",
        "112 BPM · D dorian · Dm7 · bar 12",
        f"! {LOST} · ! melody muted · next: verse 2 · late 3 · ▮▮▮▮▮▮▯▯▯▯ in -23 dB (1, 2) · with your tempo and key"
        " · profile ana",
    ]


def test_40_columns_keep_what_the_hand_does_the_feeling_the_music_and_trouble() -> None:
    moment = status(
        "surprised",
        hand=("frozen", "by hand: V-0.43 A-0.17 D-0.33"),
        is_by_hand=True,
        troubles={"the MIDI port IAC": LOST},
        standby="next: verse 2",
        playing=("with your tempo, key, chords and dynamics",),
    )
    assert rows(moment, 39) == [
        "FROZEN · BY HAND · surprised",
        "112 BPM · D dorian · Dm7 · bar 12",
        "! the MIDI port IAC · next: verse 2",
    ]


def test_the_word_of_the_feeling_stands_beside_it_where_it_says_more() -> None:
    moment = status(word="triumphant")
    assert rows(moment, 60)[0] == "listening · happy 72% · triumphant · V+0.81 A+0.51 D-0.46"
    assert rows(moment, 39)[0] == "listening · happy 72% · triumphant"
    assert rows(moment, 30)[0] == "listening · happy 72%"
    assert rows(status(word="happy"), 39)[0] == "listening · happy 72% · V+0.81 A+0.51"
    assert describe_changes(status(), moment) == ["triumphant"]


def test_with_nothing_in_hand_it_listens() -> None:
    assert rows(status(), 39) == [
        "listening · happy 72% · V+0.81 A+0.51",
        "112 BPM · D dorian · Dm7 · bar 12",
        "▮▮▮▮▮▮▯▯▯▯ in -23 dB",
    ]


def test_a_place_set_by_hand_has_no_confidence() -> None:
    assert rows(status(hand=("by hand: sad",), is_by_hand=True), 80)[0].startswith("BY HAND: sad · happy · V")


def test_before_the_first_bar_the_key_is_the_tonic_alone() -> None:
    assert rows(status(mode="", chord=None, bar=1), 80)[1] == "112 BPM · D · bar 1"


@pytest.mark.parametrize(
    ("level_dbfs", "meter"),
    [(0.0, "########## in 0 dB"), (-30.0, "#####----- in -30 dB"), (-120.0, "---------- in: silent")],
)
def test_the_meter_goes_from_silence_to_full_scale(level_dbfs: float, meter: str) -> None:
    assert rows(status(level_dbfs=level_dbfs), 80, ASCII)[2] == meter


@given(
    width=st.integers(1, 130),
    late=st.integers(0, 999),
    words=st.lists(st.sampled_from(["frozen", "by hand: V+0.50", "演奏中: ピアノ", "solo \x1b[2J"]), max_size=3),
    symbols=st.sampled_from([UNICODE, ASCII]),
)
def test_it_fits_whatever_the_width(width: int, late: int, words: list[str], symbols: Symbols) -> None:
    moment = status(
        late_notes=late, hand=tuple(words), remarks=tuple(words), troubles={word: f"{word} is gone" for word in words}
    )
    for row in rows(moment, width, symbols):
        assert 1 <= cell_len(row) <= width
        assert row.isprintable()


def test_wide_characters_count_as_two_columns() -> None:
    assert format_row(fit_row([Piece("ピアノ", 0), Piece("bass", 1)], 12)) == "ピアノ"
    assert format_row(fit_row([Piece("ピアノ", 0), Piece("bass", 1)], 13)) == "ピアノ · bass"
    assert format_row(fit_row([Piece("ピアノ", 0)], 5)) == "ピア…"


def test_a_long_form_gives_way_to_what_is_as_important_as_its_short_one() -> None:
    trouble = Piece("the page ended; it is started again", 4, short="the page", short_rank=0)
    row = [trouble, Piece("in -23 dB", 3)]
    assert format_row(fit_row(row, 30)) == "the page · in -23 dB"
    assert format_row(fit_row(row, 60)) == "the page ended; it is started again · in -23 dB"


def test_the_remark_is_all_that_is_said_in_words() -> None:
    moment = replace(status(hand=("frozen",), playing=("with your tempo",)), troubles={"the page": "the page ended"})
    assert moment.remark == "with your tempo, frozen, the page ended"
