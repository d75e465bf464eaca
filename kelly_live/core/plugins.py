"""Find what installed packages register under an entry-point group.

The groups are those of the generators, the emotion readers and the MIDI back ends. Listing reads package metadata and
imports nothing; `Plugin.load` imports the one that is needed. Plug-ins of this package are registered in the same way
as those of others.

A package may end the process, hang or crash while it is imported. So one that is not ours is imported in a process of
its own first (`kelly_live.core.plugin_probe`), and in this one only if it survives that.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from kelly_live.core.errors import KellyError, OptionError

OUR_PACKAGE = "kelly-live"
LOAD_SECONDS = 30.0  # a package that imports torch takes 10 s on a busy machine
SURVIVED = "survived: "  # what a probe says first
T = TypeVar("T")
_MAX_REASON = 200  # characters of a foreign error that a message repeats


class PluginError(KellyError):
    """Another package's code raised something, ended its process or thread, or did not answer in time."""


class _Nowhere(io.TextIOBase):
    """Takes what a package prints while it is imported: stdout may be a result."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)


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
        """Import the target and return it; what it prints is dropped.

        Raises an Exception: what the module raises, PluginError if it would end the process or hang.
        """
        if self.is_ours:
            return self.entry_point.load()
        if self.entry_point.module not in sys.modules:
            _probe_import(self.entry_point.module)
        with guard_call(), contextlib.redirect_stdout(_Nowhere()):
            return self.entry_point.load()


def find_plugins(group: str) -> dict[str, Plugin]:
    """Return the plug-ins of an entry-point group by name, sorted, without importing any.

    Of two packages that register one name this package has it, otherwise the first in alphabetical order. What is
    installed is read once for each search path: that takes 8 ms, and a band asks for each of its players.
    """
    return dict(_read_plugins(group, tuple(sys.path)))


@functools.lru_cache(maxsize=8)
def _read_plugins(group: str, search_path: tuple[str, ...]) -> Mapping[str, Plugin]:
    """Read the plug-ins of `search_path`, which is that of the interpreter, sorted by name."""
    plugins_by_name: dict[str, Plugin] = {}
    for plugin in _read_all(group, search_path):
        plugins_by_name.setdefault(plugin.name, plugin)
    return plugins_by_name


@functools.lru_cache(maxsize=8)
def _read_all(group: str, search_path: tuple[str, ...]) -> tuple[Plugin, ...]:
    """Read every plug-in, sorted by name; of those with one name the one that is used comes first."""
    plugins = (_read_plugin(point) for point in entry_points(group=group))
    return tuple(sorted(plugins, key=lambda p: (p.name, not p.is_ours, p.package, p.target)))


def find_rivals(group: str, used: Plugin) -> tuple[str, ...]:
    """Return the packages whose plug-in of the same name is not used, sorted."""
    packages = {plugin.package for plugin in _read_all(group, tuple(sys.path)) if plugin.name == used.name}
    return tuple(sorted(packages - {used.package}))


def select_plugin(name: str, plugins: Mapping[str, T], kind: str) -> T:
    """Return the plug-in of this name; `kind` ("generator") goes into the error. Raises ConfigError."""
    if name not in plugins:
        raise OptionError(f"there is no {kind} {name!r}; it must be one of {', '.join(plugins) or '(none installed)'}")
    return plugins[name]


@contextlib.contextmanager
def guard_call() -> Iterator[None]:
    """Keep a call of another package's code from ending the process or changing the working directory.

    What is raised to end the process or thread (`sys.exit`, KeyboardInterrupt) becomes a PluginError; an Exception
    passes. So does a Ctrl-C of the user where Python's own handler is installed; the command line has another.
    """
    try:
        with _keep_working_directory():
            yield
    except Exception:
        raise
    except BaseException as error:
        in_main = threading.current_thread() is threading.main_thread()
        by_user = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if isinstance(error, KeyboardInterrupt) and by_user:
            raise
        raise PluginError(describe_error(error)) from None


@contextlib.contextmanager
def _keep_working_directory() -> Iterator[None]:
    """Return to the present working directory, from which the user's file names count."""
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        yield
        return
    try:
        yield
    finally:
        if os.getcwd() != folder:
            os.chdir(folder)


def describe_error(error: BaseException) -> str:
    """Return another package's error in one line; an error of ours is quoted without its type."""
    try:
        text = " ".join(str(error).split())[:_MAX_REASON]
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
    except Exception:  # its own text fails, too
        text = ""
    if isinstance(error, KellyError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def describe_load_failure(plugin: Plugin, error: Exception) -> str:
    """Return in one line why a plug-in did not load."""
    return f"{plugin.target} did not load: {describe_error(error)}"


def _probe_import(module: str) -> None:
    """Import a module in a process of its own; raises PluginError if it does not end well, or in time."""
    command = [sys.executable, "-P", "-m", "kelly_live.core.plugin_probe", module]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise PluginError(f"no process can be started to try its import ({error.strerror})") from error
    with process:
        try:
            code = process.wait(LOAD_SECONDS)
        except subprocess.TimeoutExpired:
            raise PluginError(f"its import did not end within {LOAD_SECONDS:g} s") from None
        finally:
            process.kill()
        assert process.stdout is not None
        report = process.stdout.read().decode()
    if not report.startswith(SURVIVED):
        raise PluginError(f"its import ends the process ({_describe_end(code)})")
    if reason := report.removeprefix(SURVIVED):
        raise PluginError(reason)


def _describe_end(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _read_plugin(point: EntryPoint) -> Plugin:
    dist = point.dist
    package = "(unknown)" if dist is None else dist.name.lower().replace("_", "-")
    return Plugin(point.name, point.value, package, "" if dist is None else dist.version, point)
