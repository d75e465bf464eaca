"""Sound that a chord follower must stand: none of it has chords, or they are hard to hear. Float32 [n] at RATE."""

from __future__ import annotations

import numpy as np
import soxr

from kelly_live.audio.synth import SAMPLE_RATE, render
from kelly_live.core.values import SoundingNote
from tests.sync.synthetic_music import RATE

CAPO_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # C Am F G as they are gripped


def play_drums(seconds: float, bpm: float = 100.0) -> np.ndarray:
    """A kit alone: kick, snare and hi-hat, and a roll over the toms in every second bar."""
    beat, notes = 60.0 / bpm, list[SoundingNote]()
    for i in range(int(seconds / beat)):
        time = i * beat
        notes += [SoundingNote(time, time + 0.1, 36 if i % 2 == 0 else 38, 100, 10)]
        notes += [SoundingNote(time + half, time + half + 0.05, 42, 65, 10) for half in (0.0, beat / 2.0)]
        if i % 8 == 7:
            toms = enumerate((50, 48, 45, 43))
            notes += [SoundingNote(time + k * beat / 4.0, time + k * beat / 4.0 + 0.1, tom, 95, 10) for k, tom in toms]
    return _render(notes, {}, seconds)


def make_noise(seconds: float, *, pink: bool) -> np.ndarray:
    """Noise at -26 dBFS: white, or with 3 dB less in each octave."""
    sound = np.random.default_rng(5).normal(0.0, 1.0, int(seconds * RATE))
    if pink:
        spectrum = np.fft.rfft(sound) / np.sqrt(np.maximum(np.arange(len(sound) // 2 + 1), 1))
        sound = np.fft.irfft(spectrum, len(sound))
    return (0.05 * sound / sound.std()).astype(np.float32)


def speak(seconds: float) -> np.ndarray:
    """Syllables of a deep voice: gliding pitches under moving formants, a hiss before some, a breath now and then."""
    rng = np.random.default_rng(6)
    sound, time = np.zeros(int(seconds * RATE)), 0.0
    while time < seconds - 0.6:
        length = rng.uniform(0.12, 0.3)
        t = np.arange(int(length * RATE)) / RATE
        pitch = rng.uniform(95.0, 170.0) * np.exp(np.log(rng.uniform(0.75, 1.2)) * t / length)
        phase = 2.0 * np.pi * np.cumsum(pitch) / RATE
        formants = rng.uniform((300.0, 900.0, 2300.0), (800.0, 2200.0, 3000.0))
        voice = np.zeros(len(t))
        for harmonic in range(1, 30):
            gain = sum(1.0 / (1.0 + ((harmonic * pitch - formant) / 90.0) ** 2) for formant in formants)
            voice += gain * np.sin(harmonic * phase) / np.sqrt(harmonic)
        start = int(time * RATE)
        sound[start : start + len(t)] += voice * np.sin(np.pi * t / length) ** 0.7
        if rng.random() < 0.4:
            hiss = rng.normal(0.0, 0.5, int(0.06 * RATE))
            sound[start : start + len(hiss)] += hiss
        time += length + (rng.uniform(0.3, 0.6) if rng.random() < 0.15 else rng.uniform(0.02, 0.08))
    return (0.1 * sound / sound.std()).astype(np.float32)


def make_hum(seconds: float, mains_hz: float) -> np.ndarray:
    """What a badly earthed amplifier adds: the mains and its next two tones, at -33 dBFS."""
    t = np.arange(int(seconds * RATE)) / RATE
    tones = enumerate((0.03, 0.015, 0.008), start=1)
    return np.asarray(sum(level * np.sin(2.0 * np.pi * n * mains_hz * t) for n, level in tones), np.float32)


def retune(sound: np.ndarray, a_hz: float) -> np.ndarray:
    """The same music with this A in place of 440 Hz, and so much faster or slower."""
    return np.asarray(soxr.resample(sound, RATE, RATE * 440.0 / a_hz), np.float32)


def pick_capo_loop(seconds: float, *, capo: int, bpm: float) -> tuple[np.ndarray, float]:
    """A picked guitar loop in 7/8 with a capo, `bpm` eighths a minute; the sound, and the length of a bar (s)."""
    eighth, notes = 60.0 / bpm, list[SoundingNote]()
    for bar in range(int(seconds / (7.0 * eighth))):
        start = 7.0 * bar * eighth
        chord = CAPO_CHORDS[bar % 4]
        for i, tone in enumerate((0, 1, 2, 1, 0, 2, 1)):
            time, octave = start + i * eighth, 12 if i in (2, 5) else 0
            velocity = 85 if i in (0, 2, 4) else 65
            notes.append(SoundingNote(time, time + 1.5 * eighth, 48 + capo + chord[tone] + octave, velocity, 1))
        notes.append(SoundingNote(start, start + 6.3 * eighth, 36 + (capo + chord[0]) % 12, 80, 1))
    return _render(notes, {1: 25}, seconds), 7.0 * eighth


def _render(notes: list[SoundingNote], programs: dict[int, int], seconds: float) -> np.ndarray:
    mono = soxr.resample(render(notes, programs).mean(axis=0), SAMPLE_RATE, RATE)[: int(seconds * RATE)]
    return np.pad(mono, (0, int(seconds * RATE) - len(mono))).astype(np.float32)
