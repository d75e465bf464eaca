"""Beat, key and chord tracking of a whole recording, as `--follow` tracks the input while it plays."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.audio.decode import open_audio
from kelly_live.core.arrays import Floats
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import MAJOR_MODES, AudioWindow
from kelly_live.engine.audio_input import NOTE_FILES, open_recording
from kelly_live.engine.options.audio import SoundFileOptions
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.tracker_model import TrackerModel

EXCERPT_SECONDS = 60.0  # of a recording, at most
_BLOCKS_PER_SECOND = 20
MOMENTS_PER_SECOND = 4


@dataclass(frozen=True, slots=True)
class TrackingMoment:
    """What was estimated `seconds` into a recording.

    Attributes:
        seconds: The time of the estimate.
        bpm: The tempo.
        next_beat: When the next beat was expected, in seconds.
        tempo_confidence: The confidence of tempo and beat, 0 to 1.
        tempo_features: The features of that confidence.
        tonic: The pitch class of the tonic; None without a key.
        major: Whether the key's third is major.
        key_confidence: The confidence of the key, 0 to 1.
        key_features: The features of that confidence.
    """

    seconds: float
    bpm: float
    next_beat: float
    tempo_confidence: float
    tempo_features: tuple[float, ...]
    tonic: int | None
    major: bool
    key_confidence: float
    key_features: tuple[float, ...]


def load_excerpt(path: Path, seconds: float = EXCERPT_SECONDS) -> Floats:
    """Load the first seconds of a recording, mono at SAMPLE_RATE, or of the sound of a MIDI file's notes.

    Raises:
        AudioError: The file is missing or cannot be decoded.
    """
    if path.suffix.lower() in NOTE_FILES:
        return _load_notes(path, seconds)
    with open_audio(path) as file:
        blocks = []
        for i, block in enumerate(file.blocks(SAMPLE_RATE, 1.0)):
            if i >= seconds:
                break
            blocks.append(block)
    return np.concatenate([np.zeros(0), *blocks])


def _load_notes(path: Path, seconds: float) -> Floats:
    """Load the sound of a MIDI file's notes, as long as they last. Raises AudioError."""
    source = open_recording(path, SoundFileOptions())
    source.start()
    blocks, length = [np.zeros(0)], 0.0
    while length < seconds and (window := source.read(0.0)) is not None:
        blocks.append(window.samples)
        length += len(window.samples) / SAMPLE_RATE
    source.close()
    return np.concatenate(blocks)


def track_sound(
    sound: Floats,
    model: TrackerModel | None = None,
    on_estimate: Callable[[float, SyncState], None] | None = None,
    *,
    targets: Collection[str] = ("tempo", "key"),
) -> list[TrackingMoment]:
    """Track `sound` (at SAMPLE_RATE) in blocks of 50 ms, and take an estimate four times a second.

    `on_estimate` is called with the time and the estimate of each block, as a band that follows would be. Before the
    first beat is found there is no moment. `targets`: which of TRACKABLE are estimated, the tempo among them.
    """
    tracker = AudioTracker(targets, model)
    size = SAMPLE_RATE // _BLOCKS_PER_SECOND
    moments = []
    for start in range(0, len(sound) - size + 1, size):
        now = (start + size) / SAMPLE_RATE
        tracker.push(AudioWindow(sound[start : start + size], SAMPLE_RATE, now))
        if on_estimate is not None:
            on_estimate(now, tracker.estimate(now))
        if (start // size) % (_BLOCKS_PER_SECOND // MOMENTS_PER_SECOND) == 0:
            beat, key, state = tracker.beat_belief, tracker.key_belief, tracker.estimate(now)
            if beat is None or state.beat is None:
                continue
            periods = math.ceil((now - state.beat.beat_seconds) / beat.period_seconds)
            moments.append(
                TrackingMoment(
                    seconds=now,
                    bpm=state.beat.bpm,
                    next_beat=state.beat.beat_seconds + beat.period_seconds * periods,
                    tempo_confidence=state.beat.confidence,
                    tempo_features=beat.features,
                    tonic=None if key is None else key.tonic,
                    major=key is not None and key.mode in MAJOR_MODES,
                    key_confidence=0.0 if state.key is None else state.key.confidence,
                    key_features=() if key is None else key.features,
                )
            )
    return moments
