"""The teacher of the open set's music: what it measures and how it labels."""

from pathlib import Path

import numpy as np

from kelly_live.lab.corpora.open_music import (
    CUES,
    SECONDS,
    Notes,
    Song,
    find_tonic,
    hold_pedal,
    label_cues,
    make_excerpt,
    measure_course,
    read_notes,
    standardise_cues,
    vary,
    write_excerpt,
)


def make_notes(third: int, step_seconds: float, velocity: float) -> Notes:
    """Broken triads on C, F and G with a third of 4 (major) or 3 (minor)."""
    chords = [[0, third, 7], [5, 5 + third, 12], [7, 7 + third if third == 4 else 10, 14], [0, third, 7]]
    onsets = np.arange(0.0, SECONDS, step_seconds)
    pitches = np.array([60 + chords[int(t) // 2 % 4][i % 3] for i, t in enumerate(onsets)], float)
    return Notes(onsets, onsets + 0.9 * step_seconds, pitches, np.full(len(onsets), velocity), np.zeros(len(onsets)))


def label(*songs: Notes) -> np.ndarray:
    return np.array([rows.mean(axis=0) for rows in label_cues(standardise_cues([measure_course(s) for s in songs]))])


def test_major_is_more_pleasant_than_minor_and_fast_and_loud_more_aroused() -> None:
    major, minor, fast, loud = label(
        make_notes(4, 0.5, 60.0), make_notes(3, 0.5, 60.0), make_notes(4, 0.2, 60.0), make_notes(4, 0.5, 100.0)
    )
    assert major[0] > 0.0 > minor[0]
    assert fast[1] > major[1]
    assert loud[1] > major[1]


def test_the_tonic_and_its_mode_are_found() -> None:
    assert find_tonic(make_notes(4, 0.5, 60.0)) == (0, True)
    assert find_tonic(make_notes(3, 0.5, 60.0)) == (0, False)


def test_an_excerpt_is_written_as_it_is_labelled(tmp_path: Path) -> None:
    notes = vary(make_notes(4, 0.3, 70.0), np.random.default_rng(3))
    write_excerpt(notes, {0: 40}, tmp_path / "excerpt.mid")
    again = read_notes(tmp_path / "excerpt.mid")
    assert len(again.onsets) == len(notes.onsets)
    np.testing.assert_allclose(again.onsets, notes.onsets, atol=0.002)
    assert sorted(again.pitches) == sorted(notes.pitches)
    np.testing.assert_allclose(measure_course(again), measure_course(notes), atol=1.0)  # velocities are whole
    assert measure_course(again).shape[1] == len(CUES)


def test_under_the_pedal_notes_sound_on_until_it_is_lifted_or_their_key_is_struck_again() -> None:
    notes = make_notes(4, 0.25, 70.0)
    held = hold_pedal(notes, np.random.default_rng(1))
    assert np.all(held.offsets >= notes.offsets - 1e-9)
    assert np.mean(held.offsets - notes.offsets) > 0.2
    for pitch in np.unique(notes.pitches):
        own = notes.pitches == pitch
        assert np.all(held.offsets[own][:-1] <= held.onsets[own][1:])


def test_an_excerpt_is_drawn_once_and_then_read(tmp_path: Path) -> None:
    write_excerpt(make_notes(4, 0.3, 70.0), {0: 0}, tmp_path / "song.mid")
    song = Song("pop909", "song", tmp_path / "song.mid", "pop909:song", "MIT")
    first = make_excerpt(song, 0, tmp_path)
    assert first is not None
    song.path.unlink()
    again = make_excerpt(song, 0, tmp_path)
    assert again is not None
    np.testing.assert_array_equal(first.course, again.course)
