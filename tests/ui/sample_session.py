"""A plausible session for the pictures: sorrow that brightens into joy, with a band that follows."""

import math

from kelly_live.core.values import (
    EMOTION_VAD,
    EMOTIONS,
    MODES,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
    SoundingNote,
    TempoRange,
    TimingWeights,
)

PARTS = {1: "melody", 2: "chords", 3: "bass"}


def states(seconds: float = 60.0, hop: float = 0.5) -> list[EmotionState]:
    samples = []
    for n in range(1, int(seconds / hop) + 1):
        time, x = n * hop, n * hop / seconds
        peaks = {"sad": 0.1, "fearful": 0.3, "surprised": 0.55, "happy": 0.75, "excited": 0.95}
        raw = [
            0.06 + 0.03 * math.sin(time * (1 + i))
            + (math.exp(-(((x - peaks[name]) / 0.14) ** 2)) if name in peaks else 0.12)
            for i, name in enumerate(EMOTIONS)
        ]  # fmt: skip
        shares = [value / sum(raw) for value in raw]
        v, a, d = (sum(s * EMOTION_VAD[e][k] for s, e in zip(shares, EMOTIONS, strict=True)) for k in range(3))
        samples.append(EmotionState(tuple(shares), v, a, d, 0.55 + 0.3 * math.sin(time / 5) ** 2, time))
    return samples


def parameters(states: list[EmotionState]) -> list[MusicParameters]:
    def follow(state: EmotionState) -> MusicParameters:
        tempo = 90.0 + 60.0 * state.arousal
        best = ("aeolian", "dorian", "mixolydian", "ionian", "lydian")[min(4, int(2.2 + 4.0 * state.valence))]
        modes = tuple(0.4 if mode == best else 0.1 for mode in MODES)
        return MusicParameters(
            tempo=TempoRange(tempo - 12.0, tempo, tempo + 15.0),
            modes=modes,
            register=Register(55, 67, 84),
            dynamics=Dynamics(0.3, 0.8, 0.3),
            timing=TimingWeights(0.2, 0.6, 0.2),
            density=1.2,
            rhythms=(0.6, 0.1, 0.1, 0.1, 0.1),
        )

    return [follow(state) for state in states]


def notes(seconds: float = 60.0, beat: float = 0.55) -> list[SoundingNote]:
    sample_notes, chords = [], ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
    for n in range(int(seconds / beat)):
        at, loud = n * beat, 50 + int(60 * n * beat / seconds)
        chord = chords[n // 4 % 4]
        if n % 4 == 0:
            sample_notes += [SoundingNote(at, at + 3.8 * beat, pitch, loud - 10, 2) for pitch in chord]
        if n % 2 == 0:
            sample_notes.append(SoundingNote(at, at + 1.7 * beat, chord[0] - 12 - 12 * (n % 4 == 0), loud, 3))
        steps = 2 if n * beat > seconds / 2 else 1
        for k in range(steps):
            pitch = chord[(n + k) % 3] + 12 + (0, 2, 0, -1, 5)[(3 * n + k) % 5]
            start = at + k * beat / 2
            sample_notes.append(
                SoundingNote(start, start + 0.9 * beat / steps, pitch, min(127, loud + 11 * (n % 3)), 1)
            )
        sample_notes.append(SoundingNote(at, at + 0.1, (36, 38)[n % 2], loud, 10))
        sample_notes += [
            SoundingNote(at + k * beat / 2, at + k * beat / 2 + 0.05, 42, loud - 15 - 20 * k, 10) for k in (0, 1)
        ]
        if n % 16 == 0:
            sample_notes.append(SoundingNote(at, at + 1.0, 49, loud, 10))
    return sample_notes
