"""The melody transformer in numpy: one note after the other, with the keys and values of the notes before kept.

A melody is a row of notes on a grid of sixteenths, in steps of the key's scale. From the notes so far the net answers
in turn how far the next onset is, which part of that is silent, and which step sounds there. It is trained by
`kelly-live lab train melody`; models/open/melody.md says on what.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kelly_live.core.checkpoint import Checkpoint, load_checkpoint
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import find_model_file, name_models

NAME = "melody"
BAR, PHRASE = 16, 64  # places, which are sixteenths
STEPS, MIDDLE = 29, 14  # steps of the scale; the middle one is a tonic
START = NO_STEP = STEPS  # the step of what stands before the first note; where a reference has no note
NO_CHORD = 7
MAX_GAP = 32  # places to the next onset
RESTS = (0, 1, 2, 3, 4, 6, 8, 12, 16)  # places of silence after a note
AHEAD = 24  # places of the reference's rhythm that the net sees
# What a phrase is like, each about 0 to 1. `known` is 0 where the net is to guess.
CONDITIONS = ("density", "off the beat", "leaps", "height", "spread", "closed", "major", "known")
# Columns of what a note is, and of what the place of the next one is like, with the number of values of each.
NOTE_COLUMNS: Mapping[str, int] = {
    "step": STEPS + 1, "gap": MAX_GAP + 1, "rest": len(RESTS), "position": BAR, "bar": 4, "root": NO_CHORD + 1,
    "major": 2, "likeness": 4,
}  # fmt: skip
NEXT_COLUMNS: Mapping[str, int] = {
    "gap": MAX_GAP + 1, "position": BAR, "bar": 4, "root": NO_CHORD + 1, "root after 2": NO_CHORD + 1,
    "root after 8": NO_CHORD + 1, "major": 2, "likeness": 4, "reference": STEPS + 1, "last reference": STEPS + 1,
}  # fmt: skip
TURN_BASE = 1000.0  # of the slowest rotation by a place
WINDOW = 192  # notes that are remembered

# A quotation: a run of at least MIN_RUN_NOTES notes that is longer than a bar. Runs of people's are kept as a Bloom
# filter, which lets none pass and takes 1 in 400 others for one.
MIN_RUN_NOTES = 6
_FILTER_HASHES = 4

Run = Sequence[tuple[int, int]]  # semitones and places from note to note


def hash_run(run: Run, bits: int) -> list[int]:
    """Return the bits of a filter that a run sets."""
    digest = hashlib.blake2b(np.asarray(run, np.int16).tobytes(), digest_size=4 * _FILTER_HASHES).digest()
    return [int.from_bytes(digest[4 * i : 4 * i + 4], "little") % bits for i in range(_FILTER_HASHES)]


class NetMemory(NamedTuple):
    """What a net remembers: keys and values of the latest notes, the number of all, and what the last one left."""

    keys: np.ndarray
    values: np.ndarray
    notes: int
    state: np.ndarray


class MelodyNet:
    """The net of a checkpoint, at one place of a melody. Thread: one caller's."""

    def __init__(self, weights: Mapping[str, np.ndarray], *, layers: int, heads: int, width: int) -> None:
        self._weights = {
            name: np.ascontiguousarray(weight, np.float32) for name, weight in weights.items() if name != "runs"
        }
        self._blocks = [
            {
                name.removeprefix(f"blocks.{index}."): weight
                for name, weight in self._weights.items()
                if name.startswith(f"blocks.{index}.")
            }
            for index in range(layers)
        ]
        self._runs = weights["runs"].astype(np.uint8)  # bytes, kept as numbers: a checkpoint holds nothing else
        self._heads, self._size = heads, width // heads
        half = self._size // 2
        self._speed = TURN_BASE ** (-np.arange(half) / half)
        self._note_offsets = _find_offsets(NOTE_COLUMNS)
        self._next_offsets = _find_offsets(NEXT_COLUMNS)
        self._keys = np.zeros((layers, heads, WINDOW, self._size), np.float32)
        self._values = np.zeros_like(self._keys)
        self._count = 0
        self._state = np.zeros(width, np.float32)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> MelodyNet:
        """Create the net of a checkpoint. Raises ModelError where the two do not fit."""
        try:
            net = cls(checkpoint.weights, **checkpoint.config)
            net.add_note([0] * len(NOTE_COLUMNS), np.zeros(2 * len(CONDITIONS) + AHEAD, np.float32), 0)
            net.score_rests(0)
            net.score_steps([0] * len(NEXT_COLUMNS), np.zeros(len(CONDITIONS), np.float32))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(
                f"the melody net does not fit this version ({str(error)[:200]}); reinstall kelly-live"
            ) from error
        net.reset()
        return net

    def reset(self) -> None:
        """Forget all notes."""
        self._count = 0

    def save(self) -> NetMemory:
        """Return all that the notes so far have left, for `restore`."""
        return NetMemory(self._keys.copy(), self._values.copy(), self._count, self._state)

    def restore(self, memory: NetMemory) -> None:
        """Forget the notes that were added after a `save`; its memory can be restored once."""
        self._keys, self._values, self._count, self._state = memory

    def copy(self, memory: NetMemory | None = None) -> MelodyNet:
        """Return a net of these weights at this place, or where `memory` was saved, which can still be restored."""
        twin = copy.copy(self)
        if memory is not None:
            twin.restore(memory)
        twin.restore(twin.save())
        return twin

    def add_note(self, columns: Sequence[int], features: np.ndarray, place: int) -> None:
        """Add a note at a place.

        `columns` are NOTE_COLUMNS; `features` the conditions of its phrase and of the next one, and which of the next
        AHEAD places the reference has a note on.
        """
        x: np.ndarray = _embed(self._weights, "note", columns, self._note_offsets, features)
        angle = place * self._speed
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        slot = self._count % WINDOW
        self._count += 1
        kept = min(self._count, WINDOW)
        for index, w in enumerate(self._blocks):
            rows = w["qkv.weight"] @ _normalise(x, w, "norm") + w["qkv.bias"]
            query, key, value = rows.reshape(3, self._heads, self._size)
            keys, values = self._keys[index], self._values[index]
            keys[:, slot], values[:, slot] = _rotate(key, cos, sin), value
            scores = (keys[:, :kept] @ _rotate(query, cos, sin)[:, :, None])[:, :, 0] / math.sqrt(self._size)
            shares = np.exp(scores - scores.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            mixed = (shares[:, None, :] @ values[:, :kept])[:, 0].reshape(-1)
            x = x + w["out.weight"] @ mixed + w["out.bias"]
            x = x + w["down.weight"] @ _gelu(w["up.weight"] @ _normalise(x, w, "norm2") + w["up.bias"]) + w["down.bias"]
        self._state = _normalise(x, self._weights, "norm")

    def score_gaps(self) -> np.ndarray:
        """Return the logits of the places to the next onset, 0 to MAX_GAP."""
        w = self._weights
        return np.asarray(w["gap.weight"] @ self._state + w["gap.bias"])

    def score_rests(self, gap: int) -> np.ndarray:
        """Return the logits of RESTS after the last note, where the next one is `gap` places away."""
        w = self._weights
        return np.asarray(w["rest.weight"] @ _gelu(self._state + w["gap_table.weight"][gap]) + w["rest.bias"])

    def score_steps(self, columns: Sequence[int], conditions: np.ndarray) -> np.ndarray:
        """Return the logits of the next note's step, by NEXT_COLUMNS and its phrase's conditions."""
        w = self._weights
        hidden = w["mix.weight"] @ self._state + w["mix.bias"]
        hidden = hidden + _embed(w, "next", columns, self._next_offsets, conditions)
        return np.asarray(w["step.weight"] @ _gelu(hidden) + w["step.bias"])

    def is_quoted(self, run: Run) -> bool:
        """Tell whether a melody that the net learned from has this run of over a bar."""
        return all(self._runs[bit >> 3] >> (bit & 7) & 1 for bit in hash_run(run, 8 * len(self._runs)))


def _find_offsets(columns: Mapping[str, int]) -> np.ndarray:
    sizes = np.array(list(columns.values()))
    return np.asarray(np.cumsum(sizes) - sizes)


def _embed(
    w: Mapping[str, np.ndarray], name: str, columns: Sequence[int], offsets: np.ndarray, features: np.ndarray
) -> np.ndarray:
    table = w[f"{name}.table.weight"][np.asarray(columns) + offsets].sum(0)
    seen = features.astype(np.float32)  # in double precision every product would first convert the weights
    return np.asarray(table + w[f"{name}.project.weight"] @ seen + w[f"{name}.project.bias"])


def _normalise(x: np.ndarray, w: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean()
    scale = 1.0 / math.sqrt(float(centred @ centred) / len(x) + 1e-5)
    return np.asarray(centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"])


def _gelu(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x))))


def _rotate(rows: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    half = rows.shape[1] // 2
    one, other = rows[:, :half], rows[:, half:]
    return np.concatenate((one * cos - other * sin, one * sin + other * cos), 1)


def load_melody_checkpoint() -> Checkpoint:
    """Load the checkpoint of the models in use, once. Raises ModelError."""
    return _load_melody_checkpoint(name_models())


@lru_cache(maxsize=2)
def _load_melody_checkpoint(models: str) -> Checkpoint:
    return load_checkpoint(find_model_file(f"{NAME}.safetensors"), NAME)


def load_melody_net() -> MelodyNet:
    """Create a net of the shipped checkpoint, at the start of a melody. Raises ModelError."""
    return MelodyNet.from_checkpoint(load_melody_checkpoint())
