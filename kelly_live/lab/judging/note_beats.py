"""Fits beat tracking from notes: how strong onsets are at each phase of a beat, and how sure the tracker may be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.midi_messages import ReceivedMessage, get_kind, note_on
from kelly_live.core.values import AudioWindow
from kelly_live.lab.corpora.pop909 import NoteSong
from kelly_live.lab.judging.tracking import BEAT_TOLERANCE_SECONDS, classify_tempo, fit_logistic
from kelly_live.sync.beat import PHASE_BINS, STRENGTH_LEVELS, BeatBelief, quantize_strengths
from kelly_live.sync.note_onsets import FRAME_DELAY_SECONDS, NoteOnsets
from kelly_live.sync.note_tracker import NoteTracker
from kelly_live.sync.onsets import FRAMES_PER_SECOND
from kelly_live.sync.tracker_model import TrackerModel

BLOCK_SECONDS = 0.05
_BLOCKS_PER_MOMENT = 5
_JITTER_SECONDS = (0.0, 0.008, 0.015, 0.025)  # standard deviation of a player's onsets; the songs are quantized
_BEATLESS_RATES = (1.0, 3.0, 8.0, 20.0, 60.0)  # notes a second
_BEATLESS_SECONDS = 60.0
_PRIOR_COUNT = 2.0
_CONFIDENCE_SECONDS = 40.0  # of each song
_CONFIDENCE_SEED = 1000  # from which the unevenness is drawn anew


def play_unevenly(song: NoteSong, deviation: float, seed: int) -> NoteSong:
    """Move each note by a normal deviate, as a player does."""
    rng = np.random.default_rng(seed)
    moved = [replace(one, seconds=max(0.0, one.seconds + float(rng.normal(0.0, deviation)))) for one in song.messages]
    return replace(song, messages=tuple(sorted(moved, key=lambda message: message.seconds)))


def generate_beatless_notes() -> list[NoteSong]:
    """Generate notes at random times, from one a second to a flood."""
    rng = np.random.default_rng(1)
    songs = []
    for rate in _BEATLESS_RATES:
        seconds = np.sort(rng.uniform(0.0, _BEATLESS_SECONDS, round(rate * _BEATLESS_SECONDS)))
        pitches, velocities = rng.integers(40, 90, len(seconds)), rng.integers(30, 120, len(seconds))
        messages = [
            ReceivedMessage(float(at), note_on(1, int(pitch), int(velocity)))
            for at, pitch, velocity in zip(seconds, pitches, velocities, strict=True)
        ]
        songs.append(NoteSong(f"{rate:g} random notes a second", (), tuple(messages)))
    return songs


def track_notes(song: NoteSong, tracker: NoteTracker, seconds: float) -> Iterator[float]:
    """Push a song's notes block by block, and yield the time after each."""
    waiting = list(song.messages)
    silence = np.zeros(round(BLOCK_SECONDS * FRAMES_PER_SECOND), np.float32)
    for block in range(1, round(seconds / BLOCK_SECONDS) + 1):
        now = block * BLOCK_SECONDS
        due = list(itertools.takewhile(lambda message, now=now: message.seconds < now, waiting))  # type: ignore[misc]
        waiting = waiting[len(due) :]
        tracker.push(AudioWindow(silence, FRAMES_PER_SECOND, now, tuple(due)))
        yield now


def fit_note_onsets(songs: Sequence[NoteSong]) -> Floats:
    """Fit `note_onsets` of TrackerModel."""
    counts = np.full((PHASE_BINS, STRENGTH_LEVELS, STRENGTH_LEVELS), _PRIOR_COUNT)
    for number, song in enumerate(songs):
        played = play_unevenly(song, _JITTER_SECONDS[number % len(_JITTER_SECONDS)], number)
        count = int(song.beats[-1] * FRAMES_PER_SECOND)
        onsets = [
            message
            for message in played.messages
            if get_kind(message.data) == "note_on" and message.seconds < count / FRAMES_PER_SECOND
        ]
        strengths = quantize_strengths(NoteOnsets().measure(onsets, 0.0, count))
        seconds = (np.arange(count) + 1) / FRAMES_PER_SECOND - FRAME_DELAY_SECONDS
        beats = np.interp(seconds, song.beats, np.arange(len(song.beats)), left=np.nan, right=np.nan)
        inside = ~np.isnan(beats)
        phases = np.round(beats[inside] * PHASE_BINS).astype(int) % PHASE_BINS
        np.add.at(counts, (phases, *strengths[inside].T), 1.0)
    likely = counts / counts.sum(axis=(1, 2), keepdims=True)
    fitted: Floats = np.round(np.log(likely) - np.log(likely.mean(axis=0)), 3)
    return fitted


def list_note_moments(
    songs: Sequence[NoteSong], model: TrackerModel, seconds: float
) -> list[tuple[tuple[float, ...], bool]]:
    """List the features of the beat's confidence at each moment, and whether the beat is right."""
    rows: list[tuple[tuple[float, ...], bool]] = []
    for song in songs:
        tracker = NoteTracker(model)
        for number, now in enumerate(track_notes(song, tracker, seconds)):
            if number % _BLOCKS_PER_MOMENT == 0 and tracker.estimate(now).beat is not None:
                rows.append((tracker.belief.features, is_beat_right(song.beats, now, tracker.belief)))
    return rows


def fit_note_beats(songs: Sequence[NoteSong], model: TrackerModel) -> TrackerModel:
    """Fit the parameters for notes, and return the model with them."""
    fitted = replace(model, note_onsets=fit_note_onsets(songs))
    uneven = [
        play_unevenly(song, _JITTER_SECONDS[number % len(_JITTER_SECONDS)], _CONFIDENCE_SEED + number)
        for number, song in enumerate(songs)
    ]
    rows = list_note_moments([*uneven[::6], *generate_beatless_notes()], fitted, _CONFIDENCE_SECONDS)
    return replace(fitted, note_beat=fit_logistic(rows))


def is_beat_right(beats: Sequence[float], now: float, belief: BeatBelief) -> bool:
    """Tell whether a belief has the annotated tempo or an octave of it, and its next beat lies on a beat or half."""
    place = int(np.searchsorted(beats, now))
    if not 0 < place < len(beats):
        return False
    period = beats[place] - beats[place - 1]
    if classify_tempo(60.0 / belief.period_seconds, 60.0 / period) == "other":
        return False
    next_beat = now + belief.period_seconds - belief.seconds_since_beat
    phase = (next_beat - beats[place]) / (0.5 * period)
    return abs(phase - round(phase)) * 0.5 * period <= BEAT_TOLERANCE_SECONDS
