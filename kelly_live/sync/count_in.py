"""Hears a count-in: even clicks, spoken numbers, pads or notes before the music, as many as a bar has beats.

No speech is recognised: four even onsets count, whatever makes them. A count is taken once; then the band plays from
the next beat on, at that tempo.

Threads: as in `audio_tracker.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kelly_live.core.midi_messages import get_kind
from kelly_live.core.protocols import BeatTracker
from kelly_live.core.sync_state import BeatEstimate, SongPosition, SyncState, Transport
from kelly_live.core.values import AudioWindow
from kelly_live.sync.onsets import FRAMES_PER_SECOND, OnsetStrength

SLOWEST_BPM, FASTEST_BPM = 40.0, 220.0
LEAST_BEATS = 3  # two onsets make no count: a bar of two beats is counted twice
NOTE_EVENNESS, SOUND_EVENNESS = 0.06, 0.12  # of a beat: how far an onset may lie off the even ones; words are less even
_SAME_ONSET_SECONDS = 0.15  # a click and its echo, the notes of a chord, the parts of a word
_ATTACK_DELAY_SECONDS = 0.028  # as in `audio_tracker.py`
_STRENGTH = 0.35  # of both halves of the spectrum together, of which an onset has so much, after softer frames
_FIRST_FRAMES = 25  # of the input are left out: noise that begins is no onset
_SURE = 0.5  # from this confidence on the player's own beat replaces the counted one


class Count(NamedTuple):
    """A count that was heard: when the next beat falls, in seconds, and the tempo."""

    next_beat: float
    bpm: float


class CountDetector:
    """Finds as many even onsets as a bar has beats. Pure: times come in, a count comes out."""

    def __init__(self, evenness: float) -> None:
        self._evenness = evenness
        self._onsets: list[float] = []

    def add(self, seconds: float, beats_per_bar: int) -> Count | None:
        """Take an onset; return the count that it completes, if it does."""
        if self._onsets and seconds - self._onsets[-1] < _SAME_ONSET_SECONDS:
            return None
        beats = beats_per_bar if beats_per_bar >= LEAST_BEATS else 2 * beats_per_bar
        beats = max(LEAST_BEATS, beats)
        self._onsets = [*self._onsets, seconds][-beats:]
        if len(self._onsets) < beats:
            return None
        numbers = np.arange(beats)
        period, first = np.polyfit(numbers, self._onsets, 1)
        errors = np.abs(np.array(self._onsets) - first - period * numbers)
        if float(errors.max()) > self._evenness * period or not SLOWEST_BPM <= 60.0 / period <= FASTEST_BPM:
            return None
        return Count(float(first + period * beats), float(60.0 / period))


class OnsetPicker:
    """Finds onsets in sound, from the strengths of `onsets.py`. Thread: one."""

    def __init__(self) -> None:
        self._strength = OnsetStrength()
        self._before = np.zeros(2)  # the strengths of the latest frames
        self._frames = 0

    def push(self, block: AudioWindow) -> list[float]:
        """Take a block at 16 kHz; return when onsets began in it, in seconds."""
        strengths = self._strength.push(block.samples, block.sample_rate).max(axis=1)
        first = block.end_time - len(strengths) / FRAMES_PER_SECOND
        onsets = []
        for number, strength in enumerate(strengths):
            before, latest = self._before[-2], self._before[-1]
            if latest >= _STRENGTH and latest >= before and latest > strength and self._frames > _FIRST_FRAMES:
                onsets.append(first + number / FRAMES_PER_SECOND - _ATTACK_DELAY_SECONDS)  # the top was a frame ago
            self._before = np.array([*self._before[1:], strength])
            self._frames += 1
        return onsets


class CountInTracker:
    """A BeatTracker that holds the band until it is counted in, then gives the counted beat.

    As soon as `tracker`, if there is one, is sure of the player's beat, that is followed instead. `beats_per_bar` is
    asked at each onset. Notes and sound are counted apart.

    Attributes:
        count: The count that was heard, maybe by another tracker before this one; None until then.
    """

    def __init__(
        self, tracker: BeatTracker | None, beats_per_bar: Callable[[], int], count: Count | None = None
    ) -> None:
        self._tracker, self._beats_per_bar = tracker, beats_per_bar
        self._picker: OnsetPicker | None = OnsetPicker()
        self._sound, self._notes = CountDetector(SOUND_EVENNESS), CountDetector(NOTE_EVENNESS)
        self.count = count
        self._is_replaced = False

    def push(self, block: AudioWindow) -> None:
        """Take new samples (any number)."""
        if self._tracker is not None:
            self._tracker.push(block)
        if self.count is not None or self._picker is None:
            return
        self.count = self._find_count(self._picker, block)
        if self.count is not None:
            self._picker = None

    def estimate(self, now: float) -> SyncState:
        """Return a transport that waits for the count, then the counted beat, then the tracker's."""
        state = SyncState() if self._tracker is None else self._tracker.estimate(now)
        count = self.count
        if count is None:
            return replace(state, beat=None, transport=Transport(playing=False))
        beat = state.beat
        if now > count.next_beat and beat is not None and beat.confidence >= _SURE:
            self._is_replaced = True
        if not self._is_replaced:
            beat = BeatEstimate(count.next_beat, count.bpm, 1.0, beat_number=0)
        start = SongPosition(count.next_beat, 0.0)
        return replace(state, beat=beat, transport=Transport(playing=True, start_count=1), start=start)

    def _find_count(self, picker: OnsetPicker, block: AudioWindow) -> Count | None:
        onsets = [message.seconds for message in block.notes if get_kind(message.data) == "note_on"]
        sounds = picker.push(block)
        counts = [self._notes.add(seconds, self._beats_per_bar()) for seconds in onsets]
        counts += [self._sound.add(seconds, self._beats_per_bar()) for seconds in sounds]
        return next((count for count in counts if count is not None), None)
