"""Where players put their notes: swung, then a little beside the beat."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.drumming import Drumming, compute_player_offset
from kelly_live.music.style.metre import swing_beat


def place_with_feel(
    notes: Iterable[NoteEvent],
    drummers: Mapping[str, Drumming],
    parameters: MusicParameters,
    *,
    seed: int,
    get_role: Callable[[str], str],
    beats_per_bar: int,
    bpm: float,
    exact_beats: Collection[float] = (),
) -> tuple[NoteEvent, ...]:
    """Move notes to where players of their roles would put them, and sort them.

    Each is swung, then moved by an offset in seconds. `get_role` tells a part's role. What begins on one of
    `exact_beats` stays there: all strike together.
    """
    swing_ratio = 1.0 if parameters.style is None else parameters.style.swing_ratio
    placed = []
    for note in notes:
        if note.onset_beats in exact_beats:
            placed.append(note)
            continue
        offset = compute_player_offset(
            drummers, parameters, note, seed=seed, role=get_role(note.part), beats_per_bar=beats_per_bar
        )
        beat = note.onset_beats if parameters.style is None else swing_beat(note.onset_beats, swing_ratio)
        placed.append(replace(note, onset_beats=beat if offset == 0.0 else max(0.0, beat + offset * bpm / 60.0)))
    return tuple(sorted(placed, key=lambda note: (note.onset_beats, note.channel, note.pitch)))
