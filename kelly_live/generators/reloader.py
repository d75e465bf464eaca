"""Plays a generator that is being written: loads it again when its file changes, at the next bar, with its state.

A version that does not load, or cannot play the bar that was asked for last, is said with file and line, and the
version before it plays on. Threads: `check` is called on the `reload` thread that `start` starts (a test calls it
itself), which waits for the new version's process; `take_lines` and `explain` are for any.
"""

from __future__ import annotations

import os
import threading
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import find_plugins
from kelly_live.core.queues import drain
from kelly_live.generators.added import GROUP, find_targets, require_interpreter
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import Value, adapt_values
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.generators.plugin_process import PlayerFault, PluginCommand, PluginProcess, begin_plugin, start_plugin
from kelly_live.generators.registry import load_command
from kelly_live.music.band import MutedPlayer, PlayerState
from kelly_live.workers.realtime import disable_realtime

POLL_SECONDS = 0.1
TRIAL_SECONDS = 5.0  # for the first bar: it may load a model
MOST_FILES = 500  # that are watched
MOST_LINES = 16
RULES = "docs/writing-a-generator.md#rules"
_RULE_NUMBERS = {PlayerState.INVALID: 1, PlayerState.TOO_SLOW: 4}

Stamp = tuple[tuple[str, int, int, int], ...]  # of each file: its name, time, size and number


@dataclass(frozen=True, slots=True)
class DevelopedGenerator:
    """What is being written: how it is started, and the files that make it."""

    command: PluginCommand
    files: tuple[Path, ...]  # these,
    folder: Path | None  # and the Python files of this folder
    is_package: bool = False  # with those in its folders

    @classmethod
    def find(cls, place: str, python: str | None = None) -> DevelopedGenerator:
        """Find it at a path: a Python file (or FILE.py:CLASS), a program, or a package's folder. Raises ConfigError.

        `python`: the interpreter that runs it; None: this one.
        """
        path = Path(place)
        if path.is_dir():
            return cls._find_package(path.absolute(), python)
        (found,) = find_targets(str(path.absolute()), python)
        file = Path(found.target.partition(".py:")[0] + ".py") if ".py:" in found.target else Path(found.target)
        folder = file.parent if found.is_python else None
        return cls(_write_no_bytecode(replace(found.build_command(), name=file.stem)), (file,), folder)

    @classmethod
    def _find_package(cls, folder: Path, python: str | None) -> DevelopedGenerator:
        require_interpreter(python)
        project = folder / "pyproject.toml"
        try:
            points = tomllib.loads(project.read_text("utf-8")).get("project", {}).get("entry-points", {}).get(GROUP, {})
        except (OSError, ValueError) as error:
            raise ConfigError(f"{project} cannot be read ({error}); name the generator's file instead") from error
        if not isinstance(points, dict) or len(points) != 1:
            names = ", ".join(points) or "none"
            raise ConfigError(f"{project} declares {len(points)} generators ({names}); name one file, as FILE.py:CLASS")
        ((name, target),) = points.items()
        command = _write_no_bytecode(PluginCommand.for_python(str(name), str(target), python))
        environment = dict(command.environment or {})
        sources = [str(one) for one in (folder / "src", folder) if one.is_dir()]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*sources, environment.get("PYTHONPATH")]))
        return cls(replace(command, environment=environment), (project,), folder, is_package=True)

    def read_stamp(self) -> Stamp | None:
        """Return what tells one version from the next; None while a file is missing, as an editor writes it."""
        pattern = "**/*.py" if self.is_package else "*.py"
        files = {*self.files, *(sorted(self.folder.glob(pattern))[:MOST_FILES] if self.folder is not None else ())}
        try:
            stats = [(str(file), file.stat()) for file in sorted(files)]
        except OSError:
            return None
        return tuple((name, one.st_mtime_ns, one.st_size, one.st_ino) for name, one in stats)


