"""How the band plays to a hit point: a crescendo over the bar before it, and a strike on it; and to an end in time.

Pure: notes come in, the same notes with other velocities and lengths go out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kelly_live.core.values import DRUM_CHANNEL, NoteEvent
from kelly_live.music.feel import LOUDEST_VELOCITY

_HELD_SHARE = 0.4  # of what is left of the closing bar: what lasts so long is held to its end
_EARLY_BEATS = 0.1  # a note of the closing bar may lie so far ahead of it
# Shares of a note's velocity: what it gains by the end of the bar that leads to a hit point, and on it. Ours.
_CRESCENDO, _STRIKE = 0.22, 0.3


def shape_hits(notes: Sequence[NoteEvent], hit_beats: Sequence[float], beats_per_bar: int) -> Sequence[NoteEvent]:
    """Return the notes of a slice as they lead to, and strike on, the hit points that are near."""
    if not notes:
        return notes
    first, last = notes[0].onset_beats, max(note.onset_beats for note in notes)
    near = [beat for beat in hit_beats if first - 1.0 < beat <= last + beats_per_bar]
    return [_shape(note, near, beats_per_bar) for note in notes] if near else notes


def _shape(note: NoteEvent, hit_beats: Sequence[float], beats_per_bar: int) -> NoteEvent:
    gain = 1.0
    for beat in hit_beats:
        before = beat - note.onset_beats
        if before == 0.0:
            gain = 1.0 + _STRIKE
            break
        if 0.0 < before < beats_per_bar:
            gain = max(gain, 1.0 + _CRESCENDO * (1.0 - before / beats_per_bar))
    return note if gain == 1.0 else replace(note, velocity=min(LOUDEST_VELOCITY, round(gain * note.velocity)))


def hold_to_end(
    notes: Sequence[NoteEvent], hit_beats: Sequence[float], end_beat: float, beats_per_bar: int
) -> Sequence[NoteEvent]:
    """Return the notes of the last chord, where it is held, let go exactly at the end.

    What is struck on a hit point after it is held, too.
    """

    def is_held(note: NoteEvent, left: float) -> bool:
        if note.channel == DRUM_CHANNEL or left > beats_per_bar + _EARLY_BEATS:
            return False
        return note.onset_beats in hit_beats or note.duration_beats >= _HELD_SHARE * left

    lefts = [end_beat - note.onset_beats for note in notes]
    return [
        replace(note, duration_beats=left) if is_held(note, left) else note
        for note, left in zip(notes, lefts, strict=True)
    ]
