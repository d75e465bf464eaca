"""OSC as a control surface: actions come in as /kelly/do/ACTION, emotion and music go out."""

from __future__ import annotations

import math

from kelly_live.control.osc_address import resolve_address
from kelly_live.control.osc_input import PREFIX, OscInput
from kelly_live.control.osc_output import OscOutput
from kelly_live.control.osc_packet import Value
from kelly_live.core.actions import ACTIONS, Action, Takes, parse_action
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import Clock

_ROUNDING = 1e-6  # a fader whose range a tablet computes with 32 bits ends at 1.0000001


class OscSurface:
    """A ControlSurface over UDP; either direction may be missing. Thread: one, the console's."""

    name = "osc"

    def __init__(self, osc_in: OscInput | None = None, osc_out: OscOutput | None = None) -> None:
        self._in, self._out = osc_in, osc_out

    @property
    def refused_messages(self) -> int:
        """How many messages were no action, or came too fast."""
        return 0 if self._in is None else self._in.refused_messages

    @property
    def refusal(self) -> str | None:
        """What was refused last, and why."""
        return None if self._in is None else self._in.refusal

    @property
    def problem(self) -> str | None:
        """Why nothing that is sent arrives, in a line, for as long as that lasts."""
        return None if self._out is None else self._out.problem

    def describe(self) -> list[str]:
        """Say which addresses are used, one line each."""
        lines = []
        if self._out is not None:
            lines.append(f"OSC output: {self._out.address}")
        if self._in is not None:
            network = "" if self._in.address.is_loopback else ", open to the network"
            lines.append(f"OSC input: {self._in.address}{network}")
        return lines

    def publish(self, view: ControlView) -> None:
        """Send the view if its emotion is new."""
        if self._out is not None:
            self._out.publish(view)

    def poll(self) -> list[Action]:
        """Return the actions that came in since the last call; what is no action is refused with its reason."""
        actions = []
        for name, value in self._in.poll() if self._in is not None else ():
            try:
                actions.append(create_action(name, value))
            except ConfigError as error:
                assert self._in is not None
                self._in.refuse(PREFIX + name, str(error))
        return actions

    def close(self) -> None:
        """Close both directions. Safe to call twice."""
        for one in (self._out, self._in):
            if one is not None:
                one.close()


def create_action(name: str, value: Value) -> Action:
    """Create an action from an OSC value: any value means that a button is down. Raises ConfigError."""
    takes = ACTIONS[name].takes if name in ACTIONS else None
    if isinstance(value, str) and takes is not Takes.NOTHING:
        return parse_action(name, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} comes with {value}; it must be a finite number")
    if takes is Takes.NOTHING:
        return Action(name)
    if takes is Takes.SWITCH and isinstance(value, float):
        return Action(name, bool(value))
    if isinstance(value, float) and abs(value) > 1.0 and math.isclose(abs(value), 1.0, rel_tol=_ROUNDING):
        return Action(name, math.copysign(1.0, value))
    return Action(name, value)


def open_osc(to: str | None, at: str | None, clock: Clock) -> OscSurface:
    """Send to the address `to` and receive at the address `at`, each if it is given. Raises ConfigError."""
    target = None if to is None else resolve_address(to)
    receiver = None if at is None else OscInput(resolve_address(at), clock)
    return OscSurface(receiver, None if target is None else OscOutput(target))
