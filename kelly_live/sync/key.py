"""Key estimation: spectral peaks, folded into pitch classes, are compared with key profiles.

Chroma after Gómez (2006), "Tonal description of music audio signals": spectral peaks only, each also counted for the
tones of which it may be a harmonic, relative to the estimated tuning. A player's own notes are taken as they are, and
while any are played the sound is not. The profiles are `key_profiles.modal_profiles`
(Albrecht & Shanahan 2013). Old evidence decays, so that a modulation is noticed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.key_profiles import MODE_PRIOR, modal_profiles
from kelly_live.core.values import MAJOR_MODES, MODES
from kelly_live.sync.note_chord_features import NoteChordFeatures, TimedMessage
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.spectrum import HARMONICS, PeakFinder, fold_pitches

HOP_SECONDS = 0.25
_WINDOW = 8192  # half a second: C2 and C#2 are two bins apart
_HOP = int(HOP_SECONDS * SAMPLE_RATE)
_LOW_HZ, _HIGH_HZ = 60.0, 2_000.0
_RANGE = 0.03  # peaks more than 30 dB under the loudest are leakage of the window
_MEMORY_SECONDS = 30.0  # time constant of the evidence
_TUNING_SECONDS = 60.0  # and of the tuning
_BLUR = 0.4  # share of a uniform profile: harmonics and passing tones reach every pitch class
_NOTES_PER_SECOND = 4.0  # a second of sound counts as this many independent notes
_SILENCE_SECONDS = 6.0  # a longer silence has no key
_NOTES_LEAD_SECONDS = 8.0  # after the last note: what sounds then may be another player


@dataclass(frozen=True, slots=True)
class KeyBelief:
    """The most probable key and what the confidence in it is predicted from.

    `tonic` 0-11; `mode` one of MODES. `share`: the probability of its tonic and third, by the profiles. `fit`:
    correlation with its profile; `margin`: how much more than that of the next key. `seconds`: of sound, decayed.
    `tonality`: share of the energy in spectral peaks, 0 to 1.
    """

    tonic: int
    mode: str
    share: float
    margin: float
    fit: float
    seconds: float
    tonality: float

    @property
    def features(self) -> tuple[float, ...]:
        """What the confidence is predicted from, each within a few units of 0."""
        share = min(max(self.share, 0.01), 0.99)
        odds = math.log(share / (1.0 - share))
        return 1.0, odds, 5.0 * self.margin, 3.0 * self.fit, math.log(self.seconds), 3.0 * self.tonality


class KeyFilter:
    """Accumulates chroma and compares it with the keys. Thread: one."""

    def __init__(self) -> None:
        self._finder = PeakFinder(np.hanning(_WINDOW), low_hz=_LOW_HZ, high_hz=_HIGH_HZ, floor=_RANGE)
        profiles = modal_profiles()
        profiles = (1.0 - _BLUR) * profiles / profiles.sum(axis=1, keepdims=True) + _BLUR / 12.0
        # [mode, tonic, pitch class]
        self._profiles = np.stack([np.roll(profiles, tonic, axis=1) for tonic in range(12)], axis=1)
        self._prior = np.log(np.array(MODE_PRIOR))[:, None]
        self.reset()

    def reset(self) -> None:
        """Forget all audio so far."""
        self._pending_samples = np.zeros(0)
        self._chroma = np.zeros(12)
        self._seconds = 0.0
        self._tonality = 0.0
        self._tuning = 0.0 + 0.0j
        self._belief: KeyBelief | None = None
        self._silent_seconds = 0.0
        self._note_features = NoteChordFeatures()
        self._noted = np.zeros(12)  # the tones of the notes since the last window
        self._unnoted_seconds = math.inf  # without a note

    def push(self, samples: np.ndarray, notes: Sequence[TimedMessage] = ()) -> None:
        """Take new samples `[n]` at SAMPLE_RATE, and the messages of the player's notes meanwhile."""
        for row in self._note_features.push(notes, len(samples)):
            self._noted += row[:12]
        self._unnoted_seconds += len(samples) / SAMPLE_RATE
        if any(note.starts_note for note in notes):
            self._unnoted_seconds = 0.0
        self._pending_samples = np.concatenate([self._pending_samples, samples])
        while len(self._pending_samples) >= _WINDOW:
            self._add_window(self._pending_samples[:_WINDOW])
            self._pending_samples = self._pending_samples[_HOP:]
            self._belief = self._compare()

    def _add_window(self, sound: Floats) -> None:
        fade = np.exp(-HOP_SECONDS / _MEMORY_SECONDS)
        self._chroma *= fade
        self._seconds *= fade
        self._silent_seconds += HOP_SECONDS
        noted, self._noted = self._noted, np.zeros(12)
        found = (noted, 1.0) if self._unnoted_seconds < _NOTES_LEAD_SECONDS else self._measure(sound)
        if found is None or found[0].sum() <= 0.0:
            return
        chroma, tonality = found
        self._silent_seconds = 0.0
        self._tonality += (1.0 - fade) * (tonality - self._tonality)
        self._chroma += HOP_SECONDS * chroma / chroma.sum()
        self._seconds += HOP_SECONDS

    def _measure(self, sound: Floats) -> tuple[Floats, float] | None:
        """Return the pitch classes `[12]` of a window of sound and its tonality; None for silence."""
        peaks = self._finder.find(sound)
        if peaks is None:
            return None
        weight = peaks.amplitudes / peaks.amplitudes.max()
        pitch = peaks.pitches
        self._tuning = self._tuning * np.exp(-HOP_SECONDS / _TUNING_SECONDS) + complex(
            (weight * np.exp(2j * np.pi * pitch)).sum()
        )
        pitch = pitch - float(np.angle(self._tuning)) / (2.0 * np.pi)
        chroma = np.zeros(12)
        for harmonic, share in enumerate(HARMONICS, start=1):
            chroma += fold_pitches(pitch - 12.0 * np.log2(harmonic), share * weight)
        return chroma, peaks.tonality

    def estimate(self) -> KeyBelief | None:
        """Return the belief after the last window; None before the first sound and in a silence."""
        return self._belief if self._silent_seconds < _SILENCE_SECONDS else None

    def _compare(self) -> KeyBelief | None:
        if self._seconds < HOP_SECONDS:
            return None
        chroma = self._chroma / self._chroma.sum()
        score = _NOTES_PER_SECOND * self._seconds * (np.log(self._profiles) @ chroma) + self._prior
        probability = np.exp(score - score.max())
        probability /= probability.sum()
        mode, tonic = np.unravel_index(int(np.argmax(probability)), probability.shape)
        major = np.array([name in MAJOR_MODES for name in MODES])
        same_third = probability[major == major[mode], tonic].sum()
        centred = self._profiles - self._profiles.mean(axis=2, keepdims=True)
        centred /= np.linalg.norm(centred, axis=2, keepdims=True)
        centred_chroma = chroma - chroma.mean()
        fits = centred @ (centred_chroma / max(float(np.linalg.norm(centred_chroma)), 1e-9))
        best = float(fits[mode, tonic])
        others = [fits[m, t] for m in (0, 5) for t in range(12) if not (t == tonic and major[m] == major[mode])]
        return KeyBelief(
            int(tonic), MODES[mode], float(same_third), best - float(max(others)), best, self._seconds, self._tonality
        )
