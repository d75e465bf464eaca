"""`kelly-live learn`: choose an action, move a control, and the pair is kept ("MIDI learn")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kelly_live.core.values import EMOTIONS
from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import CheckedCommand, debug_option, name_option, print_line, usage_errors

if TYPE_CHECKING:
    from kelly_live.control.midi_map import Binding


@click.command(cls=CheckedCommand)
@click.argument("action", required=False)
@click.argument("value", required=False)
@name_option("--midi-in", "The MIDI input, by any part of its name [default: a virtual port].")
@click.option("--list", "listing", is_flag=True, help="Only list what every control does, and every action.")
@click.option(
    "--forget",
    metavar="ACTION",
    help="Forget what was learned for this action, as `panic` or `set melody.octave`; `all`: for every action.",
)
@debug_option
def command(action: str | None, value: str | None, midi_in: str | None, listing: bool, forget: str | None) -> None:
    """Teach a MIDI control an ACTION (with a VALUE: `learn emotion sad`); asks for it if none is given.

    A knob for valence, arousal or dominance takes no value, a button does (`learn valence 0.5`). `learn set
    melody.octave` teaches a knob a player's parameter, `learn set melody.octave=1` a button one of its values, `learn
    level bass` a fader, `learn mute bass` or `learn lock tempo` a button. The result is kept in midi-controls.yaml in
    your data folder, and applies wherever --midi-in is given.
    """
    from kelly_live.control import midi_map
    from kelly_live.control.midi_learn import check_binding, needs_knob, wait_for_control
    from kelly_live.midi.inputs import open_input

    if listing:
        for line in _list(midi_map.load_bindings()):
            print_line(line)
        return
    if forget is not None:
        with usage_errors():
            _require_action(forget.strip().lower())
        print_line(_forget(forget.strip().lower()))
        return
    with usage_errors():
        requested = check_binding(action.strip().lower(), value) if action is not None else None
        if requested is not None:
            _check_parameter(*requested)
    midi_map.load_bindings()  # a file that cannot be added to is reported before anything is opened
    opened_input = open_input(midi_in)
    try:
        virtual = " (a virtual port: connect your controller to it)" if opened_input.is_virtual else ""
        print_line(f"listening to {opened_input.name!r}{virtual}")
        while True:
            name, text = requested or _ask()
            gesture = "turn a knob or move a fader" if needs_knob(name, text) else "press a button, key or pedal"
            print_line(f"now {gesture} for {name} …")
            binding = wait_for_control(opened_input.source, name, text)
            file = midi_map.save_bindings(midi_map.add_binding(midi_map.load_bindings(), binding))
            print_line(f"{binding.control}: {name}{f' {text}' if text else ''} (kept in {file})")
            if requested is not None:
                return
    finally:
        opened_input.close()


def _ask() -> tuple[str, str | None]:
    """Ask which action, by number or name; an empty answer ends the command."""
    from kelly_live.control.midi_learn import check_binding
    from kelly_live.core.actions import ACTIONS, Takes
    from kelly_live.core.errors import ConfigError

    names = [name for name in ACTIONS if name != "help"]
    for number, name in enumerate(names, start=1):
        print_line(f"  {number:2} {name}: {ACTIONS[name].description}")
    while True:
        answer = click.prompt("which action (Enter ends)", default="", show_default=False).strip().lower()
        if not answer:
            raise click.exceptions.Exit(0)
        name, _, value = answer.partition(" ")
        if name.isascii() and name.isdigit() and 1 <= int(name) <= len(names):
            name = names[int(name) - 1]
        if name in ACTIONS and ACTIONS[name].takes is Takes.EMOTION and not value:
            value = click.prompt("which emotion", type=click.Choice(EMOTIONS))
        try:
            checked = check_binding(name, value.strip() or None)
            _check_parameter(*checked)
            return checked
        except ConfigError as error:
            print_line(str(error))


def _check_parameter(action: str, value: str | None) -> None:
    """Refuse a player or a parameter that there is not, or a value that it cannot have. Raises ConfigError."""
    from kelly_live.core.actions import names_player
    from kelly_live.generators.parameter_addresses import check_player, find_parameter

    if value is None or not names_player(action):
        return
    address, equals, number = value.partition("=")
    if action != "set":
        check_player(address.strip())
        return
    parameter = find_parameter(address)
    if equals:
        parameter.parse(number)


def _list(bindings: tuple[Binding, ...]) -> list[str]:
    from kelly_live.control.midi_map import add_defaults, bindings_path
    from kelly_live.core.actions import ACTIONS

    by_action: dict[str, list[str]] = {}
    for binding in add_defaults(bindings):
        origin = "" if binding in bindings else " (default)"
        value = f" ({binding.value})" if binding.value is not None else ""
        by_action.setdefault(binding.action, []).append(f"{binding.control}{value}{origin}")
    width = max(len(name) for name in ACTIONS)
    lines = [
        f"{name:{width}}  {', '.join(by_action.get(name, ['-'])):32}  {kind.description}"
        for name, kind in ACTIONS.items()
    ]
    return [*lines, f"learned controls are kept in {bindings_path()}"]


def _require_action(name: str) -> None:
    from kelly_live.core.actions import ACTIONS
    from kelly_live.core.errors import ConfigError

    if name != "all" and name.partition(" ")[0] not in ACTIONS:
        raise ConfigError(f"no action is called {name[:40]!r}; see `kelly-live learn --list`")


def _forget(name: str) -> str:
    from kelly_live.control import midi_map

    bindings = midi_map.load_bindings()
    remaining = tuple(one for one in bindings if name not in ("all", one.action, f"{one.action} {one.value}".lower()))
    if len(remaining) == len(bindings):
        return f"nothing was learned for {name}"
    midi_map.save_bindings(remaining)
    return f"forgot {plural(len(bindings) - len(remaining), 'control')}; the defaults apply again"
