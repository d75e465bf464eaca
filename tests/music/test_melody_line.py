"""The tune's contract with the harmony, and how its phrases come in and go out."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter

import pytest

from kelly_live.core.values import RHYTHMS
from kelly_live.music.context import MelodyNote
from kelly_live.music.melody_line import clashes
from kelly_live.music.theory import Note
from tests.generators.test_generators import Piece
from tests.music.band import make_parameters, play_piece


def test_a_semitone_clashes_while_the_melody_sounds_and_an_octave_away_too() -> None:
    melody = [MelodyNote(4.0, 2.0, Note(71, 0.0))]
    assert clashes(60, 4.0, melody)
    assert clashes(48, 5.0, melody)
    assert clashes(58, 4.1, melody)
    assert not clashes(59, 4.0, melody)
    assert not clashes(60, 6.0, melody)
    assert not clashes(60, 3.5, melody)


@pytest.mark.parametrize("rhythm", RHYTHMS)
def test_chords_do_not_strike_a_semitone_from_the_melody(rhythm: str) -> None:
    for seed in range(3):
        sink = play_piece(make_parameters(density=1.3, rhythm=rhythm), seed=seed, bars=17)
        chords = sink.part("chords")
        for note in sink.part("melody"):
            together = [c for c in chords if abs(c.onset_beats - note.onset_beats) < 0.1]
            assert not any((c.pitch - note.pitch) % 12 in (1, 11) for c in together)


def test_a_tone_outside_the_chord_on_a_strong_beat_resolves_by_step() -> None:
    resolved = []
    for seed in range(6):
        piece = Piece(seed, density=1.2)
        melody = piece.sink.part("melody")
        for note, following in itertools.pairwise(melody):
            beat = round(note.onset_beats * 4) / 4
            if beat % 2 == 0 and note.pitch % 12 not in piece.chord_classes(beat):
                gap = following.onset_beats - note.onset_beats
                resolved.append(gap < 1.1 and abs(following.pitch - note.pitch) in (1, 2))
    assert len(resolved) > 20
    assert statistics.mean(resolved) > 0.9


def test_phrases_come_in_on_before_and_after_the_first_beat() -> None:
    entries: Counter[str] = Counter()
    for seed in range(12):
        melody = play_piece(make_parameters(density=1.0), seed=seed, bars=65).part("melody")
        for start in range(16, 256, 16):
            around = [n.onset_beats - start for n in melody if -1.6 < n.onset_beats - start < 2.0]
            first = min(around)
            entries["before" if first < -0.2 else "on" if first < 0.2 else "after"] += 1
    shares = {name: count / entries.total() for name, count in entries.items()}
    assert shares["on"] < 0.6
    assert shares["before"] > 0.2
    assert shares["after"] > 0.08


def test_some_notes_are_held_over_the_barline() -> None:
    held = []
    for seed in range(8):
        melody = play_piece(make_parameters(density=1.0), seed=seed, bars=17).part("melody")
        held += [
            any(n.onset_beats < line - 0.15 and n.onset_beats + n.duration_beats > line + 0.15 for n in melody)
            for line in range(4, 64, 4)
        ]
    assert 0.08 < statistics.mean(held) < 0.35


def test_fear_goes_by_semitones_outside_its_scale() -> None:
    """Between tones of the scale, on weak places; the other feelings' tunes stay in their key."""
    minor_and_leading_tone = {0, 2, 3, 5, 7, 8, 10, 11}
    strange: Counter[str] = Counter()
    for groove in ("suspense", "pop"):
        for seed in range(4):
            parameters = make_parameters(density=1.6, mode="aeolian", groove=groove)
            melody = play_piece(parameters, seed=seed, bars=17).part("melody")
            for before, note, after in zip(melody, melody[1:], melody[2:], strict=False):
                if note.pitch % 12 not in minor_and_leading_tone:
                    strange[groove] += 1
                    assert abs(after.pitch - note.pitch) == 1
                    assert abs(note.pitch - before.pitch) <= 3
    assert strange["suspense"] > 8
    assert not strange["pop"]


def test_the_tune_does_not_stick_to_the_end_of_its_register() -> None:
    """Where the form is at its peak the line turns back: few notes lie on the highest tone (a tenth, if it did not)."""
    highest = []
    for seed in range(5):
        melody = play_piece(make_parameters(density=1.4), seed=seed, bars=33).part("melody")
        highest += [note.pitch >= max(other.pitch for other in melody) - 1 for note in melody]
    assert statistics.mean(highest) < 0.08


def test_the_range_opens_over_a_section() -> None:
    """A theme's peak lies higher than its opening, inside the same register."""
    lifted = []
    for seed in range(5):
        melody = play_piece(make_parameters(density=1.0), seed=seed, bars=33).part("melody")
        means = [statistics.mean(n.pitch for n in melody if 4 * bar <= n.onset_beats < 4 * bar + 12) for bar in (0, 24)]
        lifted.append(means[1] - means[0])
        assert all(59 <= note.pitch <= 79 for note in melody)
    assert statistics.mean(lifted) > 3.0
