"""Onset strength of a player's own notes, in the frames of `onsets.py`: exact, and without the delay of sound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.midi_messages import ReceivedMessage, get_channel, get_kind
from kelly_live.core.values import DRUM_CHANNEL
from kelly_live.sync.onsets import FRAMES_PER_SECOND

FRAME_DELAY_SECONDS = 0.5 / FRAMES_PER_SECOND  # an onset lies in the middle of its frame, on average
_LOW_BELOW_PITCH = 52  # E3: the left hand
_LOW_DRUMS = (35, 36, 41, 43, 45)  # kicks and low toms of General MIDI
_PEAK_SECONDS = 4.0  # time constant of the strongest onset, to which the others are compared
_FLOOR = 0.3  # a single softest note is not a full beat


class NoteOnsets:
    """Turns note-ons into onset strengths in [0, 1], low and high, one frame every 10 ms. Thread: one."""

    def __init__(self) -> None:
        self._peak = np.full(2, _FLOOR)

    def measure(self, messages: Sequence[ReceivedMessage], first_seconds: float, count: int) -> Floats:
        """Return the strengths `[count, 2]` of the frames from `first_seconds` on; earlier notes fall in the first."""
        rise = np.zeros((count, 2))
        for message in messages:
            data = message.data
            if get_kind(data) != "note_on":
                continue
            frame = math.floor((message.seconds - first_seconds) * FRAMES_PER_SECOND)
            is_drum = get_channel(data) == DRUM_CHANNEL
            is_low = data[1] in _LOW_DRUMS if is_drum else data[1] < _LOW_BELOW_PITCH
            rise[min(max(frame, 0), count - 1), 0 if is_low else 1] += (data[2] / 127.0) ** 2
        return self._normalize(np.sqrt(rise))

    def _normalize(self, rise: Floats) -> Floats:
        fade = math.exp(-1.0 / (_PEAK_SECONDS * FRAMES_PER_SECOND))
        strengths = np.empty_like(rise)
        for i, value in enumerate(rise):
            self._peak = np.maximum(np.maximum(value, self._peak * fade), _FLOOR)
            strengths[i] = value / self._peak
        return strengths
