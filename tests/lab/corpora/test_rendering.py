"""Rendering of MIDI files with fluidsynth."""

from __future__ import annotations

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, OUTPUT_RATE, render_midi

FINGERED_BASS, PIANO = 33, 0  # a bass sounds as long as its key is held; a piano dies away by itself

pytestmark = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not HELD_OUT_SOUNDFONT.is_file(),
    reason="fluidsynth and timgm6mb-soundfont are needed to render",
)


@pytest.mark.parametrize("program", [FINGERED_BASS, PIANO])
def test_a_note_held_over_the_cut_ends_there(tmp_path: Path, program: int) -> None:
    """The synthesiser writes until all is silent: without an end a held note would fill the disk."""
    score = mido.MidiFile(ticks_per_beat=480)
    score.tracks.append(
        mido.MidiTrack(
            [
                mido.Message("program_change", program=program),
                mido.Message("note_on", note=40, velocity=100, time=0),
                mido.Message("note_off", note=40, time=480 * 20),
            ]
        )
    )
    path = tmp_path / "held.mid"
    score.save(path)
    samples, rate = soundfile.read(render_midi(path, tmp_path, HELD_OUT_SOUNDFONT, seconds=2.0))
    assert rate == OUTPUT_RATE
    assert len(samples) / rate == pytest.approx(2.0, abs=0.1)
    assert np.abs(samples[rate : 2 * rate - rate // 10]).max() > 0.001
