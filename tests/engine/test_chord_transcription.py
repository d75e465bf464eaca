"""A recording's chords as a sheet: given this music, these bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from kelly_live.cli import root
from kelly_live.engine.chord_transcription import track_with_chords
from tests.sync.synthetic_music import RATE, song


def test_a_loop_is_written_in_bars() -> None:
    _, sheet = track_with_chords(np.asarray(song(90.0, 2, seconds=30.0), np.float64))  # D G A D, two beats each
    assert sheet is not None
    bars = [[chord.text for chord in bar] for bar in sheet.bars]
    assert len(bars) >= 6
    right = [bar in (["D", "G"], ["A", "D"], ["G", "A"], ["D"]) for bar in bars]
    assert np.mean(right) >= 0.7


def test_noise_has_no_sheet() -> None:
    assert track_with_chords(0.1 * np.random.default_rng(2).standard_normal(12 * RATE))[1] is None


def test_the_command_prints_a_sheet_that_plays(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", song(90.0, 2, seconds=30.0), RATE)
    result = CliRunner().invoke(root, ["follow", str(tmp_path / "a.wav"), "--chords"], catch_exceptions=False)
    line, sheet = result.stdout.splitlines()
    assert "BPM" in line
    midi = tmp_path / "o.mid"
    command = ["compose", "--emotion", "sad", "--chords", sheet, "--bars", "5", "--midi", str(midi)]
    assert CliRunner().invoke(root, command, catch_exceptions=False).exit_code == 0
    assert midi.stat().st_size > 100
