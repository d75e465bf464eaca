"""Compile librosa's beat tracker once: `python -m tests.numba_cache`, before tests run in several processes.

Two processes that fill numba's cache at the same time have ended one of them with a segmentation fault.
"""

from __future__ import annotations

import librosa
import numpy as np


def main() -> None:
    envelope = np.tile(np.eye(50)[0], 20)
    librosa.feature.tempo(onset_envelope=envelope, sr=100, hop_length=1)
    librosa.beat.beat_track(onset_envelope=envelope, sr=100, hop_length=1, bpm=120.0, trim=False)


if __name__ == "__main__":
    main()
