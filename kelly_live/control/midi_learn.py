"""MIDI learn: wait until the performer moves the control that an action should have."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from kelly_live.control.midi_map import Binding, Control, parse_control
from kelly_live.core.actions import AXES, names_player, takes_position
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import MidiIn

TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PRESSED = 64
_SWITCHED_ON = 127
MIN_TRAVEL = 5  # steps; a worn pedal that nobody touches flickers by one or two
MIN_MESSAGES = 3
_LARGEST_TICK = 8  # of an endless knob, in one message
# What no control of a performer's is: portamento control, high-resolution velocity, data steps, parameter numbers,
# channel modes. A keyboard sends some of them before each note or program.
NEVER_LEARNED = frozenset({84, 88, *range(96, 102), *range(120, 128)})
_PARAMETER_NUMBERS = range(98, 102)
_BANK, _DATA_ENTRY = 0, 6
_FINE = 32  # controllers 32 to 63 are the fine halves of 0 to 31


@dataclass(slots=True)
class Movement:
    """How a controller has moved: its range, its messages, and its ticks if it is endless.

    `is_in_row`: its first message came in a row of all controllers, as programs send that connect.
    """

    lowest: int
    highest: int
    is_in_row: bool
    messages: int = 0
    ticks: int = 0
    is_endless: bool = True

    def add(self, value: int) -> None:
        """Take a message."""
        self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
        self.messages += 1
        tick = value if value < _PRESSED else value - 128
        self.ticks += tick
        self.is_endless = self.is_endless and 1 <= abs(tick) <= _LARGEST_TICK

    @property
    def travel(self) -> int:
        """How far apart its values lie."""
        return self.highest - self.lowest


class WaitingClock(Protocol):
    """The part of the `time` module that is used here."""

    def monotonic(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def check_binding(action: str, value: str | None) -> tuple[str, str | None]:
    """Return an action and its value as they may be bound to a control. Raises ConfigError."""
    Binding(Control("cc", 0), action, value)
    if value is None or names_player(action):  # which may have capital letters
        return action, value
    return action, value.strip().lower()


def needs_knob(action: str, value: str | None) -> bool:
    """Whether a knob or fader is needed: the position of the control is the action's value."""
    return Binding(Control("cc", 0), action, value).is_knob


def wait_for_control(source: MidiIn, action: str, value: str | None, clock: WaitingClock = time) -> Binding:
    """Wait for a control that the action can have, for at most TIMEOUT_SECONDS. Raises MidiError."""
    knob = needs_knob(action, value)
    endless = knob and action not in AXES and not takes_position(action)
    source.poll()  # what was moved before the question is no answer
    movements: dict[Control, Movement] = {}
    deadline = clock.monotonic() + TIMEOUT_SECONDS
    while clock.monotonic() < deadline:
        if not source.is_alive():
            raise MidiError(f"the MIDI input {source.name!r} is gone; plug it in again")
        for message in source.poll():
            control = choose_control(message.data, movements, knob=knob, endless=endless)
            if control is not None:
                return Binding(control, action, value)
        clock.sleep(_POLL_SECONDS)
    raise MidiError(
        f"nothing that {action} can have moved within {TIMEOUT_SECONDS:g} s; check the controller's connection"
    )


def choose_control(
    message: bytes, movements: dict[Control, Movement], *, knob: bool, endless: bool = False
) -> Control | None:
    """Return the control that was moved, if this message shows it.

    A knob has moved by MIN_TRAVEL steps in MIN_MESSAGES messages; an endless one may have ticked in one direction
    instead. A button is a note or a program, or a controller that goes up to 64 or over: by at least MIN_TRAVEL steps,
    or to 127 at once.

    Args:
        message: A raw MIDI message.
        movements: How each controller has moved, kept between calls.
        knob: Whether the action needs a knob or fader.
        endless: Whether that knob may be an endless one.
    """
    movement_of_control = parse_control(message)
    if movement_of_control is None:
        return None
    control, value = movement_of_control
    if control.kind != "cc":
        return None if knob else control
    if control not in movements:
        newest = next(reversed(movements), None)
        is_in_row = newest is not None and newest == replace(control, number=max(0, control.number - 1))
        movements[control] = Movement(value, value, is_in_row)
    movement = movements[control]
    movement.add(value)
    if control.number in NEVER_LEARNED or _is_part_of_another(control, movements, knob=knob):
        return None
    if not knob:
        switched_on = value == _SWITCHED_ON and movement.messages == 1 and not movement.is_in_row
        rose = movement.highest >= _PRESSED and movement.travel >= MIN_TRAVEL
        return control if switched_on or rose else None
    if movement.messages < MIN_MESSAGES:
        return None
    ticked = endless and movement.is_endless and abs(movement.ticks) >= MIN_MESSAGES
    return control if ticked or movement.travel >= MIN_TRAVEL else None


def _is_part_of_another(control: Control, movements: dict[Control, Movement], *, knob: bool) -> bool:
    """Whether a controller is the fine half of another, a bank number, or the value of a parameter number."""

    def has_come(number: int) -> bool:
        movement = movements.get(Control("cc", number, control.channel))
        return movement is not None and (movement.messages > 1 or not movement.is_in_row)

    coarse = control.number - _FINE if _FINE <= control.number < 2 * _FINE else control.number
    if coarse != control.number and has_come(coarse):
        return True
    if coarse == _BANK and not knob:
        return control.number == _BANK
    return coarse == _DATA_ENTRY and any(has_come(number) for number in _PARAMETER_NUMBERS)
