"""MIDI files are read back with mido, and are what was played."""

import io
from pathlib import Path

import mido
import pytest

from kelly_live.core.commands import Notes, PartProgram, Signature, Start, Stop, TempoChange, Tuning
from kelly_live.core.errors import OutputError
from kelly_live.core.midi_messages import TICKS_PER_BEAT, all_sound_off, note_off, note_on
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import NoteEvent, SoundingNote
from kelly_live.midi.files import encode_midi, find_owners, find_sounding_notes, write_midi
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.ports import RecordedMessage
from tests.midi.receiver import Receiver

SONG = [
    NoteEvent(0.0, 1.0, 60, 80, 1, "melody"),
    NoteEvent(1.0, 0.5, 62, 70, 1, "melody"),
    NoteEvent(4.0, 2.0, 64, 90, 1, "melody"),
    NoteEvent(0.0, 4.0, 36, 60, 2, "bass"),
    NoteEvent(2.0, 0.25, 38, 100, 10, "percussion"),
]


def perform_song() -> OfflineScheduler:
    scheduler = OfflineScheduler(send_clock=True)
    scheduler.send(Start(0.0, 120.0))
    scheduler.send(TempoChange(TempoPoint(2.0, 60.0)))
    scheduler.send(Notes(tuple(SONG)))
    scheduler.advance(10.0)
    scheduler.send(Stop())
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
    scheduler = perform_song()
    names, programs = {1: "Melody", 2: "Bass", 10: "Drums"}, {1: 11, 2: 33}
    file = read_back(encode_midi(scheduler.messages, scheduler.tempo_map, track_names=names, programs=programs))
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
    assert file.length == pytest.approx(10.0)  # to the stop, as long as what was played


def test_the_same_performance_gives_the_same_bytes() -> None:
    first, second = perform_song(), perform_song()
    assert encode_midi(first.messages, first.tempo_map) == encode_midi(second.messages, second.tempo_map)


def test_an_empty_performance_is_still_a_file() -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Start(0.0, 100.0))
    assert len(read_back(encode_midi(scheduler.messages, scheduler.tempo_map)).tracks) == 1


def test_the_file_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    scheduler = perform_song()
    write_midi(tmp_path / "song.mid", scheduler.messages, scheduler.tempo_map)
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]
    with pytest.raises(OutputError, match="does not exist"):
        write_midi(tmp_path / "missing" / "song.mid", scheduler.messages, scheduler.tempo_map)


def test_the_notes_that_were_heard() -> None:
    assert find_sounding_notes(perform_song().messages) == [
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
    assert find_sounding_notes(messages) == [
        SoundingNote(0.0, 1.0, 60, 80, 1),
        SoundingNote(0.5, 2.0, 60, 80, 2),
        SoundingNote(3.0, 4.0, 60, 80, 3),
    ]
    assert find_sounding_notes([]) == []


def test_stopping_offline_ends_what_sounds() -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes((NoteEvent(0.0, 100.0, 60, 80, 1, "pad"),)))
    scheduler.advance(2.0)
    scheduler.send(Stop())
    scheduler.send(Stop())
    assert find_sounding_notes(scheduler.messages) == [SoundingNote(0.0, 2.0, 60, 80, 1)]
    assert scheduler.health().sounding_notes == 0
    assert scheduler.tempo_map.bpm == 60.0


HIJAZ = [(60, 0.0), (61, -10.0), (63, 80.0), (65, -2.0)]
BAND = {1: 0, 2: 33, 3: 11, 10: 0}


def parts(programs: dict[int, int]) -> tuple[PartProgram, ...]:
    return tuple(PartProgram(channel, program) for channel, program in programs.items())


def performed_in(tuning: Tuning) -> OfflineScheduler:
    """A melody on 3 in a tuning of its own, over a plain bass on 2."""
    scheduler = OfflineScheduler(tuning=tuning)
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(
        Notes(tuple(NoteEvent(4.0 + i, 0.5, p, 80, 3, "melody", cents) for i, (p, cents) in enumerate(HIJAZ)))
    )
    scheduler.send(Notes((NoteEvent(0.0, 8.0, 36, 60, 2, "bass"), NoteEvent(1.0, 0.5, 38, 90, 10, "percussion"))))
    scheduler.advance(9.0)
    scheduler.send(Stop())
    return scheduler


def receive_file(file: mido.MidiFile) -> Receiver:
    """Played back as a sequencer does: seconds, and every message in the file's order."""
    now, messages = 0.0, []
    for message in file:
        now += message.time
        if not message.is_meta:
            messages.append(RecordedMessage(now, bytes(message.bytes())))
    return Receiver().hear(messages)


