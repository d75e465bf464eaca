"""The number that a recording tells of is that of the notes in its file."""

from __future__ import annotations

import io
import re
from pathlib import Path

import mido
import pytest

from tests.recording.test_recording import Take, parameters


def count_notes(midi: bytes) -> int:
    file = mido.MidiFile(file=io.BytesIO(midi))
    return sum(one.type == "note_on" and one.velocity > 0 for track in file.tracks for one in track)


@pytest.mark.parametrize("seconds", [0.4, 1.03, 3.77])
@pytest.mark.parametrize("panics", [False, True])
def test_the_number_is_the_files_and_the_rest_is_said(tmp_path: Path, seconds: float, panics: bool) -> None:
    take = Take(tmp_path)
    target = parameters(140.0, density=3.0)
    take.start(target)
    take.play(seconds, target)
    if panics:
        take.panic()
        take.play(seconds, target)
    take.clock.advance(0.2)  # the notes that were made by now are late
    take.play(0.02, target)
    take.recorder.record_stop(take.clock.now())
    lines = take.recorder.close()
    assert take.paths.midi is not None
    match = re.search(
        r"recorded (\d+) notes?( \((\d+) more had been made, and came too late, over a limit or after the end\))?;",
        lines[1],
    )
    assert match is not None, lines
    assert int(match[1]) == count_notes(take.paths.midi.read_bytes())
