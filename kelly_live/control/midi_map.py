"""MIDI controls in the performer's hand: which pad, knob or pedal is which action, and what their messages ask for.

- A button (a note, a program, a controller that rises to 64 or over) does its action once; what comes again from it
  within DEBOUNCE_SECONDS is contact bounce.
- A knob for valence, arousal or dominance: 0 is -1, 64 is 0, 127 is 1. It takes hold once it reaches the place where
  the axis stands (pick-up), and again after something else has moved it.
- A knob for a nudge is an endless one: 1 to 63 are so many ticks up, 127 to 65 down, NUDGE_PER_TICK each.
- All Notes Off and All Sound Off (controllers 123 and 120) are a panic, unless they are mapped otherwise.

At most ACTIONS_PER_SECOND buttons; of a knob's values the newest. Thread: the main one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.actions import ACTIONS, AXES, Action, Takes, parsed
from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import CONTROLLERS, ReceivedMessage, channel_of, kind_of
from kelly_live.core.safe_yaml import Node, read_nodes

FORMAT = 1
MAX_BINDINGS = 256
DEBOUNCE_SECONDS = 0.05
ACTIONS_PER_SECOND = 20.0
NUDGE_PER_TICK = 0.02
PICK_UP_WITHIN = 0.04  # about two steps of a knob
_PRESSED = 64
KINDS = {"note": "note_on", "cc": "control_change", "program": "program_change"}
_NAMES = {status: kind for kind, status in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Control:
    """A pad, knob or pedal: one of KINDS, its number 0-127, and its channel 1-16 (None: any)."""

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

    def hears(self, other: Control) -> bool:
        """Whether a message of `other` (whose channel is known) is one of this control."""
        return (self.kind, self.number) == (other.kind, other.number) and self.channel in (None, other.channel)


@dataclass(frozen=True, slots=True)
class Binding:
    """A control and what it does; `value` as it is written down. A knob of an axis or a nudge has none. Raises
    ConfigError.
    """

    control: Control
    action: str
    value: str | None = None

    def __post_init__(self) -> None:
        if not self.turns:
            parsed(self.action, self.value)  # it must be one that can be done

    @property
    def turns(self) -> bool:
        """Whether it is a knob: what it does depends on where it stands."""
        kind = ACTIONS.get(self.action)
        continuous = kind is not None and kind.takes in (Takes.PLACE, Takes.STEP)
        return continuous and self.value is None and self.control.kind == "cc"


# Controllers that MIDI 1.0 leaves undefined, and that `--cc` does not send, so that an echo does nothing.
DEFAULTS = tuple(
    Binding(Control("cc", number), action)
    for number, action in (
        (24, "valence"), (25, "arousal"), (26, "dominance"), (27, "freeze"), (28, "let-go"), (29, "panic"),
        (30, "next-preset"), (31, "previous-preset"), (85, "too-fast"), (86, "too-slow"), (87, "too-dark"),
        (88, "too-bright"), (89, "too-busy"), (90, "too-sparse"), (112, "like"), (113, "dislike"),
        (114, "more-like-this"), (115, "next-profile"), (116, "too-loud"), (117, "too-soft"),
    )
)  # fmt: skip


def with_defaults(learned: Iterable[Binding]) -> tuple[Binding, ...]:
    """What was learned, and the defaults whose control and action it leaves free."""
    learned = tuple(learned)
    actions = {binding.action for binding in learned}
    free = (
        default
        for default in DEFAULTS
        if default.action not in actions and not any(_clash(default.control, one.control) for one in learned)
    )
    return (*learned, *free)


def learned_with(bindings: Sequence[Binding], new: Binding) -> tuple[Binding, ...]:
    """`new` beside the others; what its control did before is forgotten."""
    return (*(one for one in bindings if not _clash(one.control, new.control)), new)


def _clash(one: Control, other: Control) -> bool:
    return (one.kind, one.number) == (other.kind, other.number) and (
        one.channel is None or other.channel is None or one.channel == other.channel
    )


class Controls:
    """Messages in, actions out. `refused` counts what came too fast."""

    def __init__(self, bindings: Sequence[Binding] = DEFAULTS) -> None:
        self.refused = 0
        self._bindings = tuple(bindings)
        self._at: dict[Control, float] = {}  # when a button was heard last
        self._value: dict[Control, int] = {}  # where a controller stood
        self._set: dict[Control, float] = {}  # what a knob set its axis to
        self._allowance, self._seconds = ACTIONS_PER_SECOND, 0.0
        self._connection = 0

    def hear(self, messages: Sequence[ReceivedMessage], place: Callable[[str], float]) -> list[Action]:
        """What these ask for, in order, a knob's newest value last; `place` says where an axis stands."""
        actions: list[Action] = []
        knobs: dict[Control, tuple[Binding, int, int]] = {}  # with where it stands now, and where it came from
        ticks: dict[Control, tuple[Binding, int]] = {}
        for message in messages:
            if message.connection != self._connection:  # what was held or turned while it was lost is not known
                self._connection = message.connection
                self._value.clear()
                self._set.clear()
            heard = control_of(message.data)
            if heard is None:
                continue
            control, value = heard
            binding = self._binding(control)
            before = self._value.get(control)
            self._value[control] = value
            if binding is None:
                if control.kind == "cc" and control.number in CONTROLLERS.values():
                    panic = Control("cc", CONTROLLERS["all_notes_off"])  # one panic, whichever channels are named
                    actions += [Action("panic")] * self._pressed(panic, message.seconds)
            elif not binding.turns:
                rises = value >= _PRESSED and (before is None or before < _PRESSED)
                if (control.kind != "cc" or rises) and self._pressed(control, message.seconds):
                    actions.append(parsed(binding.action, binding.value))
            elif binding.action in AXES:
                came_from = value if before is None else before
                knobs[control] = binding, value, knobs[control][2] if control in knobs else came_from
            else:
                moved = value if value < _PRESSED else value - 128
                ticks[control] = binding, ticks.get(control, (binding, 0))[1] + moved
        for control, (binding, value, came_from) in knobs.items():
            number = _number(value)
            if self._holds(control, number, _number(came_from), place(binding.action)):
                self._set[control] = number
                actions.append(Action(binding.action, number))
        for binding, moved in ticks.values():
            if moved:
                actions.append(Action(binding.action, max(-2.0, min(2.0, moved * NUDGE_PER_TICK))))
        return actions

    def _binding(self, control: Control) -> Binding | None:
        """The one of its own channel before the one of any."""
        fits = [binding for binding in self._bindings if binding.control.hears(control)]
        return min(fits, key=lambda binding: binding.control.channel is None, default=None)

    def _pressed(self, control: Control, seconds: float) -> bool:
        """Whether it counts: no bounce, and not too many."""
        bounced = seconds - self._at.get(control, -DEBOUNCE_SECONDS) < DEBOUNCE_SECONDS
        self._at[control] = seconds
        if bounced:
            return False
        elapsed, self._seconds = max(0.0, seconds - self._seconds), seconds
        self._allowance = min(ACTIONS_PER_SECOND, self._allowance + elapsed * ACTIONS_PER_SECOND)
        if self._allowance < 1.0:
            self.refused += 1
            return False
        self._allowance -= 1.0
        return True

    def _holds(self, control: Control, number: float, before: float, here: float) -> bool:
        """Pick-up: it holds the axis still, or has just come to where that stands."""
        mine = self._set.get(control)
        if mine is not None and abs(mine - here) < 0.011:  # the hand holds to two digits
            return True
        self._set.pop(control, None)
        crossed = (before - here) * (number - here) <= 0.0
        return crossed or abs(number - here) <= PICK_UP_WITHIN


