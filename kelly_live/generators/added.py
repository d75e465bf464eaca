"""The generators that the user added by hand: a file, a program, or a package of another environment.

They are kept in one file of the user's folder, `generators.json`. Thread: the main one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError, OptionError
from kelly_live.core.plugins import LOAD_SECONDS, find_plugins
from kelly_live.core.wording import quote_error
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.effects.registry import EFFECTS
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.plugin_process import MEMORY_MB, SERVER, PlayerFault, PluginCommand, PluginProcess
from kelly_live.generators.wire import GENERATOR, NOTE_EFFECT

GROUP, EFFECT_GROUP = "kelly_live.generators", "kelly_live.note_effects"
FORMAT = 1
_END_SECONDS = 2.0
MAX_FILE_BYTES = 1 << 18


class AddedGenerator(msgspec.Struct, frozen=True):
    """A generator as it is kept.

    `target` is what the environment's `python` loads (None: this program's own); without `is_python` it is a program
    that speaks the protocol itself. `kind` is a generator or a note effect.
    """

    name: str
    target: str
    is_python: bool = True
    python: str | None = None
    memory_mb: int = MEMORY_MB
    kind: str = GENERATOR

    def build_command(self) -> PluginCommand:
        """Return how to start it."""
        if self.is_python:
            return PluginCommand.for_python(self.name, self.target, self.python, self.memory_mb)
        return PluginCommand(self.name, (self.target,), memory_mb=self.memory_mb)


class _File(msgspec.Struct, frozen=True):
    format: int
    generators: tuple[AddedGenerator, ...] = ()


def find_file() -> Path:
    """Return the file of the added generators; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "generators.json"


def load_added(path: Path | None = None) -> tuple[AddedGenerator, ...]:
    """Load the added generators; raises ConfigError for a file that is none of ours."""
    path = path or find_file()
    remedy = "repair or remove it, and add the generators again"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    try:
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError(f"over {MAX_FILE_BYTES} bytes")
        content = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, ConfigError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no list of generators ({quote_error(error)}); {remedy}") from error
    if content.format != FORMAT:
        raise ConfigError(f"{path} has format {content.format}; this version reads {FORMAT}: {remedy}")
    return content.generators


def save_added(generators: Sequence[AddedGenerator], path: Path | None = None) -> None:
    """Save the added generators; raises OutputError."""
    path = path or find_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(_File(FORMAT, tuple(generators)))) + b"\n")


def add_generators(
    place: str, python: str | None = None, memory_mb: int | None = None
) -> list[tuple[AddedGenerator, Descriptor | EffectDescriptor]]:
    """Add what a path or a package offers, and return it; each is started once, to hear what it is called.

    One of the same name is replaced. Raises ConfigError and OutputError; nothing is added then.
    """
    described = []
    for found in find_targets(place, python, memory_mb or MEMORY_MB):
        process = PluginProcess(found.build_command())
        process.start()
        try:
            descriptor = process.describe(LOAD_SECONDS)
        except PlayerFault as fault:
            raise ConfigError(f"{found.target} cannot be added: {fault.reason}; repair it, and add it again") from fault
        finally:
            process.close()
            process.join(_END_SECONDS)
        name = found.name or descriptor.name
        kind = GENERATOR if isinstance(descriptor, Descriptor) else NOTE_EFFECT
        ours = [one.name for one in find_plugins(GROUP).values() if one.is_ours] if kind == GENERATOR else EFFECTS
        if name in ours:
            raise ConfigError(f"{name} is the name of a built-in {kind}; give yours another one")
        described.append((msgspec.structs.replace(found, name=name, kind=kind), descriptor))
    replaced = {(added.kind, added.name) for added, _ in described}
    kept = [one for one in load_added() if (one.kind, one.name) not in replaced]
    save_added([*kept, *(added for added, _ in described)])
    return described


def remove_generator(name: str) -> None:
    """Forget an added generator; raises ConfigError if there is none of the name."""
    generators = load_added()
    kept = [one for one in generators if one.name != name]
    if len(kept) == len(generators):
        names = ", ".join(one.name for one in generators) or "none"
        raise OptionError(f"no generator {name[:60]!r} was added; added are: {names}")
    save_added(kept)


def find_targets(place: str, python: str | None, memory_mb: int = MEMORY_MB) -> tuple[AddedGenerator, ...]:
    """Return what a path or a package offers, each named as its package says; a path's has no name yet.

    A `.py` file (or `file.py:Class`) is run by `python`, any other file is a program. Raises ConfigError.
    """
    require_interpreter(python)
    python = None if python is None else str(Path(python).absolute())  # not resolved: a link makes an environment
    file, _, name = place.partition(".py:")
    path = Path(file + ".py" if name else place)
    if path.is_file():
        target = str(path.absolute())
        if path.suffix == ".py":
            return (AddedGenerator("", f"{target}:{name}" if name else target, True, python, memory_mb),)
        if not os.access(path, os.X_OK):
            raise ConfigError(f"{path} is no program; make it executable (chmod +x {path})")
        return (AddedGenerator("", target, is_python=False, memory_mb=memory_mb),)
    if os.sep in place or place.endswith(".py"):
        raise ConfigError(f"there is no file {place!r}; name a file, or a package that is installed")
    listed = _list_package(place, python)
    if not listed:
        raise ConfigError(f"{place} declares no generator; it needs the entry-point group {GROUP} or {EFFECT_GROUP}")
    return tuple(AddedGenerator(one["name"], one["target"], True, python, memory_mb) for one in listed)


def require_interpreter(python: str | None) -> None:
    """Raise ConfigError for a path that is no program; None is this interpreter."""
    if python is not None and not os.access(python, os.X_OK):
        raise ConfigError(f"{python} is no interpreter; name the python of an environment, as /its/venv/bin/python")


def _list_package(package: str, python: str | None) -> list[dict[str, str]]:
    command = PluginCommand.for_python(package, "", python)
    interpreter = command.arguments[0]
    try:
        result = subprocess.run(
            [interpreter, str(SERVER), "--list", package],
            env=command.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=LOAD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{interpreter} cannot list what {package} declares ({quote_error(error)})") from error
    if result.returncode != 0:
        raise ConfigError(f"{interpreter} has no package {package!r}; install it there, or name a file")
    found: list[dict[str, str]] = json.loads(result.stdout)
    return found
