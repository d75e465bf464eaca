"""How the band ends when the input does, at any moment of a bar; 120 BPM, so a beat is half a second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kelly_live.core.sync_state import PlayerActivity, SyncState
from kelly_live.core.values import CultureStyle
from kelly_live.music.conductor import Conductor
from kelly_live.music.harmony import create_leading_chord
from kelly_live.music.theory import Key, build_mode_scale
from tests.music.band import RecordingSink, band, make_parameters, play_piece


def finish(
    beat: float, *, seed: int = 1, mode: str = "ionian", style: CultureStyle | None = None, groove: str = ""
) -> tuple[RecordingSink, float]:
    """Play in C until a beat and finish; return the notes, and the beat where the music ends."""
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=seed, tonic=0, look_ahead_seconds=0.0, slice_beats=1 / 16)
    parameters = replace(make_parameters(bpm=120.0, mode=mode, density=1.5, groove=groove), style=style)
    conductor.start(0.0, parameters)
    for step in range(round(beat * 8) + 1):
        conductor.advance(step / 16.0, parameters)
    return sink, conductor.finish(beat / 2.0)


def bass_classes(sink: RecordingSink, start: float, end: float) -> list[int]:
    """The pitch classes of the bass in [start, end), in order; a note belongs to the beat that it is felt on."""
    notes = [note for note in sink.notes if note.part == "bass" and start - 0.2 <= note.onset_beats < end - 0.2]
    return [note.pitch % 12 for note in sorted(notes, key=lambda note: note.onset_beats)]


@pytest.mark.parametrize("mode", ["ionian", "aeolian"])
@pytest.mark.parametrize("beat", [20.5, 21.5, 22.5, 23.5, 25.5, 26.5])
def test_the_dominant_leads_to_the_tonic_wherever_the_input_ends(mode: str, beat: float) -> None:
    sink, end = finish(beat, mode=mode)
    assert bass_classes(sink, end - 4.0, end) == [0]
    dominant = create_leading_chord(Key(0, build_mode_scale(mode))).pitch_classes
    assert dominant == (7, 11, 2)
    assert bass_classes(sink, 0.0, end - 4.0)[-1] in dominant
    assert end - beat <= 9.0  # at most the rest of a beat, a bar of the dominant, and the last bar


def test_it_ends_in_the_next_bar_while_a_beat_of_this_one_is_left() -> None:
    assert [finish(beat)[1] for beat in (20.5, 21.5, 22.5)] == [28.0, 28.0, 28.0]
    assert finish(23.5)[1] == 32.0


@pytest.mark.parametrize("beat", [20.5, 22.5, 23.5])
@pytest.mark.parametrize("groove", ["rock", "suspense", "stop-time"])
def test_a_groove_that_breaks_off_still_has_its_dominant(groove: str, beat: float) -> None:
    sink, end = finish(beat, mode="aeolian", groove=groove)
    assert bass_classes(sink, end - 4.0, end) == [0]
    assert 7 in bass_classes(sink, end - 8.0, end - 4.0)


def test_the_last_chord_of_a_dance_rings_over_its_bass() -> None:
    sink, end = finish(22.5, groove="dance")
    last = [note for note in sink.notes if note.onset_beats > end - 4.2 and note.part in ("bass", "chords")]
    assert {note.part for note in last} == {"bass", "chords"}
    assert all(note.duration_beats > 3.5 for note in last)


def test_a_piece_closes_as_its_groove_does() -> None:
    sink = play_piece(make_parameters(groove="rock", mode="aeolian", density=1.5), bars=8)
    last = [note for note in sink.notes if note.onset_beats > 27.8]
    assert {note.part for note in last} >= {"bass", "chords", "percussion"}
    assert all(note.duration_beats <= 0.5 for note in last)
    assert not [note for note in sink.notes if 27.3 < note.onset_beats < 27.8]


def test_music_without_chords_ends_without_a_dominant() -> None:
    style = CultureStyle("drone", build_mode_scale("dorian"), texture="drone")
    assert finish(23.5, style=style)[1] == 28.0


def test_a_band_that_rests_with_its_player_has_ended() -> None:
    conductor = Conductor(sink := RecordingSink(), band(), seed=1, tonic=0)
    conductor.start(0.0, parameters := make_parameters(bpm=120.0))
    for step in range(600):
        player = PlayerActivity(True, 0.0) if step < 80 else PlayerActivity(False, 4.0)
        conductor.advance(0.05 * step, parameters, SyncState(player=player))
    count = len(sink.notes)
    conductor.finish(30.0)
    assert conductor.is_done
    assert len(sink.notes) == count
