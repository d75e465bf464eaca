"""MIDI controls become actions: buttons once, knobs from the axis's position, floods not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.cli import learn
from kelly_live.control import midi_learn, midi_map
from kelly_live.control.emotion_controllers import ALL_CONTROLLERS
from kelly_live.control.midi_map import (
    DEFAULTS,
    Binding,
    Control,
    MidiMap,
    add_binding,
    add_defaults,
    load_bindings,
    save_bindings,
)
from kelly_live.core.actions import ACTIONS, REACTIONS, Action
from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.core.midi_messages import (
    ReceivedMessage,
    all_notes_off,
    control_change,
    note_off,
    note_on,
    program_change,
)
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.input_queue import ScriptedInput

LEARNED = (
    Binding(Control("note", 36, 10), "like"),
    Binding(Control("cc", 64), "panic"),
    Binding(Control("program", 3), "next-preset"),
    Binding(Control("note", 37), "emotion", "sad"),
    Binding(Control("cc", 20, 1), "valence"),
    Binding(Control("cc", 21), "nudge-arousal"),
    Binding(Control("note", 38), "nudge-valence", "-0.1"),
)


def read_actions(*messages: bytes, bindings=LEARNED, apart: float = 0.1, stands: float = 0.0) -> list[Action]:
    """What they ask for, one after the other."""
    midi_map = MidiMap(bindings)
    actions: list[Action] = []
    for index, data in enumerate(messages):
        actions += midi_map.read([ReceivedMessage(index * apart, data)], lambda axis: stands)
    return actions


def test_a_button_does_its_action_when_it_goes_down() -> None:
    assert read_actions(note_on(10, 36, 90), note_off(10, 36), note_on(10, 36, 1)) == [Action("like"), Action("like")]
    assert read_actions(control_change(5, 64, 127), control_change(5, 64, 0), control_change(5, 64, 64)) == [
        Action("panic"),
        Action("panic"),
    ]
    assert read_actions(program_change(2, 3), program_change(2, 3)) == [Action("next-preset"), Action("next-preset")]
    assert read_actions(note_on(1, 37, 100), note_on(1, 38, 100)) == [
        Action("emotion", "sad"),
        Action("nudge-valence", -0.1),
    ]


def test_what_is_not_mapped_does_nothing() -> None:
    assert read_actions(note_on(9, 36, 90), note_on(10, 35, 90), program_change(1, 4), control_change(1, 1, 127)) == []
    assert read_actions(control_change(5, 64, 63), b"\xf8", b"\xe0\x00\x40") == []


def test_contact_bounce_counts_once() -> None:
    press = (note_on(10, 36, 90), note_off(10, 36)) * 4
    assert read_actions(*press, apart=0.004) == [Action("like")]


def test_a_knob_takes_hold_where_the_axis_stands() -> None:
    """It stands at .5; a knob from the left does nothing until it comes by."""
    midi_map, stands = MidiMap(LEARNED), 0.5

    def turn(value: int) -> list[Action]:
        nonlocal stands
        actions = midi_map.read([ReceivedMessage(0.0, control_change(1, 20, value))], lambda axis: stands)
        for action in actions:
            assert isinstance(action.value, float)
            stands = round(action.value, 2)
        return actions

    assert turn(0) == turn(40) == turn(90) == []
    assert turn(100) == [Action("valence", 36 / 63)]
    assert turn(127) == [Action("valence", 1.0)]
    assert turn(64) == [Action("valence", 0.0)]
    assert turn(0) == [Action("valence", -1.0)]
    stands = 0.3  # a key has moved it
    assert turn(10) == []
    assert turn(83) == [Action("valence", 19 / 63)]


def test_of_a_fast_knob_only_the_newest_value_counts() -> None:
    midi_map = MidiMap(LEARNED)
    sweep = [ReceivedMessage(0.0, control_change(1, 20, value)) for value in range(128)]
    assert midi_map.read(sweep, lambda axis: 0.2) == [Action("valence", 1.0)]


def test_an_endless_knob_nudges() -> None:
    midi_map = MidiMap(LEARNED)
    ticks = [ReceivedMessage(0.0, control_change(3, 21, value)) for value in (1, 1, 2, 127)]
    (action,) = midi_map.read(ticks, lambda axis: 0.0)
    assert (action.name, action.value) == ("nudge-arousal", pytest.approx(0.06))


def test_a_knob_goes_through_a_parameters_range_and_a_button_sets_one_value() -> None:
    bindings = (
        Binding(Control("cc", 16), "set", "melody.octave"),
        Binding(Control("note", 40), "set", "chords.voicing=open"),
        Binding(Control("cc", 17), "set", "melody.echo.repeats=3"),
    )
    knob = [control_change(1, 16, value) for value in (0, 64, 127)]
    assert read_actions(*knob, note_on(1, 40, 9), control_change(1, 17, 127), bindings=bindings) == [
        Action("set", "melody.octave=0%"),
        Action("set", "melody.octave=50.3937%"),
        Action("set", "melody.octave=100%"),
        Action("set", "chords.voicing=open"),
        Action("set", "melody.echo.repeats=3"),
    ]
    with pytest.raises(ConfigError, match=r"PLAYER\.PARAMETER=VALUE"):
        Binding(Control("note", 40), "set", "melody.octave")
    with pytest.raises(ConfigError, match="set lacks its value"):
        Binding(Control("cc", 16), "set")


def test_a_fader_is_a_players_level_and_a_pad_its_mute() -> None:
    bindings = (
        Binding(Control("cc", 16), "level", "bass"),
        Binding(Control("note", 40), "mute", "bass"),
        Binding(Control("cc", 17), "lock", "tempo"),
    )
    fader = [control_change(1, 16, value) for value in (0, 127)]
    assert read_actions(*fader, note_on(1, 40, 9), control_change(1, 17, 127), bindings=bindings) == [
        Action("level", "bass=0%"),
        Action("level", "bass=100%"),
        Action("mute", "bass"),
        Action("lock", "tempo"),
    ]
    with pytest.raises(ConfigError, match="PLAYER=LEVEL"):
        Binding(Control("note", 40), "level", "bass")


def test_a_controllers_own_panic_button_is_one_panic() -> None:
    """All Notes Off on 16 channels at once."""
    midi_map = MidiMap(())
    messages = [ReceivedMessage(0.001 * channel, all_notes_off(channel)) for channel in range(1, 17)]
    assert midi_map.read(messages, lambda axis: 0.0) == [Action("panic")]


def test_a_flood_of_presses_is_bounded() -> None:
    many = tuple(Binding(Control("note", number), "like") for number in range(128))
    midi_map = MidiMap(many)
    flood = [ReceivedMessage(1.0, note_on(1, number, 90)) for number in range(128)]
    assert len(midi_map.read(flood, lambda axis: 0.0)) == 20
    assert midi_map.refused_presses == 108
    assert len(midi_map.read([ReceivedMessage(2.0, note_on(1, 5, 90))], lambda axis: 0.0)) == 1


@given(st.lists(st.tuples(st.floats(0.0, 60.0), st.binary(min_size=1, max_size=3)), max_size=60))
def test_no_message_breaks_it(script: list[tuple[float, bytes]]) -> None:
    """Through the input's own queue, as strangers' bytes come."""
    clock = ManualClock()
    source = ScriptedInput(sorted(script), clock)
    midi_map = MidiMap((*LEARNED, *DEFAULTS))
    clock.advance(60.0)
    actions = midi_map.read(source.poll(), lambda axis: 0.0)
    assert len([action for action in actions if action.value is None]) <= 60 * 20 + 20


def test_defaults_reach_every_action_that_needs_no_value_and_are_never_sent_by_us() -> None:
    action_names = {binding.action for binding in DEFAULTS}
    other = {"emotion", "morph", "path", "preset", "help", "quit", "nudge-valence", "nudge-arousal", "nudge-dominance"}
    assert action_names == set(ACTIONS) - other - set(REACTIONS) - {
        "next-profile",
        "undo-reaction",  # these change what is kept
        *("set", "mute", "solo", "level", "lock"),  # the name of a player or a parameter is the value
        "parameters",
        "save-preset",
        "standby",
        *("follow", "culture", "culture-strength"),
    }
    numbers = [binding.control.number for binding in DEFAULTS]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(ALL_CONTROLLERS.values())
    assert set(numbers) <= {*range(20, 32), *range(85, 88), *range(89, 91), *range(102, 120)}  # undefined in MIDI 1.0


def test_what_is_learned_takes_the_place_of_the_default() -> None:
    """Of the action that it is for, and of the control that it is on."""
    bindings = (Binding(Control("note", 36, 10), "like"), Binding(Control("cc", 27, 2), "panic"))
    table = {(binding.action, str(binding.control)) for binding in add_defaults(bindings)}
    assert {("like", "note 36 channel 10"), ("panic", "cc 27 channel 2"), ("let-go", "cc 28")} <= table
    assert not {("panic", "cc 29"), ("freeze", "cc 27")} & table
    changed_bindings = add_binding(bindings, Binding(Control("note", 36), "dislike"))
    assert [binding.action for binding in changed_bindings] == ["panic", "dislike"]


bindings = st.one_of(
    st.builds(
        lambda kind, number, channel, action: Binding(Control(kind, number, channel), action),
        st.sampled_from(["note", "cc", "program"]), st.integers(0, 127), st.none() | st.integers(1, 16),
        st.sampled_from(["like", "freeze", "too-dark"]),
    ),
    st.builds(
        lambda number, value: Binding(Control("cc", number), "valence", f"{value:.3f}"),
        st.integers(0, 127), st.floats(-1, 1),
    ),
    st.just(Binding(Control("note", 1), "morph", "sad")),
    st.just(Binding(Control("cc", 7), "set", "melody.echo.delay")),
    st.just(Binding(Control("cc", 8), "level", "Second Bass")),
    st.just(Binding(Control("note", 8), "lock", "tempo")),
    st.just(Binding(Control("note", 7), "set", "The \"lead\", 2: a # part.octave=100%")),
)  # fmt: skip


@given(st.lists(bindings, max_size=8).map(tuple))
def test_what_was_learned_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, learned_bindings: tuple
) -> None:
    file = save_bindings(learned_bindings, tmp_path_factory.mktemp("learned") / "new" / "midi-controls.yaml")
    assert load_bindings(file) == learned_bindings


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{kind: note, number: 128, action: like}", "line 3: controls.*number is 128"),
        ("{kind: foot, number: 1, action: like}", "line 3: .*must be one of note, cc, program"),
        ("{kind: note, number: 1, action: fly}", "line 3: .*no action is called 'fly'"),
        ("{kind: note, number: 1, action: valence}", "line 3: .*a number from -1 to 1"),
        ("{kind: note, number: 1, action: like, colour: red}", "line 3: .*is not known here"),
        ("{kind: note, action: like}", "line 3: .*lacks `number`"),
        ("{kind: note, number: 1, channel: 17, action: like}", "line 3: .*channel is 17"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, line: str, rule: str) -> None:
    file = tmp_path / "midi-controls.yaml"
    file.write_text(f"format: 1\ncontrols:\n  - {line}\n")
    with pytest.raises(ConfigError, match=rule):
        load_bindings(file)
    assert load_bindings(tmp_path / "none.yaml") == ()


class Player:
    """A clock for `wait_for_control` that only goes on when it is waited for."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.monotonic, self.sleep = self.clock.now, self.clock.advance


