"""Sound level, one definition for the input meter and for the emotion reader's silence gate."""

from __future__ import annotations

import math

import numpy as np

SILENCE_DBFS = -120.0


def rms_dbfs(samples: np.ndarray) -> float:
    """Return the RMS of `samples` `[n]` in dBFS: 0 for a full-scale square wave, -120 for silence."""
    if samples.size == 0:
        return SILENCE_DBFS
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    return max(SILENCE_DBFS, 20.0 * math.log10(rms)) if rms > 0.0 else SILENCE_DBFS
