"""Give a command the settings of the config file, as click's defaults: what is typed wins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click

from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.config_file import NO_CONFIG, Setting, config_path, load_config
from kelly_live.engine.options.rules import RULES

CONFIG_FLAGS = "kelly_live.config_flags"  # in a context's meta: the flags that the config file gave
_NO_SETTINGS = frozenset({"--help", "--debug", "--config"})  # what a file cannot give


def config_option() -> click.Option:
    """Return the option --config."""
    return click.Option(
        ["--config"],
        metavar="FILE",
        expose_value=False,
        help=f"Take settings from this file instead of yours (`kelly-live config`); `{NO_CONFIG}`: from no file.",
    )


def reads_config(ctx: click.Context) -> bool:
    """Return whether the config file counts for this command: those directly under the program."""
    parent = ctx.parent
    return parent is not None and parent.parent is None and isinstance(parent.command, click.Group)


def set_config_defaults(ctx: click.Context, typed_file: str | None, typed_flags: Collection[str]) -> None:
    """Make the file's settings the command's defaults. Raises ConfigError naming file and line.

    A setting that a typed flag excludes is left out.
    """
    if typed_file == NO_CONFIG:
        return
    file = Path(typed_file) if typed_file is not None else config_path()
    if typed_file is None and not file.exists():
        return
    settings = load_config(file)
    params = {name: param for param in list_config_options(ctx.command) for name in _list_names(param)}
    defaults: dict[str, Any] = {}
    flags: dict[str, None] = {}
    for setting in _select(ctx, settings, params):
        param, flag = params[setting.name], f"--{setting.name}"
        if not _excludes(flag, typed_flags):
            defaults[param.name or ""] = convert_setting(ctx, param, setting)
            if flag not in typed_flags:
                flags[flag] = None
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    ctx.meta[CONFIG_FLAGS] = tuple(flags)


def list_config_options(command: click.Command) -> list[click.Option]:
    """List the options of a command that a config file can give."""
    params = (param for param in command.params if isinstance(param, click.Option))
    return [param for param in params if _NO_SETTINGS.isdisjoint(param.opts)]


def list_config_commands(root: click.Context) -> dict[str, click.Command]:
    """Load the commands that a config file can be for, by name: those directly under the program."""
    assert isinstance(root.command, click.Group)
    commands = ((name, root.command.get_command(root, name)) for name in root.command.list_commands(root))
    return {name: one for name, one in commands if one is not None and not isinstance(one, click.Group)}


def takes_settings(root: click.Context, table: str | None) -> bool:
    """Return whether a table of the file is named after a command that takes settings; None: above all tables."""
    assert isinstance(root.command, click.Group)
    command = None if table is None else root.command.get_command(root, table)
    return table is None or (command is not None and not isinstance(command, click.Group))


def find_setting_options(root: click.Context, setting: Setting) -> list[tuple[str, click.Option]]:
    """Find a setting's option in each command that it is for. Raises ConfigError naming file and line."""
    table, commands = setting.table, list_config_commands(root)
    if not takes_settings(root, table):
        raise ConfigError(
            f"{setting.place} is for {table!r}, which takes no settings; a table is named after one of "
            f"{', '.join(commands)}"
        )
    found = [
        (name, option)
        for name, command in commands.items()
        if table in (None, name)
        for option in find_config_options(command, setting.name)
    ]
    if not found:
        owner = "no command has an" if table is None else f"{table} has no"
        raise ConfigError(
            f"{setting.place}: {owner} option --{setting.name}; `kelly-live {table or 'live'} --help` lists them"
        )
    return found


def find_config_options(command: click.Command, name: str) -> list[click.Option]:
    """Return the options of a command that a config file gives by this name."""
    return [option for option in list_config_options(command) if f"--{name}" in option.opts]


def convert_setting(ctx: click.Context, param: click.Option, setting: Setting) -> Any:
    """Return a setting as click takes it for a default. Raises ConfigError naming file and line."""
    value: Any = setting.value
    problem = None
    if param.is_flag and not isinstance(value, bool):
        problem = "it is a switch: give true or false"
    elif not param.is_flag and isinstance(value, bool):
        problem = "it takes a value, not true or false"
    elif isinstance(value, list) and not param.multiple:
        problem = "it takes one value, not a list"
    if problem is not None:
        raise ConfigError(f"{setting.place}: {problem}")
    if not param.is_flag:
        value = list(map(str, value if isinstance(value, list) else [value]))
        value = value if param.multiple else value[0]
    try:
        param.process_value(ctx, value)
    except click.UsageError as error:
        message = error.message.rstrip(".")
        raise ConfigError(f"{setting.place}: {message}") from error
    return value


def _select(ctx: click.Context, settings: Collection[Setting], params: Collection[str]) -> Iterator[Setting]:
    """Take the settings of this command, the general ones first.

    Raises ConfigError for a name that is unknown. `compose --pieces` is `compose` with other options: what it lacks is
    left out.
    """
    group, name = ctx.parent, ctx.info_name
    assert group is not None
    for setting in settings:
        is_own = setting.table in (None, name)
        if not (setting.name in params if is_own else takes_settings(group, setting.table)):
            find_setting_options(group, setting)  # in all commands, which takes a moment to load
    yield from (one for one in settings if one.table is None and one.name in params)
    yield from (one for one in settings if one.table == name and one.name in params)


def _list_names(param: click.Option) -> list[str]:
    return [flag.removeprefix("--") for flag in param.opts if flag.startswith("--")]


def _excludes(flag: str, typed_flags: Collection[str]) -> bool:
    """Return whether what was typed excludes a flag, by RULES."""
    return any(
        (rule.flag == flag and not set(rule.excludes).isdisjoint(typed_flags))
        or (rule.flag in typed_flags and flag in rule.excludes)
        for rule in RULES
    )
