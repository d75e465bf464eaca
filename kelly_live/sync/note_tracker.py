"""Estimates the beat of a player's own notes: exact onsets, so without the delay of sound.

Threads: `push` on the one that reads the input, `estimate` on the conductor's; they exchange one reference.
"""

from __future__ import annotations

import math

from kelly_live.core.midi_messages import get_kind
from kelly_live.core.sync_state import BeatEstimate, SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.sync.beat import BeatBelief, BeatFilter
from kelly_live.sync.note_onsets import FRAME_DELAY_SECONDS, NoteOnsets
from kelly_live.sync.onsets import FRAMES_PER_SECOND
from kelly_live.sync.tracker_model import TrackerModel, load_tracker_model, predict_probability

NOTE_WEIGHT = 1.0  # of the likelihood of a frame: an onset fills one, not several as in sound
_SILENCE_SECONDS = 4.0  # without a note for longer there is no beat
_MAX_GAP_SECONDS = 2.0  # after a longer gap everything starts anew


class NoteTracker:
    """A SyncSource that estimates the beat of the notes that come with the blocks."""

    def __init__(self, model: TrackerModel | None = None) -> None:
        self._model = model or load_tracker_model()
        self._onsets = NoteOnsets()
        self._filter = BeatFilter(self._model.note_onsets, NOTE_WEIGHT)
        self._frames_end: float | None = None  # up to when frames have been taken (monotonic)
        self._noted_at = -math.inf  # when the latest note began
        self._beat: BeatEstimate | None = None

    def push(self, block: AudioWindow) -> None:
        """Take the notes of a block."""
        start = block.end_time - len(block.samples) / block.sample_rate
        if self._frames_end is None or abs(start - self._frames_end) > _MAX_GAP_SECONDS:
            self._filter.reset()
            self._frames_end = start
        count = math.floor((block.end_time - self._frames_end) * FRAMES_PER_SECOND + 1e-6)
        if count <= 0:
            return
        onsets = [message for message in block.notes if get_kind(message.data) == "note_on"]
        if onsets:
            if block.end_time - self._noted_at > _SILENCE_SECONDS:
                self._filter.reset()
            self._noted_at = block.end_time
        self._filter.step(self._onsets.measure(onsets, self._frames_end, count))
        self._frames_end += count / FRAMES_PER_SECOND
        self._beat = self._estimate_beat(self._filter.estimate())

    def estimate(self, now: float) -> SyncState:
        """Return the latest beat; nothing once no note has come for 4 s."""
        return SyncState(beat=self._beat) if now - self._noted_at < _SILENCE_SECONDS else SyncState()

    @property
    def belief(self) -> BeatBelief:
        """What the filter believes."""
        return self._filter.estimate()

    def _estimate_beat(self, belief: BeatBelief) -> BeatEstimate:
        assert self._frames_end is not None
        confidence = predict_probability(belief.features, self._model.note_beat)
        latest = self._frames_end - FRAME_DELAY_SECONDS
        return BeatEstimate(latest - belief.seconds_since_beat, 60.0 / belief.period_seconds, confidence)
