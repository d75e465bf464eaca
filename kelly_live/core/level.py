"""How loud a run of samples is: one measure for the capture's meter and the reader's silence gate."""

from __future__ import annotations

import math

import numpy as np

SILENCE_DBFS = -120.0


def rms_dbfs(samples: np.ndarray) -> float:
    """RMS of `samples` [n] in dB relative to full scale (a full square wave is 0); -120 for silence or nothing."""
    if samples.size == 0:
        return SILENCE_DBFS
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    return max(SILENCE_DBFS, 20.0 * math.log10(rms)) if rms > 0.0 else SILENCE_DBFS
