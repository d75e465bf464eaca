"""What waits in a scheduler's heap: notes to begin and to end, in the order in which they are sent."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from kelly_live.core.commands import PartRelease
from kelly_live.core.values import NoteEvent

# Beats are compared to a millionth (under 3 µs), so that 0.1 + 0.9 ends before what begins at 1.0.
BEAT_DECIMALS = 6


class Kind(IntEnum):
    """What is sent at one instant, in this order."""

    START = 0
    CLOCK = 1
    OFF = 2
    ON = 3


class Entry(NamedTuple):
    """A place in the heap. Serials are unique, so the fields after `serial` are never compared."""

    beat: float
    kind: Kind
    serial: int
    note: NoteEvent
    voice: tuple[int, int]  # an off's (channel, key)
    loudness: float | None = None  # an on's, that its velocity shows


def release_part(entries: Iterable[Entry], release: PartRelease) -> list[Entry]:
    """Return a heap of the entries as a part's release leaves them."""
    heap = list[Entry]()
    for entry in entries:
        note = release.shorten(entry.note)
        if note is entry.note:
            heap.append(entry)
        elif entry.kind is Kind.OFF:
            heap.append(entry._replace(beat=round(release.beat, BEAT_DECIMALS)))
        elif note is not None:
            heap.append(entry._replace(note=note))
    heapq.heapify(heap)
    return heap
