"""Baseline composers for the comparison: random notes, and a loop by hand-written rules."""

from __future__ import annotations

import numpy as np

from kelly_live.lab.corpora.symbolic_features import Score

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_LOOPS = {True: (0, 4, 5, 3), False: (0, 5, 2, 6)}  # I V vi IV; i VI III VII


def compose_random(like: Score, seed: int) -> Score:
    """Compose as many notes as `like` has, with the same durations, at random places.

    Pitch, onset and velocity are uniform inside the range of `like` (5-95 % of pitch, 10-90 % of velocity); its
    durations are shuffled.
    """
    rng = np.random.default_rng(seed)
    count = len(like)
    order = np.argsort(rng.random(count))
    places = np.sort(rng.random(count))
    onsets = like.onsets[0] + places * (like.onsets[-1] - like.onsets[0])
    beats = like.beats[0] + places * (like.beats[-1] - like.beats[0])
    low, high = np.percentile(like.pitches, [5, 95])
    soft, loud = np.percentile(like.velocities, [10, 90])
    return Score(
        onsets,
        onsets + (like.offsets - like.onsets)[order],
        beats,
        np.rint(rng.uniform(low, high, count)),
        np.rint(rng.uniform(soft, loud + 1.0, count)),
        like.end_beat,
    )


def compose_by_rules(valence: float, arousal: float, seed: int, bars: int) -> Score:
    """Compose a loop of four chords in major or minor, with a melody on a grid.

    Chords are played on the half bar over their root; the melody has chord tones and steps between them. Tempo,
    register, loudness and density follow the mapper's rule table (`mapper_scores.py`).
    """
    rng = np.random.default_rng(seed)
    lively = (arousal + 1.0) / 2.0
    bpm, centre, level = 60.0 + 120.0 * lively, 68.0 + 6.0 * valence, 127.0 * (0.35 + 0.4 * lively)
    per_beat = (1.0 + 3.0 * lively) * 60.0 / bpm
    step = 0.5 if per_beat > 0.75 else 1.0
    major = valence >= 0.0
    scale, loop, tonic = (_MAJOR if major else _MINOR), _LOOPS[major], int(rng.integers(12))

    def pitch(degree: int) -> int:
        return tonic + scale[degree % 7] + 12 * (degree // 7)

    notes: list[tuple[float, float, float, float]] = []  # beat, length, pitch, accent
    degree = min(range(70), key=lambda d: abs(pitch(d) - centre))
    tonic_degree = degree
    for bar in range(bars):
        chord = [loop[bar % 4] + tone for tone in (0, 2, 4)]
        for half in (0.0, 2.0):
            notes += [(4.0 * bar + half, 1.9, 48 + pitch(tone) % 12, 0.0) for tone in chord]
            notes.append((4.0 * bar + half, 1.9, 36 + pitch(chord[0]) % 12, 0.05))
        for place in np.arange(0.0, 4.0, step):
            if place and rng.random() > per_beat * step:
                continue
            if place % 2.0 == 0.0:
                tones = [d for d in range(tonic_degree - 7, tonic_degree + 8) if (d - chord[0]) % 7 in (0, 2, 4)]
                degree = min(tones, key=lambda d: abs(d - degree - rng.integers(-2, 3)))
            else:
                degree += int(rng.choice((-1, 1)))
            accent = 0.1 if place == 0.0 else 0.05 if place == 2.0 else 0.0
            notes.append((4.0 * bar + place, 0.9 * step, pitch(degree), accent + 0.05))
    beats, lengths, pitches, accents = np.array(sorted(notes), dtype=np.float64).T
    onsets = beats * 60.0 / bpm
    offsets = onsets + lengths * 60.0 / bpm
    velocities = np.clip(np.rint(level * (0.95 + accents)), 1, 127)
    return Score(onsets, offsets, beats, pitches, velocities, 4.0 * bars)
