"""The parameters of beat and key tracking, as fitted to annotated music."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats

MODEL_FILE = Path(__file__).with_name("tracker_model.json")


@dataclass(frozen=True, slots=True)
class TrackerModel:
    """The parameters that `kelly-live lab follow --learn` fits.

    `onsets` `[phase, low, high]`: the log-likelihood ratio of an onset's quantized strengths at a phase of the beat
    against any phase. `beat` and `key`: logistic weights of the features of the two confidences. `note_onsets` and
    `note_beat` are the same for a player's own notes.
    """

    onsets: Floats
    beat: tuple[float, ...]
    key: tuple[float, ...]
    note_onsets: Floats
    note_beat: tuple[float, ...]


@lru_cache(maxsize=1)
def load_tracker_model() -> TrackerModel:
    """Load the shipped parameters."""
    fields = json.loads(MODEL_FILE.read_text())
    return TrackerModel(
        onsets=np.array(fields["onsets"], np.float64),
        beat=tuple(fields["beat"]),
        key=tuple(fields["key"]),
        note_onsets=np.array(fields["note_onsets"], np.float64),
        note_beat=tuple(fields["note_beat"]),
    )


def predict_probability(features: Collection[float], weights: Collection[float]) -> float:
    """Return a logistic model's probability in (0, 1)."""
    odds = sum(weight * feature for weight, feature in zip(weights, features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))
