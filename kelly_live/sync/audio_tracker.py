"""The input's own music as a leader: the pulse and the key that it was last heard to have.

Threads: `push` on the one that reads the sound, `lead` on the conductor's; one reference is swapped between them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import AudioWindow, BeatEstimate, KeyEstimate, SyncState
from kelly_live.sync import TRACKABLE
from kelly_live.sync.beat import Beat, PulseFilter
from kelly_live.sync.key import KeyBelief, KeyFilter
from kelly_live.sync.onsets import FRAMES_PER_SECOND, SAMPLE_RATE, Floats, OnsetStrength

# An attack is strongest in the frame that ends so long after it (clicks 23 ms, notes 26 to 33; tests/following).
ATTACK_DELAY_SECONDS = 0.028
LEARNED_FILE = Path(__file__).with_name("learned.json")
_STALE_SECONDS = 2.0  # nothing new for so long: nobody leads
_LONGEST_GAP_SECONDS = 2.0  # sound that is missing for longer is another performance
_GAP_SECONDS = 0.1  # less is the capture's jitter, which is averaged out
_JITTER_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Learned:
    """What `kelly-live follow --learn` wrote. `onsets[place, low, high]`: the log-likelihood of an onset's levels at a
    place of the beat, against anywhere; `pulse` and `key`: the weights of what the two confidences rest on.
    """

    onsets: Floats
    pulse: tuple[float, ...]
    key: tuple[float, ...]


@lru_cache(maxsize=1)
def learned() -> Learned:
    """What travels with the package."""
    stored = json.loads(LEARNED_FILE.read_text())
    return Learned(np.array(stored["onsets"], np.float64), tuple(stored["pulse"]), tuple(stored["key"]))


def chance(features: Collection[float], weights: Collection[float]) -> float:
    """A logistic model's answer, 0-1."""
    odds = sum(weight * feature for weight, feature in zip(weights, features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


class AudioTracker:
    """Hears the pulse and the key of the sound that is pushed in; leads in `follows`, of TRACKABLE."""

    def __init__(self, follows: Collection[str] = TRACKABLE, model: Learned | None = None) -> None:
        unknown = set(follows) - set(TRACKABLE)
        if unknown or not follows:
            raise ConfigError(f"cannot follow {', '.join(sorted(unknown)) or 'nothing'}; name {' or '.join(TRACKABLE)}")
        self._model = model or learned()
        self._onsets = OnsetStrength()
        self._pulse = PulseFilter(self._model.onsets) if "tempo" in follows else None
        self._key = KeyFilter() if "key" in follows else None
        self._frames = 0
        self._samples = 0
        self._origin: float | None = None  # the monotonic second of the first sample
        self._heard_at = -math.inf
        self._lead = SyncState()

    def push(self, block: AudioWindow) -> None:
        """Take the newest sound, at SAMPLE_RATE. Raises ConfigError for another rate."""
        if block.sample_rate != SAMPLE_RATE:
            raise ConfigError(f"the follower hears {SAMPLE_RATE} Hz, the sound has {block.sample_rate}; resample it")
        self._keep_time(block)
        self._hear(block.samples)
        self._heard_at = block.end_time
        beat, key = self.beat, self.key
        self._lead = SyncState(self._told(beat) if beat else None, self._named(key) if key else None)

    def estimate(self, now: float) -> SyncState:
        return self._lead if now - self._heard_at < _STALE_SECONDS else SyncState()

    @property
    def beat(self) -> Beat | None:
        """What is believed of the pulse; None if it is not followed or nothing was heard."""
        return self._pulse.beat() if self._pulse is not None and self._frames else None

    @property
    def key(self) -> KeyBelief | None:
        """What is believed of the key; None if it is not followed or nothing was heard."""
        return self._key.key() if self._key is not None else None

    def _hear(self, samples: np.ndarray) -> None:
        self._samples += len(samples)
        if self._pulse is not None:
            strengths = self._onsets.push(samples)
            self._frames += len(strengths)
            self._pulse.step(strengths)
        if self._key is not None:
            self._key.push(samples)

    def _keep_time(self, block: AudioWindow) -> None:
        """Where the samples lie in time; what was dropped on the way is silence, so that the beat goes on."""
        length = len(block.samples) / SAMPLE_RATE
        origin = block.end_time - length - self._samples / SAMPLE_RATE
        if self._origin is None:
            self._origin = origin
        late = origin - self._origin
        if _GAP_SECONDS < late <= _LONGEST_GAP_SECONDS:
            self._hear(np.zeros(round(late * SAMPLE_RATE), np.float32))
        elif abs(late) > _GAP_SECONDS:
            self._origin = origin
            for part in (self._pulse, self._key):
                if part is not None:
                    part.reset()
        else:
            self._origin += _JITTER_SHARE * late

    def _told(self, beat: Beat) -> BeatEstimate:
        assert self._origin is not None
        latest = self._origin + self._frames / FRAMES_PER_SECOND - ATTACK_DELAY_SECONDS
        return BeatEstimate(latest - beat.since, 60.0 / beat.period, chance(beat.features, self._model.pulse))

    def _named(self, key: KeyBelief) -> KeyEstimate:
        return KeyEstimate(key.tonic, key.mode, chance(key.features, self._model.key))
