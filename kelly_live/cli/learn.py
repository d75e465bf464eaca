"""`kelly-live learn`: choose an action, move a control, and it is kept ("MIDI learn")."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.click_options import debug_option

if TYPE_CHECKING:
    from kelly_live.control.midi_map import Binding, Control
    from kelly_live.core.protocols import MidiIn

PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.02


@click.command()
@click.argument("action", required=False)
@click.argument("value", required=False)
@click.option("--midi-in", metavar="NAME", help="The MIDI input, by any part of its name [default: a virtual port].")
@click.option("--list", "listing", is_flag=True, help="What every control does, and every action, and no more.")
@click.option("--forget", metavar="ACTION", help="Forget what was learned for this action; `all`: for every one.")
@debug_option
def command(action: str | None, value: str | None, midi_in: str | None, listing: bool, forget: str | None) -> None:
    """Teach a MIDI control an ACTION (with a VALUE: `learn emotion sad`); asks for it if none is given.

    A knob for valence, arousal or dominance takes no value, a button does (`learn valence 0.5`). What is learned is
    kept in midi-controls.yaml in your data folder, and counts wherever --midi-in is given.
    """
    from kelly_live.control import midi_map as controls
    from kelly_live.midi.inputs import open_input

    if listing:
        click.echo(_listed(controls.load()))
        return
    if forget is not None:
        click.echo(_forgotten(forget.strip().lower()))
        return
    wish = _checked(action.strip().lower(), value) if action is not None else None
    opened = open_input(midi_in)
    try:
        virtual = " (a virtual port: connect your controller to it)" if opened.is_virtual else ""
        click.echo(f"listening to {opened.name!r}{virtual}")
        while True:
            name, said = wish or _asked()
            binding = _heard(opened.source, name, said)
            file = controls.save(controls.learned_with(controls.load(), binding))
            click.echo(f"{binding.control}: {name}{f' {said}' if said else ''} (kept in {file})")
            if wish is not None:
                return
    finally:
        opened.close()


def _checked(name: str, value: str | None) -> tuple[str, str | None]:
    """The action as it may be bound. Raises ConfigError."""
    from kelly_live.control.midi_map import Binding, Control

    Binding(Control("cc", 0), name, value)
    return name, None if value is None else value.strip().lower()


def _asked() -> tuple[str, str | None]:
    """Which action, by number or name; an empty answer ends."""
    from kelly_live.core.actions import ACTIONS, Takes
    from kelly_live.core.errors import ConfigError

    names = [name for name in ACTIONS if name != "help"]
    for number, name in enumerate(names, start=1):
        click.echo(f"  {number:2} {name}: {ACTIONS[name].description}")
    while True:
        typed = click.prompt("which action (Enter ends)", default="", show_default=False).strip().lower()
        if not typed:
            raise click.exceptions.Exit(0)
        name, _, said = typed.partition(" ")
        if name.isascii() and name.isdigit() and 1 <= int(name) <= len(names):
            name = names[int(name) - 1]
        if name in ACTIONS and ACTIONS[name].takes is Takes.EMOTION and not said:
            said = click.prompt("which emotion", type=click.Choice(EMOTIONS))
        try:
            return _checked(name, said.strip() or None)
        except ConfigError as error:
            click.echo(str(error))


def _heard(source: MidiIn, name: str, value: str | None, clock: Any = time) -> Binding:
    """Wait for a control that this action can have. Raises MidiError."""
    from kelly_live.control.midi_map import Binding, Control
    from kelly_live.core.errors import MidiError

    knob = Binding(Control("cc", 0), name, value).turns
    click.echo(f"now {'turn a knob or move a fader' if knob else 'press a button, key or pedal'} for {name} …")
    source.poll()  # what was moved before the question is no answer
    seen: Counter[Control] = Counter()
    ends = clock.monotonic() + PATIENCE_SECONDS
    while clock.monotonic() < ends:
        if not source.is_alive():
            raise MidiError(f"the MIDI input {source.name!r} is gone; plug it in again")
        for message in source.poll():
            if (control := chosen(message.data, seen, knob=knob)) is not None:
                return Binding(control, name, value)
        clock.sleep(_POLL_SECONDS)
    raise MidiError(
        f"nothing that {name} can have moved within {PATIENCE_SECONDS:g} s; check the controller's connection"
    )


def chosen(message: bytes, seen: Counter[Control], *, knob: bool) -> Control | None:
    """The control that a message is taken to mean: a knob at its second message, a button when it goes down. `seen`
    counts the messages of controllers between calls.
    """
    from kelly_live.control.midi_map import control_of
    from kelly_live.core.midi_messages import CONTROLLERS

    heard = control_of(message)
    if heard is None or (heard[0].kind == "cc" and heard[0].number in CONTROLLERS.values()):
        return None
    control, value = heard
    if not knob:
        return control if control.kind != "cc" or value >= 64 else None
    if control.kind != "cc":
        return None
    seen[control] += 1
    return control if seen[control] > 1 else None


def _listed(learned: tuple[Binding, ...]) -> str:
    from kelly_live.control.midi_map import path, with_defaults
    from kelly_live.core.actions import ACTIONS

    by_action: dict[str, list[str]] = {}
    for binding in with_defaults(learned):
        own = "" if binding in learned else " (default)"
        value = f" ({binding.value})" if binding.value is not None else ""
        by_action.setdefault(binding.action, []).append(f"{binding.control}{value}{own}")
    width = max(len(name) for name in ACTIONS)
    lines = [
        f"{name:{width}}  {', '.join(by_action.get(name, ['-'])):32}  {kind.description}"
        for name, kind in ACTIONS.items()
    ]
    return "\n".join([*lines, f"learned ones are kept in {path()}"])


def _forgotten(name: str) -> str:
    from kelly_live.control import midi_map as controls
    from kelly_live.core.actions import ACTIONS
    from kelly_live.core.errors import ConfigError

    if name != "all" and name not in ACTIONS:
        raise ConfigError(f"no action is called {name[:40]!r}; see `kelly-live learn --list`")
    learned = controls.load()
    kept = tuple(binding for binding in learned if name not in ("all", binding.action))
    if len(kept) == len(learned):
        return f"nothing was learned for {name}"
    controls.save(kept)
    return f"forgot {len(learned) - len(kept)}; the defaults count again"
