"""Parameters that are set while the music plays: found by name, moved smoothly, heard in the notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.automation import GLIDE_BEATS
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Descriptor, MusicContext, Parameter, Value
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.effects.registry import create_effect
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters

PARAMETERS = make_parameters(bpm=120.0)
SLICE = 1 / 16


class Ramp:
    """A note on every quarter of a beat; its velocity is the parameter, its pitch the key, loud or not."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "ramp",
        "ramp",
        5,
        0,
        (
            Parameter("level", 20.0, "the velocity", low=20.0, high=100.0),
            Parameter("key", 60, "the pitch", low=40, high=80),
            Parameter("scale", "major", "not heard", choices=("major", "minor", "blues")),
            Parameter("on", True, "off is silent"),
        ),
    )

    def __init__(self) -> None:
        self.values: Mapping[str, Value] = {"level": 20.0, "key": 60, "scale": "major", "on": True}
        self.taken: list[Mapping[str, Value]] = []

    def configure(self, values: Mapping[str, Value]) -> None:
        self.values = values
        self.taken.append(values)

    def reset(self) -> None:
        """Remember nothing."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        if start_beat % 0.25 or not self.values["on"]:
            return ()
        key, level = int(self.values["key"]), round(float(self.values["level"]))
        return [NoteEvent(start_beat, 0.2, key, level, 5, "ramp")]


class Session:
    """A band played slice by slice; `notes` are those of the first player."""

    def __init__(self, *slots: PlayerSlot | Ramp | MelodyGenerator) -> None:
        self.band, self.sink = GeneratorBand(slots), RecordingSink()
        self.conductor = Conductor(self.sink, self.band, seed=3, tonic=0, slice_beats=SLICE)
        self.conductor.start(0.0, PARAMETERS)

    def play(self, to_beat: float) -> None:
        """Play up to a beat at 120 BPM."""
        while self.conductor.slices * SLICE < to_beat:
            self.conductor.advance(self.conductor.seconds_at(self.conductor.slices * SLICE) - 0.05, PARAMETERS)

    def set(self, address: str, value: Value) -> None:
        for change in self.band.resolve_setting(address, value):
            self.band.set_parameter(change)


def test_a_number_moves_to_its_value_in_steps_and_through_its_whole_range_in_two_beats() -> None:
    ramp = Ramp()
    session = Session(ramp)
    session.play(1.0)
    session.set("ramp.level", "100%")
    session.play(1.0 + GLIDE_BEATS + 1.0)
    levels = [round(float(values["level"])) for values in ramp.taken]
    assert levels == [30, 40, 50, 60, 70, 80, 90, 100]
    (level, *_) = session.band.parameters
    assert (level.address, level.value, level.target) == ("ramp.level", 100.0, 100.0)


def test_a_little_turn_is_there_at_once_and_a_player_that_nobody_touches_is_left_alone() -> None:
    ramp = Ramp()
    session = Session(ramp)
    session.play(1.0)
    assert ramp.taken == []
    session.set("ramp.level", 25)
    session.play(1.0 + SLICE)
    assert [values["level"] for values in ramp.taken] == [25.0]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("key", "50%", 60),
        ("key", "72", 72),
        ("scale", "blues", "blues"),
        ("scale", "50%", "minor"),
        ("on", "0%", False),
    ],
)
def test_whole_numbers_choices_and_switches_step(name: str, text: str, value: Value) -> None:
    ramp = Ramp()
    session = Session(ramp)
    session.set("ramp.key", 41)
    session.play(1.0)
    session.set(f"ramp.{name}", text)
    session.play(1.5)
    assert ramp.taken[-1][name] == value
    assert len(ramp.taken) == 2


def test_a_fader_that_moves_asks_a_player_four_times_a_beat_at_most() -> None:
    ramp = Ramp()
    session = Session(ramp)
    for step in range(64):  # four beats
        session.set("ramp.level", f"{step / 0.64:g}%")
        session.play((step + 1) * SLICE)
    assert len(ramp.taken) <= 16
    levels = [float(values["level"]) for values in ramp.taken]
    assert levels == sorted(levels)


def test_the_same_changes_at_the_same_beats_give_the_same_notes() -> None:
    def play() -> list[NoteEvent]:
        echo = create_effect("echo", {"delay": 0.5})
        session = Session(PlayerSlot(MelodyGenerator(), "melody", 3, 0, effects=(echo,)))
        for beat, address, value in (
            (3.0, "melody.octave", 1),
            (6.0, "melody.echo.delay", 2.0),
            (8.0, "melody.echo.repeats", 4),
        ):
            session.play(beat)
            session.set(address, value)
        session.play(16.0)
        return session.sink.notes

    assert play() == play()


def test_a_built_in_player_is_heard_from_the_next_slice_on() -> None:
    session, plain = Session(MelodyGenerator()), Session(MelodyGenerator())
    plain.play(16.0)
    session.play(6.0)
    session.set("melody.octave", 1)
    session.play(16.0)
    moved = [(a.pitch - b.pitch, b.onset_beats) for a, b in zip(session.sink.notes, plain.sink.notes, strict=True)]
    assert {shift for shift, onset in moved if onset < 5.9} == {0}
    assert {shift for shift, onset in moved if onset > 6.1} == {12}


def test_an_effect_keeps_what_it_holds() -> None:
    echo = create_effect("echo", {"delay": 1.0, "repeats": 1, "fit": False})
    session = Session(PlayerSlot(Ramp(), "ramp", 5, 0, effects=(echo,)))
    session.set("ramp.echo.decay", 0.95)
    session.set("ramp.level", 100)
    session.play(4.0)
    session.set("ramp.on", False)
    before = len(session.sink.notes)
    session.set("ramp.echo.repeats", 2)
    session.play(5.0)
    assert len(session.sink.notes) > before, "the repeats of what was played still come"


def test_two_players_of_one_generator_are_told_apart_by_their_parts_and_both_meant_by_its_name() -> None:
    session = Session(PlayerSlot(Ramp(), "low", 5, 0), PlayerSlot(Ramp(), "High", 6, 0))
    assert [one.address for one in session.band.resolve_setting("high.key", 50)] == ["High.key"]
    assert [one.address for one in session.band.resolve_setting("ramp.key", 50)] == ["low.key", "High.key"]


@pytest.mark.parametrize(
    ("address", "value", "line"),
    [
        ("piano.octave", 1, "no player 'piano' has parameters; there are ramp, ramp.echo, as PLAYER.PARAMETER"),
        ("ramp.volume", 1, "ramp has no parameter 'volume'; it has level, key, scale, on"),
        ("ramp.echo.mix", 1, "ramp.echo has no parameter 'mix'; it has delay, repeats, decay, fit"),
        ("ramp.key", 99, "ramp: key is 99; it must be a whole number from 40 to 80"),
        ("ramp.key", "120%", "ramp: key is '120%'; it must be a whole number from 40 to 80"),
        ("ramp.scale", "dorian", "ramp: scale is 'dorian'; it must be one of major, minor, blues"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line_that_lists_what_is(address: str, value: Value, line: str) -> None:
    session = Session(PlayerSlot(Ramp(), "ramp", 5, 0, effects=(create_effect("echo", {}),)))
    with pytest.raises(ConfigError) as error:
        session.band.resolve_setting(address, value)
    assert str(error.value).replace("'99'", "99") == line
