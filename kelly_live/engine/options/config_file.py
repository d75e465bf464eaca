"""The user's config file: options that are given once for all, in TOML.

A key is an option's name without its dashes. What stands above all tables is for each command that has the option; what
stands in a table is for the command of that name, and wins there. What is typed wins over both. The table [limits]
holds the options --limit-… without that prefix, for each command that has them.

midi-out = "IAC Bus"

[live]
follow = "all"
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.core.wording import quote_error

NO_CONFIG = "none"  # the file's name that means no file
FILE_NAME = "config.toml"
LIMITS_TABLE = "limits"
MAX_BYTES = 100_000
_NAME = re.compile(r"[\w-]+")
_TABLE_LINE = re.compile(r"\s*\[\s*\"?([\w-]+)\"?\s*\]")
_KEY_LINE = re.compile(r"\s*\"?([\w-]+)\"?\s*=")

Value = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as the file gives it. `table`: the command that it is for; None: each that has it."""

    name: str
    value: Value
    table: str | None
    file: Path | None = None
    line: int = 0

    @property
    def place(self) -> str:
        """Name it and where it stands, for messages; one that was only typed stands nowhere."""
        return self.name if self.file is None else f"{self.file}, line {self.line}: {self.name}"


def config_path() -> Path:
    """Return the user's config file; it need not exist."""
    import platformdirs

    return platformdirs.user_config_path("kelly-live", appauthor=False) / FILE_NAME


def load_config(file: Path) -> tuple[Setting, ...]:
    """Load all settings of a file, in its order. Raises ConfigError naming file and line."""
    import tomllib  # here, as most commands find no file

    text = read_text(file)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, or a number of thousands of digits
        reason = quote_error(error)
        raise ConfigError(f'{file} is not TOML: {reason}; a setting is written as midi-out = "IAC Bus"') from error
    lines = _find_lines(text)
    settings: list[Setting] = []
    for name, value in content.items():
        if name == LIMITS_TABLE and isinstance(value, dict):
            settings += [
                replace(one, name=f"limit-{one.name}", table=None) for one in _read_table(value, name, file, lines)
            ]
        elif isinstance(value, dict) and _NAME.fullmatch(name):
            settings += _read_table(value, name, file, lines)
        else:
            settings += _read_table({name: value}, None, file, lines)
    return tuple(settings)


def read_text(file: Path) -> str:
    """Return the file's text. Raises ConfigError."""
    try:
        if stat.S_ISFIFO(file.stat().st_mode):  # it would be waited for
            raise ConfigError(f"{file} is a pipe; write the options to a file, or give --config {NO_CONFIG}")
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)  # a device may never end
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{file} is larger than {MAX_BYTES} bytes; a config file holds options alone")
        return content.decode("utf-8-sig").replace("\r\n", "\n")  # an editor may put a byte order mark first
    except OSError as error:
        raise ConfigError(f"cannot read {file} ({error.strerror}); mend it, or give --config {NO_CONFIG}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8; save it as UTF-8 text") from error


def store_setting(name: str, value: Value | None, *, table: str | None = None, file: Path | None = None) -> Path:
    """Set one setting and keep all else, comments included; None removes it. Returns the file.

    Raises ConfigError if the file is not TOML, OutputError if it cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = config_path() if file is None else file
    try:
        document = tomlkit.parse(read_text(file) if file.exists() else "")
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not TOML: {quote_error(error)}; mend it first: kelly-live config edit") from error
    if table is not None and table not in document:
        document.add(table, tomlkit.table())
    target: Any = document if table is None else document[table]
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value
    create_folder(file.parent, private=True)
    write_atomically(file, tomlkit.dumps(document).encode(), private=True)
    return file


def _read_table(
    entries: Mapping[str, Any], table: str | None, file: Path, lines: Mapping[tuple[str | None, str], int]
) -> list[Setting]:
    settings = []
    for name, value in entries.items():
        line = lines.get((table, name), 1)
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{file}: {quote_value(name)} is no option's name; write it as in --midi-out, without dashes"
            )
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            value = [str(one) for one in value]
        elif not isinstance(value, str | int | float | bool):
            raise ConfigError(
                f"{file}, line {line}: {name} is {quote_value(value)}; it must be text, a number, true or false, or a "
                "list of those"
            )
        settings.append(Setting(name, value, table, file, line))
    return settings


def _find_lines(text: str) -> dict[tuple[str | None, str], int]:
    """Return the line of each (table, key)."""
    lines: dict[tuple[str | None, str], int] = {}
    table: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE_LINE.match(line):
            table = header[1]
        elif key := _KEY_LINE.match(line):
            lines.setdefault((table, key[1]), number)
    return lines
