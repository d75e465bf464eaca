"""Judging a band that follows a loop: what it plays on the beat of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.lab.corpora.chord_songs import LOOP_ROUNDS, ChordSong
from kelly_live.lab.judging.chord_anticipation import format_loops, judge_changes, repeat_notes

C_TRIAD, F_TRIAD = frozenset((0, 4, 7)), frozenset((5, 9, 0))
LOOP = ChordSong(
    Path("loop.mid"),
    "notes in",
    tuple((2.0 * n, 2.0 * n + 2.0, (0, 5)[n % 2]) for n in range(2 * LOOP_ROUNDS)),
    loop=(10.0, 14.0),
)


def play(late: float) -> list[tuple[float, float, frozenset[int]]]:
    """A band at 60 BPM in slices of a quarter beat, whose chords come so many beats late."""
    slices = [step / 4.0 for step in range(80)]
    return [(beat, beat, (C_TRIAD, F_TRIAD)[int((beat - late) // 2.0) % 2]) for beat in slices]


def test_who_changes_with_the_player_anticipates() -> None:
    result = judge_changes(LOOP, play(0.0))
    assert len(result.anticipated) == 6  # three rounds of two changes
    assert all(result.anticipated)
    assert set(result.beats_late) == {0.0}


def test_who_changes_after_the_player_does_not() -> None:
    result = judge_changes(LOOP, play(0.5))
    assert not any(result.anticipated)
    assert result.beats_late == pytest.approx([0.5] * 6)
    assert "0.00 of 6 changes" in format_loops([result], "by notes")


def test_rounds_follow_each_other_and_end_their_notes() -> None:
    notes = [ReceivedMessage(seconds, bytes((0x90, 60, 90))) for seconds in (9.0, 10.0, 12.0, 14.0)]
    repeated = repeat_notes(notes, 10.0, 14.0)
    starts = [message.seconds for message in repeated if message.data[0] == 0x90]
    assert starts == pytest.approx([4.0 * turn + at for turn in range(LOOP_ROUNDS) for at in (0.0, 2.0)])
    assert [message.seconds for message in repeated] == sorted(message.seconds for message in repeated)
    assert sum(message.data[0] == 0x80 for message in repeated) == LOOP_ROUNDS
