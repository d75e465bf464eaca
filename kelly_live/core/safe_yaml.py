"""Read YAML from untrusted files: only maps, lists and text, each with its line number.

Anchors, tags and further documents are refused. No scalar is converted by its looks: the caller asks for a number
where one belongs. Size, depth and the number of values are bounded.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

import yaml

from kelly_live.core.errors import ConfigError

MAX_BYTES = 512 * 1024
MAX_DEPTH = 8
MAX_NODES = 60_000
_NUMBER = re.compile(r"[-+]?\d{1,12}(\.\d{1,12})?([eE][-+]?\d{1,2})?", re.ASCII)
_MAX_QUOTED = 60  # characters of the file's text that an error message repeats


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file.

    `value` is its text, list or map; `file` the file's name; `line` counts from 1; `field` is its dotted name. The
    `as_` methods raise ConfigError if the value is not of that kind.
    """

    value: Content
    file: str
    line: int
    field: str

    def fail(self, rule: str) -> NoReturn:
        """Raise a ConfigError that names file, line and field."""
        raise ConfigError(f"{self.file} line {self.line}: {self.field or 'the file'} {rule}")

    def as_map(self) -> dict[str, Node]:
        """Return the map of names to nodes."""
        return self.value if isinstance(self.value, dict) else self.fail("must be a map of names to values")

    def as_fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return a map that has all `required` names, and none but these and the `optional` ones."""
        fields = self.as_map()
        for name, field in fields.items():
            if name not in (*required, *optional):
                field.fail(f"is not known here; there may be {', '.join((*required, *optional))}")
        for name in required:
            if name not in fields:
                self.fail(f"lacks `{name}`; it must have {', '.join(required)}")
        return fields

    def as_list(self) -> list[Node]:
        """Return the list of nodes."""
        return self.value if isinstance(self.value, list) else self.fail("must be a list")

    def as_text(self, most: int = 400) -> str:
        """Return printable text of 1 to `most` characters."""
        if not isinstance(self.value, str):
            self.fail("must be text")
        if not self.value or len(self.value) > most or not self.value.isprintable():
            self.fail(f"must be 1 to {most} printable characters on one line")
        return self.value

    def as_number(self, low: float, high: float) -> float:
        """Return a number in [low, high]."""
        rule = f"it must be {low:g}" if low == high else f"it must be a number from {low:g} to {high:g}"
        if not isinstance(self.value, str) or not _NUMBER.fullmatch(self.value):
            self.fail(f"is {self.describe()}; {rule}")
        number = float(self.value) + 0.0  # minus zero is zero
        if not low <= number <= high:
            self.fail(f"is {number:g}; {rule}")
        return number

    def as_int(self, low: int, high: int) -> int:
        """Return a whole number in [low, high]."""
        number = self.as_number(low, high)
        return int(number) if number == int(number) else self.fail(f"is {number:g}; it must be a whole number")

    def describe(self) -> str:
        """Return the value as an error message quotes it."""
        if not isinstance(self.value, str):
            return "a list" if isinstance(self.value, list) else "a map"
        return repr(self.value if len(self.value) <= _MAX_QUOTED else self.value[:_MAX_QUOTED] + "…")


Content: TypeAlias = "str | list[Node] | dict[str, Node]"


def read_nodes(path: Path) -> Node:
    """Read a file.

    Raises ConfigError with file and line if it is unreadable, too large, too deep or not plain YAML.
    """
    return parse_nodes(read_bounded(path, "a YAML file, or for presets their folder"), str(path))


def read_bounded(path: Path, expected: str) -> bytes:
    """Read a file's bytes, one more than MAX_BYTES at the most; `expected` says what to name. Raises ConfigError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device would never end
            raise ConfigError(f"{path} is not a file; name {expected}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path} cannot be read ({reason}); check its name and rights") from error


def parse_nodes(data: bytes, file: str) -> Node:
    """Parse `data` to a map; `file` names it in errors. Raises ConfigError."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file} is over {MAX_BYTES // 1024} kB; a file of this kind is never that long: shorten it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} line {line}: is not UTF-8; save it as UTF-8") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = _build_tree(yaml.parse(text, Loader=loader), file)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        problem = " ".join(str(getattr(error, "problem", None) or "it has a character that YAML forbids").split())
        raise ConfigError(f"{file}{where}: is not YAML ({problem}); repair it") from error
    if root is None:
        raise ConfigError(f"{file} line 1: the file is empty; it must be a map that begins with `format: 1`")
    root.as_map()
    return root


def _build_tree(events: object, file: str) -> Node | None:
    """Build the tree of nodes from YAML events, without recursion: no depth can exhaust the stack."""
    root: Node | None = None
    open_nodes: list[Node] = []
    keys: list[str | None] = []  # of each open map, the key that waits for its value
    count = documents = 0
    for event in events:  # type: ignore[attr-defined]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ConfigError(f"{file} line {line}: a second document begins; keep one")
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            open_nodes.pop()
            keys.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        count += 1
        parent = open_nodes[-1] if open_nodes else None
        key = keys[-1] if keys else None
        field = _field(parent, key)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise ConfigError(f"{file} line {line}: {field or 'the file'} uses an anchor or alias; write it out")
        if getattr(event, "tag", None) is not None:
            raise ConfigError(
                f"{file} line {line}: {field or 'the file'} has a tag; only plain text and numbers may stand there"
            )
        if count > MAX_NODES or len(open_nodes) >= MAX_DEPTH:
            raise ConfigError(
                f"{file} line {line}: over {MAX_NODES} values or {MAX_DEPTH} levels; it must be small and flat"
            )
        if parent is not None and isinstance(parent.value, dict) and key is None:
            if not isinstance(event, yaml.ScalarEvent):
                raise ConfigError(f"{file} line {line}: {parent.field or 'the file'} has a key that is not text")
            if event.value in parent.value:
                Node("", file, line, _field(parent, event.value)).fail("is there twice; keep one")
            keys[-1] = event.value
            continue
        content: Content
        if isinstance(event, yaml.ScalarEvent):
            content = event.value
        else:
            content = {} if isinstance(event, yaml.MappingStartEvent) else []
        node = Node(content, file, line, field)
        if parent is None:
            root = node
        elif isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and key is not None:
            parent.value[key] = node
            keys[-1] = None
        if not isinstance(event, yaml.ScalarEvent):
            open_nodes.append(node)
            keys.append(None)
    return root


def _field(parent: Node | None, key: str | None) -> str:
    """Return the dotted name of the next value inside `parent`."""
    if parent is None:
        return ""
    name = f"[{len(parent.value) + 1}]" if isinstance(parent.value, list) else (key or "a key")
    name = name if name.isprintable() and len(name) <= _MAX_QUOTED else repr(name[:_MAX_QUOTED])
    return f"{parent.field}.{name}" if parent.field else name
