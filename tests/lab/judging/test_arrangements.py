"""What tells feelings and traditions apart, on notes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

import kelly_live
from kelly_live.core.values import NoteEvent
from kelly_live.lab.judging.arrangement_statistics import STATISTICS, compute_arrangement_statistics
from kelly_live.lab.judging.arrangements import (
    arrange_performance,
    describe_manner,
    format_arrangements,
    measure_alikeness,
    measure_clave,
    measure_sharing,
    score_feelings,
)


def note(part: str, onset: float, pitch: int, length: float = 0.5, velocity: int = 70) -> NoteEvent:
    return NoteEvent(onset, length, pitch, velocity, 1, part)


def test_pieces_that_differ_by_feeling_are_told_apart_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    apart = {(name, seed): rng.normal(10.0 * index, 1.0, 6) for index, name in enumerate("abc") for seed in range(4)}
    alike = {(name, seed): rng.normal(0.0, 1.0, 6) for name in "abc" for seed in range(20)}
    assert score_feelings(apart) == 1.0
    assert score_feelings(alike) < 0.6


def test_how_fast_loud_and_high_a_piece_is_does_not_describe_its_manner() -> None:
    low = [note("melody", 0.5 * number, 60 + number % 3, velocity=50) for number in range(64)]
    high = [note("melody", 0.5 * number, 72 + number % 3, velocity=110) for number in range(64)]
    assert np.array_equal(describe_manner(low), describe_manner(high))


def test_the_same_drums_are_shared_and_others_are_not() -> None:
    rock = [note("percussion", float(beat), 36) for beat in range(8)] + [note("bass", float(b), 36) for b in range(8)]
    shifted = [note("percussion", beat + 0.5, 36) for beat in range(8)]
    assert measure_sharing(rock, rock) == 1.0
    assert measure_sharing(rock, shifted) == 0.0


def test_chords_and_rhythms_are_compared_bar_by_bar() -> None:
    one = [note("chords", 2.0 * half, pitch, 1.9) for half in range(4) for pitch in (48, 52, 55)]
    other = [
        note("chords", 2.0 * half, pitch, 1.9)
        for half in range(4)
        for pitch in ((48, 52, 55) if half < 2 else (50, 53, 57))
    ]
    assert measure_alikeness(one, other, 2) == (0.5, 1.0)


def test_a_clave_that_turns_round_is_two_claves() -> None:
    def clave(bar: int, places: tuple[int, ...]) -> list[NoteEvent]:
        return [note("percussion", 4.0 * bar + place / 4.0, 75) for place in places]

    son, turned = (0, 3, 6, 10, 12), (2, 4, 8, 11, 14)
    assert measure_clave(clave(0, son) + clave(1, son[:3])) == 1.0
    assert measure_clave(clave(0, son) + clave(1, turned)) == 0.5
    assert measure_clave([]) == 0.0


def test_the_band_is_arranged_by_its_parts() -> None:
    piece = kelly_live.compose("excited", bars=17, seed=2)
    arrangement = arrange_performance(piece)
    assert len(arrangement.melody) + len(arrangement.accompaniment) + len(arrangement.drums) == len(piece.notes)
    statistics = compute_arrangement_statistics(arrangement, bars=16)
    assert set(statistics) <= set(STATISTICS)
    assert statistics["drum timing SD ms"] == pytest.approx(10.0, abs=3.0)
    table = format_arrangements([], [statistics])
    assert table.count("\n") == len(STATISTICS) + 1
    assert "people (n 0)" in table
