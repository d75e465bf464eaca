"""Where the band begins when the transport that it follows is started. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kelly_live.core.sync_state import BeatEstimate, SongPosition
from kelly_live.music.synchronization import round_tempo

# A start arrives after its first beat, by more on a busy machine. What is later is skipped, and counted as skipped; the
# port drops, and counts, what is too late for a note (midi/scheduler.py).
_START_TOLERANCE_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the music begins: beat 0 falls at `origin_seconds`.

    It begins with `first_slice`; what was to come before it, and is too late, is skipped.
    """

    origin_seconds: float
    bpm: float
    first_slice: int
    skipped_slices: int = 0


def find_beginning(
    estimate: BeatEstimate | None, start: SongPosition | None, now: float, own_bpm: float, slice_beats: float
) -> Beginning:
    """Return the next slice of a beat that is followed: at its tempo, or at our own until that is known.

    One of `estimate` and `start` is given.
    """
    bpm = round_tempo(own_bpm if estimate is None else estimate.bpm)
    if estimate is not None:
        origin = estimate.beat_seconds - (estimate.beat_number or 0) * 60.0 / bpm
    else:
        assert start is not None
        origin = start.seconds - start.beat * 60.0 / bpm
    first = max(0, math.ceil((now - _START_TOLERANCE_SECONDS - origin) * bpm / 60.0 / slice_beats))
    if start is None:
        return Beginning(origin, bpm, first)
    target = math.ceil(start.beat / slice_beats)
    return Beginning(origin, bpm, max(first, target), max(0, first - target))