def control_of(message: bytes) -> tuple[Control, int] | None:
    """The control that sent a raw message, and its value 0-127 (a program: 127); None for any other message."""
    kind = _NAMES.get(kind_of(message))
    if kind is None:
        return None
    return Control(kind, message[1], channel_of(message)), 127 if kind == "program" else message[2]


def _number(value: int) -> float:
    """0..127 as -1..1, with 64 in the middle."""
    return (value - 64) / (63 if value > 64 else 64)


def path() -> Path:
    """Where what was learned is kept; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "midi-controls.yaml"


def load(file: Path | None = None) -> tuple[Binding, ...]:
    """What was learned; () if nothing was. Raises ConfigError naming file and line."""
    file = path() if file is None else file
    if not file.exists():
        return ()
    root = read_nodes(file)
    fields = _fields(root, ("format", "controls"), ())
    fields["format"].as_int(FORMAT, FORMAT)
    nodes = fields["controls"].as_list() if fields["controls"].value != "" else []
    if len(nodes) > MAX_BINDINGS:
        fields["controls"].fail(f"has {len(nodes)} controls; it may have {MAX_BINDINGS}")
    return tuple(_read(node) for node in nodes)


def save(bindings: Sequence[Binding], file: Path | None = None) -> Path:
    """Write what was learned, whole or not at all. Raises OutputError."""
    file = path() if file is None else file
    lines = ["# What MIDI controls do: kelly-live learn", f"format: {FORMAT}", "controls:"]
    for binding in bindings:
        control = binding.control
        lines.append(f"  - {{kind: {control.kind}, number: {control.number}")
        lines[-1] += f", channel: {control.channel}" if control.channel is not None else ""
        lines[-1] += f", action: {binding.action}" + (f", value: {binding.value}" if binding.value is not None else "")
        lines[-1] += "}"
    create_folder(file.parent)
    write_atomically(file, ("\n".join(lines) + "\n").encode())
    return file


def _read(node: Node) -> Binding:
    fields = _fields(node, ("kind", "number", "action"), ("channel", "value"))
    try:
        control = Control(
            fields["kind"].as_text(20),
            fields["number"].as_int(0, 127),
            fields["channel"].as_int(1, 16) if "channel" in fields else None,
        )
        return Binding(
            control, fields["action"].as_text(40), fields["value"].as_text(40) if "value" in fields else None
        )
    except ConfigError as error:
        if str(error).startswith(node.file):
            raise
        node.fail(f"is no control: {error}")


def _fields(node: Node, needed: Sequence[str], optional: Sequence[str]) -> dict[str, Node]:
    fields = node.as_map()
    for name, field in fields.items():
        if name not in (*needed, *optional):
            field.fail(f"is not known here; there may be {', '.join((*needed, *optional))}")
    for name in needed:
        if name not in fields:
            node.fail(f"lacks `{name}`; it must have {', '.join(needed)}")
    return fields
