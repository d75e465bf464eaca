"""Writes out the chords that `--follow chords` hears in a recording, as a sheet that `--chords` plays."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.sync_state import SyncState
from kelly_live.engine.tracking import TrackingMoment, track_sound
from kelly_live.music.chord_sheet import ChordSheet, ChordSymbol, spell_chord
from kelly_live.music.synchronization import JOIN_CONFIDENCE
from kelly_live.sync import TRACKABLE

# Bar lines are not heard: they are put where chords change most often. A bar has three beats where nearly all changes
# lie on such bar lines, and clearly fewer on those of four.
_METRES = (4, 3)
_SURE_SHARE, _CLEAR_SHARE = 0.8, 0.2
_LAG_SECONDS = 0.1


def track_with_chords(sound: Floats) -> tuple[list[TrackingMoment], ChordSheet | None]:
    """Track a sound (at SAMPLE_RATE) once, and write its chords; the sheet is None without a steady beat."""
    states: list[tuple[float, SyncState]] = []
    moments = track_sound(sound, on_estimate=lambda now, state: states.append((now, state)), targets=TRACKABLE)
    return moments, transcribe_chords(states)


def transcribe_chords(states: Sequence[tuple[float, SyncState]]) -> ChordSheet | None:
    """Write the chords of a recording as bars of four beats, or three; None if no steady beat is heard.

    `states`: each time with what is estimated then (`track_sound`). A beat has the chord that is heard for most of it.
    The sheet begins with the first bar that is heard whole.
    """
    beats = _list_beats(states)
    names = [_choose_chord(states, begin, end) for begin, end in itertools.pairwise(beats)]
    if len(names) < 2 * max(_METRES):
        return None
    changes = [name != before for before, name in zip([names[0], *names], names, strict=False)]
    metre, first = _place_bar_lines(changes)
    bars = [names[bar : bar + metre] for bar in range(first, len(names) - metre + 1, metre)]
    return ChordSheet(tuple(tuple(ChordSymbol.parse(name) for name in _shorten_bar(bar)) for bar in bars))


def _place_bar_lines(changes: Sequence[bool]) -> tuple[int, int]:
    """Choose the beats of a bar, and the beat of the first bar line, from the beats on which the chord changes."""
    placed = {}
    for metre in _METRES:
        first = max(range(metre), key=lambda phase: sum(changes[phase::metre]))
        placed[metre] = first, sum(changes[first::metre]) / max(1, sum(changes))
    (four, share_of_four), (three, share_of_three) = placed[4], placed[3]
    return (3, three) if share_of_three >= max(_SURE_SHARE, share_of_four + _CLEAR_SHARE) else (4, four)


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


def _choose_chord(states: Sequence[tuple[float, SyncState]], begin: float, end: float) -> str:
    """Choose what was heard for most of a beat, a little later than it sounded."""
    heard = [state.chord for now, state in states if begin + _LAG_SECONDS < now <= end + _LAG_SECONDS]
    names = Counter("N.C." if one is None else spell_chord(one.chord.root, one.chord.quality) for one in heard)
    return names.most_common(1)[0][0] if names else "N.C."


def _shorten_bar(names: Sequence[str]) -> Sequence[str]:
    """Write a bar with as few chords, of equal length, as it has."""
    for count in (1, 2) if len(names) % 2 == 0 else (1,):
        length = len(names) // count
        parts = [names[part * length : (part + 1) * length] for part in range(count)]
        if all(len(set(part)) == 1 for part in parts):
            return [part[0] for part in parts]
    return names
