"""What the melodies of a mode do beyond their steps, on tunes with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kelly_live.lab.cultures.habits import LEAST_COUNT, find_rests, list_steps, measure_habits
from kelly_live.lab.cultures.tune import Tune
from tests.cultures.example import tune

MAJOR = (0.0, 200.0, 400.0, 500.0, 700.0, 900.0, 1100.0)
# Up by a turn (5 6 5) to the octave, a rest on the fifth, and down to the tonic by 3 2 1.
CLIMB = [0, 2, 4, 5, 7, 9, 7, 9, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0]
BEATS = [1.0] * 14 + [4.0] + [1.0] * 3 + [4.0]


def climbs(count: int = 30) -> list[Tune]:
    return [tune(CLIMB, BEATS) for _ in range(count)]


def test_notes_are_steps_above_the_tonic_across_octaves() -> None:
    assert list_steps(tune([0, 7, 12, 14, -1, -12]), MAJOR) == [0, 4, 7, 8, -1, -7]
    lost = replace(tune([0, 0]), cents=np.array([0.0, np.nan]))
    assert list_steps(lost, MAJOR) == [0, None]


def test_a_tune_rests_on_its_long_notes_and_its_last() -> None:
    climb = tune(CLIMB, BEATS)
    assert find_rests(climb, list_steps(climb, MAJOR)) == [14, 18]
    even = replace(climb, durations=np.ones(len(CLIMB)))
    assert find_rests(even, list_steps(even, MAJOR)) == [18]


def test_a_contour_rests_and_cadences_are_those_of_the_tunes() -> None:
    habits = measure_habits(climbs(), MAJOR, "x")
    contour = habits["contour"].value
    assert max(contour) == contour[3]
    assert contour[0] < 300.0
    assert contour[-1] < 100.0
    assert habits["rests"].value == pytest.approx([0, 0, 0, 0, 1, 0, 0])
    assert dict(habits["cadences"].value) == pytest.approx({"2 1 0": 0.5, "6 5 4": 0.5})
    assert habits["contour"].n == 30
    assert habits["rests"].n == 30


def test_a_cell_is_typical_if_its_last_note_follows_the_others_more_than_the_last_but_one() -> None:
    cells = dict(measure_habits(climbs(), MAJOR, "x")["cells"].value)
    assert cells["5 4 3"] > 1.2, "down from the sixth, the melody goes on down"
    assert cells["3 4 5"] > 1.2
    assert all(3 <= len(name.split()) <= 4 for name in cells)


def test_what_few_tunes_have_is_left_out() -> None:
    """Nothing of one tune, however often it repeats it, becomes a cell or a cadence."""
    odd = tune([0, 3, 6, 3] * 30, [1.0] * 119 + [8.0])
    assert len(odd) / 4 > LEAST_COUNT
    names = {
        name
        for kind in ("cells", "cadences")
        for name, _ in measure_habits([*climbs(), odd], (*MAJOR[:2], 300.0, *MAJOR[2:]), "x")[kind].value
    }
    assert names
    assert not any("2" in name.split() and "0" in name.split() and "5" in name.split() for name in names)
    assert measure_habits([odd], MAJOR, "x") == {}