def _write_no_bytecode(command: PluginCommand) -> PluginCommand:
    """Return the command so that it leaves no compiled files: they tell versions apart by whole seconds."""
    environment = {**(command.environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}
    return command if command.environment is None else replace(command, environment=environment)


class GeneratorReloader:
    """A generator that is being written, as a player. Raises ConfigError if it does not load."""

    def __init__(self, place: str, python: str | None = None, *, waits: bool = False) -> None:
        """Load it, by the interpreter `python` or this one; `waits`: its answers are waited for, offline."""
        self._developed = DevelopedGenerator.find(place, python)
        self._stamp = self._seen = self._developed.read_stamp()
        loaded = load_command(self._developed.command, waits=waits)
        if loaded.generator is None:
            raise ConfigError(f"--dev {place}: {loaded.problem}; its rules: {RULES}")
        assert isinstance(loaded.generator, PluginGenerator)
        self.generator = loaded.generator
        self.name = loaded.generator.descriptor.name
        if self.name in find_plugins(GROUP) and find_plugins(GROUP)[self.name].is_ours:
            self.generator.close()
            raise ConfigError(f"{self.name} is the name of a built-in generator; give yours another one")
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._is_closing = threading.Event()
        self._thread: threading.Thread | None = None

    def describe(self) -> str:
        """Say what is watched."""
        what = self._developed.folder if self._developed.is_package else self._developed.files[0]
        return f"{self.name} is loaded again at the next bar when {what} changes"

    def start(self) -> None:
        """Watch the files from now on."""
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more. The generator is its band's to close. Safe to call twice."""
        self._is_closing.set()

    def take_lines(self) -> list[str]:
        """Return what there is to say since the last call."""
        return drain(self._lines)

    def explain(self, player: MutedPlayer) -> str:
        """Return where the rule stands that a player broke; empty for another one than this."""
        return f"; see {_point_to_rule(player.state)}" if player.name == self.name else ""

    def check(self) -> None:
        """Load the generator again if a file is another one since the last version, and was the same at the last call.

        An editor may write in several steps.
        """
        stamp = self._developed.read_stamp()
        has_settled, self._seen = stamp == self._seen, stamp
        if stamp is None or stamp == self._stamp or not has_settled:
            return
        self._stamp = stamp
        self._reload()

    def _run(self) -> None:
        disable_realtime()  # its threads and the new process would have the priority of the session
        while not self._is_closing.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception as error:  # whatever it is, the music goes on
                self._lines.append(f"{self.name} is not watched any more: {type(error).__name__}: {error}")
                return

    def _reload(self) -> None:
        state = self.generator.state
        try:
            try:
                process, descriptor = self._load(state)
                note = ""
            except _StateRefused as refused:
                process, descriptor = self._load(None)
                note = f", without its state ({refused})"
        except PlayerFault as fault:
            reason = fault.reason.removeprefix("it did not load: ")
            self._lines.append(
                f"{self.name}: not loaded: {reason}; the version before it plays on; see {_point_to_rule(fault.state)}"
            )
            return

        def begin(later_state: Any) -> PluginProcess:
            return begin_plugin(self._developed.command, self._adapt_values(descriptor), later_state)

        self.generator.replace(process, descriptor, begin, keeps_state=not note)
        self._lines.append(f"{self.name}: loaded again, heard from the next bar on{note}")

    def _load(self, state: Any) -> tuple[PluginProcess, Descriptor]:
        """Start the new version and let it play a bar; raises PlayerFault."""
        try:
            process, descriptor, values = start_plugin(self._developed.command, self._adapt_values, state)
        except ConfigError as error:
            raise PlayerFault(PlayerState.NOT_LOADED, str(error)) from error
        except PlayerFault as fault:
            if state is not None and fault.reason.startswith("reset failed"):
                raise _StateRefused(fault.reason.removeprefix("reset failed: ")) from fault
            raise
        assert isinstance(descriptor, Descriptor)
        try:
            self._try(process, values)
        except PlayerFault as fault:
            process.give_up(fault.reason)
            raise
        return process, descriptor

    def _adapt_values(self, descriptor: Descriptor | EffectDescriptor) -> dict[str, Value]:
        """Return the values in force as the new version takes them. Raises ConfigError for what is no generator."""
        if not isinstance(descriptor, Descriptor):
            raise ConfigError("it is a note effect; --dev plays generators")
        return adapt_values(descriptor.parameters, self.generator.values)

    def _try(self, process: PluginProcess, values: Mapping[str, Value]) -> None:
        """Let it play the bar that was asked for last; raises PlayerFault."""
        request = self.generator.last_request
        if request is None:
            return
        reply = process.wait(process.ask(msgspec.structs.replace(request, values=dict(values))), TRIAL_SECONDS)
        if isinstance(reply, PlayerFault):
            raise reply
        if reply is None:
            reason = process.fault or f"it did not answer for a bar within {TRIAL_SECONDS:g} s"
            raise PlayerFault(PlayerState.TOO_SLOW if process.fault is None else PlayerState.FAILED, reason)


class _StateRefused(Exception):
    """The error of a version that cannot go on from the state of the one before."""


def _point_to_rule(state: PlayerState) -> str:
    number = _RULE_NUMBERS.get(state)
    return f"{RULES}, rule {number}" if number is not None else RULES
