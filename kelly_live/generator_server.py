"""Runs one generator in a process of its own, and speaks the host's protocol for it: docs/generator-protocol.md.

`python generator_server.py TARGET` serves the generator TARGET: a `module:Class`, `file.py` or `file.py:Class`. `python
generator_server.py --list PACKAGE` prints the targets that an installed package declares, as JSON. This file needs
nothing but Python 3.8 and its standard library, so that the interpreter of any environment can run it; kelly-live need
not be installed there. A generator that imports kelly_live gets its values; any other gets plain ones with the same
names (`PlainContext`).

Threads: one. The generator's own are its business. What it prints goes to stderr, which the host logs: the two pipes
are moved out of its reach before it is imported.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.path and sys.path[0].endswith("kelly_live"):
    del sys.path[0]  # this file's folder: its modules would hide others of the same names

import importlib
import importlib.util
import itertools
import json
import numbers
import os
import sysconfig
import threading
import time
import types
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PROTOCOL = 1
GROUPS = ("kelly_live.generators", "kelly_live.note_effects")
MAX_NOTES_PER_BEAT = 128
MAX_STATE_BYTES = 1 << 16
_MAX_REASON = 200  # characters of an error that the host repeats
_MAX_FILE_NAME = 60
_MAX_SHOWN = 40  # characters of a value that is no number
_PIPE_NUMBER = 200  # over those that a generator may close by mistake
_NOTE_FIELDS = ("onset_beats", "duration_beats", "pitch", "velocity", "cents")


class RuleBroken(Exception):
    """The error of a generator that broke a rule of the contract; its text says which."""


class PlainContext(types.SimpleNamespace):
    """The moment that a generator plays in, as the protocol's `music` has it, with a few questions to ask of it."""

    def chord_at(self, beat: float) -> types.SimpleNamespace:
        """Return the chord at a beat: its `name` and `pitch_classes`, root first."""
        starts = [chord.start_beat for chord in self.chords]
        chord: types.SimpleNamespace = self.chords[max(0, bisect_right(starts, beat) - 1)]
        return chord

    def bar_at(self, beat: float) -> int:
        """Return the bar of the session that a beat lies in, from 0."""
        return int(beat // self.beats_per_bar)

    def tones_between(self, low: float, high: float, beat: Any = None) -> list[tuple[int, float]]:
        """Return pitch and cents of each tone of the scale from `low` to `high` (MIDI note numbers), rising.

        With a `beat`, return those of the chord there alone.
        """
        wanted = None if beat is None else self.chord_at(beat).pitch_classes
        tones = []
        for octave in range(int((low - self.tonic) // 12) - 1, int((high - self.tonic) // 12) + 1):
            for cents in self.scale_cents:
                exact = 12.0 * octave + self.tonic + cents / 100.0
                pitch = round(exact)
                if low <= exact <= high and 0 <= pitch <= 127 and (wanted is None or pitch % 12 in wanted):
                    tones.append((pitch, round(100.0 * (exact - pitch), 6)))
        return tones


class GeneratorServer:
    """Answers the host's requests for one generator.

    Args:
        load: Returns the generator's class, or whatever makes it; called at the first request that needs it.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._made_by: Any = None
        self._generator: Any = None
        self._values: dict[str, Any] = {}  # of its parameters, as it was given them

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the answer to a request. Whatever the generator raises becomes an answer of the type `error`."""
        request = json.loads(line)
        try:
            answer: dict[str, Any] = getattr(self, "_" + request["type"])(request, line)
        except BaseException as error:  # `sys.exit` and KeyboardInterrupt, too, end no more than the call
            place = find_place(error)
            reason = describe_error(error)[: _MAX_REASON - len(place)] + place
            answer = {"type": "error", "reason": reason, "rule": isinstance(error, RuleBroken)}
        return {"id": request["id"], **answer}

    def _hello(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        return {"type": "hello", "protocol": PROTOCOL, "language": "Python " + sys.version.split()[0]}

    def _describe(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        made_by = self._get_maker()
        descriptor = getattr(made_by, "descriptor", None)
        if descriptor is not None and self._is_effect():
            return _describe_effect(made_by, descriptor)
        if descriptor is None or not all(callable(getattr(made_by, name, None)) for name in ("generate", "reset")):
            raise RuleBroken("it is not a generator: it lacks `descriptor`, `generate` or `reset`")
        parameters = [_read_parameter(one) for one in _get(descriptor, "parameters", ())]
        if parameters and not callable(getattr(made_by, "configure", None)):
            raise RuleBroken("it declares parameters, but has no `configure` to take their values")
        fields: dict[str, Any] = {name: _get(descriptor, name) for name in ("name", "part", "channel", "program")}
        fields["help"] = _get(descriptor, "help", "")
        fields["yields_to_style"] = bool(_get(descriptor, "yields_to_style", False))
        return {"type": "descriptor", **fields, "parameters": parameters}

    def _configure(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        is_effect = self._is_effect()
        self._generator = self._get_maker()(*[request["values"]] * is_effect)  # an effect is made with its values
        if _knows_our_values():
            importlib.import_module("kelly_live.generators.wire")  # now, rather than when notes are due
        self._values = dict(request["values"]) if is_effect else {}
        self._set_values(request["values"])
        return {"type": "done"}

    def _set_values(self, values: dict[str, Any]) -> None:
        if values == self._values:
            return
        if callable(getattr(self._generator, "configure", None)):
            self._generator.configure(dict(values))
        else:  # an effect that takes them once
            self._generator = self._get_maker()(dict(values))
        self._values = values

    def _process(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        start, end = request["start_beat"], request["end_beat"]
        self._set_values(request.get("values") or self._values)
        if _knows_our_values():
            notes, context = importlib.import_module("kelly_live.generators.wire").decode_process(line)
        else:
            channel = request["channel"]
            notes = [types.SimpleNamespace(channel=channel, **note) for note in request["notes"]]
            context = PlainContext(**vars(_as_plain(request["music"])))
        answer = self._generator.process(notes, context, start, end)
        return {"type": "notes", "notes": _read_notes(answer, start, end), "state": self._save_state()}

    def _is_effect(self) -> bool:
        made_by = self._get_maker()
        return callable(getattr(made_by, "process", None)) and not callable(getattr(made_by, "generate", None))

    def _reset(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        self._generator.reset()
        if request.get("state") is not None:
            self._generator.load_state(request["state"])
        return {"type": "done"}

    def _generate(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        start, end = request["start_beat"], request["end_beat"]
        self._set_values(request.get("values") or self._values)
        answer = self._generator.generate(*self._read_music(request, line), start, end)
        return {"type": "notes", "notes": _read_notes(answer, start, end), "state": self._save_state()}

    def _inspect(self, request: dict[str, Any], line: bytes) -> dict[str, Any]:
        shared = sys.modules.get("random")
        return {
            "type": "surroundings",
            "processor_seconds": time.process_time(),
            "threads": threading.active_count(),
            "folder": os.getcwd(),
            "environment": _digest(sorted(os.environ.items())),
            "clock": _digest([id(getattr(time, name)) for name in ("time", "monotonic", "perf_counter", "sleep")]),
            "random": "" if shared is None else _digest(shared.getstate()),
        }

    def _get_maker(self) -> Any:
        if self._made_by is None:
            self._made_by = self._load()
        return self._made_by

    def _read_music(self, request: dict[str, Any], line: bytes) -> Any:
        """Return parameters and context: kelly-live's own values for a generator that knows them, else plain ones."""
        if _knows_our_values():
            return importlib.import_module("kelly_live.generators.wire").decode_music(line)
        return _as_plain(request["parameters"]), PlainContext(**vars(_as_plain(request["music"])))

    def _save_state(self) -> Any:
        if not hasattr(self._generator, "save_state"):
            return None
        state = self._generator.save_state()
        try:
            size = len(json.dumps(state, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise RuleBroken(f"save_state must return what JSON can hold ({error})") from error
        if size > MAX_STATE_BYTES:
            raise RuleBroken(f"its state has {size} bytes; at most {MAX_STATE_BYTES} are allowed")
        return state


def _knows_our_values() -> bool:
    """Tell whether the generator has imported kelly-live's values."""
    return "kelly_live.core.values" in sys.modules


def describe_error(error: BaseException) -> str:
    """Return an error in one line; one of kelly-live's is quoted without its type."""
    try:
        text = " ".join(str(error).split())[:_MAX_REASON]
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
    except Exception:  # its own text fails, too
        text = ""
    is_plain = any(one.__name__ in ("KellyError", "RuleBroken") for one in type(error).__mro__)
    if is_plain and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def find_place(error: BaseException) -> str:
    """Return where an error was raised, as " (my_bass.py line 17)": the innermost line that is no library's."""
    if isinstance(error, (RuleBroken, SyntaxError)):
        return ""  # a syntax error says it itself
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    libraries = ("<frozen", *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
    places = [place for place in places if place[0] != __file__]
    own = [place for place in places if not place[0].startswith(libraries)]
    if not (own or places):
        return ""
    file, line = (own or places)[-1]
    return f" ({os.path.basename(file)[:_MAX_FILE_NAME]} line {line})"


def _get(values: Any, name: str, *default: Any) -> Any:
    """Return a field of a mapping or an attribute of an object."""
    if isinstance(values, dict):
        return values.get(name, *default) if default else values[name]
    return getattr(values, name, *default)


def _read_parameter(parameter: Any) -> dict[str, Any]:
    names = ("low", "high", "choices", "unit")
    fields = {name: _get(parameter, name) for name in ("name", "default", "help")}
    given = {name: _get(parameter, name, None) for name in names}
    return {**fields, **{name: value for name, value in given.items() if value is not None}}


def _iterate(answer: Any) -> Iterator[Any]:
    try:
        return iter(answer)
    except TypeError as error:
        text = f"returned a {type(answer).__name__}; it must return a list of NoteEvents"
        raise RuleBroken(text) from error


def _read_notes(answer: Any, start: float, end: float) -> list[dict[str, Any]]:
    most = int(max(1.0, end - start) * MAX_NOTES_PER_BEAT) + 2  # one more than the host takes
    return [_read_note(note) for note in itertools.islice(_iterate(answer), most)]


def _describe_effect(made_by: Any, descriptor: Any) -> dict[str, Any]:
    if not callable(getattr(made_by, "reset", None)):
        raise RuleBroken("it is not a note effect: it lacks `reset`")
    return {
        "type": "descriptor",
        "kind": "note effect",
        "name": _get(descriptor, "name"),
        "help": _get(descriptor, "help", ""),
        "needs_pitch": bool(_get(descriptor, "needs_pitch", False)),
        "parameters": [_read_parameter(one) for one in _get(descriptor, "parameters", ())],
    }


def _read_note(note: Any) -> dict[str, Any]:
    if not isinstance(note, dict) and not hasattr(type(note), "onset_beats") and not hasattr(note, "onset_beats"):
        raise RuleBroken(f"returned a {type(note).__name__}; it must return NoteEvents")
    fields = {name: _read_number(_get(note, name)) for name in _NOTE_FIELDS[:-1]}
    fields["cents"] = _read_number(_get(note, "cents", 0.0))
    return fields


def _read_number(value: Any) -> Any:
    """Return a number of any type as JSON has it; anything else as text, for the host to refuse that note."""
    if type(value) is int or (type(value) is float and value - value == 0.0):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number - number == 0.0:
            return number
    return repr(value)[:_MAX_SHOWN]


def _digest(value: Any) -> str:
    return format(zlib.crc32(repr(value).encode("utf-8", "surrogateescape")), "08x")


def _as_plain(value: Any) -> Any:
    """Return JSON's objects as namespaces and its arrays as tuples."""
    if isinstance(value, dict):
        return types.SimpleNamespace(**{name: _as_plain(one) for name, one in value.items()})
    return tuple(map(_as_plain, value)) if isinstance(value, list) else value


def load_target(target: str) -> Any:
    """Import a target and return its class: `module:Class`, `file.py` or `file.py:Class`."""
    place, _, name = target.rpartition(":") if not target.endswith(".py") else (target, "", "")
    if not place.endswith(".py"):
        found = importlib.import_module(place)
        for part in name.split("."):
            found = getattr(found, part)
        return found
    sys.path.insert(0, os.path.dirname(os.path.abspath(place)))
    module = importlib.import_module(os.path.basename(place)[:-3])
    if name:
        return getattr(module, name)
    own = [one for one in vars(module).values() if getattr(one, "__module__", None) == module.__name__]
    calls = ("generate", "process")
    classes = [one for one in own if isinstance(one, type) and hasattr(one, "descriptor")]
    classes = [one for one in classes if any(callable(getattr(one, call, None)) for call in calls)]
    if len(classes) != 1:
        names = ", ".join(one.__name__ for one in classes) or "none"
        text = "{} holds {} generators ({}); name one as {}:CLASS"
        raise RuleBroken(text.format(os.path.basename(place), len(classes), names, os.path.basename(place)))
    return classes[0]


def list_targets(package: str) -> list[dict[str, str]]:
    """List what an installed package declares in the entry-point groups of generators and note effects."""
    from importlib.metadata import distribution

    found = distribution(package)
    points = [point for point in found.entry_points if point.group in GROUPS]
    return [{"name": point.name, "target": point.value, "version": found.version} for point in points]


def take_pipes() -> Iterable[Any]:
    """Move the host's two pipes to where nothing else reads or writes, and return them: for reading, for writing."""
    numbers_taken = []
    for number in (0, 1):
        try:
            import fcntl

            numbers_taken.append(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _PIPE_NUMBER + number))
        except (ImportError, OSError):  # Windows, or a limit below that
            numbers_taken.append(os.dup(number))
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    os.close(nowhere)
    return open(numbers_taken[0], "rb"), numbers_taken[1]


def serve(server: GeneratorServer) -> None:
    """Answer requests until the host closes its end."""
    requests, pipe = take_pipes()
    write = os.write
    while True:
        try:
            line = requests.readline()
            if not line:
                break
            rest = json.dumps(server.answer(line), allow_nan=False).encode() + b"\n"
        except KeyboardInterrupt:  # raised between two calls
            continue
        while rest:
            rest = rest[write(pipe, rest) :]
    sys.stdout.flush()
    os._exit(0)  # what the generator left running ends here


def main(arguments: list[str]) -> str | None:
    """Serve a target, or list a package's; return an error line."""
    if len(arguments) == 2 and arguments[0] == "--list":
        try:
            print(json.dumps(list_targets(arguments[1])))
        except ImportError as error:
            return describe_error(error)
        return None
    if len(arguments) != 1:
        return "usage: generator_server.py TARGET, or generator_server.py --list PACKAGE"
    serve(GeneratorServer(lambda: load_target(arguments[0])))
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
