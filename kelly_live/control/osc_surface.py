"""OSC as a control surface: actions come in as /kelly/do/ACTION, emotion and music go out."""

from __future__ import annotations

from kelly_live.control.osc_address import resolve_address
from kelly_live.control.osc_input import OscInput
from kelly_live.control.osc_output import OscOutput
from kelly_live.core.actions import ACTIONS, Action, Takes
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError


class OscSurface:
    """A ControlSurface over UDP; either direction may be missing. Thread: one, the console's."""

    name = "osc"

    def __init__(self, osc_in: OscInput | None = None, osc_out: OscOutput | None = None) -> None:
        self._in, self._out = osc_in, osc_out

    @property
    def refused(self) -> int:
        """How many messages were no action, or came too fast."""
        return 0 if self._in is None else self._in.refused

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
        """Return the actions that came in since the last call; what is no action is counted as refused."""
        actions = []
        for name, value in self._in.poll() if self._in is not None else ():
            switch = name in ACTIONS and ACTIONS[name].takes is Takes.SWITCH and isinstance(value, float)
            try:
                actions.append(Action(name, bool(value) if switch else value))
            except ConfigError:
                assert self._in is not None
                self._in.refused += 1
        return actions

    def close(self) -> None:
        """Close both directions. Safe to call twice."""
        for one in (self._out, self._in):
            if one is not None:
                one.close()


def open_osc(to: str | None, at: str | None) -> OscSurface:
    """Send to the address `to` and receive at the address `at`, each if it is given. Raises ConfigError."""
    target = None if to is None else resolve_address(to)
    receiver = None if at is None else OscInput(resolve_address(at))
    return OscSurface(receiver, None if target is None else OscOutput(target))
