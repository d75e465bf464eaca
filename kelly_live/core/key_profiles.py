"""How a mode and a rhythm are measured, wherever they are: in labelled music and in a tradition's corpus alike.

Source of the key profiles: Albrecht & Shanahan (2013), "The use of large corpora to train a new type of key-finding
algorithm"; the other choices are ours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kelly_live.core.values import RHYTHMS

Floats = npt.NDArray[np.float64]

MAJOR_PROFILE = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
MINOR_PROFILE = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
# How often a mode is met before hearing a note: our choice, so that rare modes need evidence. Order of MODES.
MODE_PRIOR = (0.41, 0.09, 0.05, 0.06, 0.09, 0.295, 0.005)


def modal_profiles() -> Floats:
    """`[7, 12]` key profiles over MODES on C: major and minor as published, the others with the degrees swapped."""
    major, minor = np.array(MAJOR_PROFILE), np.array(MINOR_PROFILE)

    def swapped(profile: Floats, *pairs: tuple[int, int]) -> Floats:
        bent = profile.copy()
        for one, other in pairs:
            bent[one], bent[other] = profile[other], profile[one]
        return bent

    return np.stack(
        [
            major,
            swapped(minor, (8, 9)),
            swapped(minor, (1, 2)),
            swapped(major, (5, 6)),
            swapped(major, (10, 11)),
            minor,
            swapped(minor, (1, 2), (6, 7)),
        ]
    )


def rhythm_weights(melody_beats: Floats) -> tuple[float, ...]:
    """Weights over RHYTHMS: the share of melody onsets that each pattern explains, by inter-onset ratio and phase.

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
