"""Controllers of real instruments: nothing lasting without `learn`, and `learn` takes what moves."""

from __future__ import annotations

import random

import pytest

from kelly_live.control.emotion_controllers import parse_controllers
from kelly_live.control.midi_learn import Movement, choose_control
from kelly_live.control.midi_map import DEFAULTS, Binding, Control, MidiMap
from kelly_live.core.actions import REACTIONS, Action
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import ReceivedMessage, all_notes_off, control_change, note_off, note_on


def read_actions(midi_map: MidiMap, *script: tuple[float, bytes]) -> list[Action]:
    return midi_map.read([ReceivedMessage(seconds, data) for seconds, data in script], lambda axis: 0.0)


def learn_control(*messages: bytes, knob: bool, endless: bool = False) -> Control | None:
    movements: dict[Control, Movement] = {}
    controls = (choose_control(data, movements, knob=knob, endless=endless) for data in messages)
    return next((control for control in controls if control is not None), None)


def test_a_piano_with_high_resolution_velocity_says_nothing() -> None:
    rng, piano = random.Random(1), []
    for n in range(48):
        at = 1.0 + n / 4
        piano += [
            (at, control_change(1, 88, rng.randrange(128))),
            (at, note_on(1, 60, 80)),
            (at + 0.2, note_off(1, 60)),
        ]
    assert read_actions(MidiMap(), *piano) == []


def test_no_default_teaches_or_changes_the_profile() -> None:
    sweep = [
        (0.1 * n, control_change(channel, n, value)) for n in range(120) for channel in (1, 16) for value in (0, 127)
    ]
    action_names = {action.name for action in read_actions(MidiMap(), *sweep)}
    assert not action_names & {*REACTIONS, "next-profile"}
    standard = {*range(20), *range(32, 85), 88, *range(91, 102), *range(120, 128)}  # by MIDI 1.0 and CA-031
    assert not {binding.control.number for binding in DEFAULTS} & standard


@pytest.mark.parametrize("number", [84, 88])
def test_the_emotion_is_not_sent_on_a_number_that_a_standard_took(number: int) -> None:
    with pytest.raises(ConfigError, match=f"controller {number} is for"):
        parse_controllers(f"valence={number}")


def test_learn_takes_the_knob_that_moves_and_not_the_pedal_that_flickers() -> None:
    flicker = [control_change(1, 11, 63 + n % 3) for n in range(60)]
    knob_messages = [control_change(1, 21, 30 + n) for n in range(20)]
    assert learn_control(*flicker, *knob_messages, knob=True) == Control("cc", 21, 1)
    assert learn_control(*flicker, control_change(1, 21, 127), knob=False) == Control("cc", 21, 1)
    assert learn_control(*flicker, knob=True) is None
    assert learn_control(*flicker, knob=False) is None


def test_learn_takes_the_coarse_half_of_a_fine_fader() -> None:
    fader = [data for n in range(8) for data in (control_change(1, 7, n), control_change(1, 39, 50 * n % 128))]
    assert learn_control(*fader, knob=True) == Control("cc", 7, 1)
    assert learn_control(*(control_change(1, 39, 9 * n) for n in range(4)), knob=True) == Control("cc", 39, 1)


def test_learn_passes_over_what_comes_before_a_note_or_a_program() -> None:
    """High-resolution velocity, a bank, a null parameter number: then the key."""
    before = [control_change(1, number, 127) for number in (88, 0, 32, 101, 100, 6, 38)]
    assert learn_control(*before, note_on(1, 60, 90), knob=False) == Control("note", 60, 1)


def test_learn_takes_an_endless_knob_that_ticks() -> None:
    ticks = [control_change(1, 50, 1)] * 3
    assert learn_control(*ticks, knob=True, endless=True) == Control("cc", 50, 1)
    assert learn_control(*ticks, knob=True) is None
    at_rest = [control_change(1, 50, n % 2) for n in range(40)]
    assert learn_control(*at_rest, knob=True, endless=True) is None


def test_a_pedal_that_flickers_about_its_middle_acts_once() -> None:
    midi_map = MidiMap((Binding(Control("cc", 64), "like"),))
    flicker = [(0.1 * n, control_change(1, 64, 63 + n % 2)) for n in range(20)]
    assert read_actions(midi_map, *flicker) == [Action("like")]
    assert read_actions(midi_map, (3.0, control_change(1, 64, 0)), (3.1, control_change(1, 64, 127))) == [
        Action("like")
    ]


@pytest.mark.parametrize("panic", [control_change(1, 29, 127), all_notes_off(3)])
def test_panic_is_reached_through_a_flood_of_pads(panic: bytes) -> None:
    pads = tuple(Binding(Control("note", number), "freeze") for number in range(128))
    flood = [(1.0, note_on(1, number, 90)) for number in range(128)]
    assert read_actions(MidiMap((*pads, *DEFAULTS)), *flood, (1.0, panic))[-1] == Action("panic")


def dump_controllers(value: int, channel: int = 1) -> list[bytes]:
    """Return the state of all controllers, as sequencers send it when they start or rewind."""
    return [control_change(channel, number, value) for number in range(120)]


@pytest.mark.parametrize("value", [0, 64, 127])
def test_a_program_that_tells_the_state_of_all_controllers_presses_none(value: int) -> None:
    midi_map = MidiMap()
    for start in (1.0, 5.0):
        for channel in range(1, 17):
            row = [(start + n / 1000, data) for n, data in enumerate(dump_controllers(value, channel))]
            assert [
                action for action in read_actions(midi_map, *row) if action.name not in ("valence", "arousal")
            ] == []


def test_a_pad_and_a_panic_work_after_such_a_row() -> None:
    midi_map = MidiMap()
    read_actions(midi_map, *((1.0 + n / 1000, data) for n, data in enumerate(dump_controllers(0))))
    pads = (2.0, control_change(1, 28, 127)), (2.1, control_change(1, 28, 0)), (2.2, control_change(1, 29, 127))
    assert read_actions(midi_map, *pads) == [Action("let-go"), Action("panic")]


def test_a_panic_in_a_row_that_is_sent_again_is_obeyed() -> None:
    midi_map = MidiMap()
    for start, value in ((1.0, 0), (2.0, 127)):
        row = [(start + n / 1000, data) for n, data in enumerate(dump_controllers(value))]
        actions = read_actions(midi_map, *row)
    assert Action("panic") in actions


@pytest.mark.parametrize("value", [0, 64, 127])
def test_learn_takes_the_pad_that_is_pressed_after_such_a_row(value: int) -> None:
    pressed = [control_change(1, 50, 0), control_change(1, 50, 127)]
    assert learn_control(*dump_controllers(value), *pressed, knob=False) == Control("cc", 50, 1)


def test_learn_takes_the_knob_that_is_turned_after_such_a_row() -> None:
    knob_messages = [control_change(1, 53, 64 + n) for n in range(20)]
    assert learn_control(*dump_controllers(64), *knob_messages, knob=True) == Control("cc", 53, 1)
