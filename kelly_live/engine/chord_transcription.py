"""Writes out the chords that `--follow chords` hears in a recording, as a sheet that `--chords` plays."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.music.chord_sheet import ChordSheet, ChordSymbol, spell_chord
from kelly_live.music.synchronization import JOIN_CONFIDENCE
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.onsets import SAMPLE_RATE

BEATS_PER_BAR = 4  # bar lines are not heard: they are put where chords change most often
_BLOCK = SAMPLE_RATE // 20


@dataclass(frozen=True, slots=True)
class _HeardChord:
    """The chord at `seconds`; None: no chord."""

    seconds: float
    name: str | None


def transcribe_chords(sound: Floats) -> ChordSheet | None:
    """Write the chords of a sound (at SAMPLE_RATE) as bars of four beats; None if no steady beat is heard.

    A beat has the chord that is heard for most of it. The sheet begins with the first bar that is heard whole.
    """
    tracker = AudioTracker()
    heard, states = list[_HeardChord](), list[tuple[float, SyncState]]()
    for start in range(0, len(sound) - _BLOCK + 1, _BLOCK):
        now = (start + _BLOCK) / SAMPLE_RATE
        tracker.push(AudioWindow(np.asarray(sound[start : start + _BLOCK], np.float32), SAMPLE_RATE, now))
        state = tracker.estimate(now)
        states.append((now, state))
        chord = None if state.chord is None else spell_chord(state.chord.chord.root, state.chord.chord.quality)
        heard.append(_HeardChord(now, chord))
    beats = _list_beats(states)
    names = [_choose_chord(heard, begin, end) for begin, end in itertools.pairwise(beats)]
    if len(names) < 2 * BEATS_PER_BAR:
        return None
    changes = [name != before for before, name in zip([names[0], *names], names, strict=False)]
    first = max(range(BEATS_PER_BAR), key=lambda phase: sum(changes[phase::BEATS_PER_BAR]))
    bars = [names[bar : bar + BEATS_PER_BAR] for bar in range(first, len(names) - BEATS_PER_BAR + 1, BEATS_PER_BAR)]
    return ChordSheet(tuple(tuple(ChordSymbol.parse(name) for name in _shorten_bar(bar)) for bar in bars))


def _list_beats(states: Sequence[tuple[float, SyncState]]) -> list[float]:
    """Return the times of the beats, each as it was known when it fell; those that were not sure are left out."""
    beats = list[float]()
    for now, state in states:
        beat = state.beat
        if beat is None or beat.confidence < JOIN_CONFIDENCE:
            continue
        period = 60.0 / beat.bpm
        latest = beat.beat_seconds + period * np.floor((now - beat.beat_seconds) / period)
        if not beats or latest - beats[-1] > 0.5 * period:
            beats.append(float(latest))
    return beats


def _choose_chord(heard: Sequence[_HeardChord], begin: float, end: float) -> str:
    """Choose what was heard for most of a beat, a little later than it sounded."""
    lag = 0.1
    names = Counter(chord.name for chord in heard if begin + lag < chord.seconds <= end + lag)
    name = names.most_common(1)[0][0] if names else None
    return name or "N.C."


def _shorten_bar(names: Sequence[str]) -> Sequence[str]:
    """Write a bar with as few chords, of equal length, as it has."""
    for count in (1, 2):
        length = len(names) // count
        parts = [names[part * length : (part + 1) * length] for part in range(count)]
        if all(len(set(part)) == 1 for part in parts):
            return [part[0] for part in parts]
    return names
