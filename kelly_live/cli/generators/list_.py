"""`kelly-live generators list`: the generators, ours and others', and their parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kelly_live.cli.generators.check import FAILED, check_effect, check_generator
from kelly_live.core.plugins import OUR_PACKAGE
from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_json, print_line

if TYPE_CHECKING:
    from kelly_live.generators.effect_registry import EffectInfo
    from kelly_live.generators.registry import GeneratorInfo

UNCHECKED = "unchecked"  # its class was read, but not created


@click.command("list", cls=CheckedCommand)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--check", is_flag=True, help="Also check each against every rule of the contract, and let it play.")
@debug_option
def command(names: tuple[str, ...], as_json: bool, check: bool) -> int:
    """List the generators, the note effects, and the parameters that --set takes: all, or those that are named.

    Each one that is not ours is described in a process of its own; none is created, unless --check is given. Then the
    exit code is 1 if any breaks a rule.
    """
    from kelly_live.generators import effect_registry, registry

    effects = [one for one in effect_registry.describe_effects() if not names or one.name in names]
    found = [one.name for one in effects]
    generators = [name for name in names if name not in found] if names else None
    rows = [_row(generator, check) for generator in registry.describe_generators(generators)]
    effect_rows = [_effect_row(effect, check) for effect in effects]
    if as_json:
        print_json({"generators": rows, "entry_points": registry.GROUP, "effects": effect_rows})
    else:
        _print_all(rows, effect_rows)
    return 1 if check and any(_has_fault(row) for row in [*rows, *effect_rows]) else 0


def _has_fault(row: dict[str, Any]) -> bool:
    from kelly_live.music.band import PlayerState

    is_silent = row["state"] != PlayerState.PLAYING if "state" in row else row["problem"] is not None
    return is_silent or any(rule["result"] == FAILED for rule in row["rules"])


def _print_all(rows: list[dict[str, Any]], effect_rows: list[dict[str, Any]]) -> None:
    for row in rows:
        _print(row)
    if rows:
        print_line("play one with --with NAME, or name it in a host preset (`kelly-live presets`)")
        print_line("`kelly-live generators show NAME`: how its parameters are set while it plays (MIDI, OSC, Python)")
        print_line("")
    for row in effect_rows:
        whose = "" if row["package"] == OUR_PACKAGE else f"  ({row['package']})"
        print_line(f"{row['name']:12} {row['problem'] or row['help']}{whose}")
        _print_rules(row)
        _print_parameters(row, f"PLAYER.{row['name']}")
    if effect_rows:
        print_line("let one stand behind a player with --effect PLAYER=NAME, or name it among the player's `effects`")


def _effect_row(effect: EffectInfo, check: bool) -> dict[str, Any]:
    one = effect.descriptor
    return {
        "name": effect.name,
        "help": "" if one is None else one.help,
        "package": OUR_PACKAGE if effect.source is None else effect.source.package,
        "parameters": [] if one is None else [_knob(knob) for knob in one.parameters],
        "problem": effect.problem,
        "rules": check_effect(effect) if check and one is not None else [],
    }


def _row(info: GeneratorInfo, check: bool) -> dict[str, Any]:
    """Describe a generator; part, channel and program are None where its class could not be read."""
    from kelly_live.music.band import PlayerState

    source, descriptor = info.source, info.descriptor
    state, problem = UNCHECKED, info.problem
    rules: list[dict[str, Any]] = []
    if descriptor is None:
        state = PlayerState.NOT_LOADED
    elif check:
        state, problem, rules = check_generator(info)
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
        "rules": rules,
    }


def _knob(parameter: Any) -> dict[str, Any]:
    """A parameter's fields, without a range where it has none."""
    fields = asdict(parameter) | {"kind": parameter.kind}
    if parameter.kind in ("switch", "choice"):
        del fields["low"], fields["high"], fields["unit"]
    if parameter.kind != "choice":
        del fields["choices"]
    return fields


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
    _print_rules(row)
    _print_parameters(row, row["name"])


def _print_rules(row: dict[str, Any]) -> None:
    for rule in row["rules"]:
        print_line(f"    {rule['result']:9}  {rule['rule']}")
        for fault in rule["faults"]:
            print_line(f"        {fault}")


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
