"""Check a config file against the commands that it is for, and make a new one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from kelly_live.engine.options.config_defaults import (
    convert_setting,
    find_config_options,
    list_config_commands,
    list_config_options,
)
from kelly_live.engine.options.config_file import Setting, Value, load_config

_SWITCH_VALUES = {"true": True, "false": False}
_TEMPLATE_HEAD = """\
# The options that Kelly Live takes without being told. What is typed wins.
# Take the # away before an option. Above all tables it is for each command that has it.

# In a table it is for that command alone:
# [live]
# follow = "all"
"""


def check_file(ctx: click.Context, file: Path) -> tuple[Setting, ...]:
    """Return all settings of a file. Raises ConfigError for the first that is wrong."""
    settings = load_config(file)
    for setting in settings:
        _check(ctx, setting)
    return settings


def read_values(ctx: click.Context, name: str, values: Sequence[str], table: str | None) -> Value:
    """Return what was typed for an option as the file holds it. Raises ConfigError or click.UsageError."""
    _, option = next(_find_options(ctx, name, table))
    value: Value = list(values) if option.multiple else values[0]
    if len(values) > 1 and not option.multiple:
        raise click.UsageError(f"{name} takes one value; put quotes around it if it has spaces", ctx)
    if option.is_flag and values[0].lower() in _SWITCH_VALUES:
        value = _SWITCH_VALUES[values[0].lower()]
    _check(ctx, Setting(name, value, table))
    if isinstance(option.type, click.IntRange):
        return int(values[0])
    return float(values[0]) if isinstance(option.type, click.FloatRange) else value


def build_template(ctx: click.Context) -> str:
    """Return a file in which each option of `live` stands as a comment, with its help."""
    blocks = [_TEMPLATE_HEAD]
    for option in list_config_options(list_config_commands(ctx.find_root())["live"]):
        help_lines = textwrap.wrap(option.help or "", 110, initial_indent="# ", subsequent_indent="# ")
        example = "true" if option.is_flag else '[""]' if option.multiple else '""'
        blocks.append("\n".join([*help_lines, f"# {option.opts[-1].removeprefix('--')} = {example}", ""]))
    return "\n".join(blocks)


def _check(ctx: click.Context, setting: Setting) -> None:
    for command_name, option in _find_options(ctx, setting.name, setting.table):
        command = list_config_commands(ctx.find_root())[command_name]
        convert_setting(click.Context(command, info_name=command_name, parent=ctx.find_root()), option, setting)


def _find_options(ctx: click.Context, name: str, table: str | None) -> Iterator[tuple[str, click.Option]]:
    """Find an option in each command that has it. Raises click.UsageError if there is none."""
    commands = list_config_commands(ctx.find_root())
    if table is not None and table not in commands:
        raise click.UsageError(f"there is no command {table!r}; give one of {', '.join(commands)}", ctx)
    found = False
    for command_name, command in commands.items():
        if table in (None, command_name):
            for option in find_config_options(command, name):
                found = True
                yield command_name, option
    if not found:
        owner = f"`kelly-live {table}` has" if table is not None else "no command has"
        raise click.UsageError(
            f"{owner} {'no' if table else 'an'} option --{name}; `kelly-live live --help` lists them", ctx
        )
