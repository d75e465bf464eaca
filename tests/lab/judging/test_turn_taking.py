"""What `kelly-live lab follow --turns` measures, on a song of two calls: 120 BPM, so a beat is half a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.band_roles import ANSWER, LEAD
from kelly_live.core.values import NoteEvent
from kelly_live.lab.judging.turn_taking import (
    Duet,
    SoloSong,
    count_matches,
    format_space,
    leave_space,
    measure_similarity,
    play_duet,
)
from kelly_live.music.role_options import RoleOptions
from tests.music.band import make_parameters

CALL = [(0.0, 67), (1.5, 69), (2.0, 71), (2.5, 72), (3.0, 76)]
SONG = SoloSong(
    path=Path("song"),
    notes=tuple((0.5 * (bar + beat), 0.5 * (bar + beat) + 0.2, pitch) for bar in (8, 16) for beat, pitch in CALL),
    beats=tuple(0.5 * beat for beat in range(60)),
    first_downbeat=0,
    key=(0, True),
)


def note(beat: float, pitch: int) -> NoteEvent:
    return NoteEvent(beat, 0.5, pitch, 80, 3, "melody")


def test_a_gap_begins_a_beat_after_a_note_that_none_follows_for_two() -> None:
    duet = Duet((*((8.0 + beat, pitch) for beat, pitch in CALL), (16.0, 60), (17.0, 60)), (), 0.5)
    assert duet.list_gaps() == [(12.0, 16.0)]
    assert [len(phrase) for phrase in duet.list_phrases()] == [5, 2]


def test_notes_are_counted_in_gaps_and_under_playing() -> None:
    solo = (*((8.0 + beat, pitch) for beat, pitch in CALL), (16.0, 60))
    band = (note(9.0, 60), note(12.5, 60), note(13.0, 60), note(20.0, 60))
    duet = Duet(tuple(solo), band, 0.5)
    assert duet.measure_space() == (2, 4.0, 1, 4.0)
    assert "gaps 1.00, under 2 s of playing 0.50: 2.0 : 1" in format_space("x", [duet])


def test_an_answer_is_alike_by_its_rhythm_and_its_contour() -> None:
    sequence = [(beat + 8.0, pitch + 2) for beat, pitch in CALL]
    assert measure_similarity(CALL, sequence) == 1.0
    assert measure_similarity(CALL, [(beat, -pitch) for beat, pitch in sequence]) == 0.5
    assert measure_similarity(CALL, [(0.0, 60), (1.0, 55), (2.0, 60), (3.0, 48), (4.0, 60)]) == 0.0


def test_a_caller_leaves_as_many_bars_as_he_plays() -> None:
    spaced = leave_space(SONG)
    onsets = [round(2.0 * onset, 3) for onset, _, _ in spaced.notes]
    assert onsets == [start + beat for start in (8.0, 16.0) for beat, _ in CALL]  # a bar each, from bar 2


@pytest.mark.parametrize(("role", "plays"), [(ANSWER, False), (LEAD, True)])
def test_the_band_plays_beside_the_song(role: str, plays: bool) -> None:
    duet = play_duet(SONG, make_parameters(bpm=120.0), RoleOptions(role), seed=1)
    under = [n for n in duet.melody if duet.solo[0][0] + 0.2 <= n.onset_beats < duet.solo[4][0]]
    assert bool(under) is plays
    assert count_matches([duet], seed=1)[1] == len(duet.list_answers())
