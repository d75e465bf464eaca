"""Generate click declarations from options values, and gather what was typed into one.

@click.command(cls=CheckedCommand)
@add_options(RenderOptions)
@debug_option
def command(options: RenderOptions) -> None: ...
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, parse_whole_number
from kelly_live.core.values import MAX_SEED
from kelly_live.core.wording import escape
from kelly_live.engine.options.completions import NAMES
from kelly_live.engine.options.config_defaults import CONFIG_FLAGS, config_option, reads_config, set_config_defaults
from kelly_live.engine.options.metadata import GroupSpec, OptionSpec, list_specs
from kelly_live.engine.options.rules import check_rules
from kelly_live.engine.options.sections import OTHERS, SECTIONS, find_section

MAX_JOBS = 64
_LONG_LIST = 16  # options: more are listed under headings
F = TypeVar("F", bound=Callable[..., Any])

OUTPUT_FILE = click.Path(path_type=Path, dir_okay=False)
OUTPUT_FOLDER = click.Path(path_type=Path, file_okay=False)
# Existence is checked where the file is read, so that a missing one gets the same one-line error everywhere.
INPUT_FILE = click.Path(path_type=Path)


@contextmanager
def usage_errors(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn a ConfigError about what was typed into a usage error; with a context, name what the config file gave."""
    try:
        yield
    except ConfigError as error:
        given = ctx.meta.get(CONFIG_FLAGS, ()) if ctx is not None else ()
        flags = [flag for flag in given if re.search(rf"{re.escape(flag)}(?![\w-])", str(error))]
        source = f" (the config file gives {', '.join(flags)}; --config none leaves it out)" if flags else ""
        raise click.UsageError(f"{error}{source}") from error


class Number(click.FloatRange):
    """A number in a range, written plainly (`parse_number`)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert what was typed; a usage error if it is no number or out of the range."""
        if isinstance(value, str):
            value = parse_number(value)
            if math.isnan(value):
                self.fail("that is not a number; write it as 0.5 or -1e-3", param, ctx)
        return super().convert(value, param, ctx)


class WholeNumber(click.IntRange):
    """A whole number in a range, written in digits (`parse_whole_number`)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert what was typed; a usage error if it is no whole number or out of the range."""
        if isinstance(value, str):
            number = parse_whole_number(value)
            if number is None:
                self.fail("that is not a whole number; write it as 8", param, ctx)
            value = number
        return super().convert(value, param, ctx)


class CheckedCommand(click.Command):
    """A command that refuses what would have no effect: RULES that are broken, and an option given twice.

    One directly under the program takes settings from the config file too.
    """

    def __init__(self, name: str | None, **attributes: Any) -> None:
        """Declare a command as click does; -h asks for help wherever it stands."""
        settings = {"help_option_names": ["-h", "--help"], **(attributes.pop("context_settings", None) or {})}
        super().__init__(name, context_settings=settings, **attributes)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's options, --config among them where the config file counts."""
        params = super().get_params(ctx)
        return [*params[:-1], config_option(), *params[-1:]] if reads_config(ctx) else params

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into the help, those of a long list under headings."""
        records: dict[str, list[tuple[str, str]]] = {title: [] for title in (OTHERS, *SECTIONS)}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                records[find_section(param.opts)].append(record)
        if sum(map(len, records.values())) < _LONG_LIST:
            super().format_options(ctx, formatter)
            return
        for title, rows in records.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises click.UsageError."""
        values, _, order = self.make_parser(ctx).parse_args(list(args))
        for param in order:
            if order.count(param) > 1 and isinstance(param, click.Option) and not _may_repeat(param):
                raise click.UsageError(f"{param.opts[0]} is given {order.count(param)} times; give it once", ctx)
        # An argument is in the order also where it is left out; its value is then no text.
        typed_params = [
            one for one in order if isinstance(one, click.Option) or isinstance(values[one.name or ""], str)
        ]
        typed_flags = _list_flags(typed_params)
        if reads_config(ctx):
            set_config_defaults(ctx, values.get("config"), typed_flags)
        rest = super().parse_args(ctx, args)
        with usage_errors(ctx):
            check_rules([*typed_flags, *ctx.meta.get(CONFIG_FLAGS, ())], _list_flags(self.params))
        return rest


