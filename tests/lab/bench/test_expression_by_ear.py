"""Held notes through fluidsynth: what is heard follows the expression, once, without a step at the next chord."""

from __future__ import annotations

import math
import os
import shutil

import numpy as np
import pytest

from kelly_live.core.commands import Expression, Notes, PartProgram, Start, Stop, Tuning
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.tuning import SAMPLE_RATE, SOUND_FONT, render_messages
from kelly_live.midi.offline import OfflineScheduler

CHORDS, BEATS = 4, 4.0
needs_fluidsynth = pytest.mark.skipif(
    not os.environ.get("CI") and (shutil.which("fluidsynth") is None or not SOUND_FONT.exists()),
    reason="needs fluidsynth and fluid-soundfont-gm",
)


def ramp(seconds: float, first: float, last: float) -> float:
    return first + (last - first) * seconds / (CHORDS * BEATS)


def render_chords(program: int, first: float, last: float, *, expression: bool) -> np.ndarray:
    """Chords whose velocities rise from the one to the other, and between them the controllers, if they do."""
    scheduler = OfflineScheduler(tuning=Tuning(programs=(PartProgram(1, program),)))
    scheduler.send(Start(0.0, 60.0))
    for onset in (BEATS * chord for chord in range(CHORDS)):
        loudness = ramp(onset, first, last)
        chord = tuple(NoteEvent(onset, BEATS, key, round(127 * loudness), 1, "pad") for key in (48, 60, 64, 67))
        scheduler.send(Notes(chord, loudness if expression else None))
    for step in range(1, round(CHORDS * BEATS / 0.05)) if expression else ():
        scheduler.send(Expression(0.05 * step, ramp(0.05 * step, first, last)))
    scheduler.advance(CHORDS * BEATS)
    scheduler.send(Stop())
    return render_messages(scheduler, {1: program})


def measure_db(sound: np.ndarray, seconds: float) -> float:
    part = sound[round((seconds - 0.1) * SAMPLE_RATE) : round((seconds + 0.1) * SAMPLE_RATE)]
    return 10.0 * math.log10(float(np.mean(part**2)) + 1e-12)


@needs_fluidsynth
@pytest.mark.parametrize(("program", "name"), [(16, "organ"), (48, "strings"), (0, "piano")])
@pytest.mark.parametrize(("first", "last"), [(0.35, 0.65), (0.65, 0.35)], ids=["rising", "falling"])
def test_what_is_heard_between_onsets_is_what_the_loudness_gained_since(
    program: int, name: str, first: float, last: float
) -> None:
    plain, moved = (render_chords(program, first, last, expression=expression) for expression in (False, True))
    start = measure_db(moved, 0.3) - measure_db(plain, 0.3)
    for chord in range(CHORDS):
        for held in (0.3, 1.5, 2.8, 3.8):
            seconds = BEATS * chord + held
            gained = measure_db(moved, seconds) - measure_db(plain, seconds) - start
            onset = ramp(BEATS * chord, first, last)
            expected = 40.0 * math.log10(ramp(seconds, first, last) / onset)
            expected -= 40.0 * math.log10(ramp(0.3, first, last) / first)
            assert gained == pytest.approx(expected, abs=0.8), (name, chord, held)
