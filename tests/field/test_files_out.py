"""MIDI files hold all that was announced, and leave a synthesiser as they found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mido
import pytest

from kelly_live.core.commands import Controls, Notes, PartProgram, Start, Stop, Tuning
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.files import write_midi
from kelly_live.midi.offline import OfflineScheduler
from tests.field.command_line import run_command

TUNED_BAND = (PartProgram(1, 0), PartProgram(2, 33))


def list_events(file: Path) -> Iterator[tuple[int, mido.Message]]:
    for track in mido.MidiFile(file).tracks:
        tick = 0
        for message in track:
            tick += message.time
            yield tick, message


def play_to_file(path: Path, scheduler: OfflineScheduler, *, seconds: float) -> Path:
    scheduler.advance(seconds)
    scheduler.send(Stop())
    write_midi(path, scheduler.messages, scheduler.tempo_map)
    return path


def test_every_bar_that_was_announced_is_in_the_file(tmp_path: Path) -> None:
    result = run_command("compose", "--emotion", "happy", "--seed", 1, "--bars", 200, "--midi", tmp_path / "long.mid")
    file = mido.MidiFile(tmp_path / "long.mid")
    onsets = [tick for tick, message in list_events(tmp_path / "long.mid") if message.type == "note_on"]
    assert result.code == 0
    assert max(onsets) // (4 * file.ticks_per_beat) + 1 == 200
    assert "200 bars" in result.output
    assert f"{file.length:.1f} s" in result.output


def test_offline_no_number_of_notes_is_too_many(tmp_path: Path) -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Start(0.0, 120.0))
    scheduler.send(Notes(tuple(NoteEvent(n / 8, 0.1, 60, 80, 1, "melody") for n in range(10_000))))
    file = play_to_file(tmp_path / "dense.mid", scheduler, seconds=700.0)
    assert scheduler.health().dropped_notes == 0
    assert sum(message.type == "note_on" and message.velocity > 0 for _, message in list_events(file)) == 10_000


@pytest.mark.parametrize("way", [(), ("--tuning", "mpe"), ("--bend-range", "48")])
def test_a_file_leaves_no_channel_bent(tmp_path: Path, way: tuple[str, ...]) -> None:
    culture = ("--culture", "turkish-makam:hicaz", "--bars", 8)
    run_command("compose", "--emotion", "happy", "--seed", 1, *culture, *way, "--midi", tmp_path / "tuned.mid")
    bends: dict[int, int] = {}
    ranges: dict[int, int] = {}
    for _, message in list_events(tmp_path / "tuned.mid"):
        if message.type == "pitchwheel":
            bends[message.channel] = message.pitch
        elif message.type == "control_change" and message.control == 6 and message.channel > 0:
            ranges[message.channel] = message.value
    assert bends
    assert not any(bends.values())
    if "--bend-range" in way:
        assert set(ranges.values()) == {2}  # what General MIDI begins with


def test_a_file_leaves_no_key_retuned(tmp_path: Path) -> None:
    scheduler = OfflineScheduler(tuning=Tuning("mts", None, TUNED_BAND))
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes((NoteEvent(0.0, 1.0, 60, 80, 1, "melody", 50.0),)))
    file = play_to_file(tmp_path / "mts.mid", scheduler, seconds=4.0)
    (_, tuning), (end, reset) = ((tick, m.data) for tick, m in list_events(file) if m.type == "sysex")
    assert tuning[6:] == (60, 60, 64, 0)  # key 60 sounds half a semitone over note 60
    assert (end, reset[6:]) == (4 * 480, (60, 60, 0, 0))


def test_a_file_leaves_no_parameter_selected(tmp_path: Path) -> None:
    run_command(
        "compose", "--emotion", "happy", "--culture", "turkish-makam:hicaz", "--bars", 8, "--midi", tmp_path / "t.mid"
    )
    values_by_channel: dict[int, list[int]] = {}
    for _, message in list_events(tmp_path / "t.mid"):
        if message.type == "control_change" and message.control in (100, 101):
            values_by_channel.setdefault(message.channel, []).append(message.value)
    assert values_by_channel
    assert all(values[-2:] == [127, 127] for values in values_by_channel.values())


def test_a_file_puts_moved_controllers_back_to_rest(tmp_path: Path) -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes((NoteEvent(0.0, 1.0, 60, 80, 1, "melody"),)))
    scheduler.send(Controls((ControlChange(1, 1, 90), ControlChange(1, 11, 40), ControlChange(1, 20, 77))))
    file = play_to_file(tmp_path / "wheel.mid", scheduler, seconds=2.0)
    last = {m.control: m.value for _, m in list_events(file) if m.type == "control_change"}
    assert last == {1: 0, 11: 127, 20: 77}  # 20 is undefined: it has no value of rest


def test_every_track_ends_with_the_last_bar_and_no_note_is_left(tmp_path: Path) -> None:
    run_command("compose", "--emotion", "sad", "--seed", 3, "--bars", 9, "--midi", tmp_path / "nine.mid")
    file = mido.MidiFile(tmp_path / "nine.mid")
    assert {sum(message.time for message in track) for track in file.tracks} == {9 * 4 * file.ticks_per_beat}
    open_notes: set[tuple[int, int]] = set()
    for _, message in list_events(tmp_path / "nine.mid"):
        if message.type == "note_on" and message.velocity > 0:
            open_notes.add((message.channel, message.note))
        elif message.type in ("note_on", "note_off"):
            open_notes.discard((message.channel, message.note))
    assert not open_notes


def test_the_line_of_a_morph_names_every_key(tmp_path: Path) -> None:
    moves = ("--emotion", "happy", "--morph-to", "sad", "--morph-bars", 8)
    result = run_command("compose", *moves, "--seed", 1, "--bars", 24, "--midi", tmp_path / "m.mid")
    keys = result.output.splitlines()[0].split(", ")[-2]
    assert keys.count(" to ") >= 1
    assert keys.startswith("Bb ionian to ")
