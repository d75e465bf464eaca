"""A small recurrent net that hears chords, in numpy: a GRU for each root, all with the same weights.

Transposed music gives transposed chords, and what is learned in one key holds in all. The weights are trained by
`kelly-live lab train chords` and lie beside this module.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.sync.chord_features import rotate_to_roots

MODEL_FILE = Path(__file__).with_name("chord_model.npz")
NOTE_MODEL_FILE = Path(__file__).with_name("note_chord_model.npz")
CHORDS = 25  # 12 major, 12 minor from C up, and none
NO_CHORD = 24


class ChordWeights(NamedTuple):
    """The weights of the net with `h` units, as torch lays out a Linear, a GRU and a Linear.

    `enter` `[h, 72]`, `turn` `[3h, h]`, `keep` `[3h, h]`, `leave` `[3, h]` (major, minor, no chord), and their biases.
    """

    enter: Floats
    enter_bias: Floats
    turn: Floats
    turn_bias: Floats
    keep: Floats
    keep_bias: Floats
    leave: Floats
    leave_bias: Floats


@lru_cache(maxsize=2)
def load_chord_weights(path: Path = MODEL_FILE) -> ChordWeights:
    """Load shipped weights: those for sound, or those for notes."""
    with np.load(path, allow_pickle=False) as file:
        return ChordWeights(*(file[name].astype(np.float64) for name in ChordWeights._fields))


class ChordNet:
    """Hears the chord of each hop, from that hop and all before it. Thread: one."""

    def __init__(self, weights: ChordWeights | None = None) -> None:
        self._weights = load_chord_weights() if weights is None else weights
        self._state = np.zeros((12, self._weights.leave.shape[1]))

    def step(self, features: Floats) -> Floats:
        """Take the features `[72]` of a hop; return the probability `[25]` of each chord, and of none."""
        net = self._weights
        entered = np.tanh(rotate_to_roots(features) @ net.enter.T + net.enter_bias)
        new_reset, new_update, new = np.split(entered @ net.turn.T + net.turn_bias, 3, axis=1)
        old_reset, old_update, old = np.split(self._state @ net.keep.T + net.keep_bias, 3, axis=1)
        reset, update = _squash(new_reset + old_reset), _squash(new_update + old_update)
        self._state = (1.0 - update) * np.tanh(new + reset * old) + update * self._state
        scores = self._state @ net.leave.T + net.leave_bias
        logits = np.concatenate([scores[:, 0], scores[:, 1], [scores[:, 2].mean()]])
        odds = np.exp(logits - logits.max())
        return np.asarray(odds / odds.sum())


def _squash(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0))))