def _may_repeat(option: click.Option) -> bool:
    return option.multiple or (option.is_flag and not option.secondary_opts)


def _list_flags(params: Iterable[click.Parameter]) -> list[str]:
    names = (param.opts if isinstance(param, click.Option) else [param.human_readable_name] for param in params)
    return list(chain.from_iterable(names))


def complete_names(flag: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    """Return what a shell asks for the value of this option: names as they are now; None where there are no names."""
    list_names = NAMES.get(flag)
    if list_names is None:
        return None

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names: list[str] = []
        with suppress(Exception):  # a driver's failure belongs to no prompt
            names = list(list_names())
        return [CompletionItem(name) for name in names if name.casefold().startswith(incomplete.casefold())]

    return complete


profile_argument = click.argument("name", shell_complete=complete_names("--profile"))
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error, and log messages on stderr."
)


def print_line(line: str) -> None:
    """Print a line of the result on stdout; names in it control nothing."""
    click.echo(escape(line))


def print_json(value: object) -> None:
    """Print one JSON object on a line; what is not ASCII is escaped, so that names in it control nothing."""
    click.echo(json.dumps(value))


def print_notice(line: str) -> None:
    """Print a line that the user should read on stderr."""
    click.echo(f"kelly-live: {escape(line)}", err=True)


def device_option(*, expose_value: bool = True) -> Callable[[F], F]:
    """Declare --device on its own; without `expose_value` it is only checked that the device is there."""
    from kelly_live.engine.options.commands import DEVICE_HELP, DEVICES

    return click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        expose_value=expose_value,
        callback=None if expose_value else _require_device,
        help=DEVICE_HELP if expose_value else f"{DEVICE_HELP} This command runs none.",
    )


def _require_device(ctx: click.Context, param: click.Parameter, value: str) -> None:
    if value not in ("auto", "cpu"):  # both are always there, and torch takes a second to load
        from kelly_live.emotion.nets.device import choose_device

        choose_device(value)


def name_option(flag: str, help: str) -> Callable[[F], F]:
    """Declare on its own an option that takes a name which a shell can complete, such as --midi-in."""
    return click.option(flag, metavar="NAME", shell_complete=complete_names(flag), help=help)


def reader_option() -> Callable[[F], F]:
    """Declare --reader on its own, as `reader: str`."""
    from kelly_live.emotion.registry import DEFAULT_READER
    from kelly_live.engine.options.commands import READER_HELP

    return click.option("--reader", metavar="NAME", default=DEFAULT_READER, show_default=True, help=READER_HELP)


def models_option(function: F) -> F:
    """Declare --models on its own: the set is in use once the command runs."""
    from kelly_live.core.resources import DEFAULT_MODELS
    from kelly_live.engine.options.commands import MODELS_HELP

    return click.option(
        "--models", metavar="open|research|PATH", expose_value=False, callback=_use_models,
        help=f"{MODELS_HELP} [default: {DEFAULT_MODELS}]",
    )(function)  # fmt: skip


