"""The MIDI back ends are plug-ins: what is preferred, what is skipped, and what the log says of it."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.plugins import Plugin, find_plugins
from kelly_live.core.timebase import ManualClock
from kelly_live.midi import backend_registry
from kelly_live.midi.backend import MidiBackend
from kelly_live.midi.backend_registry import GROUP, find_backends, find_frame_accurate_backends, load_backends
from tests.midi.test_supervised_input import FakeSystem

Register = Callable[..., None]


def backend(name: str) -> FakeSystem:
    fake_system = FakeSystem(ManualClock())
    fake_system.name = name
    return fake_system


def find_dummy() -> Sequence[MidiBackend]:
    return [backend("mine")]


def find_other() -> Sequence[MidiBackend]:
    return [backend("theirs")]


def find_none() -> Sequence[MidiBackend]:
    return []


def find_nonsense() -> Sequence[object]:
    return ["a port"]


def find_trouble() -> Sequence[MidiBackend]:
    raise MidiError("its server is not running")


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Replaces what is registered: names to targets in this module."""

    def register(**targets: str) -> None:
        plugins = {
            name: Plugin(name, target, "a-package", "1.0", EntryPoint(name, target, GROUP))
            for name, target in targets.items()
        }
        monkeypatch.setattr(backend_registry, "find_plugins", lambda group: plugins)
        monkeypatch.setattr(backend_registry, "_logged_problems", set())

    return register


def names(backends: Sequence[MidiBackend]) -> list[str]:
    return [one.name for one in backends]


HERE = f"{__name__}:"


def test_ours_are_registered_as_those_of_others_are() -> None:
    own_names = {name for name, plugin in find_plugins(GROUP).items() if plugin.is_ours}
    assert own_names == {"rtmidi", "libremidi", "alsa", "jack"}


def test_of_two_that_reach_the_same_ports_the_first_that_loads_is_used(register: Register) -> None:
    register(libremidi=f"{HERE}find_other", rtmidi=f"{HERE}find_dummy")
    assert names(find_backends()) == ["mine"]
    register(libremidi=f"{HERE}find_other", rtmidi="no_such_driver:find_backends")
    assert names(find_backends()) == ["theirs"]


def test_where_none_reaches_them_all_one_for_each_system_is_used(register: Register) -> None:
    missing = "no_such_driver:find_backends"
    register(rtmidi=missing, libremidi=missing, jack=f"{HERE}find_other", alsa=f"{HERE}find_dummy")
    assert names(find_backends()) == ["mine", "theirs"]
    register(rtmidi=missing, libremidi=missing, jack=f"{HERE}find_other", alsa=missing)
    assert names(find_backends()) == ["theirs"]


def test_those_of_other_packages_come_after_ours_and_those_for_exact_frames_on_request_only(register: Register) -> None:
    register(jack=f"{HERE}find_other", extra=f"{HERE}find_other", rtmidi=f"{HERE}find_dummy")
    assert names(find_backends()) == ["mine", "theirs"]
    assert names(find_frame_accurate_backends()) == ["theirs"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("no_such_driver:find_backends", "ModuleNotFoundError: No module named 'no_such_driver'"),
        (f"{HERE}find_nonsense", "str is no MidiBackend"),
        (f"{HERE}find_trouble", "did not load: its server is not running"),
    ],
)
def test_one_that_does_not_load_is_skipped_with_its_reason_in_the_log_once(
    register: Register, caplog: pytest.LogCaptureFixture, target: str, reason: str
) -> None:
    register(rtmidi=f"{HERE}find_dummy", broken=target)
    with caplog.at_level(logging.WARNING):
        assert names(find_backends()) == ["mine"]
        assert names(find_backends()) == ["mine"]
    (state,) = [one for one in load_backends() if one.problem is not None]
    assert (state.name, state.backends) == ("broken", ())
    assert reason in (state.problem or "")
    assert [record.message for record in caplog.records] == [f"the MIDI back end 'broken' is skipped: {state.problem}"]


def test_no_library_at_all_is_one_line_with_a_remedy_and_no_system_is_an_empty_list(register: Register) -> None:
    register(rtmidi="no_such_driver:x", libremidi="no_other_driver:x")
    with pytest.raises(MidiError, match=r"no_such_driver.*pip install python-rtmidi \(or pylibremidi, or alsa-midi\)"):
        find_backends()
    register()
    with pytest.raises(MidiError, match="none is registered"):
        find_backends()
    register(rtmidi=f"{HERE}find_none")
    assert find_backends() == []


def test_nothing_in_the_package_imports_a_driver_until_ports_are_listed() -> None:
    modules = "backend, backend_registry, files, inputs, offline, ports, routing, scheduler_client, supervised_input"
    script = (
        f"import sys; from kelly_live.midi import {modules}\n"
        "print([name for name in ('rtmidi', 'pylibremidi', 'alsa_midi', 'ctypes') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
