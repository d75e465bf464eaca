"""Pads, knobs and pedals as a control surface: which control means which action.

- A button (a note, a program, a controller that rises to 64 or over) does its action once; what comes again from it
  within DEBOUNCE_SECONDS is contact bounce. A controller is released under 48: one that flickers about 64 acts once.
- A knob for valence, arousal or dominance: 0 is -1, 64 is 0, 127 is 1. It takes effect once it reaches the value of
  the axis (pick-up), and again after something else has moved the axis.
- A knob for a nudge is an endless one: 1 to 63 are 1 to 63 ticks up, 127 to 65 are 1 to 63 ticks down, NUDGE_PER_TICK
  each.
- A knob for `set PLAYER.PARAMETER` or `level PLAYER` goes through the range from 0 to 127, and takes effect at once:
  the band smooths it. A button sets a value (`set PLAYER.PARAMETER=VALUE`), or turns a switch over (`mute PLAYER`).
- A panic is a button's press, which jumps: a fader that passes the middle is none, nor one with a fine half. A button
  that never sends its release may press again and again.
- All Notes Off and All Sound Off (controllers 123 and 120) are a panic, unless they are mapped otherwise, or a keyboard
  says All Notes Off because its last key was released.

At most ACTIONS_PER_SECOND buttons are read, panic always, and of a knob's values the newest. Thread: the console's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.actions import (
    ACTIONS,
    AXES,
    MAX_SETTING,
    Action,
    Takes,
    format_setting,
    parse_action,
    takes_position,
)
from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import CONTROLLERS, ReceivedMessage, get_channel, get_kind
from kelly_live.core.protocols import MidiIn
from kelly_live.core.safe_yaml import Node, read_nodes
from kelly_live.core.token_bucket import TokenBucket

FORMAT = 1
MAX_BINDINGS = 256
DEBOUNCE_SECONDS = 0.05
ACTIONS_PER_SECOND = 20.0
NUDGE_PER_TICK = 0.02
PICK_UP_WITHIN = 0.04  # about two steps of a knob
_PRESSED = 64
_RELEASED = 47
_HIGHEST = 127
_JUMP = 32  # steps in one message; a fader that is swept in a tenth of a second sends smaller ones
_FINE = 32  # controllers 32 to 63 are the fine halves of 0 to 31
_ROW_SECONDS = 0.02  # between two controllers of a row; no hand is so fast …
_ROW_LENGTH = 3  # … on three neighbours
_KEY_RELEASE_SECONDS = 0.01  # after its last key a keyboard sends All Notes Off at once
_KEY_DOWN_SECONDS = 0.01  # no player's key is down for less
KINDS = {"note": "note_on", "cc": "control_change", "program": "program_change"}
_PLAIN = re.compile(r"[-+.=\w]+(%?)", re.ASCII)
_NAMES = {status: kind for kind, status in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Control:
    """A pad, knob or pedal: one of KINDS, its number 0-127, and its channel 1-16 (None: any).

    Raises ConfigError.
    """

    kind: str
    number: int
    channel: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"a control is a {self.kind[:20]!r}; it must be one of {', '.join(KINDS)}")
        if not 0 <= self.number <= 127 or not (self.channel is None or 1 <= self.channel <= 16):
            raise ConfigError(
                f"{self.kind} {self.number} on channel {self.channel}; it must be 0..127, on 1..16 or any"
            )

    def __str__(self) -> str:
        return f"{self.kind} {self.number}" + (f" channel {self.channel}" if self.channel is not None else "")

    def matches(self, other: Control) -> bool:
        """Whether a message of `other` (whose channel is known) is one of this control."""
        return (self.kind, self.number) == (other.kind, other.number) and self.channel in (None, other.channel)


@dataclass(frozen=True, slots=True)
class Binding:
    """A control and its action.

    `value` as text. A knob for an axis or a nudge has no value. Raises ConfigError.
    """

    control: Control
    action: str
    value: str | None = None

    def __post_init__(self) -> None:
        if takes_position(self.action) and self.is_knob:
            parse_action(self.action, format_setting(str(self.value), 0.0))
        elif not self.is_knob:
            parse_action(self.action, self.value)  # checks that the action exists and takes the value

    @property
    def is_knob(self) -> bool:
        """Whether the position of the control is the action's value."""
        kind = ACTIONS.get(self.action)
        if takes_position(self.action):
            return self.control.kind == "cc" and self.value is not None and "=" not in self.value
        continuous = kind is not None and kind.takes in (Takes.PLACE, Takes.STEP, Takes.SHARE)
        return continuous and self.value is None and self.control.kind == "cc"


