"""A recording and the band that plays along with it, in one sound."""

from __future__ import annotations

import numpy as np

from kelly_live.audio.synth import PEAK, Audio


def mix_down(recording: Audio, band: Audio) -> Audio:
    """Mix a recording, mono `[n]`, with a band, stereo `[2, m]`, each as loud as the other: stereo, peak -1 dBFS.

    Both begin at the same moment; the shorter one is followed by silence.
    """
    mix = np.zeros((2, max(len(recording), band.shape[1])), np.float32)
    for sound in (recording[np.newaxis], band):
        rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if sound.size else 0.0
        if rms > 0.0:
            mix[:, : sound.shape[1]] += sound / np.float32(rms)
    peak = float(np.max(np.abs(mix), initial=0.0))
    return mix * np.float32(PEAK / peak) if peak > 0.0 else mix
