"""The time until new parameters reach a note, on a metronome with a known delay."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kelly_live.core.values import Dynamics, MusicParameters
from kelly_live.lab.judging.reaction_time import NoteOn, measure_reach, measure_response
from tests.fakes import parameters


class Metronome:
    """A note every `gap` s, generated `ahead` s before; its velocity is the dynamics ceiling then."""

    def __init__(self, gap: float = 0.5, ahead: float = 0.1) -> None:
        self._gap, self._ahead = gap, ahead
        self._notes: list[tuple[float, NoteOn]] = []

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        self._notes = []

    def advance(self, now: float, parameters: MusicParameters) -> None:
        while (due_time := self._gap * len(self._notes)) < now + self._ahead:
            self._notes.append((now, NoteOn(due_time, 1, 60, round(127 * parameters.dynamics.ceiling))))

    def list_notes(self, now: float) -> Sequence[NoteOn]:
        return [note for _, note in self._notes if note.seconds <= now]

    def list_creation_times(self) -> Sequence[tuple[float, float]]:
        return [(creation_time, note.seconds) for creation_time, note in self._notes]


SOFT = parameters(dynamics=Dynamics(0.2, 0.5, 0.1))
LOUD = parameters(dynamics=Dynamics(0.2, 0.9, 0.1))


def test_a_change_just_before_a_note_is_generated_shows_in_that_note() -> None:
    response = measure_response(Metronome, SOFT, LOUD, 2.35)  # the note at 2.5 is made from 2.4 on
    assert response.seconds == pytest.approx(0.15)
    assert response.stale_seconds == 0.0


def test_a_note_that_was_generated_before_stays_old() -> None:
    response = measure_response(Metronome, SOFT, LOUD, 2.45)
    assert response.seconds == pytest.approx(0.55)
    assert response.stale_seconds == pytest.approx(0.05)


def test_a_change_that_shows_in_no_note_counts_as_the_observed_time() -> None:
    assert measure_response(Metronome, SOFT, SOFT, 2.0).seconds == 8.0


@pytest.mark.parametrize("ahead", [0.05, 0.3])
def test_notes_generated_ahead_continue_for_the_look_ahead(ahead: float) -> None:
    moments = [1.0 + 0.013 * i for i in range(100)]
    responses = measure_reach(Metronome(gap=0.05, ahead=ahead), SOFT, 6.0, moments)
    assert max(one.stale_seconds for one in responses) == pytest.approx(ahead, abs=0.011)
    assert all(one.seconds > one.stale_seconds for one in responses)
