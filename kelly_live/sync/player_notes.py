"""The notes that the player began of late, as they are known: exactly from keys, or heard in the sound.

In sound, an onset is a peak of the onset strength (`onsets.py`). Its pitch is that of YIN (de Cheveigné and Kawahara
2002, "YIN, a fundamental frequency estimator for speech and music") in the tenth of a second after it. Where the sound
has no clear period, as chords, drums and noise, only the rhythm is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.level import rms_dbfs
from kelly_live.core.midi_messages import ReceivedMessage, get_channel, get_kind
from kelly_live.core.sync_state import MAX_PLAYER_NOTES, PlayerNote, SyncState
from kelly_live.core.values import DRUM_CHANNEL, AudioWindow
from kelly_live.sync.onsets import HOP, SAMPLE_RATE, OnsetStrength

KEEP_SECONDS = 0.5  # a note is told for this long; the conductor asks every few milliseconds
ATTACK_DELAY_SECONDS = 0.028  # as in audio_tracker.py: an attack is strongest in the frame that ends so long after it

# Of the largest rises of late: what an onset has at least, and how much more than the frames around it. Chosen and
# measured on 6 melodies of POP909, rendered: piano .997 of the notes, .98 of the onsets are notes; violin .81 and .27,
# flute .63 and .23, where vibrato counts as notes, and a held note as playing.
_STRENGTH, _ABOVE_MEAN = 0.35, 0.25
_PEAK_FRAMES = 3  # to either side, in which no frame is stronger
_MEAN_FRAMES = 12
_APART_FRAMES = 6
_QUIET_DBFS = -60.0  # what is softer is no note
_SETTLE_SAMPLES = round(0.02 * SAMPLE_RATE)  # of an attack, before its pitch is clear
_PERIOD_SAMPLES = round(0.064 * SAMPLE_RATE)
_LOWEST_HZ, _HIGHEST_HZ = 65.0, 1200.0
_APERIODICITY, _DIP_MARGIN = 0.2, 0.2  # a dip of YIN's difference that deep is a period, one nearly as deep, too
_LOST_SECONDS = 0.1  # between two blocks: sound was lost
_VELOCITY_DB = 45.0  # the range of levels that velocities 1 to 127 stand for
_PITCH_SAMPLES = _SETTLE_SAMPLES + _PERIOD_SAMPLES + math.ceil(SAMPLE_RATE / _LOWEST_HZ) + 1


class PlayerNoteTracker:
    """A SyncSource of the notes that the player began of late.

    Where blocks carry the messages of his keys, those are his notes from then on, and the sound is not asked. Threads:
    `push` on the one that reads the audio, `estimate` on the conductor's; they share one reference.
    """

    def __init__(self) -> None:
        self._audio = AudioNotes()
        self._has_keys = False
        self._end_seconds = -math.inf
        self._notes: tuple[PlayerNote, ...] = ()

    def push(self, block: AudioWindow) -> None:
        """Take new samples at SAMPLE_RATE (any number). Raises ConfigError for another rate."""
        start = block.end_time - len(block.samples) / block.sample_rate
        if start - self._end_seconds > _LOST_SECONDS:  # what was before tells nothing of what is after it
            self._audio = AudioNotes()
        self._end_seconds = block.end_time
        self._has_keys = self._has_keys or bool(block.notes)
        played = read_keys(block.notes) if self._has_keys else self._audio.push(block)
        if played:
            self._notes = (*self._notes, *played)[-MAX_PLAYER_NOTES:]

    def estimate(self, now: float) -> SyncState:
        """Return the notes that began within KEEP_SECONDS before `now`."""
        notes = self._notes
        if not notes or now - notes[-1].seconds > KEEP_SECONDS:
            return SyncState()
        return SyncState(notes=tuple(note for note in notes if now - note.seconds <= KEEP_SECONDS))


def read_keys(messages: Iterable[ReceivedMessage]) -> list[PlayerNote]:
    """Return the notes that these messages begin; of drums only the rhythm is known."""
    notes = []
    for message in messages:
        if get_kind(message.data) == "note_on":
            pitch = None if get_channel(message.data) == DRUM_CHANNEL else message.data[1]
            notes.append(PlayerNote(message.seconds, pitch, message.data[2]))
    return notes


class AudioNotes:
    """Finds the notes that begin in sound, each a tenth of a second after its onset. Thread: one."""

    def __init__(self) -> None:
        self._onsets = OnsetStrength()
        self._samples = np.zeros(0)
        self._first_sample = 0  # the number of the first sample that is kept
        self._strengths = np.zeros(0)
        self._first_frame = 0
        self._next_frame = _MEAN_FRAMES  # the first one that was not looked at
        self._latest_onset = -_APART_FRAMES
        self._waiting: list[int] = []  # the first samples of notes whose pitch is not known yet

    def push(self, block: AudioWindow) -> list[PlayerNote]:
        """Take new samples at SAMPLE_RATE (any number); return the notes. Raises ConfigError for another rate."""
        strengths = self._onsets.push(block.samples, block.sample_rate)
        self._samples = np.concatenate([self._samples, block.samples])
        self._strengths = np.concatenate([self._strengths, strengths.max(axis=1)])
        self._find_onsets()
        notes = self._take_ripe(block.end_time)
        self._drop_past()
        return notes

    def _find_onsets(self) -> None:
        end = self._first_frame + len(self._strengths)
        for frame in range(self._next_frame, end - _PEAK_FRAMES):
            at = frame - self._first_frame
            strength = self._strengths[at]
            around = self._strengths[max(0, at - _PEAK_FRAMES) : at + _PEAK_FRAMES + 1]
            before = self._strengths[max(0, at - _MEAN_FRAMES) : at + _PEAK_FRAMES + 1]
            is_peak = strength >= around.max() and strength >= max(_STRENGTH, before.mean() + _ABOVE_MEAN)
            if is_peak and frame - self._latest_onset >= _APART_FRAMES:
                self._latest_onset = frame
                attack = (frame + 1) * HOP - round(ATTACK_DELAY_SECONDS * SAMPLE_RATE)
                self._waiting.append(max(0, attack))
        self._next_frame = max(self._next_frame, end - _PEAK_FRAMES)

    def _take_ripe(self, end_seconds: float) -> list[PlayerNote]:
        """Return the notes after which enough has been heard."""
        end = self._first_sample + len(self._samples)
        notes = []
        while self._waiting and self._waiting[0] + _PITCH_SAMPLES <= end:
            attack = self._waiting.pop(0)
            sound = self._samples[attack - self._first_sample :][:_PITCH_SAMPLES]
            level = rms_dbfs(sound)
            if level > _QUIET_DBFS:
                pitch = estimate_pitch(sound[_SETTLE_SAMPLES:])
                velocity = round(127.0 * (1.0 + (level + 12.0) / _VELOCITY_DB))
                seconds = end_seconds - (end - attack) / SAMPLE_RATE
                notes.append(PlayerNote(seconds, pitch, min(127, max(1, velocity))))
        return notes

    def _drop_past(self) -> None:
        end = self._first_sample + len(self._samples)
        first = min([*self._waiting, end - _PITCH_SAMPLES])
        if first > self._first_sample:
            self._samples = self._samples[first - self._first_sample :]
            self._first_sample = first
        surplus = self._next_frame - _MEAN_FRAMES - self._first_frame
        if surplus > 0:
            self._strengths = self._strengths[surplus:]
            self._first_frame += surplus


def estimate_pitch(sound: Floats) -> int | None:
    """Return the MIDI note number of the one tone in `sound` (at SAMPLE_RATE, a tenth of a second); None: not clear."""
    longest, shortest = math.ceil(SAMPLE_RATE / _LOWEST_HZ), math.floor(SAMPLE_RATE / _HIGHEST_HZ)
    if len(sound) < _PERIOD_SAMPLES + longest:
        return None
    whole = np.asarray(sound[: _PERIOD_SAMPLES + longest], np.float64)
    head = whole[:_PERIOD_SAMPLES]
    size = 1 << (len(whole) + len(head)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(head, size)), size)[: longest + 1]
    energy = np.concatenate([[0.0], np.cumsum(whole * whole)])
    shifted = energy[_PERIOD_SAMPLES : _PERIOD_SAMPLES + longest + 1] - energy[: longest + 1]
    difference = np.maximum(shifted[0] + shifted - 2.0 * products, 0.0)
    sums = np.cumsum(difference[1:])
    normal = difference[1:] * np.arange(1, longest + 1) / np.maximum(sums, 1e-12)  # of lags 1 to longest
    deepest = float(normal[shortest:].min())
    if deepest > _APERIODICITY:
        return None
    dips = np.flatnonzero(normal[shortest:] <= deepest + _DIP_MARGIN)  # several periods fit, too: the shortest is meant
    lag = shortest + int(dips[0])
    while lag + 1 < longest and normal[lag + 1] < normal[lag]:
        lag += 1
    period = lag + 1.0
    if 0 < lag < longest - 1:
        left, middle, right = normal[lag - 1 : lag + 2]
        curve = left - 2.0 * middle + right
        period += 0.5 * (left - right) / curve if curve > 0.0 else 0.0
    return round(69.0 + 12.0 * math.log2(SAMPLE_RATE / period / 440.0))