def test_learning_takes_the_first_control_that_fits_the_action(capsys: pytest.CaptureFixture[str]) -> None:
    def learn_control(action: str, *script: tuple[float, bytes], value: str | None = None) -> Binding:
        time = Player()
        return midi_learn.wait_for_control(ScriptedInput(script, time.clock), action, value, time)

    assert learn_control("like", (1.0, note_off(3, 40)), (1.1, note_on(3, 40, 9))).control == Control("note", 40, 3)
    assert learn_control("like", (0.0, note_on(3, 40, 9)), (5.0, control_change(2, 80, 127))).control == Control(
        "cc", 80, 2
    )
    knob = [(1.0 + 0.1 * n, control_change(1, 74, 50 + n)) for n in range(6)]
    assert learn_control("valence", (0.5, note_on(1, 60, 90)), *knob) == Binding(Control("cc", 74, 1), "valence")
    assert learn_control("emotion", (1.0, program_change(1, 7)), value="sad").control == Control("program", 7, 1)
    assert learn_control("set", *knob, value="melody.octave").control == Control("cc", 74, 1)
    pad = (9.0, note_on(1, 60, 90))
    assert learn_control("set", pad, value="melody.octave=1").control == Control("note", 60, 1)
    with pytest.raises(MidiError, match="nothing that like can have moved within 30 s"):
        learn_control("like", (1.0, control_change(1, 7, 20)), (2.0, all_notes_off(1)))


