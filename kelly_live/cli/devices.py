"""`kelly-live devices`: audio inputs, MIDI outputs and inputs, and which would be chosen."""

from __future__ import annotations

import click

from kelly_live.cli.options import common
from kelly_live.errors import KellyError


@click.command()
@click.option("--audio-in", metavar="NAME", help="Show which input this name chooses.")
@click.option("--midi-out", metavar="NAME", help="Show which output this name chooses.")
@click.option("--midi-in", metavar="NAME", help="Show which MIDI input this name chooses.")
@common
def command(audio_in: str | None, midi_out: str | None, midi_in: str | None, device: str) -> int:
    """Audio inputs, MIDI outputs and inputs; an arrow marks what `kelly-live` with these options would take."""
    failed = _audio(audio_in) + _midi(midi_out) + _midi_in(midi_in)
    # A machine without inputs or outputs is an answer, not an error; a name that matches nothing is one.
    return 1 if failed else 0


def _audio(query: str | None) -> int:
    from kelly_live.audio.devices import choose_input, list_inputs

    click.echo("Audio inputs")
    try:
        inputs = list_inputs()
    except KellyError as error:
        click.echo(f"   {error}")
        return 1 if query else 0
    chosen, complaint = None, None
    try:
        chosen = choose_input(query, inputs)
    except KellyError as error:
        complaint = error
    for one in inputs:
        arrow = "->" if one == chosen else "  "
        click.echo(f"{arrow} {one.name}  ({one.host_api}, {one.channels} channels, {one.default_rate} Hz)")
    if complaint is not None:
        click.echo(f"   {complaint}")
    return 1 if complaint is not None and query else 0


def _midi(query: str | None) -> int:
    from kelly_live.midi.ports import LISTING_COMMAND, VIRTUAL_PORT_NAME, backends, list_outputs, resolve

    click.echo("MIDI outputs")
    try:
        outputs = list_outputs()
    except KellyError as error:
        click.echo(f"   {error}")
        return 1 if query else 0
    chosen, complaint = None, None
    try:
        chosen = resolve(query) if query else None
    except KellyError as error:
        complaint = error
    for port in outputs:
        click.echo(f"{'->' if port == chosen else '  '} {port.name}  ({port.backend})")
    if not query:
        makes = next((backend.name for backend in backends() if backend.has_virtual), None)
        if makes:
            click.echo(f"-> a virtual port {VIRTUAL_PORT_NAME!r} that others can connect to  ({makes})")
        elif not outputs:
            click.echo(f"   none; connect one and run `{LISTING_COMMAND}` again, or use `kelly-live demo`")
    if complaint is not None:
        click.echo(f"   {complaint}")
    return 1 if complaint is not None else 0


def _midi_in(query: str | None) -> int:
    from kelly_live.midi.inputs import list_inputs, resolve_input

    click.echo("MIDI inputs (for --midi-in)")
    try:
        inputs = list_inputs()
    except KellyError as error:
        click.echo(f"   {error}")
        return 1 if query else 0
    chosen, complaint = None, None
    try:
        chosen = resolve_input(query) if query else None
    except KellyError as error:
        complaint = error
    for port in inputs:
        click.echo(f"{'->' if port == chosen else '  '} {port.name}  ({port.backend})")
    if not inputs:
        click.echo("   none")
    if complaint is not None:
        click.echo(f"   {complaint}")
    return 1 if complaint is not None else 0
