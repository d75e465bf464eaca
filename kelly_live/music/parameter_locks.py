"""Locks of musical parameters: what is locked stays as it is played now, while feelings move the rest.

A lock holds what the conductor is asked for, and lets the smoothing rest there, so that a change which was under way
ends at once. A tempo, a key or dynamics that are followed by ear are held too; a clock's beat is not, because a band
beside it would fall apart. Released, a parameter moves to where the feeling is, at its musical place. Pure. Thread: the
conductor's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.locks import LOCKS
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import TEMPO_BPM, MusicParameters, TempoRange

# What each lock holds of the parameters. The key is the phrase planner's alone. How long notes are held depends on the
# rhythm, on the groove's own and on density, which has a lock of its own.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "tempo": ("tempo",),
    "mode": ("modes", "scale", "style"),
    "key": (),
    "register": ("register",),
    "dynamics": ("dynamics",),
    "density": ("density", "unrest"),
    "articulation": ("rhythms", "timing", "groove"),
}


@dataclass(frozen=True, slots=True)
class LockChange:
    """A lock, one of LOCKS, that is to be on or off; None turns it over. Raises ConfigError."""

    name: str
    is_on: bool | None = None

    def __post_init__(self) -> None:
        if self.name not in LOCKS:
            raise ConfigError(f"there is no lock {self.name[:40]!r}; it must be one of {', '.join(LOCKS)}")


class ParameterLocks:
    """The locks that are on, and the values that they hold."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Any]] = {}  # by lock, the values of its fields
        self._latest: tuple[MusicParameters, MusicParameters] | None = None  # a target, and what became of it

    @property
    def names(self) -> tuple[str, ...]:
        """The locks that are on, in the order of LOCKS."""
        return tuple(name for name in LOCKS if name in self._held)

    def set(self, change: LockChange, current: MusicParameters, bpm: float) -> Mapping[str, Any]:
        """Turn a lock on at the `current` values and tempo, or off; return the fields that are held from now on."""
        is_on = change.name not in self._held if change.is_on is None else change.is_on
        self._latest = None
        if not is_on:
            self._held.pop(change.name, None)
            return {}
        if change.name not in self._held:
            slowest, fastest = TEMPO_BPM
            bpm = min(fastest, max(slowest, bpm))
            locked = replace(current, tempo=TempoRange(bpm, bpm, bpm))
            self._held[change.name] = {name: getattr(locked, name) for name in _FIELDS[change.name]}
        return self._held[change.name]

    def apply(self, target: MusicParameters) -> MusicParameters:
        """Return a target with what is locked in place; the same object for the same target."""
        if not self._held or (self._latest is not None and target is self._latest[1]):
            return target
        if self._latest is None or self._latest[0] is not target:
            held = {name: value for values in self._held.values() for name, value in values.items()}
            self._latest = target, replace(target, **held)
        return self._latest[1]

    def adapt_sync(self, sync: SyncState) -> SyncState:
        """Return what the band is synchronised to, without what a lock holds."""
        locked = self._held
        if not locked:
            return sync
        is_estimated = sync.beat is not None and sync.beat.beat_number is None
        return replace(
            sync,
            beat=None if "tempo" in locked and is_estimated else sync.beat,
            key=None if "key" in locked else sync.key,
            loudness=None if "dynamics" in locked else sync.loudness,
        )
