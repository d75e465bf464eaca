"""Music with a known beat and key from the built-in synthesiser: chords, a bass and drums."""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr

from kelly_live.audio.synth import SAMPLE_RATE, render
from kelly_live.core.values import SoundingNote

RATE = 16_000
MAJOR = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))  # I IV V I, semitones above the tonic
MINOR = ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))  # i iv V i
FIRST_BEAT = 0.4


@cache
def song(bpm: float, tonic: int, major: bool = True, seconds: float = 16.0, drums: bool = True) -> np.ndarray:
    """Float32 [n] at RATE. A beat falls at FIRST_BEAT and each 60 / bpm s from there on."""
    notes = []
    beat = 60.0 / bpm
    for i in range(int((seconds - FIRST_BEAT) / beat)):
        time = FIRST_BEAT + i * beat
        chord = (MAJOR if major else MINOR)[i // 2 % 4]
        notes += [SoundingNote(time, time + 0.9 * beat, 60 + tonic + tone, 75, 1) for tone in chord]
        notes += [SoundingNote(time, time + 0.9 * beat, 36 + (tonic + chord[0]) % 12, 90, 2)]
        if drums:
            notes += [SoundingNote(time, time + 0.1, 36 if i % 2 == 0 else 38, 100, 10)]
            notes += [SoundingNote(time + half, time + half + 0.05, 42, 60, 10) for half in (0.0, beat / 2.0)]
    sound = render(notes, {1: 0, 2: 33})
    mono = soxr.resample(sound.mean(axis=0), SAMPLE_RATE, RATE)
    return np.asarray(mono[: int(seconds * RATE)], np.float32)
