"""Check a config file against the commands that it is for, and make a new one."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

from kelly_live.engine.options.click_options import usage_errors
from kelly_live.engine.options.config_defaults import (
    convert_setting,
    find_setting_options,
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
    with usage_errors():
        _, option = find_setting_options(ctx.find_root(), Setting(name, "", table))[0]
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
    root = ctx.find_root()
    for command_name, option in find_setting_options(root, setting):
        command = list_config_commands(root)[command_name]
        convert_setting(click.Context(command, info_name=command_name, parent=root), option, setting)
