"""Find what installed packages register under an entry-point group.

The groups are those of the generators, the emotion readers and the MIDI back ends. Listing reads package metadata and
imports nothing; `Plugin.load` imports the one that is needed. Plug-ins of this package are registered in the same way
as those of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from kelly_live.core.errors import ConfigError, KellyError

OUR_PACKAGE = "kelly-live"
_MAX_REASON = 300  # characters of a foreign error that a message repeats


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in as its package registers it.

    `name` is what a user types, `target` the module and attribute, `package` and `version` who provides it.
    """

    name: str
    target: str
    package: str
    version: str
    entry_point: EntryPoint = field(repr=False, compare=False)

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to this package."""
        return self.package == OUR_PACKAGE

    def load(self) -> Any:
        """Import the target and return it. Raises whatever the foreign module raises."""
        return self.entry_point.load()


def find_plugins(group: str) -> dict[str, Plugin]:
    """Return the plug-ins of an entry-point group by name, sorted, without importing any.

    Of two packages that register one name this package has it, otherwise the first in alphabetical order.
    """
    plugins = (_read_plugin(point) for point in entry_points(group=group))
    plugins_by_name: dict[str, Plugin] = {}
    for plugin in sorted(plugins, key=lambda p: (p.name, not p.is_ours, p.package, p.target)):
        plugins_by_name.setdefault(plugin.name, plugin)
    return plugins_by_name


def select_plugin(name: str, plugins: Mapping[str, Plugin], kind: str) -> Plugin:
    """Return the plug-in of this name; `kind` ("generator") goes into the error. Raises ConfigError."""
    if name not in plugins:
        raise ConfigError(f"there is no {kind} {name!r}; it must be one of {', '.join(plugins) or '(none installed)'}")
    return plugins[name]


def describe_load_failure(plugin: Plugin, error: Exception) -> str:
    """Return in one line why a plug-in did not load; an error of ours is quoted without its type."""
    text = " ".join(str(error).split())[:_MAX_REASON]
    reason = text if isinstance(error, KellyError) else f"{type(error).__name__}: {text}"
    return f"{plugin.target} did not load: {reason}"


def _read_plugin(point: EntryPoint) -> Plugin:
    dist = point.dist
    package = "(unknown)" if dist is None else dist.name.lower().replace("_", "-")
    return Plugin(point.name, point.value, package, "" if dist is None else dist.version, point)
