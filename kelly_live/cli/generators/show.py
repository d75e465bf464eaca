"""`kelly-live generators show`: the parameters of a player or an effect, and how each is set while it plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line

if TYPE_CHECKING:
    from kelly_live.generators.parameter import Parameter


@click.command("show", cls=CheckedCommand)
@click.argument("name")
@debug_option
def command(name: str) -> int:
    """Show the parameters of a player or effect, and how each is set as it starts and while it plays."""
    from kelly_live.core.errors import ConfigError
    from kelly_live.generators import registry
    from kelly_live.generators.effect_registry import describe_effect

    effect = describe_effect(name)
    if effect is not None:
        if effect.descriptor is None:
            raise ConfigError(effect.problem or f"{name} cannot be described")
        _show(f"PLAYER.{name}", effect.descriptor.help, effect.descriptor.parameters)
        return 0
    (info,) = registry.describe_generators([name])
    if info.descriptor is None:
        raise ConfigError(info.problem or f"{name} cannot be described")
    _show(name, info.descriptor.help, info.descriptor.parameters)
    return 0


def _show(place: str, help_line: str, parameters: tuple[Parameter, ...]) -> None:
    from kelly_live.generators.parameter import format_value
    from kelly_live.generators.parameter_addresses import describe_addresses

    print_line(f"{place}: {help_line}")
    for one in parameters:
        print_line(f"  {place}.{one.name}={format_value(one.default)}  {one.help}: {one.range}")
    if not parameters:
        print_line("  it has no parameters")
        return
    print_line("each is set alike; the first one:")
    for line in describe_addresses(f"{place}.{parameters[0].name}", parameters[0]):
        print_line(f"  {line}")
