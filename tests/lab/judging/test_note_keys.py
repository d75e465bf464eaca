"""How soon the key of a song's notes is heard: a song that is written for the test."""

from __future__ import annotations

from pathlib import Path

import mido

from kelly_live.lab.judging.note_keys import format_first_keys, read_first_key


def write_song(folder: Path, keys: str) -> Path:
    """A cadence in E flat, four times, a chord a second."""
    song = folder / "001"
    song.mkdir()
    track = mido.MidiTrack()
    for root in (51, 56, 58, 51) * 4:
        for kind, wait in (("note_on", 0), ("note_off", 960)):  # 120 BPM, 480 ticks a beat
            for number, tone in enumerate((0, 4, 7)):
                track.append(mido.Message(kind, note=root + tone, velocity=80, time=0 if number else wait))
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(song / "001.mid")
    (song / "key_audio.txt").write_text(keys)
    return song


def test_the_key_of_a_cadence_is_right_soon(tmp_path: Path) -> None:
    song = write_song(tmp_path, "0.5\t200.0\tEb:maj\n")
    assert "the key of the notes of 1 songs: right 1.00" in format_first_keys([song])


def test_a_song_whose_key_changes_at_once_is_left_out(tmp_path: Path) -> None:
    assert read_first_key(write_song(tmp_path, "0.5\t20.0\tEb:maj\n20.0\t90.0\tF:maj\n")) is None
