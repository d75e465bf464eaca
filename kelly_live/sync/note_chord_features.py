"""The features of a chord from a player's own notes: exact pitches, and no delay of sound.

The groups are those of `chord_features.py`: the tones that sound, their bass, and the tones that were struck in the
last fifth of a second, then the decaying means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.midi_messages import CONTROLLERS, get_channel, get_kind
from kelly_live.core.values import DRUM_CHANNEL
from kelly_live.sync.chord_features import HOP_SECONDS, RunningContext
from kelly_live.sync.onsets import SAMPLE_RATE

_HOP = round(HOP_SECONDS * SAMPLE_RATE)
_SUSTAIN, _PEDAL_DOWN = 64, 64  # controller, and the value from which the pedal is down
_FADE_SECONDS = 3.0  # a held note fades as a piano's does, so a stuck key does not stay in the chord for ever
_RELEASE_SECONDS = 0.25
_STRUCK_HOPS = 2
_LEAST = 0.02  # of a note's salience: below it nothing is heard
_BASS_LEAST = 0.1
_SECOND_BASS = 0.4


class TimedMessage(NamedTuple):
    """A raw MIDI message, and how many samples after the start of its block it falls."""

    offset: int
    data: bytes

    @property
    def starts_note(self) -> bool:
        """Whether it starts a note that has a pitch."""
        return get_kind(self.data) == "note_on" and get_channel(self.data) != DRUM_CHANNEL


class NoteChordFeatures:
    """Makes the features of a chord from MIDI messages, in the hops of AudioChordFeatures. Thread: one."""

    def __init__(self) -> None:
        self._context = RunningContext()
        self._samples = 0  # since the start of the hop
        self._salience = np.zeros(128)
        self._struck = np.zeros((_STRUCK_HOPS, 128))  # velocities, the latest hop first
        self._keys: set[tuple[int, int]] = set()  # channel and pitch of the keys that are down,
        self._sustained: set[tuple[int, int]] = set()  # and of those that the pedal holds
        self._pedals: set[int] = set()

    def push(self, messages: Sequence[TimedMessage], samples: int) -> list[Floats]:
        """Take the messages of the next `samples` of time; return the features `[72]` of each hop that ended."""
        rows, position, waiting = [], 0, list(messages)
        while self._samples + samples - position >= _HOP:
            position += _HOP - self._samples
            while waiting and waiting[0].offset < position:
                self._take(waiting.pop(0).data)
            self._samples = 0
            rows.append(self._context.complete(self._measure()))
        for message in waiting:
            self._take(message.data)
        self._samples += samples - position
        return rows

    def _take(self, data: bytes) -> None:
        kind = get_kind(data)
        if kind not in ("note_on", "note_off", "control_change") or get_channel(data) == DRUM_CHANNEL:
            return
        channel, key = get_channel(data), (get_channel(data), data[1])
        if kind == "note_on":
            level = data[2] / 127.0
            self._salience[data[1]] = max(self._salience[data[1]], level)
            self._struck[0, data[1]] = max(self._struck[0, data[1]], level)
            self._keys.add(key)
            self._sustained.discard(key)
        elif kind == "note_off":
            if key in self._keys and channel in self._pedals:
                self._sustained.add(key)
            self._keys.discard(key)
        elif data[1] == _SUSTAIN and data[2] >= _PEDAL_DOWN:
            self._pedals.add(channel)
        elif data[1] == _SUSTAIN:
            self._pedals.discard(channel)
            self._sustained = {one for one in self._sustained if one[0] != channel}
        elif data[1] in CONTROLLERS.values():
            self._keys = {one for one in self._keys if one[0] != channel}
            self._sustained = {one for one in self._sustained if one[0] != channel}

    def _measure(self) -> Floats:
        """Return the first three groups `[36]` of the hop that ends."""
        sounding = [pitch for _, pitch in self._keys | self._sustained]
        fade = np.full(128, math.exp(-HOP_SECONDS / _RELEASE_SECONDS))
        fade[sounding] = math.exp(-HOP_SECONDS / _FADE_SECONDS)
        now = np.zeros(36)
        heard = np.flatnonzero(self._salience > _LEAST)
        np.add.at(now, heard % 12, np.sqrt(self._salience[heard]))
        for pitch, weight in zip(np.flatnonzero(self._salience > _BASS_LEAST), (1.0, _SECOND_BASS), strict=False):
            now[12 + pitch % 12] = max(now[12 + pitch % 12], weight)
        struck = self._struck.max(axis=0)
        new = np.flatnonzero(struck)
        np.maximum.at(now, 24 + new % 12, struck[new])
        for group in (now[:12], now[24:]):
            group /= max(float(group.max()), 1e-6)
        self._salience *= fade
        self._struck = np.roll(self._struck, 1, axis=0)
        self._struck[0] = 0.0
        return now
