"""Weights over RHYTHMS from onsets, measured alike in labelled music and in a tradition's corpus."""

from __future__ import annotations

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import RHYTHMS


def rhythm_weights(melody_beats: Floats) -> tuple[float, ...]:
    """Measure the share of melody onsets that each of RHYTHMS explains, by inter-onset ratio and phase.

    `melody_beats` are the onsets `[n]` in beats, rising. The patterns, the first that fits:
    sustained: held 1.75 beats or more; triplet: lasts near 1/3 or 2/3 beat off the binary grid; dotted: 3:1 or 1:3 with
    a neighbour; syncopated: starts off the beat and holds over the next one; straight: the rest.
    """
    gaps = np.diff(melody_beats)
    gaps = np.append(gaps, gaps[-1] if len(gaps) else 1.0)
    counts = dict.fromkeys(RHYTHMS, 0.0)
    for index, gap in enumerate(gaps):
        phase = melody_beats[index] % 1.0
        neighbours = [gaps[other] for other in (index - 1, index + 1) if 0 <= other < len(gaps)]
        ternary = min(abs(gap - third) for third in (1 / 3, 2 / 3)) < 0.055
        dotted = any(2.5 <= max(gap, n) / max(min(gap, n), 0.05) <= 3.6 and gap + n <= 2.2 for n in neighbours)
        off_beat = 0.17 < phase < 0.88
        if gap >= 1.75:
            counts["sustained"] += 1
        elif ternary and any(min(abs(n - third) for third in (1 / 3, 2 / 3)) < 0.055 for n in neighbours):
            counts["triplet"] += 1
        elif dotted:
            counts["dotted"] += 1
        elif off_beat and phase + gap > 1.12:
            counts["syncopated"] += 1
        else:
            counts["straight"] += 1
    # Half a count each: a window of twelve notes cannot prove that a pattern never occurs.
    weights = np.array([counts[name] + 0.5 for name in RHYTHMS])
    return tuple(float(weight) for weight in weights / weights.sum())
