"""A composition's MIDI file: given this culture, this time signature."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from kelly_live.engine.composition import compose_piece
from kelly_live.engine.options.commands import ComposeOptions
from kelly_live.engine.options.culture import CultureOptions
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
