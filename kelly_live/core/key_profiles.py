"""Key profiles: how much each pitch class weighs in a key. Each published table once, with its source.

All tables start at the tonic and rise by semitones; their values are as published, and their scales differ.
"""

from __future__ import annotations

import numpy as np

from kelly_live.core.arrays import Floats

# Albrecht & Shanahan (2013), "The use of large corpora to train a new type of key-finding algorithm": shares of the
# notes of pieces in a known key.
ALBRECHT_SHANAHAN_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
ALBRECHT_SHANAHAN_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
# Krumhansl & Kessler (1982), "Tracing the dynamic changes in perceived tonal organization": how well a tone was rated
# (1-7) to fit what had been played in the key.
KRUMHANSL_KESSLER_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
KRUMHANSL_KESSLER_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
# How often a mode is met before a note is known, in the order of MODES: our choice, so that rare modes need evidence.
MODE_PRIOR = (0.41, 0.09, 0.05, 0.06, 0.09, 0.295, 0.005)


def modal_profiles() -> Floats:
    """Return `[7, 12]` profiles over MODES: the published major and minor, and five derived from them.

    The derived ones swap the degrees in which their mode differs from major or minor.
    """
    major, minor = np.array(ALBRECHT_SHANAHAN_MAJOR), np.array(ALBRECHT_SHANAHAN_MINOR)

    def swap(profile: Floats, *pairs: tuple[int, int]) -> Floats:
        result = profile.copy()
        for one, other in pairs:
            result[one], result[other] = profile[other], profile[one]
        return result

    return np.stack(
        [
            major,
            swap(minor, (8, 9)),
            swap(minor, (1, 2)),
            swap(major, (5, 6)),
            swap(major, (10, 11)),
            minor,
            swap(minor, (1, 2), (6, 7)),
        ]
    )


def modal_distributions() -> Floats:
    """Return the modal profiles `[7, 12]` as shares: each row sums to 1."""
    profiles = modal_profiles()
    return np.asarray(profiles / profiles.sum(axis=1, keepdims=True), dtype=np.float64)


def key_distributions() -> Floats:
    """Return the modal distributions in every key, `[84, 12]` over pitch classes from C.

    Row `12 * mode + tonic` is the mode at that place of MODES on that tonic.
    """
    return np.stack([np.roll(mode, tonic) for mode in modal_distributions() for tonic in range(12)])
