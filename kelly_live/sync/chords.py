"""Chord recognition, causal: features of each hop, a recurrent net, and the memory of a loop.

There is a net for sound and one for a player's own notes. While notes are played, theirs is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.sync_state import CHORD_QUALITIES
from kelly_live.sync.chord_features import HOP_SECONDS, AudioChordFeatures
from kelly_live.sync.chord_loop import LoopMemory
from kelly_live.sync.chord_net import NO_CHORD, NOTE_MODEL_FILE, ChordNet, ChordWeights, load_chord_weights
from kelly_live.sync.note_chord_features import NoteChordFeatures, TimedMessage

_AHEAD_HOPS = round(4.0 / HOP_SECONDS)  # how far ahead changes are expected
_CERTAIN = 0.5  # probability from which a chord is expected
_NOTES_LEAD_HOPS = round(8.0 / HOP_SECONDS)  # after the last note: what sounds then may be another player


@dataclass(frozen=True, slots=True)
class ChordBelief:
    """The chord of the latest hop, and the changes that a loop lets expect.

    `root` 0-11 and one of CHORD_QUALITIES; both None where there is no chord. `probability`: of it, 0 to 1. `expected`:
    seconds after the latest hop, root and quality of each change. `loop_seconds`: the length of the loop.
    `chances`: the probability of each of the 24 chords.
    """

    root: int | None
    quality: str | None
    probability: float
    expected: tuple[tuple[float, int, str], ...] = ()
    loop_seconds: float | None = None
    chances: tuple[float, ...] = ()


class ChordFilter:
    """Hears the chords of the sound and of the notes that are pushed. Thread: one."""

    def __init__(self, weights: ChordWeights | None = None) -> None:
        self._weights = weights
        self.reset()

    def reset(self) -> None:
        """Forget all audio and all notes so far."""
        self._features = AudioChordFeatures()
        self._net = ChordNet(self._weights)
        self._note_features = NoteChordFeatures()
        self._note_net: ChordNet | None = None  # from the first note on
        self._silent_hops = 0  # without a note
        self._memory = LoopMemory()
        self._probabilities: Floats | None = None

    @property
    def pending_seconds(self) -> float:
        """The length of the latest sound, which is not in the estimate yet."""
        return self._features.pending_seconds

    def push(self, samples: np.ndarray, notes: Sequence[TimedMessage] = ()) -> None:
        """Take new samples `[n]` at SAMPLE_RATE, and the messages of the player's notes meanwhile."""
        if any(note.starts_note for note in notes):
            self._silent_hops = 0
            self._note_net = self._note_net or ChordNet(load_chord_weights(NOTE_MODEL_FILE))
        note_rows = self._note_features.push(notes, len(samples))
        for heard, noted in zip(self._features.push(samples), note_rows, strict=True):
            probabilities = self._net.step(heard)
            if self._note_net is not None:
                noted_probabilities = self._note_net.step(noted)
                if self._silent_hops < _NOTES_LEAD_HOPS:
                    probabilities = noted_probabilities
            self._silent_hops += 1
            self._probabilities = self._memory.step(probabilities)

    def estimate(self) -> ChordBelief | None:
        """Return the belief after the latest hop; None before the first."""
        if self._probabilities is None:
            return None
        index = int(self._probabilities.argmax())
        root, quality = name_chord(index)
        return ChordBelief(
            root,
            quality,
            float(self._probabilities[index]),
            tuple(self._list_expected(index)),
            self._memory.seconds,
            tuple(self._probabilities[:NO_CHORD].tolist()),
        )

    def _list_expected(self, index: int) -> list[tuple[float, int, str]]:
        changes = []
        for hops in range(1, _AHEAD_HOPS):
            expected = self._memory.expect(hops)
            if expected is None:
                break
            next_index = int(expected.argmax())
            if next_index != index and expected[next_index] >= _CERTAIN:
                index = next_index
                root, quality = name_chord(index)
                if root is not None and quality is not None:
                    changes.append((hops * HOP_SECONDS, root, quality))
        return changes


def name_chord(index: int) -> tuple[int | None, str | None]:
    """Return root and quality of a chord of the net; neither for no chord."""
    if index == NO_CHORD:
        return None, None
    return index % 12, CHORD_QUALITIES[index // 12]
