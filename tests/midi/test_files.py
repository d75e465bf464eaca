"""MIDI files are read back with mido, and are what was played."""

import io
from pathlib import Path

import mido
import pytest

from kelly_live.domain import NoteEvent, SoundingNote
from kelly_live.errors import OutputError
from kelly_live.midi.client import OfflineScheduler
from kelly_live.midi.files import midi_bytes, notes_from_messages, write_midi
from kelly_live.midi.messages import all_sound_off, note_off, note_on
from kelly_live.midi.ports import RecordedMessage
from kelly_live.timebase import TempoPoint

SONG = [
    NoteEvent(0.0, 1.0, 60, 80, 1, "melody"),
    NoteEvent(1.0, 0.5, 62, 70, 1, "melody"),
    NoteEvent(4.0, 2.0, 64, 90, 1, "melody"),
    NoteEvent(0.0, 4.0, 36, 60, 2, "bass"),
    NoteEvent(2.0, 0.25, 38, 100, 10, "percussion"),
]


def performed() -> OfflineScheduler:
    scheduler = OfflineScheduler(send_clock=True)
    scheduler.start(0.0, 120.0)
    scheduler.tempo(TempoPoint(2.0, 60.0))
    scheduler.play(SONG)
    scheduler.advance(10.0)
    scheduler.stop()
    return scheduler


def read_back(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data))


def score(track: mido.MidiTrack) -> list[tuple[float, str, int]]:
    beat, lines = 0.0, []
    for message in track:
        beat += message.time / 480
        if message.type in ("note_on", "note_off"):
            lines.append((beat, message.type, message.note))
    return lines


def test_a_file_holds_the_score_in_beats_a_track_a_channel() -> None:
    scheduler = performed()
    names, programs = {1: "Melody", 2: "Bass", 10: "Drums"}, {1: 11, 2: 33}
    file = read_back(midi_bytes(scheduler.messages, scheduler.tempo_map, track_names=names, programs=programs))
    assert (file.type, file.ticks_per_beat) == (1, 480)
    assert [track.name for track in file.tracks] == ["Kelly Live", "Melody", "Bass", "Drums"]
    tempo, melody, bass, drums = file.tracks
    assert [(m.time, round(mido.tempo2bpm(m.tempo))) for m in tempo if m.type == "set_tempo"] == [(0, 120), (960, 60)]
    assert score(melody) == [
        (0.0, "note_on", 60), (1.0, "note_off", 60), (1.0, "note_on", 62), (1.5, "note_off", 62),
        (4.0, "note_on", 64), (6.0, "note_off", 64),
    ]  # fmt: skip
    assert score(bass) == [(0.0, "note_on", 36), (4.0, "note_off", 36)]
    assert score(drums) == [(2.0, "note_on", 38), (2.25, "note_off", 38)]
    assert [m.program for m in melody if m.type == "program_change"] == [11]
    assert melody[1].type == "program_change"
    assert not any(m.type in ("program_change", "control_change", "clock") for m in drums)
    assert file.length == pytest.approx(1.0 + 4.0)


def test_the_same_performance_gives_the_same_bytes() -> None:
    first, second = performed(), performed()
    assert midi_bytes(first.messages, first.tempo_map) == midi_bytes(second.messages, second.tempo_map)


def test_an_empty_performance_is_still_a_file() -> None:
    scheduler = OfflineScheduler()
    scheduler.start(0.0, 100.0)
    assert len(read_back(midi_bytes(scheduler.messages, scheduler.tempo_map)).tracks) == 1


def test_the_file_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    scheduler = performed()
    write_midi(tmp_path / "song.mid", scheduler.messages, scheduler.tempo_map)
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]
    with pytest.raises(OutputError, match="does not exist"):
        write_midi(tmp_path / "missing" / "song.mid", scheduler.messages, scheduler.tempo_map)


def test_the_notes_that_were_heard() -> None:
    assert notes_from_messages(performed().messages) == [
        SoundingNote(0.0, 0.5, 60, 80, 1),
        SoundingNote(0.0, 3.0, 36, 60, 2),
        SoundingNote(0.5, 0.75, 62, 70, 1),
        SoundingNote(1.0, 1.25, 38, 100, 10),
        SoundingNote(3.0, 5.0, 64, 90, 1),
    ]


def test_notes_end_with_what_ends_them() -> None:
    messages = [
        RecordedMessage(0.0, note_on(1, 60, 80)),
        RecordedMessage(0.5, note_on(2, 60, 80)),
        RecordedMessage(1.0, bytes([0x90, 60, 0])),  # a note-on of velocity 0
        RecordedMessage(2.0, all_sound_off(2)),
        RecordedMessage(3.0, note_on(3, 60, 80)),
        RecordedMessage(4.0, note_off(1, 99)),  # ends nothing
    ]
    assert notes_from_messages(messages) == [
        SoundingNote(0.0, 1.0, 60, 80, 1),
        SoundingNote(0.5, 2.0, 60, 80, 2),
        SoundingNote(3.0, 4.0, 60, 80, 3),
    ]
    assert notes_from_messages([]) == []


def test_stopping_offline_ends_what_sounds() -> None:
    scheduler = OfflineScheduler()
    scheduler.start(0.0, 60.0)
    scheduler.play([NoteEvent(0.0, 100.0, 60, 80, 1, "pad")])
    scheduler.advance(2.0)
    scheduler.stop()
    scheduler.stop()
    assert notes_from_messages(scheduler.messages) == [SoundingNote(0.0, 2.0, 60, 80, 1)]
    assert scheduler.health().sounding == 0
    assert scheduler.tempo_map.bpm == 60.0
