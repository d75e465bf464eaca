"""A recording's chords as a sheet: given this music, these bars."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
from click.testing import CliRunner

from kelly_live.cli import root
from kelly_live.core.sync_state import BeatEstimate, ChordChange, ChordEstimate, SyncState
from kelly_live.engine.chord_transcription import track_with_chords, transcribe_chords
from kelly_live.lab.plots.together import build_file, comp, place_beats
from tests.sync.synthetic_music import RATE, song

CHORDS = {"C": (0, "major"), "F": (5, "major"), "G": (7, "major"), "Am": (9, "minor")}


def test_a_loop_is_written_in_bars() -> None:
    _, sheet = track_with_chords(np.asarray(song(90.0, 2, seconds=30.0), np.float64))  # D G A D, two beats each
    assert sheet is not None
    bars = [[chord.text for chord in bar] for bar in sheet.bars]
    assert len(bars) >= 6
    right = [bar in (["D", "G"], ["A", "D"], ["G", "A"], ["D"]) for bar in bars]
    assert np.mean(right) >= 0.7


def test_a_waltz_is_written_in_bars_of_three() -> None:
    bars = ("C C C", "F F F", "G G G", "Am Am Am", "C C C", "G G Am", "F F F", "G G G")
    names = " ".join(2 * bars).split()
    states = [
        (
            tenth / 10.0,
            SyncState(
                BeatEstimate(0.0, 120.0, 0.9),
                chord=ChordEstimate(ChordChange(tenth / 10.0, *CHORDS[names[int(tenth / 5)]]), 0.9),
            ),
        )
        for tenth in range(5 * len(names))
    ]
    sheet = transcribe_chords(states)
    assert sheet is not None
    assert "| C | F | G | Am | C | G G Am | F | G |" in f"| {sheet}"


def test_noise_has_no_sheet() -> None:
    assert track_with_chords(0.1 * np.random.default_rng(2).standard_normal(12 * RATE))[1] is None


def test_the_notes_of_a_midi_file_are_a_recording_too(tmp_path: Path) -> None:
    midi = tmp_path / "a.mid"
    beats = place_beats(33, lambda _: 100.0)
    build_file(comp(beats, ("A2 A3 C4 E4", "F2 A3 C4 F4", "C3 G3 C4 E4", "G2 G3 B3 D4"))).save(midi)
    result = CliRunner().invoke(root, ["follow", str(midi), "--chords"], catch_exceptions=False)
    _, sheet = result.stdout.splitlines()
    chords = [name for name, _ in groupby(sheet.replace("|", " ").split())]
    assert " ".join(chords[:7]) in "Am F C G Am F C G Am F C G"  # whichever level of the beat is heard


def test_the_command_prints_a_sheet_that_plays(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", song(90.0, 2, seconds=30.0), RATE)
    result = CliRunner().invoke(root, ["follow", str(tmp_path / "a.wav"), "--chords"], catch_exceptions=False)
    line, sheet = result.stdout.splitlines()
    assert "BPM" in line
    midi = tmp_path / "o.mid"
    command = ["compose", "--emotion", "sad", "--chords", sheet, "--bars", "5", "--midi", str(midi)]
    assert CliRunner().invoke(root, command, catch_exceptions=False).exit_code == 0
    assert midi.stat().st_size > 100
