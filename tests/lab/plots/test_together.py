"""The players of the page "Playing together": given these beats and chords, these notes; and how they are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.engine.audio_input import read_note_file
from kelly_live.lab.plots.together import build_file, comp, list_scenes, pick, place_beats, sing
from kelly_live.ui.rolls import PLAYER, Roll, draw_rolls


def test_beats_grow_shorter_with_the_tempo() -> None:
    beats = place_beats(5, lambda beat: 60.0 if beat < 2 else 120.0)
    assert beats == pytest.approx([0.5, 1.5, 2.5, 3.0, 3.5])


def test_a_keyboard_plays_its_chord_on_each_beat_and_the_bass_on_every_second() -> None:
    beats = place_beats(9, lambda _: 60.0)
    notes = comp(beats, ("A2 C4 E4", "F2 A3 C4"))
    assert [note.pitch for note in notes if note.start_seconds == beats[0]] == [45, 60, 64]
    assert [note.pitch for note in notes if note.start_seconds == beats[1]] == [60, 64]
    assert [note.pitch for note in notes if note.start_seconds == beats[4]] == [41, 57, 60]
    assert all(note.end_seconds < note.start_seconds + 1.0 for note in notes)


def test_a_guitar_s_strings_ring_until_the_chord_changes() -> None:
    notes = pick(place_beats(9, lambda _: 60.0), ("G2 D3 G3 B3 D4 G4", "E2 B2 G3 B3 E4 G4"))
    assert [note.start_seconds for note in notes[:3]] == pytest.approx([0.5, 1.0, 1.5])
    assert {note.end_seconds for note in notes[:8]} == {4.5}
    assert notes[8].pitch == 40


def test_a_singer_breathes() -> None:
    notes = sing(place_beats(9, lambda _: 60.0), "D4:1 r:2 A4:1.5 G4:.5")
    assert [(note.pitch, note.start_seconds) for note in notes] == [(62, 0.5), (69, 3.5), (67, 5.0)]


def test_a_player_s_file_holds_what_he_plays(tmp_path: Path) -> None:
    notes = comp(place_beats(5, lambda _: 100.0), ("A2 C4 E4",))
    build_file(notes).save(tmp_path / "player.mid")
    played = [one for one in read_note_file(tmp_path / "player.mid") if one.data[0] & 0xF0 == 0x90 and one.data[2]]
    assert [one.data[1] for one in played] == [note.pitch for note in notes]
    assert [one.seconds for one in played] == pytest.approx([note.start_seconds for note in notes], abs=0.002)


def test_every_scene_has_a_player_within_the_picture() -> None:
    scenes = list_scenes()
    assert len({scene.title for scene in scenes}) == len(scenes)
    for scene in scenes:
        assert len(scene.notes) > 30
        assert all(36 <= note.pitch <= 84 for note in scene.notes), scene.title


def test_the_player_is_drawn_and_named_where_there_is_one() -> None:
    band = ((0.0, 1.0, 60, 80, "chords"),)
    alone, together = (
        draw_rolls([Roll("a", "b", notes, 4.0)]) for notes in (band, (*band, (0.0, 1.0, 72, 80, PLAYER)))
    )
    assert alone[:4] == together[:4] == b"\x89PNG"
    assert alone != together