def test_a_knob_is_chosen_when_it_has_moved_and_not_before() -> None:
    movements: dict[Control, midi_learn.Movement] = {}
    controls = [midi_learn.choose_control(control_change(1, 74, 3 + n), movements, knob=True) for n in range(6)]
    assert controls == [None] * 5 + [Control("cc", 74, 1)]


def test_the_command_lists_and_forgets_what_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_map, "bindings_path", lambda: tmp_path / "midi-controls.yaml")
    save_bindings(LEARNED)
    listing = CliRunner().invoke(learn.command, ["--list"])
    assert "like              note 36 channel 10" in listing.output
    assert "cc 28 (default)" in listing.output
    assert "note 37 (sad)" in listing.output
    assert "forgot 1" in CliRunner().invoke(learn.command, ["--forget", "panic"]).output
    assert "cc 29 (default)" in CliRunner().invoke(learn.command, ["--list"]).output
    assert "forgot 6" in CliRunner().invoke(learn.command, ["--forget", "all"]).output
    assert load_bindings(tmp_path / "midi-controls.yaml") == ()
    for arguments, message in (
        (["fly"], "no action"),
        (["emotion"], "one of happy"),
        (["--forget", "fly"], "no action"),
        (["set", "flute.octave"], "there is no player 'flute'; there are arpeggio, bass, "),
        (["mute", "flute"], "there is no player 'flute'; there are arpeggio, bass, "),
        (["lock", "colour"], "it takes one of tempo, mode, key, register, dynamics, density, articulation"),
        (["set", "melody.volume"], "melody has no parameter 'volume'; it has octave"),
        (["set", "melody.octave=9"], "octave is '9'; it must be a whole number from -2 to 2 octaves"),
        (["set", "melody.echo.mix"], "melody.echo has no parameter 'mix'; it has delay, repeats, decay, fit"),
    ):
        result = CliRunner().invoke(learn.command, arguments)
        assert (result.exit_code, message in result.output) == (2, True)
