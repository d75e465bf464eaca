"""What a session tells of its decisions about notes, so that they can be recorded and made again."""

from __future__ import annotations

from typing import Protocol

from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.protocols import Reading
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import MusicParameters
from kelly_live.music.band import ParameterChange
from kelly_live.music.conductor import Conductor
from kelly_live.music.mixer import MixerChange
from kelly_live.music.parameter_locks import LockChange


class Journal(Protocol):
    """Records every decision about notes right after it is made, and the readings. No call blocks.

    Thread: the conductor's; `record_stop` comes from the one that ends the session.
    """

    def record_start(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None:
        """Record that the conductor started."""

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        """Record a step of the conductor; cheap when it generated nothing."""

    def record_panic(self, now: float, *, stops_transport: bool) -> None:
        """Record that the conductor ended every note."""

    def record_role(self, now: float, role: str) -> None:
        """Record that the conductor was given another role."""

    def record_limits(self, now: float, limits: LoudnessLimits) -> None:
        """Record that the notes are held to other limits."""

    def record_parameter(self, now: float, change: ParameterChange) -> None:
        """Record that a parameter of a player was given another value."""

    def record_mixer(self, now: float, change: MixerChange) -> None:
        """Record that a player's place in the mixer was changed."""

    def record_lock(self, now: float, change: LockChange) -> None:
        """Record that a musical parameter was locked or released."""

    def record_ending(self, now: float) -> None:
        """Record that the conductor played its closing bar."""

    def record_reading(self, reading: Reading) -> None:
        """Record a state that was read, as it is played."""

    def record_stop(self, now: float) -> None:
        """Record that the sink was stopped."""


class NoJournal:
    """A Journal that records nothing."""

    def record_start(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None:
        """Record nothing."""

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        """Record nothing."""

    def record_panic(self, now: float, *, stops_transport: bool) -> None:
        """Record nothing."""

    def record_role(self, now: float, role: str) -> None:
        """Record nothing."""

    def record_limits(self, now: float, limits: LoudnessLimits) -> None:
        """Record nothing."""

    def record_parameter(self, now: float, change: ParameterChange) -> None:
        """Record nothing."""

    def record_mixer(self, now: float, change: MixerChange) -> None:
        """Record nothing."""

    def record_lock(self, now: float, change: LockChange) -> None:
        """Record nothing."""

    def record_ending(self, now: float) -> None:
        """Record nothing."""

    def record_reading(self, reading: Reading) -> None:
        """Record nothing."""

    def record_stop(self, now: float) -> None:
        """Record nothing."""
