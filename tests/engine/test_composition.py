"""A composition's MIDI file: given this culture, this time signature."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from kelly_live.engine.build import build_band
from kelly_live.engine.composition import compose_piece
from kelly_live.engine.options.commands import ComposeOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.override import OverrideOptions


@pytest.mark.parametrize(
    ("culture", "signature"),
    [(None, (4, 4)), ("swedish-polska", (3, 4)), ("hindustani", (16, 4)), ("javanese-gamelan", (4, 4))],
)
def test_the_file_of_a_culture_has_its_metre(culture: str | None, signature: tuple[int, int], tmp_path: Path) -> None:
    options = ComposeOptions(
        override=OverrideOptions(emotion="happy"),
        culture=None if culture is None else CultureOptions(culture),
        bars=4,
    )
    compose_piece(options).write_midi(tmp_path / "a.mid")
    (time,) = [m for m in mido.MidiFile(tmp_path / "a.mid").tracks[0] if m.type == "time_signature"]
    assert (time.numerator, time.denominator, time.time) == (*signature, 0)


def find_programs(path: Path) -> dict[str, int]:
    """The program that each track of a file begins with."""
    return {
        track.name: message.program
        for track in mido.MidiFile(path).tracks
        for message in track
        if message.type == "program_change" and message.time == 0
    }


def test_a_file_has_the_instruments_of_its_tradition_but_a_preset_s_own_win(tmp_path: Path) -> None:
    def programs(name: str, strength: float = 1.0, preset: str = "band") -> dict[str, int]:
        options = ComposeOptions(
            override=OverrideOptions(emotion="happy"),
            culture=CultureOptions(name, strength),
            host=HostOptions((preset,)),
            bars=2,
        )
        compose_piece(options).write_midi(tmp_path / "a.mid")
        return find_programs(tmp_path / "a.mid")

    plain = programs("western")
    sarangi = programs("hindustani")
    assert (sarangi["melody"], sarangi["chords"]) == (110, 104)
    assert programs("hindustani", strength=0.3) == plain
    assert programs("hindustani", preset="strings")["melody"] == programs("western", preset="strings")["melody"]


def test_live_a_tradition_s_instruments_are_sent_to_the_port() -> None:
    slots = build_band(None, CultureOptions("javanese-gamelan"), live=True).slots
    assert {slot.part: slot.program for slot in slots if slot.sends_program} == {"melody": 11, "chords": 13, "bass": 14}
    assert not any(slot.sends_program for slot in build_band(live=True).slots)
