"""MIDI files of strangers, as a recording to play along with: read, or refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import AudioError, ConfigError
from kelly_live.engine.audio_input import read_note_file
from kelly_live.lab.corpora.symbolic_features import read_score
from tests.field.command_line import run_command

KEY_OF_NO_MODE = (
    b"MThd\0\0\0\x06\0\x01\0\x01\x01\xe0MTrk\0\0\0\x14\0\xff\x59\x03\x06\x1a\x80\x08\x90<@\x83`\x80<\x01\0\xff/\0"
)


def write_notes(*messages: mido.Message, ticks: int = 480, kind: int = 1) -> bytes:
    file = io.BytesIO()
    track = mido.MidiTrack([*messages, mido.MetaMessage("end_of_track")])
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[track]).save(file=file)
    return file.getvalue()


NOTES = write_notes(mido.Message("note_on", note=60, time=10), mido.Message("note_off", note=60, time=480))


def test_notes_pedals_and_programs_come_with_their_seconds(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(NOTES)
    on, off = read_note_file(tmp_path / "a.mid")
    assert (on.data, off.data) == (b"\x90\x3c\x40", b"\x80\x3c\x40")
    assert (on.seconds, off.seconds) == (pytest.approx(10 / 960), pytest.approx(490 / 960))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MThd",
        b"RIFF....WAVE",
        KEY_OF_NO_MODE,
        write_notes(),
        write_notes(mido.Message("note_on"), kind=2),
        NOTES[:30],
    ],
    ids=[
        "empty",
        "a header",
        "a sound file",
        "a key of no mode",
        "no notes",
        "tracks of a kind of their own",
        "cut off",
    ],
)
def test_what_is_no_file_of_notes_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    with pytest.raises(AudioError) as error:
        read_note_file(path)
    assert "\n" not in str(error.value)
    result = run_command("render", str(path), "--midi", str(tmp_path / "o.mid"))
    assert result.code == 1
    assert "a.mid" in result.errors
    assert result.errors.count("\n") == 1
    assert not (tmp_path / "o.mid").exists()


def test_a_key_of_no_mode_is_refused_by_the_laboratory_too(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(KEY_OF_NO_MODE)
    with pytest.raises(ConfigError, match="standard MIDI file"):
        read_score(tmp_path / "a.mid")


@given(st.data())
def test_any_damage_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    damaged = bytearray(NOTES)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.mid"
    path.write_bytes(damaged)
    try:
        read_note_file(path)
    except AudioError as error:
        assert "\n" not in str(error)  # noqa: PT017
