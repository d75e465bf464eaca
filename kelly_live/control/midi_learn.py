"""MIDI learn: wait until the performer moves the control that an action should have."""

from __future__ import annotations

import time
from collections import Counter
from typing import Protocol

from kelly_live.control.midi_map import Binding, Control, parse_control
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CONTROLLERS
from kelly_live.core.protocols import MidiIn

TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PRESSED = 64


class WaitingClock(Protocol):
    """The part of the `time` module that is used here."""

    def monotonic(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def check_binding(action: str, value: str | None) -> tuple[str, str | None]:
    """Return an action and its value as they may be bound to a control. Raises ConfigError."""
    Binding(Control("cc", 0), action, value)
    return action, None if value is None else value.strip().lower()


def needs_knob(action: str, value: str | None) -> bool:
    """Whether a knob or fader is needed: the position of the control is the action's value."""
    return Binding(Control("cc", 0), action, value).is_knob


def wait_for_control(source: MidiIn, action: str, value: str | None, clock: WaitingClock = time) -> Binding:
    """Wait for a control that the action can have, for at most TIMEOUT_SECONDS. Raises MidiError."""
    knob = needs_knob(action, value)
    source.poll()  # what was moved before the question is no answer
    counts: Counter[Control] = Counter()
    deadline = clock.monotonic() + TIMEOUT_SECONDS
    while clock.monotonic() < deadline:
        if not source.is_alive():
            raise MidiError(f"the MIDI input {source.name!r} is gone; plug it in again")
        for message in source.poll():
            if (control := choose_control(message.data, counts, knob=knob)) is not None:
                return Binding(control, action, value)
        clock.sleep(_POLL_SECONDS)
    raise MidiError(
        f"nothing that {action} can have moved within {TIMEOUT_SECONDS:g} s; check the controller's connection"
    )


def choose_control(message: bytes, counts: Counter[Control], *, knob: bool) -> Control | None:
    """Return the control that a message means: a knob at its second message, a button when it goes down.

    `counts` counts the messages of each controller between calls.
    """
    found = parse_control(message)
    if found is None or (found[0].kind == "cc" and found[0].number in CONTROLLERS.values()):
        return None
    control, value = found
    if not knob:
        return control if control.kind != "cc" or value >= _PRESSED else None
    if control.kind != "cc":
        return None
    counts[control] += 1
    return control if counts[control] > 1 else None
