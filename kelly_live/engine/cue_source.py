"""Lets the band begin a cue: on the next beat or bar, or at once. The conductor sees a transport that starts again.

So a cue is in the log as what the band was synchronised to, and a replay begins it at the same instant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.sync_state import KeyEstimate, SongPosition, SyncState, Transport
from kelly_live.music.conductor import Conductor

_ON_A_BEAT = 0.02  # of a beat: what has begun just now is not the next one


class Entry(Enum):
    """When a cue begins."""

    NOW = "at once"
    BEAT = "on the next beat"
    BAR = "on the next bar"


@dataclass(frozen=True, slots=True)
class CueStart:
    """What begins, when, and in bars of how many beats (None: the session's own)."""

    override: EmotionOverride
    entry: Entry
    beats_per_bar: int | None = None


class CueSource:
    """A SyncSource that starts the music again for a cue, and holds a cue's key.

    With `restarts` False the music goes on, as a clock says, and a cue only sets its override.
    Threads: `estimate` belongs to the conductor's; the others may be called from any, each swaps one reference.
    """

    def __init__(
        self, conductor: Conductor, set_override: Callable[[EmotionOverride], None], *, restarts: bool = True
    ) -> None:
        self.restarts = restarts
        self._conductor, self._set_override = conductor, set_override
        self._requested: CueStart | None = None
        self._due: tuple[CueStart, float] | None = None
        self._key: KeyEstimate | None = None
        self._state = SyncState()
        self._start_count = 0

    @property
    def starts(self) -> int:
        """How many cues have begun, and started the music again."""
        return self._start_count

    @property
    def has_key(self) -> bool:
        """Whether a key is held."""
        return self._key is not None

    def request(self, start: CueStart) -> None:
        """Begin a cue; one that waits is replaced."""
        self._requested = start

    def set_key(self, key: KeyEstimate | None) -> None:
        """Hold a key from the next phrase on; None: the band's own."""
        self._key = key

    def estimate(self, now: float) -> SyncState:
        """Return the key, and the transport once a cue has started the music again."""
        requested = self._requested
        if requested is not None:
            if self._due is None or self._due[0] is not requested:
                self._due = requested, self._find_entry(requested.entry, now)
            if now >= self._due[1] - self._conductor.look_ahead_seconds:
                if self._requested is requested:
                    self._requested = None
                self._set_override(requested.override)
                self._start_count += 1
                if self.restarts:
                    start = SongPosition(self._due[1], 0.0, requested.beats_per_bar)
                    self._state = SyncState(
                        transport=Transport(playing=True, start_count=self._start_count), start=start
                    )
        return self._state if self._key is None else replace(self._state, key=self._key)

    def _find_entry(self, entry: Entry, now: float) -> float:
        """Return the second at which a cue begins."""
        if entry is Entry.NOW:
            return now + self._conductor.look_ahead_seconds
        grid = 1.0 if entry is Entry.BEAT else float(self._conductor.status().beats_per_bar)
        tempo = self._conductor.tempo_map
        beat = tempo.beat_at(now)
        return tempo.seconds_at(((beat + _ON_A_BEAT) // grid + 1.0) * grid)
