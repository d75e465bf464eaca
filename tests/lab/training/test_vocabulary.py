"""The vocabulary: what is learned from synthetic songs, what is dropped, and how quotations are found."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MODES
from kelly_live.lab.corpora.pieces import Chord, Piece, detect_chords, estimate_key
from kelly_live.lab.corpora.symbolic_features import Score
from kelly_live.lab.training import vocabulary as learning
from kelly_live.lab.training.melody_index import MelodyIndex
from kelly_live.lab.training.vocabulary_card import train_from_pieces
from kelly_live.music import vocabulary as words

ROOTS = (0, 9, 5, 7)  # I vi IV V, a bar each
THIRDS = (True, False, True, True)


def make_song(number: int, *, is_performed: bool = False, quadrant: str | None = "Q1", held_out: bool = False) -> Piece:
    """Sixteen bars of a loop in C: a random walk of a melody, chords on half bars, timing that drifts."""
    rng = random.Random(number)
    melody, accompaniment = [], []
    pitch, late = 72, 0.0
    for bar in range(16):
        for place in (0.0, 1.0, 1.5, 2.0, 3.0):
            pitch = min(84, max(60, pitch + rng.choice((-2, -1, 0, 1, 2))))
            late = 0.7 * late + rng.gauss(0.0, 0.005)
            beat = 4.0 * bar + place + 2.0 * late * is_performed
            melody.append((beat, 0.9, pitch, 80 + rng.randrange(12), 0.5 * beat))
        for place in (0.0, 2.0):
            for voice in (0, 4 if THIRDS[bar % 4] else 3, 7):
                beat = 4.0 * bar + place
                accompaniment.append((beat, 1.9, 48 + ROOTS[bar % 4] + voice, 60 + rng.randrange(9), 0.5 * beat))
    chords = tuple(Chord(4.0 * bar, 4.0 * bar + 4.0, ROOTS[bar % 4], THIRDS[bar % 4]) for bar in range(16))
    return Piece(
        f"song {number}", f"song {number}", "made-up", held_out, quadrant, 0, "ionian",
        np.array(melody, dtype=np.float64), np.array(accompaniment, dtype=np.float64), chords,
        bars=True, is_performed=is_performed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def songs() -> list[Piece]:
    return [make_song(number, is_performed=True, held_out=number >= 10) for number in range(14)]


@pytest.fixture(scope="module")
def vocabulary(songs: list[Piece], tmp_path_factory: pytest.TempPathFactory) -> words.Vocabulary:
    path = tmp_path_factory.mktemp("models") / "vocabulary.json"
    learning.write_tables(learning.learn_tables(songs), path)
    return words.read_vocabulary(path)


def test_shared_patterns_are_learned(vocabulary: words.Vocabulary) -> None:
    moves = vocabulary.moves("ionian")
    assert max(moves[0], key=moves[0].__getitem__) == 5
    assert max(moves[5], key=moves[5].__getitem__) == 3
    assert vocabulary.cells("melody", 5)[0] == ((0.0, 1.0, 1.5, 2.0, 3.0), 1.0)
    assert vocabulary.cells("accompaniment", 2)[0][0] == (0.0, 2.0)
    assert vocabulary.chord_beats["all"][4.0] == 1.0
    assert max(vocabulary.voices, key=vocabulary.voices.__getitem__) == 3
    assert vocabulary.touch.melody > 1.0
    assert 0.003 < vocabulary.timing.sd_seconds < 0.012
    assert vocabulary.timing.lag1 > 0.2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("quadrant", [None, *words.QUADRANTS])
def test_every_row_is_a_distribution(vocabulary: words.Vocabulary, mode: str, quadrant: str | None) -> None:
    for degree, row in vocabulary.moves(mode, quadrant).items():
        assert degree not in row
        assert sum(row.values()) == pytest.approx(1.0, abs=0.005)
        assert min(row.values()) > 0.0


def test_patterns_of_a_single_song_are_dropped(songs: list[Piece]) -> None:
    """A rhythm of a single song is dropped; one of five songs is kept."""

    def make_shifted(number: int) -> Piece:
        piece = make_song(number)
        notes = piece.melody.copy()
        notes[:, 0] += 0.25
        return Piece(piece.name, piece.group, piece.source, False, None, 0, "ionian", notes, piece.accompaniment,
                     piece.chords, bars=True, is_performed=False)  # fmt: skip

    shifted = (0.25, 1.25, 1.75, 2.25, 3.25)

    def rhythms(pieces: list[Piece]) -> set[tuple[float, ...]]:
        return {cell for cell, _ in learning.learn_rhythms(pieces, lambda piece: piece.melody)[5]}

    assert shifted not in rhythms([*songs, make_shifted(100)])
    assert shifted in rhythms([*songs, *(make_shifted(100 + i) for i in range(learning.MIN_SONGS))])


def test_nonchord_tones_are_counted_on_strong_beats_alone() -> None:
    piece = make_song(1)
    notes = piece.melody.copy()
    notes[:, 2] = np.where(notes[:, 0] % 2.0 == 0.0, 74, 72)  # D on every strong beat, C after it
    nonchord_tones = learning.learn_nonchord_tones([Piece(
        "a", "a", "a", False, None, 0, "ionian", notes, piece.accompaniment, (Chord(0.0, 64.0, 0, True),), bars=True,
        is_performed=False,
    )])  # fmt: skip
    assert nonchord_tones["share"] == 1.0
    assert nonchord_tones["steps"] == {-1: 1.0}


def test_a_quotation_is_found_in_any_key_and_a_scale_is_none(songs: list[Piece]) -> None:
    index = MelodyIndex((piece.group, piece.melody) for piece in songs)
    other_melody = songs[3].melody
    quoting = make_song(200).melody
    quoting[20:40, 2] = other_melody[20:40, 2] + 5.0
    quoting[20:40, 0] = other_melody[20:40, 0]
    assert index.find_longest_quote(quoting) >= 12.0
    assert index.find_longest_quote(other_melody, songs[3].group) < index.find_longest_quote(other_melody) == 63.0
    scale = np.array([(0.5 * i, 0.4, 60 + i, 80, 0.25 * i) for i in range(24)], dtype=np.float64)
    assert MelodyIndex([("a", scale)]).find_longest_quote(scale) == 0.0


def test_held_out_songs_are_likelier_than_chance_and_the_card_shows_it(songs: list[Piece], tmp_path: Path) -> None:
    scores = [Score(p.melody[:, 4], p.melody[:, 4] + 0.3, p.melody[:, 0], p.melody[:, 2], p.melody[:, 3], 64.0)
              for p in (make_song(300), make_song(301))]  # fmt: skip
    even = {mode: {a: {b: 1.0 for b in range(7) if b != a} for a in range(7)} for mode in MODES}
    training = train_from_pieces(
        songs, tmp_path / "vocabulary.json", grammar=even, places={0.0: 1.0, 1.0: 0.7, 2.0: 0.9, 3.0: 0.7},
        generate_pieces=lambda: scores, command="made up",
    )  # fmt: skip
    moves = training.fits[0]
    assert moves.learned < moves.corpus_wide < moves.uniform + 0.05
    assert moves.hand_written == pytest.approx(moves.uniform, abs=0.03)
    assert {quotes.who for quotes in training.quotes} == {"held-out people", "ours"}
    card = (tmp_path / "vocabulary.md").read_text()
    assert f"{moves.learned:.3f}" in card
    assert "| made-up | not known | 10 | 4 |" in card


def test_a_key_and_its_chords_are_estimated() -> None:
    def notes() -> Iterator[tuple[float, float, float, int, int]]:
        for bar in range(8):
            for voice in (-12, 0, 4, 7):
                yield 2.0 * bar, 2.0 * bar + 1.9, 4.0 * bar, 62 + (0, 5, 0, 7)[bar % 4] + voice, 80

    onsets, offsets, beats, pitches, velocities = np.array(list(notes()), dtype=np.float64).T
    score = Score(onsets, offsets, beats, pitches, velocities, 32.0)
    assert estimate_key(score) == (2, "ionian")
    rows = np.column_stack((beats, np.full(len(beats), 3.8), pitches, velocities, onsets))
    assert [(chord.root, chord.major) for chord in detect_chords(rows)][:4] == [(r, True) for r in (2, 7, 2, 9)]


def test_the_shipped_vocabulary_is_read_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    vocabulary = words.load_vocabulary()
    assert vocabulary is not None
    assert 0.1 < vocabulary.leaning < 0.5
    path = tmp_path / "vocabulary.json"
    path.write_text('{"version": 1}')
    with pytest.raises(ConfigError, match="damaged"):
        words.read_vocabulary(path)
    path.write_text(json.dumps({"version": 99}))
    with pytest.raises(ConfigError, match="version 99"):
        words.read_vocabulary(path)


def test_quantised_songs_give_touch_and_take_timing_from_elsewhere() -> None:
    quantised = [replace(make_song(number), source="pop909") for number in range(10)]
    with pytest.raises(ConfigError, match="performed pieces"):
        learning.learn_tables(quantised)
    tables = learning.learn_tables(quantised, {"sd_seconds": 0.012, "lag1": 0.3})
    assert tables["timing"] == {"sd_seconds": 0.012, "lag1": 0.3}
    assert tables["touch"]["melody"] > 0.5  # the melody is louder than its accompaniment