@pytest.mark.parametrize("mode", ["bend", "mpe", "mts"])
def test_a_file_carries_the_tuning_and_the_programs(mode: str) -> None:
    scheduler = performed_in(Tuning(mode, None, parts(BAND)))
    file = read_back(
        encode_midi(scheduler.messages, scheduler.tempo_map, track_names={2: "bass", 3: "melody"}, programs=BAND)
    )
    voices = receive_file(file).voices
    melody = [v for v in voices if v.key not in (36, 38)]
    assert [v.pitches for v in melody] == [[pytest.approx(p + c / 100.0, abs=3e-3)] for p, c in HIJAZ]
    assert [v.channel for v in voices if v.key == 38] == [10]
    if mode != "mpe":  # a zone is one instrument
        assert {v.program for v in melody} == {11}
        assert {v.program for v in voices if v.key == 36} == {33}
    for track in file.tracks[1:]:
        first_note = next((i for i, m in enumerate(track) if m.type == "note_on"), len(track) - 1)
        assert all(m.time == 0 for m in track[:first_note])  # ready from the start on


def test_tracks_of_borrowed_channels_say_whose_they_are() -> None:
    scheduler = performed_in(Tuning("bend", 2, parts(BAND)))
    names = {2: "bass", 3: "melody", 10: "percussion"}
    file = read_back(encode_midi(scheduler.messages, scheduler.tempo_map, track_names=names, programs=BAND))
    assert [track.name for track in file.tracks[1:]] == [
        "bass", "melody", "melody (channel 4)", "melody (channel 5)", "melody (channel 6)", "percussion",
    ]  # fmt: skip
    received = find_sounding_notes(scheduler.messages, BAND)
    assert [(note.pitch, note.channel) for note in received] == [(36, 2), (38, 10), (60, 3), (61, 3), (63, 3), (65, 3)]


def test_a_lent_channel_is_the_part_s_that_asked_for_it_though_both_have_one_sound() -> None:
    """Chords and melody on one piano, the melody a quarter-tone higher: its notes are its own."""
    piano = {1: 0, 3: 0}
    scheduler = OfflineScheduler(tuning=Tuning("bend", 2, parts(piano)))
    scheduler.send(Start(0.0, 60.0))
    chord = [NoteEvent(0.0, 1.9, key, 70, 1, "chords", cents) for key, cents in ((48, 0.0), (52, 10.0), (55, 0.0))]
    tune = [NoteEvent(float(n), 0.9, 72, 70, 3, "melody", 50.0) for n in range(2)]
    scheduler.send(Notes((*chord, *tune)))
    scheduler.advance(3.0)
    scheduler.send(Stop())
    owners = find_owners(scheduler.messages, scheduler.notes, scheduler.tempo_map)
    received = find_sounding_notes(scheduler.messages, piano, owners)
    assert [(n.pitch, n.channel) for n in received] == [(48, 1), (52, 1), (55, 1), (72, 3), (72, 3)]
    names = {1: "chords", 3: "melody"}
    file = read_back(
        encode_midi(scheduler.messages, scheduler.tempo_map, track_names=names, programs=piano, owners=owners)
    )
    tracks_by_channel = {m.channel + 1: track.name for track in file.tracks[1:] for m in track if m.type == "note_on"}
    assert sorted(tracks_by_channel.values()) == [
        "chords",
        f"chords (channel {min(c for c in tracks_by_channel if c > 1)})",
        f"melody (channel {max(tracks_by_channel)})",
    ]
    unsure = read_back(encode_midi(scheduler.messages, scheduler.tempo_map, track_names=names, programs=piano))
    assert sum("chords or melody" in track.name for track in unsure.tracks) == 2  # without that, it is not guessed


def test_a_retuned_file_bends_back_at_its_end_so_that_tails_stay_in_tune() -> None:
    scheduler = performed_in(Tuning("bend", 2, parts(BAND)))
    file = read_back(encode_midi(scheduler.messages, scheduler.tempo_map))
    for track in file.tracks:
        tick, straightened = 0, []
        for message in track:
            tick += message.time
            if message.type == "pitchwheel" and message.pitch == 0:
                straightened.append(tick)
        assert straightened in ([], [tick])


def test_signatures_stand_where_they_change_and_the_first_at_the_start() -> None:
    scheduler = perform_song()
    signatures = [
        Signature(0.25, 3, 4, -2, False),  # a band that joined in the middle of a beat
        Signature(6.0, 3, 4, -3, True),
        Signature(9.0, 16, 4, -3, True),
        Signature(25.0, 16, 4, -3, True),
    ]
    (tempo_track, *_) = read_back(encode_midi(scheduler.messages, scheduler.tempo_map, signatures=signatures)).tracks
    tick, score = 0, []
    for message in tempo_track:
        tick += message.time
        if message.type == "time_signature":
            score.append((tick / TICKS_PER_BEAT, f"{message.numerator}/{message.denominator}"))
        elif message.type == "key_signature":
            score.append((tick / TICKS_PER_BEAT, message.key))
    assert score == [(0.0, "3/4"), (0.0, "Bb"), (6.0, "Cm"), (9.0, "16/4")]


def test_a_file_without_signatures_is_in_four() -> None:
    scheduler = perform_song()
    (tempo_track, *_) = read_back(encode_midi(scheduler.messages, scheduler.tempo_map)).tracks
    (signature,) = [message for message in tempo_track if message.type == "time_signature"]
    assert (signature.numerator, signature.denominator) == (4, 4)
    assert not [message for message in tempo_track if message.type == "key_signature"]
