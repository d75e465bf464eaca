"""Controller values that wait until the notes leave room, and what puts the controllers back at the end."""

from __future__ import annotations

from collections.abc import Sequence

from kelly_live.core.midi_messages import BRIGHTNESS, RESTING_VALUES, control_change
from kelly_live.core.values import ControlChange

CONTROL_SPACING_SECONDS = 0.001  # about what a cable carries: a burst of controls leaves room for notes
_RESTING_VALUES = {**RESTING_VALUES, BRIGHTNESS: 64}


class ControlQueue:
    """Of one controller's values that wait, the newest is sent. Times in seconds. Pure: no clock, no port."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], int] = {}  # (channel, controller) -> value still to be sent
        self._next_at = 0.0
        self._moved: dict[tuple[int, int], None] = {}  # (channel, controller), to be put back at the end

    @property
    def deadline(self) -> float | None:
        """When the next message may be sent; None when none waits."""
        return self._next_at if self._values else None

    def put(self, changes: Sequence[ControlChange]) -> None:
        """Let values wait."""
        for change in changes:
            self._values[change.channel, change.controller] = change.value

    def next_change(self, now: float) -> ControlChange | None:
        """Return the value that may be sent at `now`, if there is one; it counts as sent."""
        if not self._values or self._next_at > now:
            return None
        (channel, controller), value = next(iter(self._values.items()))
        del self._values[channel, controller]
        self._next_at = now + CONTROL_SPACING_SECONDS
        if controller in _RESTING_VALUES:
            self._moved[channel, controller] = None
        return ControlChange(channel, controller, value)

    def clear(self) -> None:
        """Forget what waits."""
        self._values.clear()

    def reset(self) -> list[bytes]:
        """Return what puts the controllers back that were moved and have a value of rest."""
        moved, self._moved = self._moved, {}
        return [control_change(*one, _RESTING_VALUES[one[1]]) for one in moved]
