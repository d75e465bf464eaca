"""`kelly-live presets`: the host presets, who plays in each and on what."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_json, print_line, print_notice

if TYPE_CHECKING:
    from kelly_live.generators.host_preset import HostPreset, PresetFile


@click.command("presets", cls=CheckedCommand)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@debug_option
def command(name: str | None, as_json: bool) -> int:
    """List the host presets that --preset takes, or show the players of one."""
    from kelly_live.generators.host_preset import list_left_out, list_presets, load_preset, user_folder

    if name is not None:
        preset = load_preset(name, notify=print_notice)
        if as_json:
            print_json(asdict(preset))
        else:
            _show(preset)
        return 0
    preset_files, left_out = list_presets(), list_left_out()
    if as_json:
        report = {
            "presets": [_row(one) for one in preset_files],
            "left_out": [{"path": str(path), "problem": reason} for path, reason in left_out],
            "user_folder": str(user_folder()),
        }
        print_json(report)
        return 0
    for one in preset_files:
        note = "  (your own)" if one.is_own else ""
        title = f"cannot be used: {one.problem}" if one.preset is None else one.preset.title
        print_line(f"{one.name:12} {title}{note}")
    for path, reason in left_out:
        print_line(f"left out: {path} {reason}")
    print_line(f"your own presets: {user_folder()}")
    return 0


def _row(one: PresetFile) -> dict[str, object]:
    return {
        "name": one.name,
        "own": one.is_own,
        "path": str(one.path),
        "problem": one.problem,
        "preset": None if one.preset is None else asdict(one.preset),
    }


def _show(preset: HostPreset) -> None:
    """What the file says, and `-` where it leaves it to the generator."""
    print_line(f"{preset.name}: {preset.title}")
    for port in preset.ports:
        output = "a virtual port of its own" if port.output is None else repr(port.output)
        clock = "" if port.clock else ", no clock"
        print_line(f"  port {port.name}: {output}{clock}; --port {port.name}=NAME")
    for player in preset.players:
        fields = {
            "channel": player.channel,
            "program": player.program,
            "port": player.port or None,
            "volume": None if player.volume == 1.0 else player.volume,
            **dict(player.values),
        }
        settings = "  ".join(f"{field} {value}" for field, value in fields.items() if value is not None)
        source = "" if player.name == player.generator else f" ({player.generator})"
        print_line(f"  {player.name}{source}  {settings}".rstrip())
