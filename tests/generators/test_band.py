"""The band asks, slots, times and mutes its players; a stopwatch that the test winds, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import BUDGET_SECONDS, MAX_OVERRUNS, OVERRUN_DECAY
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.parameter import Parameter, resolve_values
from kelly_live.music.band import MutedPlayer, PlayerState
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from tests.music.band import RecordingSink, built_in, make_parameters, play_piece, step


class Player:
    """A player of one note on each slice, or of what the test gives it instead."""

    descriptor: ClassVar[Descriptor] = Descriptor("player", "player", 5, 40)

    def __init__(self, act: Callable[[], Any] | None = None) -> None:
        self.act = act
        self.calls = self.resets = 0

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        self.calls += 1
        if self.act is not None:
            self.act()
        return [NoteEvent(start_beat, 0.25, 60, 100, 5, "player")]

    def reset(self) -> None:
        self.resets += 1


class Stopwatch:
    """A stopwatch that the test's players advance."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def work(self, seconds: float) -> None:
        self.seconds += seconds


def play(band: GeneratorBand, *, bars: int) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, band, seed=1, tonic=0, length_bars=bars).play_through(make_parameters())
    return sink


def test_a_slot_moves_the_notes_to_its_place_and_its_loudness() -> None:
    slot = PlayerSlot(Player(), "horn", channel=7, program=60, port="brass", volume=0.5, sends_program=True)
    (first, *_) = play(GeneratorBand([slot]), bars=1).notes
    assert (first.part, first.channel, first.port, first.velocity, first.program) == ("horn", 7, "brass", 50, 60)
    loud = PlayerSlot(Player(), "horn", channel=7, program=60, volume=4.0)
    (first, *_) = play(GeneratorBand([loud]), bars=1).notes
    assert (first.velocity, first.program) == (127, None)


def test_the_same_generator_twice_plays_in_two_places() -> None:
    slots = [PlayerSlot(Player(), "low", channel=1, program=89), PlayerSlot(Player(), "high", channel=2, program=90)]
    sink = play(GeneratorBand(slots), bars=2)
    assert len(sink.part("low")) == len(sink.part("high")) == 32
    assert {note.channel for note in sink.part("high")} == {2}


def test_a_player_that_always_overruns_is_muted_as_slow_and_its_band_plays_on() -> None:
    watch = Stopwatch()
    slow = Player(lambda: watch.work(2.0 * BUDGET_SECONDS))
    players = GeneratorBand([slow, *built_in()], stopwatch=watch)
    sink = RecordingSink()
    Conductor(sink, players, seed=3, tonic=0, length_bars=16).play_through(make_parameters())
    (muted,) = players.muted
    assert (muted.name, muted.state) == ("player", PlayerState.TOO_SLOW)
    assert slow.calls == 1 + MAX_OVERRUNS, "the first call is free"
    assert dict(players.states)["bass"] == PlayerState.PLAYING
    assert [note for note in sink.notes if note.part != "player"] == play_piece(make_parameters()).notes


def test_a_slow_first_call_and_rare_slow_calls_are_tolerated() -> None:
    watch = Stopwatch()
    every = int(1 / OVERRUN_DECAY) + 1  # one overrun in nine calls is paid back by the eight others
    player = Player()
    player.act = lambda: watch.work(5.0 if player.calls == 1 else 10.0 * BUDGET_SECONDS * (player.calls % every == 0))
    players = GeneratorBand([player], stopwatch=watch)
    play(players, bars=100)
    assert players.muted == ()
    assert player.calls == 1600


def test_offline_no_player_is_timed() -> None:
    watch = Stopwatch()
    players = GeneratorBand([Player(lambda: watch.work(60.0))])
    assert len(play(players, bars=2).notes) == 32
    assert players.muted == ()


@pytest.mark.parametrize("fault", [ValueError("two\nlines"), RuntimeError("x" * 5000), StopIteration()])
def test_an_exception_is_reported_in_one_short_line(fault: Exception) -> None:
    def act() -> None:
        raise fault

    players = GeneratorBand([Player(act)])
    play(players, bars=1)
    (muted,) = players.muted
    assert muted.state == PlayerState.FAILED
    assert muted.reason.isprintable()
    assert len(muted.reason) < 300


def test_other_players_take_over_exactly_at_a_bar_line() -> None:
    """Asked for in the middle of bar 1: the old one plays that bar out, the new one begins bar 2."""
    old, new = Player(), Player()
    players = GeneratorBand([PlayerSlot(old, "old", 1, 0)], [MutedPlayer("gone", "did not load")])
    sink = RecordingSink()
    conductor = Conductor(sink, players, seed=1, look_ahead_seconds=0.0)
    conductor.start(0.0, make_parameters(bpm=60.0))
    step(conductor, 0.0, 6.0, make_parameters(bpm=60.0))
    players.change([PlayerSlot(new, "new", 2, 0)])
    step(conductor, 6.1, 6.5, make_parameters(bpm=60.0))
    assert not sink.part("new")
    step(conductor, 6.6, 12.0, make_parameters(bpm=60.0))
    assert max(note.onset_beats for note in sink.part("old")) == pytest.approx(7.75, abs=0.1)
    assert min(note.onset_beats for note in sink.part("new")) == pytest.approx(8.0, abs=0.1)
    assert new.resets == 1
    assert players.muted == ()
    assert [slot.part for slot in conductor.slots] == ["new"]


KNOBS = (
    Parameter("voicing", "close", "how far apart", choices=("close", "open")),
    Parameter("octave", 0, "up or down", low=-2, high=2, unit="octaves"),
    Parameter("swing", 0.5, "how uneven", low=0.0, high=1.0),
    Parameter("fills", True, "lead into phrases"),
)


def test_values_are_read_as_typed_and_the_rest_stays_as_declared() -> None:
    assert resolve_values(KNOBS, {"octave": "-1", "fills": "off", "voicing": " OPEN "}) == {
        "voicing": "open",
        "octave": -1,
        "swing": 0.5,
        "fills": False,
    }


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("voicing", "wide", "voicing is 'wide'; it must be one of close, open"),
        ("octave", "3", "octave is '3'; it must be a whole number from -2 to 2 octaves"),
        ("octave", "0.5", "a whole number"),
        ("swing", "nan", "a number from 0 to 1"),
        ("swing", True, "a number from 0 to 1"),
        ("fills", "perhaps", "on or off"),
        ("volume", "1", "there is no parameter 'volume'; it has voicing, octave, swing, fills"),
    ],
)
def test_a_value_out_of_its_range_is_one_line(name: str, value: str | bool, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        resolve_values(KNOBS, {name: value})
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "No Spaces"},
        {"default": "none of them", "choices": ("a", "b")},
        {"default": 7.0},
        {"default": "free text"},
        {"help": ""},
        {"low": 1.0, "high": 0.0},
    ],
)
def test_a_parameter_that_makes_no_sense_cannot_be_declared(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Parameter(**({"name": "knob", "default": 0.5, "help": "what it does"} | wrong))
