"""`kelly-live generators list`: the generators, ours and others', and their parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_json, print_line

if TYPE_CHECKING:
    from kelly_live.generators.registry import GeneratorInfo

UNCHECKED = "unchecked"  # its class was read, but not created


@click.command("list", cls=CheckedCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--check", is_flag=True, help="Also make each, let it play four bars, and say in which state it ends.")
@debug_option
def command(as_json: bool, check: bool) -> int:
    """List the generators, the note effects, and the parameters that --set takes.

    Each one that is not ours is described in a process of its own; none is created, unless --check is given.
    """
    from kelly_live.generators import registry
    from kelly_live.generators.effects.registry import EFFECTS

    rows = [_row(generator, check) for generator in registry.describe_generators()]
    effects = [effect.descriptor for effect in EFFECTS.values()]
    effect_rows = [
        {"name": one.name, "help": one.help, "parameters": [_knob(knob) for knob in one.parameters]} for one in effects
    ]
    if as_json:
        print_json({"generators": rows, "entry_points": registry.GROUP, "effects": effect_rows})
        return 0
    for row in rows:
        _print(row)
    print_line("play one with --with NAME, or name it in a host preset (`kelly-live presets`)")
    print_line("")
    for row in effect_rows:
        print_line(f"{row['name']:12} {row['help']}")
        _print_parameters(row, f"PLAYER.{row['name']}")
    print_line("let one stand behind a player with --effect PLAYER=NAME, or name it among the player's `effects`")
    return 0


def _row(info: GeneratorInfo, check: bool) -> dict[str, Any]:
    """Describe a generator; part, channel and program are None where its class could not be read."""
    from kelly_live.music.band import PlayerState

    source, descriptor = info.source, info.descriptor
    state, problem = UNCHECKED, info.problem
    if descriptor is None:
        state = PlayerState.NOT_LOADED
    elif check:
        state, problem = _check_generator(source.name)
    return {
        "name": source.name,
        "help": "" if descriptor is None else descriptor.help,
        "part": None if descriptor is None else descriptor.part,
        "channel": None if descriptor is None else descriptor.channel,
        "program": None if descriptor is None else descriptor.program,
        "package": source.package,
        "version": source.version,
        "target": source.target,
        "parameters": [] if descriptor is None else [_knob(one) for one in descriptor.parameters],
        "state": str(state),
        "problem": problem or source.remark,
    }


def _knob(parameter: Any) -> dict[str, Any]:
    """A parameter's fields, without a range where it has none."""
    fields = asdict(parameter) | {"kind": parameter.kind}
    if parameter.kind in ("switch", "choice"):
        del fields["low"], fields["high"], fields["unit"]
    if parameter.kind != "choice":
        del fields["choices"]
    return fields


def _check_generator(name: str) -> tuple[str, str | None]:
    """The state after four neutral bars, timed by the clock, and what went wrong."""
    from kelly_live.core.timebase import read_clock
    from kelly_live.core.values import MODES, RHYTHMS, Dynamics, MusicParameters, Register, TempoRange, TimingWeights
    from kelly_live.generators import registry
    from kelly_live.generators.band import GeneratorBand, PlayerSlot
    from kelly_live.generators.base import FIRST_CALL_SECONDS
    from kelly_live.midi.offline import NoteList
    from kelly_live.music.band import PlayerState
    from kelly_live.music.conductor import Conductor

    plain = MusicParameters(
        tempo=TempoRange(100.0, 100.0, 100.0),
        modes=tuple(float(mode == "ionian") for mode in MODES),
        register=Register(58.0, 67.0, 77.0),
        dynamics=Dynamics(0.4, 0.7, 0.2),
        timing=TimingWeights(0.0, 1.0, 0.0),
        density=1.5,
        rhythms=tuple(float(rhythm == "straight") for rhythm in RHYTHMS),
    )
    loaded_generator = registry.create_generator(name, {}, offline_seconds=FIRST_CALL_SECONDS)
    if loaded_generator.generator is None:
        return PlayerState.NOT_LOADED, loaded_generator.problem
    descriptor = loaded_generator.generator.descriptor
    band = GeneratorBand(
        [PlayerSlot(loaded_generator.generator, name, descriptor.channel, descriptor.program)], stopwatch=read_clock
    )
    Conductor(NoteList(), band, seed=1, tonic=0, length_bars=4).play_through(plain)
    band.close()
    ((_, state),) = band.states
    return state, band.muted[0].reason if band.muted else None


def _print(row: dict[str, Any]) -> None:
    state = "" if row["state"] == UNCHECKED else f"  {row['state']}"
    whose = f"{row['package']} {row['version']}".strip()
    if row["part"] is None:
        print_line(f"{row['name']:12} {row['state']}: {row['problem']}  ({whose})")
        return
    sound = "drums" if row["channel"] == 10 else f"program {row['program']}"
    print_line(f"{row['name']:12} channel {row['channel']:2}  {sound:11} {row['help']}  ({whose}){state}")
    if row["problem"]:
        print_line(f"    {row['problem']}")
    _print_parameters(row, row["name"])


def _print_parameters(row: dict[str, Any], place: str) -> None:
    for knob in row["parameters"]:
        print_line(f"    --set {place}.{knob['name']}={_format_value(knob['default'])}  {knob['help']}: {_range(knob)}")


def _format_value(value: Any) -> str:
    from kelly_live.generators.parameter import format_value

    return format_value(value)


def _range(knob: dict[str, Any]) -> str:
    if knob["kind"] == "choice":
        return ", ".join(knob["choices"])
    if knob["kind"] == "switch":
        return "on, off"
    return f"{knob['low']:g} to {knob['high']:g}" + (f" {knob['unit']}" if knob["unit"] else "")
