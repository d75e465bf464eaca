"""Evaluation of a band that follows a change of tempo, and the songs that it is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.midi_messages import ReceivedMessage, note_off, note_on, program_change
from kelly_live.lab.corpora.tempo_changes import (
    CHANGE_BEATS,
    FIRST_BEAT,
    LAST_BEATS,
    STEADY_BEATS,
    ChangedSong,
    change_tempo,
)
from kelly_live.lab.judging.tempo_changes import evaluate_change, format_changes

COUNT = STEADY_BEATS + CHANGE_BEATS + LAST_BEATS


def make_song(factor: float, *, is_step: bool = False) -> ChangedSong:
    moved, _ = change_tempo(np.arange(120) * 0.5, [], factor, is_step=is_step)
    return ChangedSong("song", "step up" if is_step else "ramp up", tuple(moved.tolist()), (), Path())


def test_a_ramp_and_a_step_reach_their_tempo_and_carry_the_notes() -> None:
    messages = [
        ReceivedMessage(0.0, program_change(1, 4)),
        ReceivedMessage(0.5 * (FIRST_BEAT + STEADY_BEATS + 20), note_on(1, 60, 90)),
        ReceivedMessage(0.5 * (FIRST_BEAT + STEADY_BEATS + 21), note_off(1, 60)),
    ]
    for is_step in (False, True):
        moved, notes = change_tempo(np.arange(120) * 0.5, messages, 1.4, is_step=is_step)
        periods = np.diff(moved)
        assert len(periods) == COUNT
        assert periods[:STEADY_BEATS] == pytest.approx(0.5)
        assert periods[STEADY_BEATS + CHANGE_BEATS :] == pytest.approx(0.5 / 1.4)
        assert (periods[STEADY_BEATS] < 0.4) == is_step
        assert [note.data[0] for note in notes] == [0xC0, 0x90, 0x80]
        assert notes[1].seconds == pytest.approx(moved[STEADY_BEATS + 20])


def test_a_band_on_the_beat_at_twice_the_tempo_keeps_its_level() -> None:
    song = make_song(1.4)
    beats = np.array(song.beats)
    twice = np.sort(np.concatenate([beats, 0.5 * (beats[1:] + beats[:-1])]))
    for band, level in ((beats, 1.0), (twice, 2.0), (beats[::2], 0.5)):
        result = evaluate_change(song, band.tolist())
        assert result.is_level_kept
        assert result.level_before == level
        assert max(result.errors) < 0.001


def test_a_band_that_leaps_an_octave_or_lets_go_is_counted() -> None:
    song = make_song(1.4)
    beats = np.array(song.beats)
    change = STEADY_BEATS + CHANGE_BEATS
    leaps = evaluate_change(song, [*beats[:change], *beats[change::2]])
    assert (leaps.level_before, leaps.level_after, leaps.is_level_kept) == (1.0, 0.5, False)
    lets_go = evaluate_change(song, beats[: STEADY_BEATS + 4].tolist())
    assert lets_go.level_after is None
    assert np.mean(np.isinf(lets_go.errors)) > 0.8
    lines = format_changes([leaps, lets_go]).splitlines()
    assert "level kept in 0.00" in lines[-1]
