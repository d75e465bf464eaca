"""The contract of control surfaces: keyboards, MIDI controllers, OSC, pages and programs."""

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

    `bpm`: the tempo in beats a minute; `bar`: from 1; `tonic`, `mode`, `chord`: by name. `word`: the emotion word of
    the state, "" near the middle; None: no words were asked for. `gems`: what music induces, of what is heard
    (EmotionState).
    """

    state: EmotionState
    override: EmotionOverride
    bpm: float
    bar: int
    tonic: str
    mode: str
    chord: str
    word: str | None = None
    gems: tuple[tuple[str, float], ...] = ()

    def axis_position(self, axis: str) -> float:
        """Return the value of "valence", "arousal" or "dominance", -1 to 1.

        It is that of the override, otherwise that of the reading.
        """
        number = getattr(self.override, axis)
        follows = number is None or self.override.morph is not None
        return float(getattr(self.state, axis) if follows else number)


class ControlSurface(Protocol):
    """A source of actions that shows the session's state.

    Thread: the console's, for all calls; none may block.
    """

    name: str  # where its actions come from, in the log: "key", "midi", "osc"

    def publish(self, view: ControlView) -> None:
        """Show the session as it is now. It comes before each `poll`."""

    def poll(self) -> Sequence[Action]:
        """Return the actions since the last call, in order."""