def _use_models(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    from kelly_live.core.resources import select_models

    if not ctx.resilient_parsing:
        with usage_errors():
            select_models(value)


def batch_options(function: F) -> F:
    """Declare what does the jobs of many files, as `jobs: int` and `cluster: str | None`."""
    jobs = click.option(
        "--jobs", type=WholeNumber(1, MAX_JOBS), default=1, show_default=True,
        help="Do so many files at once, each in a process of its own.",
    )  # fmt: skip
    cluster = click.option(
        "--on", "cluster", metavar="tcp://HOST:PORT",
        help="Do them on a Dask cluster, whose workers see the files under the same paths.",
    )  # fmt: skip
    return jobs(cluster(function))


def files_option(function: F) -> F:
    """Declare a list of files, as `list_file: Path | None`."""
    return click.option(
        "--files", "list_file", type=INPUT_FILE,
        help="Also take the paths in this file, one a line (- for stdin).",
    )(function)  # fmt: skip


def formats_option(function: F) -> F:
    """Declare what is written of each of many pieces, as `formats: tuple[str, ...]`."""
    from kelly_live.engine.options.piece import FILE_SUFFIXES

    return click.option(
        "--write", "formats", multiple=True, type=click.Choice(list(FILE_SUFFIXES)), default=("midi",),
        help="What to write of each piece. [default: midi]",
    )(function)  # fmt: skip


def seed_option(help: str = "Same seed, same music.", default: int = 1) -> Callable[[F], F]:
    """Declare --seed on its own, as `seed: int`."""
    return click.option("--seed", type=WholeNumber(0, MAX_SEED), default=default, show_default=True, help=help)


def add_options(cls: type, *, only: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Declare an option for each setting of `cls`, and pass the command one value of it, as `options`.

    `only`: these fields alone; the others keep their defaults. A value that breaks a rule is a usage error.
    """
    without = frozenset(name for name, _ in list_specs(cls) if only and name not in only)

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **arguments: Any) -> Any:
            with usage_errors(click.get_current_context(silent=True)):
                value = _gather(cls, arguments, ())
            return function(*args, options=value, **arguments)

        for option in reversed(list(_declarations(cls, (), without, frozenset()))):
            option(wrapped)
        return wrapped  # type: ignore[return-value]

    return decorate


def _declarations(
    cls: type, path: tuple[str, ...], without: frozenset[str], single: frozenset[str]
) -> Iterator[Callable[[Any], Any]]:
    defaults = {one.name: _default_of(one) for one in fields(cls)}
    for name, spec in list_specs(cls):
        if name in without:
            continue
        if isinstance(spec, GroupSpec):
            yield from _declarations(spec.type, (*path, name), spec.without, spec.single)
        else:
            yield _declaration(spec, "__".join((*path, name)), defaults[name], repeatable=name not in single)


def _declaration(spec: OptionSpec, name: str, default: Any, *, repeatable: bool) -> Callable[[Any], Any]:
    text = spec.help
    if spec.default_note:
        text += f" [default: {spec.default_note}]"
    if spec.repeatable and repeatable and spec.repeat_help:
        text += f" {spec.repeat_help}"
    if spec.kind is bool:
        switch = "/" in spec.flags[0]
        return click.option(*spec.flags, name, is_flag=True, default=default, show_default=switch, help=text)
    several = spec.repeatable and repeatable
    return click.option(
        *spec.flags,
        name,
        type=_click_type(spec),
        multiple=several,
        default=None if several or spec.repeatable or default in (None, (), {}) else str(default),
        show_default=spec.default_note is None,
        metavar=spec.metavar,
        callback=_callback(spec),
        shell_complete=complete_names(spec.flags[0]),
        help=text,
    )


def _click_type(spec: OptionSpec) -> click.ParamType[Any]:
    if spec.choices:
        return click.Choice([str(choice) for choice in spec.choices], case_sensitive=False)
    if spec.kind is Path:
        return OUTPUT_FOLDER if spec.is_folder else OUTPUT_FILE
    if spec.kind is int:
        return WholeNumber(_convert_limit(spec.minimum), _convert_limit(spec.maximum))
    if spec.kind is float:
        return Number(spec.minimum, spec.maximum)
    return click.STRING


def _convert_limit(limit: float | None) -> int | None:
    return None if limit is None else int(limit)


def _callback(spec: OptionSpec) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """From what click read to the field's value; None where nothing was typed."""

    def convert(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None or value == ():
            return None
        if spec.repeatable and not isinstance(value, tuple):
            value = (value,)
        if spec.parse is not None:
            try:
                return spec.parse(value)
            except ConfigError as error:
                raise click.BadParameter(str(error)) from error
        return spec.kind(value) if spec.choices else value

    return convert


def _gather(cls: type, arguments: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Take this class's settings out of `arguments`; a setting that was not typed keeps its default."""
    values: dict[str, Any] = {}
    for name, spec in list_specs(cls):
        if isinstance(spec, GroupSpec):
            inner = _gather_group(spec, arguments, (*path, name))
            if inner is not None:
                values[name] = inner
            continue
        value = arguments.pop("__".join((*path, name)), None)
        if value is not None:
            values[name] = value
    return cls(**values)


def _gather_group(spec: GroupSpec, arguments: dict[str, Any], path: tuple[str, ...]) -> Any:
    if spec.present_with is not None and arguments.get("__".join((*path, spec.present_with))) is None:
        for name, _ in list_specs(spec.type):
            arguments.pop("__".join((*path, name)), None)
        return None
    return _gather(spec.type, arguments, path)


def _default_of(one: Any) -> Any:
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else None
