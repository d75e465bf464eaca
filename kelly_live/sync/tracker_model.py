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
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_model_file, name_models

FILE = "tracker.json"
MAX_BYTES = 1 << 20  # the shipped one has 10 kB


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


def load_tracker_model() -> TrackerModel:
    """Load the parameters of the models in use, once. Raises ConfigError."""
    return _load_tracker_model(name_models())


@lru_cache(maxsize=4)
def _load_tracker_model(models: str) -> TrackerModel:
    return read_tracker_model(find_model_file(FILE))


def read_tracker_model(path: Path) -> TrackerModel:
    """Read parameters. Raises ConfigError if the file is missing or damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is over {MAX_BYTES >> 20} MB; it is not kelly-live's: reinstall")
        fields = json.loads(path.read_text(encoding="utf-8"))
        model = TrackerModel(
            onsets=np.array(fields["onsets"], np.float64),
            beat=tuple(map(float, fields["beat"])),
            key=tuple(map(float, fields["key"])),
            note_onsets=np.array(fields["note_onsets"], np.float64),
            note_beat=tuple(map(float, fields["note_beat"])),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(repr(error).split())[:200]
        raise ConfigError(f"{path} is damaged ({reason}); reinstall, or run `kelly-live lab train follow`") from error
    if (
        model.onsets.ndim != 3
        or model.note_onsets.ndim != 3
        or [len(model.beat), len(model.key), len(model.note_beat)] != [4, 6, 4]
    ):
        raise ConfigError(f"{path} has tables of other shapes; reinstall, or run `kelly-live lab train follow`")
    return model


def predict_probability(features: Collection[float], weights: Collection[float]) -> float:
    """Return a logistic model's probability in (0, 1)."""
    odds = sum(weight * feature for weight, feature in zip(weights, features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))
