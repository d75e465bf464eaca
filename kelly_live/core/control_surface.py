"""What steers a session and is shown it: the contract of keyboards, MIDI controllers, OSC, pages and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kelly_live.core.actions import Action
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.values import EmotionState


@dataclass(frozen=True, slots=True)
class ControlView:
    """What a control surface may show: the emotion, the manual override, and the music.

    `bpm`: the tempo in beats a minute; `bar`: from 1; `tonic`, `mode`, `chord`: by name.
    """

    state: EmotionState
    override: EmotionOverride
    bpm: float
    bar: int
    tonic: str
    mode: str
    chord: str

    def axis_position(self, axis: str) -> float:
        """Return where "valence", "arousal" or "dominance" stands, -1 to 1: as it is overridden, else as it is heard."""
        number = getattr(self.override, axis)
        follows = number is None or self.override.morph is not None
        return float(getattr(self.state, axis) if follows else number)


class ControlSurface(Protocol):
    """A source of actions that is shown what the session does. Thread: the console's, for all calls; none may block."""

    name: str  # where its actions come from, in the log: "key", "midi", "osc"

    def publish(self, view: ControlView) -> None:
        """Show the session as it is now. It comes before each `poll`."""

    def poll(self) -> Sequence[Action]:
        """Return the actions since the last call, in order."""