# Controllers that MIDI leaves undefined, and that `--cc` does not send, so that an echo does nothing. What teaches a
# profile, or changes whom it is for, is no default: a stray controller would change what is kept.
DEFAULTS = tuple(
    Binding(Control("cc", number), action)
    for number, action in (
        (24, "valence"), (25, "arousal"), (26, "dominance"), (27, "freeze"), (28, "let-go"), (29, "panic"),
        (30, "next-preset"), (31, "previous-preset"), (85, "role"), (86, "go"), (87, "back"),
        (89, "record"), (90, "keep"),
    )
)  # fmt: skip


def add_defaults(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    """Return the learned bindings, and the defaults whose control and action they leave free."""
    bindings = tuple(bindings)
    actions = {binding.action for binding in bindings}
    free = (
        default
        for default in DEFAULTS
        if default.action not in actions and not any(_clash(default.control, one.control) for one in bindings)
    )
    return (*bindings, *free)


def add_binding(bindings: Sequence[Binding], new: Binding) -> tuple[Binding, ...]:
    """Return the bindings with `new`; what its control did before is removed."""
    return (*(one for one in bindings if not _clash(one.control, new.control)), new)


def _clash(one: Control, other: Control) -> bool:
    return (one.kind, one.number) == (other.kind, other.number) and (
        one.channel is None or other.channel is None or one.channel == other.channel
    )


class MidiMap:
    """Turns MIDI messages into actions. `refused_presses` counts the presses that came too fast."""

    def __init__(self, bindings: Sequence[Binding] = DEFAULTS) -> None:
        self.refused_presses = 0
        self._bindings = tuple(bindings)
        self._pressed_at: dict[Control, float] = {}  # when a button was pressed last
        self._value: dict[Control, int] = {}  # of each controller, its last value
        self._varied: set[Control] = set()  # controls that have sent anything but 127
        self._down: set[Control] = set()  # controllers that were pressed and not released
        self._set: dict[Control, float] = {}  # what a knob set its axis to
        self._presses = TokenBucket(ACTIONS_PER_SECOND)
        self._newest = (Control("program", 0), 0.0)  # the control that came last, and when
        self._row_length = 0
        self._connection = 0
        self._keys: dict[int, dict[int, float]] = {}  # by channel, the keys that are down, and since when
        self._last_key_up: dict[int, float] = {}  # by channel, when the last of them was released

    def read(self, messages: Sequence[ReceivedMessage], axis_position: Callable[[str], float]) -> list[Action]:
        """Return the actions of these messages in order, a knob's newest value last.

        `axis_position` returns the present value of "valence", "arousal" or "dominance", -1 to 1.
        """
        actions: list[Action] = []
        knobs: dict[Control, tuple[Binding, int, int]] = {}  # with its value now, and its value before
        ticks: dict[Control, tuple[Binding, int]] = {}
        settings: dict[Control, Action] = {}
        for message in messages:
            if message.connection != self._connection:  # the controls may have moved while it was lost
                self._connection = message.connection
                for state in (self._value, self._varied, self._down, self._set, self._keys):
                    state.clear()
            self._note_keys(message)
            parsed_control = parse_control(message.data)
            if parsed_control is None:
                continue
            control, value = parsed_control
            binding = self._binding(control)
            before = self._value.get(control)
            self._value[control] = value
            if value != _HIGHEST:
                self._varied.add(control)
            is_in_row = self._is_in_row(control, message.seconds)
            if binding is None:
                if control.kind == "cc" and self._silences(control, message.seconds):
                    panic = Control("cc", CONTROLLERS["all_notes_off"])  # on whichever channel: one panic
                    actions += [Action("panic")] * self._accept_press(panic, message.seconds, panics=True)
            elif is_in_row and (binding.action != "panic" or before is None):  # a panic in doubt is obeyed
                self._down.discard(control)
            elif not binding.is_knob:
                panics = binding.action == "panic"
                is_down = self._jumps_down(control, value, before) if panics else self._goes_down(control, value)
                if is_down and self._accept_press(control, message.seconds, panics=panics):
                    actions.append(parse_action(binding.action, binding.value))
            elif ACTIONS[binding.action].takes is Takes.SHARE:
                settings[control] = Action(binding.action, round(value / _HIGHEST, 2))
            elif takes_position(binding.action):
                settings[control] = Action(binding.action, format_setting(str(binding.value), value / _HIGHEST))
            elif binding.action in AXES:
                first = value if before is None else before
                knobs[control] = binding, value, knobs[control][2] if control in knobs else first
            else:
                change = value if value < _PRESSED else value - 128
                ticks[control] = binding, ticks.get(control, (binding, 0))[1] + change
        for control, (binding, value, first) in knobs.items():
            number = _axis_value(value)
            if self._picks_up(control, number, _axis_value(first), axis_position(binding.action)):
                self._set[control] = number
                actions.append(Action(binding.action, number))
        actions += settings.values()
        for binding, change in ticks.values():
            if change:
                actions.append(Action(binding.action, max(-2.0, min(2.0, change * NUDGE_PER_TICK))))
        return actions

    def _is_in_row(self, control: Control, seconds: float) -> bool:
        """Whether a controller comes in a row of neighbours, as a program sends that tells the state of all of them."""
        (newest, newest_seconds), self._newest = self._newest, (control, seconds)
        next_number = newest.number + 1 if newest.kind == "cc" else None
        follows = (control.kind, control.number, control.channel) == ("cc", next_number, newest.channel)
        self._row_length = self._row_length + 1 if follows and seconds - newest_seconds <= _ROW_SECONDS else 1
        return self._row_length >= _ROW_LENGTH

    def _binding(self, control: Control) -> Binding | None:
        """The binding of the control's own channel, else the one of any channel."""
        fits = [binding for binding in self._bindings if binding.control.matches(control)]
        return min(fits, key=lambda binding: binding.control.channel is None, default=None)

    def _goes_down(self, control: Control, value: int) -> bool:
        """Whether a message presses the button: any of a note or a program, a rise of a controller."""
        if control.kind != "cc":
            return True
        if value <= _RELEASED:
            self._down.discard(control)
        if value < _PRESSED or control in self._down:
            return False
        self._down.add(control)
        return True

    def _jumps_down(self, control: Control, value: int, before: int | None) -> bool:
        """Whether a message presses a panic button: any of a note or a program, a jump of a controller."""
        if control.kind != "cc" or value < _PRESSED:
            return control.kind != "cc"
        if control in self._varied:
            return before is not None and before <= _RELEASED and value - before >= _JUMP
        fine = Control("cc", control.number + _FINE, control.channel) if control.number < _FINE else None
        return fine not in self._value

    def _note_keys(self, message: ReceivedMessage) -> None:
        """Keep which keys are down, and when the last one of a channel was released."""
        kind = get_kind(message.data)
        if kind not in ("note_on", "note_off"):
            return
        channel, key = get_channel(message.data), message.data[1]
        keys = self._keys.setdefault(channel, {})
        if kind == "note_on":
            keys[key] = message.seconds
        elif key in keys:
            was_played = message.seconds - keys.pop(key) >= _KEY_DOWN_SECONDS
            if was_played and not keys:
                self._last_key_up[channel] = message.seconds

    def _silences(self, control: Control, seconds: float) -> bool:
        """Whether an unmapped controller is a panic: one that ends all notes, not a last key's release."""
        if control.number == CONTROLLERS["all_sound_off"]:
            return True
        if control.number != CONTROLLERS["all_notes_off"]:
            return False
        assert control.channel is not None
        return seconds - self._last_key_up.get(control.channel, -_KEY_RELEASE_SECONDS) >= _KEY_RELEASE_SECONDS

    def _accept_press(self, control: Control, seconds: float, *, panics: bool) -> bool:
        """Whether a press counts: it is no contact bounce, and not one too many, which a panic never is."""
        bounced = seconds - self._pressed_at.get(control, -DEBOUNCE_SECONDS) < DEBOUNCE_SECONDS
        self._pressed_at[control] = seconds
        if bounced or panics:
            return not bounced
        is_within = self._presses.take(seconds)
        self.refused_presses += not is_within
        return is_within

    def _picks_up(self, control: Control, number: float, before: float, position: float) -> bool:
        """Whether a knob controls the axis: it set its present value, or has just reached it."""
        set_position = self._set.get(control)
        if set_position is not None and abs(set_position - position) < 0.011:  # an override keeps two digits
            return True
        self._set.pop(control, None)
        crossed = (before - position) * (number - position) <= 0.0
        return crossed or abs(number - position) <= PICK_UP_WITHIN


class MidiSurface:
    """A ControlSurface that polls a MIDI input. Thread: the console's."""

    name = "midi"

    def __init__(self, source: MidiIn, midi_map: MidiMap) -> None:
        self._source, self._map = source, midi_map
        self._view: ControlView | None = None

    @property
    def refused_presses(self) -> int:
        """How many presses came too fast."""
        return self._map.refused_presses

    def publish(self, view: ControlView) -> None:
        """Remember where the axes stand: knobs take effect from there."""
        self._view = view

    def poll(self) -> list[Action]:
        """Return the actions of the messages since the last call; none before the first `publish`."""
        messages = self._source.poll()
        return [] if self._view is None else self._map.read(messages, self._view.axis_position)


def parse_control(message: bytes) -> tuple[Control, int] | None:
    """Return the control that sent a raw message, and its value 0-127 (a program: 127).

    None for other messages.
    """
    kind = _NAMES.get(get_kind(message))
    if kind is None:
        return None
    return Control(kind, message[1], get_channel(message)), 127 if kind == "program" else message[2]


def _axis_value(value: int) -> float:
    """A controller's 0..127 as -1..1, with 64 in the middle."""
    return (value - 64) / (63 if value > 64 else 64)


def bindings_path() -> Path:
    """Return the file of the learned bindings; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "midi-controls.yaml"


def load_bindings(file: Path | None = None) -> tuple[Binding, ...]:
    """Load the learned bindings; () if there are none. Raises ConfigError naming file and line."""
    file = bindings_path() if file is None else file
    if not os.path.lexists(file):  # a link to nothing is no empty file
        return ()
    root = read_nodes(file)
    fields = root.as_fields(("format", "controls"))
    fields["format"].as_int(FORMAT, FORMAT)
    nodes = fields["controls"].as_list() if fields["controls"].value != "" else []
    if len(nodes) > MAX_BINDINGS:
        fields["controls"].fail(f"has {len(nodes)} controls; it may have {MAX_BINDINGS}")
    return tuple(_read(node) for node in nodes)


def save_bindings(bindings: Sequence[Binding], file: Path | None = None) -> Path:
    """Write the learned bindings, whole or not at all; returns the file. Raises OutputError."""
    file = bindings_path() if file is None else file
    lines = ["# What MIDI controls do: kelly-live learn", f"format: {FORMAT}", "controls:"]
    for binding in bindings:
        control = binding.control
        lines.append(f"  - {{kind: {control.kind}, number: {control.number}")
        lines[-1] += f", channel: {control.channel}" if control.channel is not None else ""
        lines[-1] += f", action: {binding.action}"
        lines[-1] += f", value: {_quote(binding.value)}" if binding.value is not None else ""
        lines[-1] += "}"
    create_folder(file.parent, private=True)
    write_atomically(file, ("\n".join(lines) + "\n").encode(), private=True)
    return file


def _quote(value: str) -> str:
    """Return text as YAML has it: in quotes unless it is plain words and numbers."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _read(node: Node) -> Binding:
    fields = node.as_fields(("kind", "number", "action"), ("channel", "value"))
    try:
        control = Control(
            fields["kind"].as_text(20),
            fields["number"].as_int(0, 127),
            fields["channel"].as_int(1, 16) if "channel" in fields else None,
        )
        return Binding(
            control, fields["action"].as_text(40), fields["value"].as_text(MAX_SETTING) if "value" in fields else None
        )
    except ConfigError as error:
        if str(error).startswith(node.file):
            raise
        node.fail(f"is no control: {error}")
