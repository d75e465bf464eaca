"""`kelly-live devices`: audio inputs, MIDI outputs and inputs, and which would be chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from kelly_live.core.errors import KellyError
from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import CheckedCommand, debug_option, device_option, name_option, print_line

if TYPE_CHECKING:
    from kelly_live.midi.ports import PortInfo


@click.command(cls=CheckedCommand)
@name_option("--audio-in", "Show which input this name chooses.")
@name_option("--midi-out", "Show which output this name chooses.")
@name_option("--midi-in", "Show which MIDI input this name chooses.")
@device_option(expose_value=False)
@debug_option
def command(audio_in: str | None, midi_out: str | None, midi_in: str | None) -> int:
    """List audio inputs, MIDI outputs and inputs; an arrow marks what these options would choose."""
    failures = _audio(audio_in) + _midi(midi_out) + _midi_in(midi_in)
    # A machine without inputs or outputs is an answer, not an error; a name that matches nothing is one.
    return 1 if failures else 0


def _audio(query: str | None) -> int:
    from kelly_live.audio.devices import choose_input, list_inputs

    print_line("Audio inputs")
    try:
        inputs = list_inputs()
    except KellyError as error:
        print_line(f"   {error}")
        return 1 if query else 0
    device, complaint = None, None
    try:
        device = choose_input(query, inputs)
    except KellyError as error:
        complaint = error
    for one in inputs:
        arrow = "->" if one == device else "  "
        facts = f"{one.host_api}, {plural(one.channels, 'channel')}, {one.default_rate} Hz"
        print_line(f"{arrow} {one.name}  ({facts})")
    if complaint is not None:
        print_line(f"   {complaint}")
    return 1 if complaint is not None and query else 0


def _midi(query: str | None) -> int:
    from kelly_live.midi.backend import LISTING_COMMAND
    from kelly_live.midi.backend_registry import find_backends
    from kelly_live.midi.ports import BUILT_IN_SYNTH, VIRTUAL_PORT_NAME, list_outputs, resolve_output

    def otherwise(outputs: Sequence[PortInfo]) -> None:
        if query:
            return
        makes = next((backend.name for backend in find_backends() if backend.has_virtual), None)
        if makes:
            print_line(f"-> a virtual port {VIRTUAL_PORT_NAME!r} that others can connect to  ({makes})")
        elif not outputs:
            print_line(f"   none; connect one and run `{LISTING_COMMAND}` again, or use `kelly-live demo`")
        print_line(f"   {BUILT_IN_SYNTH}  (without a synth or a DAW: --sound)")

    return _ports("MIDI outputs", query, list_outputs, resolve_output, otherwise)


def _midi_in(query: str | None) -> int:
    from kelly_live.midi.inputs import list_inputs, resolve_input

    def otherwise(inputs: Sequence[PortInfo]) -> None:
        if not inputs:
            print_line("   none")

    return _ports("MIDI inputs (for --midi-in)", query, list_inputs, resolve_input, otherwise)


def _ports(
    title: str,
    query: str | None,
    list_ports: Callable[[], Sequence[PortInfo]],
    resolve: Callable[[str], PortInfo],
    otherwise: Callable[[Sequence[PortInfo]], None],
) -> int:
    """List ports with an arrow at the chosen one; returns 1 if `query` matches none.

    `otherwise` is called with the ports to say what else there is.
    """
    print_line(title)
    try:
        ports = list_ports()
    except KellyError as error:
        print_line(f"   {error}")
        return 1 if query else 0
    selection, complaint = None, None
    try:
        selection = resolve(query) if query else None
    except KellyError as error:
        complaint = error
    for port in ports:
        print_line(f"{'->' if port == selection else '  '} {port.name}  ({port.backend})")
    otherwise(ports)
    if complaint is not None:
        print_line(f"   {complaint}")
    return 1 if complaint is not None else 0
