"""Estimates beat, key, chord and loudness of the audio input, causally, with a confidence for the first three.

Threads: `push` on the one that reads the audio, `estimate` on the conductor's; they exchange one reference.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.core.level import rms_dbfs
from kelly_live.core.sync_state import BeatEstimate, ChordChange, ChordEstimate, KeyEstimate, SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.sync import TRACKABLE
from kelly_live.sync.beat import BeatBelief, BeatFilter
from kelly_live.sync.chords import ChordBelief, ChordFilter
from kelly_live.sync.key import KeyBelief, KeyFilter
from kelly_live.sync.loudness import LoudnessFilter
from kelly_live.sync.note_chord_features import TimedMessage
from kelly_live.sync.onsets import FRAMES_PER_SECOND, SAMPLE_RATE, OnsetStrength
from kelly_live.sync.tracker_model import TrackerModel, load_tracker_model, predict_probability

# An attack is strongest in the frame that ends this long after it. Measured: 23 ms for clicks, 26 to 33 ms for notes
# (tests/sync).
ATTACK_DELAY_SECONDS = 0.028
_SILENCE_DBFS, _SILENCE_SECONDS = -75.0, 4.0  # in a longer silence there is no beat; noise has none by its confidence
_STALE_SECONDS = 2.0  # without new audio for this long there is no estimate
_MAX_GAP_SECONDS = 2.0  # after a longer gap in the audio everything starts anew
_MIN_GAP_SECONDS = 0.1  # a shorter one is the capture's jitter, which is averaged out
_JITTER_SHARE = 0.02


class AudioTracker:
    """A SyncSource that estimates beat, key, chord and loudness of the audio that is pushed.

    `targets`: which of TRACKABLE it estimates. Raises ConfigError if one is unknown or none is given.
    """

    def __init__(self, targets: Collection[str] = TRACKABLE, model: TrackerModel | None = None) -> None:
        unknown_targets = set(targets) - set(TRACKABLE)
        if unknown_targets or not targets:
            raise ConfigError(
                f"cannot follow {', '.join(sorted(unknown_targets)) or 'nothing'}; name {' or '.join(TRACKABLE)}"
            )
        self._model = model or load_tracker_model()
        self._onsets = OnsetStrength()
        self._beat = BeatFilter(self._model.onsets) if "tempo" in targets else None
        self._key = KeyFilter() if "key" in targets else None
        self._chords = ChordFilter() if "chords" in targets else None
        self._loudness = LoudnessFilter() if "dynamics" in targets else None
        self._frames = 0
        self._samples = 0
        self._origin: float | None = None  # when the first sample was captured, in monotonic seconds
        self._updated_at = self._sounded_at = -math.inf
        self._state = SyncState()

    def push(self, block: AudioWindow) -> None:
        """Take new samples at SAMPLE_RATE (any number). Raises ConfigError for another rate."""
        if block.sample_rate != SAMPLE_RATE:
            raise ConfigError(
                f"the audio tracker takes {SAMPLE_RATE} Hz, the audio has {block.sample_rate}; resample it"
            )
        self._keep_time(block)
        start = block.end_time - len(block.samples) / SAMPLE_RATE
        self._analyse(
            block.samples,
            [TimedMessage(round((note.seconds - start) * SAMPLE_RATE), note.data) for note in block.notes],
        )
        self._updated_at = block.end_time
        if rms_dbfs(block.samples) > _SILENCE_DBFS:
            self._sounded_at = block.end_time
        if self._loudness is not None:
            self._loudness.push(block)
        beat, key, chord = self.beat_belief, self.key_belief, self.chord_belief
        self._state = SyncState(
            self._estimate_beat(beat) if beat else None,
            self._estimate_key(key) if key else None,
            chord=self._estimate_chord(chord) if chord else None,
            loudness=None if self._loudness is None else self._loudness.estimate(),
        )

    def estimate(self, now: float) -> SyncState:
        """Return the latest beat, key, chord and loudness; nothing once no audio has come for 2 s."""
        return self._state if now - self._updated_at < _STALE_SECONDS else SyncState()

    @property
    def beat_belief(self) -> BeatBelief | None:
        """What the beat filter believes; None if it is not used, nothing was pushed, or only silence for 4 s."""
        is_silent = self._updated_at - self._sounded_at > _SILENCE_SECONDS or self._sounded_at == -math.inf
        return None if self._beat is None or self._frames == 0 or is_silent else self._beat.estimate()

    @property
    def key_belief(self) -> KeyBelief | None:
        """What the key filter believes; None if it is not used, there was no sound yet, or none for 6 s."""
        return self._key.estimate() if self._key is not None else None

    @property
    def chord_belief(self) -> ChordBelief | None:
        """What the chord filter believes; None if it is not used, or there was no sound for 4 s."""
        is_silent = self._updated_at - self._sounded_at > _SILENCE_SECONDS
        return None if self._chords is None or is_silent else self._chords.estimate()

    def _analyse(self, samples: np.ndarray, notes: Sequence[TimedMessage] = ()) -> None:
        self._samples += len(samples)
        if self._beat is not None:
            strengths = self._onsets.push(samples)
            self._frames += len(strengths)
            self._beat.step(strengths)
        if self._key is not None:
            self._key.push(samples, notes)
        if self._chords is not None:
            self._chords.push(samples, notes)

    def _keep_time(self, block: AudioWindow) -> None:
        """Relate sample counts to time; replace dropped audio by silence, so that the beat continues."""
        length = len(block.samples) / SAMPLE_RATE
        origin = block.end_time - length - self._samples / SAMPLE_RATE
        if self._origin is None:
            self._origin = origin
        late = origin - self._origin
        if _MIN_GAP_SECONDS < late <= _MAX_GAP_SECONDS:
            self._analyse(np.zeros(round(late * SAMPLE_RATE), np.float32))
        elif abs(late) > _MIN_GAP_SECONDS:
            self._origin = origin
            for part in (self._beat, self._key, self._chords):
                if part is not None:
                    part.reset()
        else:
            self._origin += _JITTER_SHARE * late

    def _estimate_beat(self, belief: BeatBelief) -> BeatEstimate:
        assert self._origin is not None
        latest = self._origin + self._frames / FRAMES_PER_SECOND - ATTACK_DELAY_SECONDS
        confidence = predict_probability(belief.features, self._model.beat)
        return BeatEstimate(latest - belief.seconds_since_beat, 60.0 / belief.period_seconds, confidence)

    def _estimate_key(self, belief: KeyBelief) -> KeyEstimate:
        return KeyEstimate(belief.tonic, belief.mode, predict_probability(belief.features, self._model.key))

    def _estimate_chord(self, belief: ChordBelief) -> ChordEstimate | None:
        assert self._origin is not None
        assert self._chords is not None
        if belief.root is None or belief.quality is None:
            return None
        now = self._origin + self._samples / SAMPLE_RATE - self._chords.pending_seconds
        expected = tuple(ChordChange(now + seconds, root, quality) for seconds, root, quality in belief.expected)
        return ChordEstimate(
            ChordChange(now, belief.root, belief.quality), belief.probability, expected, belief.chances
        )
