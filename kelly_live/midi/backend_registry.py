"""Find and load the MIDI back ends, ours and those of other packages.

The contract is in `midi/backend.py`. Importing this imports no driver. A back end that does not load is skipped with
its reason in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.errors import MidiError
from kelly_live.core.plugins import Plugin, describe_load_failure, find_plugins, guard_call
from kelly_live.midi.backend import MidiBackend

GROUP = "kelly_live.midi_backends"
# Each row reaches the ports of the same systems, so the first of which anything loads is used. python-rtmidi has no
# wheels from Python 3.13 on; nor has libremidi on Linux, where one library for each system takes their place.
ALTERNATIVES = (("rtmidi",), ("libremidi",), ("alsa", "jack"))
FRAME_ACCURATE = ("jack",)  # used on request where another alternative loads, which reaches the same ports

_log = logging.getLogger(__name__)
_logged_problems: set[tuple[str, str]] = set()  # the problems that the log has, so that a retry does not fill it


@dataclass(frozen=True, slots=True)
class LoadedBackends:
    """The systems that a plug-in reaches now, or the one-line `problem` that kept it from loading."""

    name: str
    backends: tuple[MidiBackend, ...]
    problem: str | None = None


def load_backends() -> list[LoadedBackends]:
    """Load what is used by default: the first row of alternatives that loads, then those of other packages."""
    plugins = find_plugins(GROUP)
    backend_sets: list[LoadedBackends] = []
    for names in ALTERNATIVES:
        row = [_load(plugins[name]) for name in names if name in plugins]
        backend_sets += row
        if any(one.problem is None for one in row):
            break
    others = [name for name in plugins if not any(name in names for names in ALTERNATIVES)]
    return backend_sets + [_load(plugins[name]) for name in others]


def find_backends() -> list[MidiBackend]:
    """Return the back ends that work here now, preferred first; empty if no MIDI system is there.

    Raises:
        MidiError: No MIDI library is installed.
    """
    backend_sets = load_backends()
    if all(one.problem is not None for one in backend_sets):
        reasons = (
            "; ".join(one.problem for one in backend_sets if one.problem)
            or "none is registered; install kelly-live anew"
        )
        raise MidiError(
            f"no MIDI library can be loaded ({reasons}); install one: pip install python-rtmidi "
            "(or pylibremidi, or alsa-midi)"
        )
    return [backend for one in backend_sets for backend in one.backends]


def find_frame_accurate_backends() -> list[MidiBackend]:
    """Return those whose outputs place each message at its frame: JACK, so far.

    Raises:
        MidiError: There is none.
    """
    plugins = find_plugins(GROUP)
    backend_sets = [_load(plugins[name]) for name in FRAME_ACCURATE if name in plugins]
    backends = [backend for one in backend_sets for backend in one.backends]
    if not backends:
        raise MidiError("--frame-accurate needs a running JACK server and libjack; start one, or leave it out")
    return backends


def _load(plugin: Plugin) -> LoadedBackends:
    try:
        with guard_call():
            backends = tuple(_check(plugin.load()()))
    except Exception as error:  # code of another package: anything that it raises is reported, not passed on
        problem = describe_load_failure(plugin, error)
        if (plugin.name, problem) not in _logged_problems:
            _logged_problems.add((plugin.name, problem))
            _log.warning("the MIDI back end %r is skipped: %s", plugin.name, problem)
        return LoadedBackends(plugin.name, (), problem)
    return LoadedBackends(plugin.name, backends)


def _check(backends: Sequence[MidiBackend]) -> Sequence[MidiBackend]:
    for backend in backends:
        if not isinstance(backend, MidiBackend):
            raise MidiError(f"{type(backend).__name__} is no MidiBackend (see kelly_live.midi.backend)")
    return backends
