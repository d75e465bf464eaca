"""MIDI through JACK with its own library alone, as on Pythons that have no other: an input hears an output, in time."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage, control_change, note_off, note_on
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend_registry import find_backends
from kelly_live.midi.backends import jack as backend_jack
from kelly_live.midi.backends.jack import JackBackend, JackOut
from tests.live.conftest import (
    LIBRARIES,
    PERIOD_SECONDS,
    SAMPLE_RATE,
    JackServer,
    end,
    need_library,
    wait_for,
)

SPACING_SECONDS = 0.05
MELODY = range(60, 80)
LIMIT_SECONDS = 0.2 * PERIOD_SECONDS


@pytest.fixture
def backend(jack_server: JackServer) -> JackBackend:
    (jack_backend,) = backend_jack.find_backends()
    assert isinstance(jack_backend, JackBackend)
    return jack_backend


@pytest.fixture
def connected(prompt_server: JackServer) -> Iterator[tuple[MidiIn, JackOut]]:
    """An input and the output that leads to it."""
    backend = JackBackend()
    with closing(backend.open_virtual_input("Kelly Listens")) as source:
        (name,) = wait_for(lambda: [one for one in backend.outputs() if one.endswith(":Kelly Listens")], "the input")
        with closing(backend.open(name)) as out:
            yield source, out


def start_note(pitch: int) -> bytes:
    return note_on(1, pitch, 80)


def end_note(pitch: int) -> bytes:
    return note_off(1, pitch)


def hear(source: MidiIn, count: int) -> list[ReceivedMessage]:
    messages: list[ReceivedMessage] = []
    wait_for(lambda: (messages.extend(source.poll()), len(messages) >= count)[1], f"{count} messages")
    return messages


def test_twenty_notes_come_in_order_each_with_the_time_of_its_frame(connected: tuple[MidiIn, JackOut]) -> None:
    source, out = connected

    def perform() -> float:
        start = read_clock() + 0.2
        for number, pitch in enumerate(MELODY):
            out.send_at(start_note(pitch), start + number * SPACING_SECONDS)
            out.send_at(end_note(pitch), start + (number + 0.5) * SPACING_SECONDS)
        messages = hear(source, 40)
        assert [one.data for one in messages] == [
            m for pitch in MELODY for m in (note_on(1, pitch, 80), note_off(1, pitch))
        ]
        assert source.overflows == 0
        times = [one.seconds for one in messages]
        assert times == sorted(times)
        assert times[-1] <= read_clock()
        errors = sorted(abs(later - earlier - 0.5 * SPACING_SECONDS) for earlier, later in itertools.pairwise(times))
        print(f"  gap error: median {errors[20] * 1e3:.3f} ms, worst {errors[-1] * 1e3:.3f} ms")
        return errors[20]

    # Of a starved machine the best of three decides; a wrong stamp, as of the period's start, is off by a third of it.
    tries: list[float] = []
    while len(tries) < 3 and min(tries, default=1.0) > LIMIT_SECONDS:
        tries.append(perform())
    assert min(tries) < LIMIT_SECONDS
    assert source.grain_seconds == pytest.approx(PERIOD_SECONDS)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_panic_is_heard_after_a_sysex_without_its_end(prompt_server: JackServer, library: str) -> None:
    (backend,) = [one for one in need_library(library)() if one.name.endswith(":jack")]
    broken, panic = b"\xf0\x7e\x01", control_change(1, 29, 127)
    with closing(backend.open_virtual_input("Kelly Listens")) as source:
        (name,) = wait_for(
            lambda: [one for one in JackBackend().outputs() if one.endswith(":Kelly Listens")], "the input"
        )
        with closing(JackBackend().open(name)) as out:
            for data in (note_on(1, 60, 80), broken, panic, broken, note_on(1, 62, 80), b"\x01\xf7", panic):
                out.send(data)
            messages = [one.data for one in hear(source, 4)]
    assert messages == [note_on(1, 60, 80), panic, note_on(1, 62, 80), panic]


def test_an_input_follows_a_period_that_is_changed(own_server: JackServer) -> None:
    with closing(JackBackend().open_virtual_input("Kelly Listens")) as source:
        subprocess.run(["jack_bufsize", "1024"], check=True, capture_output=True)
        wait_for(lambda: source.grain_seconds == pytest.approx(1024 / SAMPLE_RATE), "the new period")
        assert source.is_alive()


def test_an_output_is_heard_by_the_input_that_names_it(backend: JackBackend) -> None:
    with closing(backend.open_virtual("Kelly Plays")) as out:
        (name,) = wait_for(lambda: [one for one in backend.inputs() if one.endswith(":Kelly Plays")], "the output")
        with closing(backend.open_input(name)) as source:
            assert (source.name, source.is_alive()) == (name, True)

            def receives_note() -> bool:
                out.send(note_on(1, 60, 80))
                return note_on(1, 60, 80) in [one.data for one in source.poll()]

            wait_for(receives_note, "a note")
            out.close()
            wait_for(lambda: not source.is_alive(), "the loss")
        assert not source.is_alive()


def test_a_port_that_is_not_there_is_one_line(backend: JackBackend) -> None:
    for open_port, kind in ((backend.open, "output"), (backend.open_input, "input")):
        with pytest.raises(MidiError, match=f"the MIDI {kind} 'nobody:here' is gone; .* see `kelly-live devices`"):
            open_port("nobody:here")


def test_an_input_tells_that_its_server_died_and_closes_quickly(own_server: JackServer) -> None:
    (backend,) = backend_jack.find_backends()
    source = backend.open_virtual_input("Kelly Listens")
    assert source.is_alive()
    end(own_server.process)
    wait_for(lambda: not source.is_alive(), "the loss")
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 3.0
    assert backend_jack.find_backends() == []


def test_an_input_leaves_no_process_behind(backend: JackBackend) -> None:
    source = backend.open_virtual_input("Kelly Listens")
    listing = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True).stdout
    assert ":Kelly Listens" in listing
    source.close()
    source.close()
    assert not [one for one in backend.outputs() if one.endswith(":Kelly Listens")]


def test_whatever_this_interpreter_has_reaches_jack(jack_server: JackServer) -> None:
    assert [one.name.split(":")[1] for one in find_backends()] == ["jack"]
