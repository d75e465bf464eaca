"""Floods, broken bytes and accidents at the MIDI input: what repeats gives way to what does not."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from kelly_live.control.midi_map import DEFAULTS, Binding, Control, MidiMap
from kelly_live.core.actions import Action
from kelly_live.core.midi_messages import (
    CLOCK,
    all_notes_off,
    all_sound_off,
    bend_to,
    control_change,
    note_off,
    note_on,
    program_change,
)
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.input_queue import CAPACITY_MESSAGES, InputQueue, ScriptedInput
from kelly_live.midi.inputs import SharedInput

PANIC = Action("panic")
MAP = (
    *DEFAULTS,
    Binding(Control("note", 36), "panic"),
    Binding(Control("program", 9), "panic"),
    Binding(Control("cc", 64), "panic"),
)
SECONDS = 2
EVERY = 3000  # messages a second: an MPE controller by USB
rng = random.Random(1)
OTHERS = sorted(set(range(120)) - {29, 64})

STREAMS = {
    "channel pressure": [bytes((0xD0 | n % 16, n % 128)) for n in range(EVERY)],
    "key pressure": [bytes((0xA0, n % 128, n * 7 % 128)) for n in range(EVERY)],
    "bend": [bend_to(1 + n % 16, n * 5 % 16384) for n in range(EVERY)],
    "a fader": [control_change(1, 7, n % 128) for n in range(EVERY)],
    "fine faders": [control_change(1, (10, 42)[n % 2], n % 128) for n in range(EVERY)],
    "parameter numbers": [control_change(1, (101, 100, 6, 38, 96, 97, 99, 98)[n % 8], n % 128) for n in range(EVERY)],
    "any controller": [control_change(1 + n % 16, rng.choice(OTHERS), n % 128) for n in range(EVERY)],
    "notes": [(note_on, lambda c, k, v: note_off(c, k))[n % 2](1, 60 + n // 2 % 12, 90) for n in range(EVERY)],
    "programs": [program_change(2, 10 + n % 100) for n in range(EVERY)],
    "system exclusive": [b"\xf0" + bytes(64) + b"\xf7"] * EVERY,
    "broken bytes": [bytes(rng.randrange(128) for _ in range(3)) for _ in range(EVERY)],
    "active sensing": [b"\xfe"] * EVERY,
    "clock": [CLOCK] * EVERY,
    "an MPE hand": [
        message
        for n in range(EVERY // 3)
        for message in (bytes((0xD1 + n % 5, n % 128)), bend_to(2 + n % 5, n), control_change(2 + n % 5, 74, n % 128))
    ],
}  # fmt: skip

PRESSES = {
    "button": (control_change(1, 29, 127), control_change(1, 29, 0)),
    "soft button": (control_change(1, 29, 0), control_change(1, 29, 90), control_change(1, 29, 0)),
    "pad": (note_on(10, 36, 90), note_off(10, 36)),
    "pad that releases by velocity 0": (note_on(10, 36, 1), note_on(10, 36, 0)),
    "program": (program_change(3, 9),),
    "footswitch": (control_change(2, 64, 127), control_change(2, 64, 0)),
    "all notes off": (all_notes_off(1),),
    "all sound off": tuple(all_sound_off(channel) for channel in range(1, 17)),
    "button that sends no release": (control_change(4, 29, 127),),
}


def play(script: Iterable[tuple[float, bytes]], *, poll_seconds: float = 0.05, bindings=MAP) -> list[Action]:
    """Through a shared input whose other reader never polls, as a session reads it."""
    clock, actions = ManualClock(), []
    shared_input = SharedInput(ScriptedInput(list(script), clock))
    shared_input.branch()
    branch, midi_map = shared_input.branch(), MidiMap(bindings)
    while clock.now() < SECONDS + 1.0:
        clock.advance(poll_seconds)
        actions += midi_map.read(branch.poll(), lambda axis: 0.0)
    return actions


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("press", PRESSES)
def test_every_panic_is_heard_through_every_flood(stream: str, press: str) -> None:
    flood = [(1.0 + n / EVERY, STREAMS[stream][n % EVERY]) for n in range((SECONDS - 1) * EVERY)]
    presses = [(1.033 + 0.2 * n + 0.002 * i, data) for n in range(4) for i, data in enumerate(PRESSES[press])]
    assert play(sorted(flood + presses, key=lambda one: one[0])).count(PANIC) == 4


@pytest.mark.parametrize("stream", [name for name in STREAMS if name != "broken bytes"])
def test_no_flood_is_a_panic(stream: str) -> None:
    assert PANIC not in play((n / EVERY, STREAMS[stream][n % EVERY]) for n in range(EVERY))


def test_of_a_stream_the_newest_value_comes_and_the_rest_is_counted() -> None:
    queue = InputQueue()
    for n in range(20_000):
        queue.put(1.0, bytes((0xD0, n % 128)))
        queue.put(1.0, bend_to(3, n % 16384))
    messages = [message.data for message in queue.take()]
    assert messages[-2:] == [bytes((0xD0, 19_999 % 128)), bend_to(3, 19_999 % 16384)]
    assert queue.overflows == 40_000 - len(messages)


@pytest.mark.parametrize("switch", [note_on(1, 60, 90), program_change(1, 5), control_change(1, 30, 127), b"\xfa"])
def test_a_reader_that_comes_late_finds_each_switch(switch: bytes) -> None:
    queue = InputQueue()
    for n in range(5 * CAPACITY_MESSAGES):
        queue.put(n / 500, control_change(1, 7, n % 128))
        if n == 2000:
            queue.put(n / 500, switch)
    assert switch in [message.data for message in queue.take()]


def test_a_press_and_its_release_are_both_kept_in_a_flood_of_the_same_button() -> None:
    queue = InputQueue()
    for n in range(8000):
        queue.put(1.0, control_change(1, 29, 127 * (n % 2)))
    messages = [message.data for message in queue.take()]
    assert messages[-2:] == [control_change(1, 29, 0), control_change(1, 29, 127)]


BROKEN = {
    "a status alone": b"\xb0",
    "a message cut short": b"\xb0\x1d",
    "data without a status": b"\x1d\x7f",
    "system exclusive without its end": b"\xf0\x7e\x1d\x7f",
    "the rest of one": b"\x1d\x7f\xf7",
    "its end alone": b"\xf7",
    "an undefined status": b"\xf4\x1d\x7f",
    "an undefined real-time status": b"\xfd",
    "nothing": b"",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_after_broken_bytes_panic_is_heard_once_and_they_are_none(broken: str) -> None:
    press = control_change(1, 29, 127)
    assert play([(0.1, control_change(1, 29, 0)), (0.2, BROKEN[broken])]) == []
    assert play([(0.1, control_change(1, 29, 0)), (0.2, BROKEN[broken]), (0.3, press)]) == [PANIC]


@pytest.mark.parametrize(
    "packet",
    [
        b"\xb0\x1d\x00\x1d\x7f",  # a running status
        b"\xb0\x1d\xf8\x7f",  # a clock within
        b"\x90\x40\xb0\x1d\x7f",  # what it cuts off
        b"\xf0\x7e\x01\xb0\x1d\x7f",  # an exclusive that it ends
        b"\xf0\x7e\xf7\xb0\x1d\x7f",
        b"\xfe\xb0\x1d\x7f",
    ],
)
def test_a_packet_may_hold_more_than_a_panic(packet: bytes) -> None:
    assert play([(0.1, packet)]) == [PANIC]


@pytest.mark.parametrize("number", [29, 64])
@pytest.mark.parametrize("step", [1, 3, 8, 20])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.1])
def test_a_fader_that_passes_by_is_no_panic(number: int, step: int, seconds: float) -> None:
    values = [*range(0, 128, step), 127, 127, *range(126, -1, -step), *range(0, 128, step)]
    assert PANIC not in play((0.1 + n * seconds, control_change(1, number, value)) for n, value in enumerate(values))


def test_a_fine_fader_at_its_end_is_no_panic() -> None:
    """Its coarse half stays at 127 while the fine one moves."""
    values = [(number, value) for n in range(120, 128) for number, value in ((61, n), (29, 127))]
    assert PANIC not in play((0.1 * n, control_change(1, *pair)) for n, pair in enumerate(values))


def test_a_fader_in_a_flood_leaves_no_jump() -> None:
    sweep = [control_change(1, 29, value) for value in (*range(128), *range(127, -1, -1), *range(128))]
    flood = [control_change(1, 7, n % 128) for n in range(4000)]
    assert PANIC not in play((1.0 + n / 1e5, data) for n, data in enumerate([*flood, *sweep]))


@pytest.mark.parametrize(
    "messages",
    [
        (note_off(10, 36),),
        (note_on(10, 36, 0),),
        (control_change(1, 29, 0), control_change(1, 29, 63), control_change(1, 29, 0)),
        (program_change(1, 8), program_change(1, 10)),
        (control_change(1, 0, 127), control_change(1, 32, 127)),  # a bank
        (control_change(1, 121, 0), control_change(1, 122, 127)),  # reset of controllers, local control
        (control_change(1, 124, 0), control_change(1, 126, 1)),  # modes
        (bytes((0xA0, 36, 127)), bytes((0xD0, 127))),
    ],
)
def test_what_is_near_a_panic_is_none(messages: tuple[bytes, ...]) -> None:
    assert play((0.5 + 0.001 * n, data) for n, data in enumerate(messages)) == []


def test_a_keyboard_that_says_all_notes_off_after_its_last_key_is_no_panic() -> None:
    keys = [(0.5, note_on(1, 60, 90)), (0.9, note_off(1, 60)), (0.901, all_notes_off(1))]
    assert play(keys) == []


def test_all_notes_off_is_a_panic_while_keys_are_down_and_long_after() -> None:
    chord = [(0.5, note_on(1, 60, 90)), (0.5, note_on(1, 64, 90)), (1.0, note_off(1, 60)), (1.0, all_notes_off(1))]
    assert play([*chord, (2.0, note_off(1, 64)), (2.5, all_notes_off(1))]) == [PANIC, PANIC]
