"""A composed piece printed as a score."""

from __future__ import annotations

import pytest

import kelly_live
from kelly_live.cli import run_program
from kelly_live.engine.score_reading import format_score


def test_every_phrase_has_its_bars_chords_cadence_and_melody() -> None:
    piece = kelly_live.compose("happy", key="D major", bars=9, seed=3, tempo=100.0)
    page = format_score(piece)
    head, form, *rest = page.splitlines()
    assert head == "Kelly Live: happy: D ionian, 100 BPM, pop"
    assert form == "form: A A' close"
    assert [line for line in rest if "cadence" in line][-1] == "close, bar 9, D ionian, tonic cadence"
    rows = [line for line in rest if line.startswith("  chords")]
    assert [row.count("|") - 1 for row in rows] == [4, 4, 1]
    assert rows[0].split("|")[1].split()[0] in ("I", "Imaj7")
    melody = [line for line in rest if line.startswith("  melody")]
    assert sum(row.count(":") for row in melody) == sum(note.part == "melody" for note in piece.notes)


def test_the_phrases_of_a_piece_follow_each_other_without_a_gap() -> None:
    piece = kelly_live.compose("sad", bars=17, seed=4)
    bars = [bar for phrase in piece.phrases for bar in range(phrase.start_bar, phrase.start_bar + phrase.bars)]
    assert bars == list(range(17))
    assert piece.keys[-1] == f"{piece.tonic} {piece.mode}"


def test_a_leading_tone_in_minor_is_a_raised_seventh() -> None:
    """D# in E minor, not Eb."""
    for tonic, raised, wrong in (("Em", "D#", "Eb"), ("Gm", "F#", "Gb")):
        pages = [format_score(kelly_live.compose("angry", key=tonic, bars=17, seed=seed)) for seed in range(4)]
        notes = {note.split(":")[-1].rstrip("~")[:-1] for page in pages for note in page.split() if ":" in note}
        assert raised in notes
        assert wrong not in notes


def test_the_command_takes_the_options_of_compose(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "read", "--emotion", "angry", "--bars", "5", "--key", "Em", "--style", "rock"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("Kelly Live: angry: E aeolian")
    assert "rock" in output


def test_a_melody_without_chords_asks_and_answers() -> None:
    page = format_score(kelly_live.compose("happy", bars=17, seed=3, culture="turkish-makam")).splitlines()
    assert page[0].endswith("usul, heterophony without chords")
    assert not any(line.startswith("  chords") for line in page)
    phrases = [line for line in page if ", bars " in line]
    assert [line.split(", ")[-1] for line in phrases] == ["a question", "an answer"] * 2


def test_a_reel_is_two_parts_each_played_twice_note_for_note() -> None:
    piece = kelly_live.compose("happy", bars=33, seed=3, culture="irish-traditional:dorian", metre="4/4")
    assert [phrase.role.section for phrase in piece.phrases[:8]] == ["A"] * 4 + ["B"] * 4
    tune = [(round(4 * n.onset_beats), n.pitch) for n in piece.notes if n.part == "melody" and n.duration_beats > 0.15]
    part, again = (
        [(place - 4 * first, pitch) for place, pitch in tune if 4 * first <= place < 4 * first + 112]
        for first in (64, 96)
    )
    assert part == again
    assert part
