"""The habits of a style's melodies are heard: contour, cadences and typical cells; and its moves stay as common."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.melodic_habits import MelodicHabits
from kelly_live.core.values import CultureStyle, Metre, Register, Scale
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.style.habits import compute_height, fit_turns, list_cadences, weigh_by_cells
from kelly_live.music.theory import Key
from tests.music.band import RecordingSink, make_parameters

MAJOR = Scale("major", (0.0, 200.0, 400.0, 500.0, 700.0, 900.0, 1100.0))
PLAIN = CultureStyle("plain", MAJOR, metres=(Metre("4/4", 1.0, 1.0, (2, 2), (0.9, 0.0, 0.7, 0.0) * 4),), density=2.0)
DESCENDING = MelodicHabits(contour=(1400.0, 1200.0, 1000.0, 800.0, 600.0, 400.0, 200.0, 0.0))


def play(habits: MelodicHabits, seed: int = 1, bars: int = 17) -> list[tuple[float, int]]:
    """Onsets in beats and pitches of the melody, in C."""
    sink = RecordingSink()
    parameters = replace(make_parameters(density=2.0, half_range=14.0), style=replace(PLAIN, habits=habits))
    band = GeneratorBand([MelodyGenerator()])
    Conductor(sink, band, seed=seed, tonic=0, length_bars=bars).play_through(parameters)
    return sorted((note.onset_beats, note.pitch) for note in sink.part("melody"))


def test_a_descending_contour_is_a_section_that_descends() -> None:
    def slope(habits: MelodicHabits) -> float:
        notes = [note for seed in range(4) for note in play(habits, seed) if note[0] < 63.0]
        onsets, pitches = np.array(notes).T
        return float(np.polyfit(onsets / 64.0, pitches, 1)[0])

    rising = MelodicHabits(contour=tuple(reversed(DESCENDING.contour)))
    assert slope(DESCENDING) < slope(MelodicHabits()) - 3.0
    assert slope(rising) > slope(MelodicHabits()) + 3.0


def test_a_contour_lies_between_the_emotion_s_register_and_the_tonic_s() -> None:
    key = Key(0, MAJOR)
    assert compute_height(MelodicHabits(), key, Register(50, 64, 78), 0.3) == 6400.0
    # The mean of the contour is 700 above a tonic at C4 (6000): 6700, half-way to 6400.
    heights = [compute_height(DESCENDING, key, Register(50, 64, 78), share) for share in (0.0, 0.5, 1.0)]
    assert heights == pytest.approx([7250.0, 6550.0, 5850.0])


def test_the_same_cadence_comes_back_onto_the_same_degree() -> None:
    """2 7 1, with the leading tone below, as the only way home."""
    habits = MelodicHabits(cadences=(((1, -1, 0), 1.0),))
    ends = 0
    for seed in range(6):
        notes = [note for note in play(habits, seed) if note[0] < 63.5]
        for closing in (7, 15):  # the last bars of the answers
            bar = [pitch for onset, pitch in notes if 4 * closing - 0.1 <= onset < 4 * closing + 3.9]
            if len(bar) >= 5:
                assert [pitch - bar[-1] for pitch in bar[-3:-1]] == [2, -1]
                ends += 1
    assert ends >= 4


def test_cadences_move_with_the_octave_of_the_rest() -> None:
    habits = MelodicHabits(cadences=(((2, 1, 0), 0.7), ((6, 5, 4), 0.3)))
    assert list_cadences(habits, 7, 14) == (((16, 15, 14), 0.7),)
    assert list_cadences(habits, 7, 11) == (((13, 12, 11), 0.3),)
    assert list_cadences(habits, 7, 12) == ()


def test_turns_make_a_cell_typical_and_keep_every_move_as_common() -> None:
    rng = np.random.default_rng(3)
    joint = rng.random((9, 9)) + 0.1
    joint = (joint + joint.T) / (joint + joint.T).sum()  # in flow and out flow alike
    shares = joint.sum(axis=1)
    chances, steps = joint / shares[:, None], tuple(range(5, 14))
    turns = fit_turns(MelodicHabits(cells=(((0, 4, 0), 8.0),)), 7, steps, chances, shares)
    triples = joint[:, :, None] * chances[None] * turns
    assert triples.sum(axis=2) == pytest.approx(joint, rel=0.02)
    assert triples.sum(axis=0) == pytest.approx(joint, rel=0.02)
    assert turns[2, 6, 2] > 2.0, "step 7 (the tonic), its fifth, and back"
    assert turns[3, 6, 2] < 1.0
    assert fit_turns(MelodicHabits(), 7, steps, chances, shares) == pytest.approx(np.ones((9, 9, 9)), rel=1e-6)


def test_longer_cells_weigh_what_comes_after_them_in_any_octave() -> None:
    habits = MelodicHabits(cells=(((2, 0, 1, -1), 3.0), ((0, 1, 2), 5.0)))
    weights = weigh_by_cells(habits, 7, range(5, 14), [9, 7, 8])
    assert weights is not None
    assert list(weights) == [1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert weigh_by_cells(habits, 7, range(5, 14), [7, 8]) is None


def test_a_typical_cell_is_heard_more_often() -> None:
    def share(habits: MelodicHabits) -> float:
        found = total = 0
        for seed in range(6):
            pitches = [pitch for _, pitch in play(habits, seed)]
            triples = list(itertools.pairwise(itertools.pairwise(pitches)))
            found += sum(a[0] % 12 == 0 and a[1] - a[0] == 2 and b[1] - b[0] == 2 for a, b in triples)
            total += sum(a[0] % 12 == 0 and a[1] - a[0] == 2 for a, _ in triples)
        return found / total

    assert share(MelodicHabits(cells=(((0, 1, 2), 4.0),))) > 1.3 * share(MelodicHabits())


def test_a_cell_has_two_to_five_steps() -> None:
    with pytest.raises(ConfigError, match="2 to 5"):
        MelodicHabits(cells=(((0, 1, 2, 3, 4, 5), 1.0),))
