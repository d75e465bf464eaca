"""A player whose generator runs elsewhere: what it is asked, and when; what comes late; how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import FIRST_CALL_SECONDS, Descriptor, MusicContext, Parameter
from kelly_live.generators.plugin_generator import HANG_SECONDS, MAX_FAILURES, PluginGenerator
from kelly_live.generators.plugin_process import BarAnswer, PlayerFault, Reply
from kelly_live.generators.wire import Generate
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale
from tests.music.band import RecordingSink, built_in, make_parameters, play_piece, step

DESCRIPTOR = Descriptor("elsewhere", "elsewhere", 6, 0)
PARAMETERS = make_parameters()
SLICE = 1 / 16
BPM = 120.0


def beats_of(request: Generate) -> BarAnswer:
    """A note on each beat; the state is the number of the bar after."""
    beats = range(int(request.start_beat + 0.999), int(request.end_beat))
    notes = [NoteEvent(float(beat), 0.5, 60, 80, 1, "elsewhere") for beat in beats]
    return BarAnswer(notes, None, int(request.end_beat // 4))


def key_of(request: Generate) -> BarAnswer:
    """A note on every quarter of a beat, at the key of the values; the state is the number of the bar after."""
    key = int(request.values.get("key", 60))
    places = range(round(4 * request.start_beat), round(4 * request.end_beat))
    notes = [NoteEvent(place / 4, 0.2, key, 80, 1, "elsewhere") for place in places]
    return BarAnswer(notes, None, int(request.end_beat // 4))


class ScriptedRun:
    """A generator that answers what the test says: at once, or when `answer_all` is called."""

    def __init__(
        self, state: Any = None, answer: Callable[[Generate], Reply] = beats_of, *, delays: bool = False
    ) -> None:
        self.states = [state]  # that it was to go on from
        self.requests: list[Generate] = []
        self.fault: str | None = None
        self.is_ready = True
        self.is_closed = False
        self._answer, self.delays = answer, delays
        self._replies: dict[int, Reply] = {}

    def ask(self, request: Generate) -> int:
        self.requests.append(request)
        if not self.delays:
            self.answer_all()
        return len(self.requests) - 1

    def answer_all(self) -> None:
        self._replies = {number: self._answer(request) for number, request in enumerate(self.requests)}

    def take(self, number: int) -> Reply | None:
        return self._replies.pop(number, None)

    def wait(self, number: int, seconds: float) -> Reply | None:
        return self.take(number)

    def wait_until_ready(self, seconds: float) -> bool:
        return self.is_ready

    def reset(self, state: Any) -> None:
        self.states.append(state)

    def give_up(self, reason: str) -> None:
        self.fault = self.fault or reason
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True

    def join(self, seconds: float) -> None:
        """Nothing runs."""

    @property
    def spans(self) -> list[tuple[float, float]]:
        return [(request.start_beat, request.end_beat) for request in self.requests]


class Stage:
    """A player with scripted runs, slice by slice at 120 BPM; a clock goes on with the slices."""

    def __init__(self, *runs: ScriptedRun, waits: bool = False) -> None:
        self.runs, self.begun = list(runs), 0
        self.clock = ManualClock()
        self.player = PluginGenerator(DESCRIPTOR, runs[0], self._begin, waits=waits, clock=self.clock)
        self.context = make_context()
        self.beat = 0.0

    def _begin(self, state: Any) -> ScriptedRun:
        self.begun += 1
        run = self.runs[self.begun]
        run.states = [state]
        return run

    def play(self, beats: float) -> list[float]:
        """Play so long; the onsets of the notes."""
        return [note.onset_beats for note in self.play_notes(beats)]

    def pitches(self, beats: float) -> list[int]:
        """Play so long; the pitches of the notes."""
        return [note.pitch for note in self.play_notes(beats)]

    def play_notes(self, beats: float) -> list[NoteEvent]:
        """Play so long; the notes."""
        played: list[NoteEvent] = []
        for _ in range(round(beats / SLICE)):
            played += self.player.generate(PARAMETERS, self.context, self.beat, self.beat + SLICE)
            self.beat += SLICE
            self.clock.advance(SLICE * 60.0 / BPM)
            if self.beat % 4.0 == 3.0:
                self.player.prepare(PARAMETERS, self.context, int(self.beat // 4) + 1)
        return played


def make_context(tonic: int = 0, seed: int = 3) -> MusicContext:
    phrase = plan_phrase(seed, 0, Key(tonic, build_mode_scale("ionian")), start_bar=0, bars=64)
    return MusicContext(seed, phrase, "straight", BPM)


def test_it_is_asked_for_whole_bars_a_beat_before_they_begin() -> None:
    run = ScriptedRun()
    stage = Stage(run)
    assert stage.play(3.0) == [0.0, 1.0, 2.0]
    assert run.spans == [(0.0, 4.0), (4.0, 8.0)]
    assert stage.play(8.0) == [float(beat) for beat in range(3, 11)]
    assert run.spans == [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0)]


def test_live_and_offline_it_plays_the_same_beside_the_same_band() -> None:
    def play(*, waits: bool) -> RecordingSink:
        player = PluginGenerator(DESCRIPTOR, ScriptedRun(), lambda state: ScriptedRun(), waits=waits)
        sink, band = RecordingSink(), GeneratorBand([player, *built_in()])
        Conductor(sink, band, seed=3, tonic=0, length_bars=16, slice_beats=SLICE).play_through(PARAMETERS)
        return sink

    live = play(waits=False)
    assert live.notes == play(waits=True).notes
    assert [round(note.onset_beats) for note in live.part("elsewhere")] == list(range(64))
    assert [note for note in live.notes if note.part != "elsewhere"] == play_piece(PARAMETERS).notes


def test_the_band_foresees_nearly_every_bar_so_that_an_answer_has_a_beat_of_time() -> None:
    run = ScriptedRun()
    player = PluginGenerator(DESCRIPTOR, run, lambda state: ScriptedRun(), waits=True)
    Conductor(RecordingSink(), GeneratorBand([player]), seed=3, tonic=0, length_bars=32).play_through(PARAMETERS)
    assert run.spans == [(4.0 * bar, 4.0 * bar + 4.0) for bar in range(32)], "none was asked for twice"


def test_an_answer_that_comes_a_slice_late_is_still_in_time() -> None:
    run = ScriptedRun(delays=True)
    stage = Stage(run)
    assert stage.play(SLICE) == []
    run.answer_all()
    assert stage.play(1.0) == [0.0, 1.0]
    assert stage.player.refusal is None


def test_notes_that_come_after_their_beat_are_left_out_which_is_said() -> None:
    run = ScriptedRun(delays=True)
    stage = Stage(run)
    assert stage.play(1.25) == []
    run.answer_all()
    assert stage.play(2.0) == [2.0, 3.0]
    assert stage.player.refusal == "2 notes came after the beat; it must answer sooner"


def test_the_first_answer_may_take_as_long_as_a_model_takes_to_load() -> None:
    stage = Stage(ScriptedRun(delays=True), ScriptedRun())
    assert stage.play(FIRST_CALL_SECONDS * BPM / 60.0) == []
    with pytest.raises(PlayerFault) as fault:
        stage.play(2.0)
    assert fault.value.state == PlayerState.TOO_SLOW


def test_one_that_hangs_is_said_within_a_second_and_replaced_from_its_last_state() -> None:
    hangs = ScriptedRun(delays=True)
    stage = Stage(hangs, ScriptedRun())
    hangs.answer_all()
    stage.play(SLICE)
    hangs.answer_all()
    assert stage.play(3.0 - SLICE) == [0.0, 1.0, 2.0]
    stage.play(1.0)
    hung_at = stage.clock.now()
    with pytest.raises(PlayerFault, match="it did not answer for bar 2 in time; it is started again") as fault:
        stage.play(4.0)
    assert fault.value.state == PlayerState.TOO_SLOW
    assert HANG_SECONDS <= stage.clock.now() - hung_at < 1.0
    assert hangs.is_closed
    assert stage.runs[1].states == [1], "the state after bar 1"
    stage.beat = 8.0
    assert stage.player.is_back()
    assert stage.play(4.0) == [8.0, 9.0, 10.0, 11.0]


def test_one_that_crashes_is_muted_by_the_next_slice() -> None:
    crashes = ScriptedRun()
    stage = Stage(crashes, ScriptedRun())
    stage.play(2.0)
    crashes.fault = "it crashed (signal SIGSEGV)"
    with pytest.raises(PlayerFault, match=r"it crashed \(signal SIGSEGV\); it is started again"):
        stage.play(SLICE)
    with pytest.raises(PlayerFault):
        stage.play(SLICE)


def fail(request: Generate) -> Reply:
    return PlayerFault(PlayerState.FAILED, "generate failed: ZeroDivisionError")


def test_it_is_given_up_after_three_failures_in_a_row_and_the_band_says_so() -> None:
    runs = [ScriptedRun(answer=fail) for _ in range(10)]
    stage = Stage(*runs, waits=True)
    band = GeneratorBand([stage.player, *built_in()])
    sink = RecordingSink()
    Conductor(sink, band, seed=3, tonic=0, length_bars=16).play_through(PARAMETERS)
    assert stage.begun == MAX_FAILURES - 1
    assert all(run.is_closed for run in runs[:MAX_FAILURES])
    (muted,) = band.muted
    assert muted.reason == "generate failed: ZeroDivisionError; given up after 3 failures in a row"
    assert band.remarks["the return of elsewhere"] == f"elsewhere stays silent: {muted.reason}"
    assert sink.notes == play_piece(PARAMETERS).notes


def test_failures_with_a_good_bar_between_them_are_not_in_a_row() -> None:
    def fail_at_bar_two(request: Generate) -> Reply:
        return fail(request) if request.start_beat == 8.0 else beats_of(request)

    stage = Stage(*(ScriptedRun(answer=fail_at_bar_two) for _ in range(3)), waits=True)
    band = GeneratorBand([stage.player])
    sink = RecordingSink()
    Conductor(sink, band, seed=3, tonic=0, length_bars=8).play_through(PARAMETERS)
    onsets = [round(note.onset_beats) for note in sink.notes]
    assert onsets == [beat for beat in range(32) if not 8 <= beat < 12], "silent for one bar"
    assert band.muted == ()
    assert list(band.remarks.values()) == [
        "elsewhere was silent for a while: generate failed: ZeroDivisionError; it is started again"
    ]


def test_another_session_gives_it_another_chance() -> None:
    stage = Stage(*(ScriptedRun(answer=fail) for _ in range(3)), ScriptedRun(), waits=True)
    band = GeneratorBand([stage.player])
    for _ in range(2):
        sink = RecordingSink()
        Conductor(sink, band, seed=3, tonic=0, length_bars=8).play_through(PARAMETERS)
    assert band.muted == ()
    assert len(sink.notes) == 32


def test_players_that_take_over_end_the_processes_of_those_that_go() -> None:
    goes, comes = ScriptedRun(), ScriptedRun()
    old, new = (PluginGenerator(DESCRIPTOR, run, lambda state: ScriptedRun(), waits=True) for run in (goes, comes))
    band = GeneratorBand([old])
    conductor = Conductor(RecordingSink(), band, seed=3, tonic=0)
    conductor.start(0.0, PARAMETERS)
    step(conductor, 0.0, 1.0, PARAMETERS)
    band.change([new])
    step(conductor, 1.1, 6.0, PARAMETERS)
    assert goes.is_closed
    assert not comes.is_closed
    band.close()
    assert comes.is_closed


def test_where_the_harmony_changes_the_rest_of_the_bar_is_asked_for_again_from_the_state_before_it() -> None:
    run = ScriptedRun()
    stage = Stage(run)
    assert stage.play(5.5) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    stage.context = make_context(tonic=5)
    assert stage.play(1.0) == [6.0]
    assert run.spans[-1] == (5.5, 8.0)
    assert run.requests[-1].music.tonic == 5
    assert run.states == [None, 1], "as it was after the first bar"


def test_parameters_that_move_a_little_do_not_ask_again() -> None:
    run = ScriptedRun()
    stage = Stage(run)
    stage.play(2.0)
    stage.player.generate(replace(PARAMETERS, density=2.0), stage.context, 2.0, 2.0 + SLICE)
    assert run.spans == [(0.0, 4.0)]


def test_a_value_that_changes_asks_for_the_bar_again_and_the_old_answer_plays_until_the_new_one_comes() -> None:
    run = ScriptedRun(answer=key_of)
    stage = Stage(run)
    assert stage.pitches(1.0) == [60] * 4
    run.delays = True
    stage.player.configure({"key": 72})
    assert stage.pitches(0.25) == [60]
    assert run.spans == [(0.0, 4.0), (0.0, 4.0)]
    run.answer_all()
    assert stage.pitches(1.0) == [72] * 4
    assert run.requests[-1].values == {"key": 72}
    assert stage.player.refusal is None


def test_a_bar_that_was_prepared_is_asked_for_again_with_the_values_of_its_time() -> None:
    run = ScriptedRun(answer=key_of)
    stage = Stage(run)
    stage.play(3.5)
    stage.player.configure({"key": 72})
    assert stage.pitches(1.5) == [72] * 6
    assert run.spans == [(0.0, 4.0), (4.0, 8.0), (0.0, 4.0), (4.0, 8.0)]
    assert run.states == [None], "the second bar goes on from the first, as that was played at last"
    stage.player.configure({"key": 84})
    assert stage.pitches(1.0) == [84] * 4
    assert run.states == [None, 1], "as it was after the first bar"


def test_a_fader_does_not_ask_a_slow_player_more_often_than_it_answers() -> None:
    run = ScriptedRun(answer=key_of, delays=True)
    stage = Stage(run)
    stage.play(SLICE)
    run.answer_all()
    for key in range(61, 71):
        stage.player.configure({"key": key})
        stage.play(SLICE)
    assert run.spans == [(0.0, 4.0), (0.0, 4.0)]
    run.answer_all()
    stage.play(SLICE)
    assert run.requests[-1].values == {"key": 70}


def test_after_a_restart_it_is_asked_with_the_values_that_were_set() -> None:
    crashes, next_run = ScriptedRun(), ScriptedRun(answer=key_of)
    stage = Stage(crashes, next_run)
    stage.player.configure({"key": 72})
    stage.play(2.0)
    crashes.fault = "it crashed"
    with pytest.raises(PlayerFault):
        stage.play(SLICE)
    stage.beat = 4.0
    assert stage.player.is_back()
    assert stage.pitches(1.0) == [72] * 4


def begin_none(state: Any) -> ScriptedRun:
    raise AssertionError("nothing failed")


def test_another_version_takes_over_at_the_bar_line_from_the_state_there_though_the_bar_was_prepared() -> None:
    old, new = ScriptedRun(), ScriptedRun(answer=key_of)
    stage = Stage(old)
    assert stage.play(3.5) == [0.0, 1.0, 2.0, 3.0]
    stage.player.replace(new, DESCRIPTOR, begin_none)
    stage.play(0.5)
    assert not old.is_closed
    assert stage.pitches(4.0) == [60] * 16
    assert old.is_closed
    assert new.states == [None, 1], "after the first bar"
    assert new.spans == [(4.0, 8.0), (8.0, 12.0)]


def test_a_version_that_comes_before_the_last_beat_is_asked_when_that_begins() -> None:
    old, new = ScriptedRun(), ScriptedRun(answer=key_of)
    stage = Stage(old)
    stage.play(1.5)
    stage.player.replace(new, DESCRIPTOR, begin_none)
    assert stage.play(2.5) == [2.0, 3.0]
    assert old.spans == [(0.0, 4.0)]
    assert new.spans == [(4.0, 8.0)]
    assert stage.pitches(1.0) == [60] * 4


def test_a_version_that_fails_before_its_bar_does_not_take_over() -> None:
    old, new = ScriptedRun(), ScriptedRun(answer=key_of)
    stage = Stage(old)
    stage.play(2.0)
    stage.player.replace(new, DESCRIPTOR, begin_none)
    stage.play(1.5)
    new.fault = "it crashed"
    assert stage.play(4.5) == [4.0, 5.0, 6.0, 7.0]
    assert new.is_closed
    assert not old.is_closed


def test_a_newer_version_takes_the_place_of_one_that_waits() -> None:
    old, second, third = ScriptedRun(), ScriptedRun(), ScriptedRun(answer=key_of)
    stage = Stage(old)
    stage.play(1.0)
    for version in (second, third):
        stage.player.replace(version, DESCRIPTOR, begin_none)
        stage.play(0.25)
    stage.play(2.5)
    assert stage.pitches(1.0) == [60] * 4
    assert (old.is_closed, second.is_closed, third.is_closed) == (True, True, False)


def test_another_version_brings_back_a_player_that_was_given_up() -> None:
    stage = Stage(*(ScriptedRun(answer=fail) for _ in range(3)), waits=True)
    band = GeneratorBand([stage.player])
    sink = RecordingSink()
    conductor = Conductor(sink, band, seed=3, tonic=0)
    conductor.start(0.0, PARAMETERS)
    step(conductor, 0.0, 12.0, PARAMETERS)
    assert stage.player.is_given_up
    stage.player.replace(ScriptedRun(), DESCRIPTOR, begin_none)
    step(conductor, 12.1, 18.0, PARAMETERS)
    assert band.muted == ()
    assert sink.notes
    assert round(sink.notes[0].onset_beats) % 4 == 0


def test_values_that_another_version_does_not_have_are_left_behind() -> None:
    new = ScriptedRun(answer=key_of)
    stage = Stage(ScriptedRun())
    stage.player.configure({"key": 72, "gone": True})
    stage.play(3.5)
    parameters = (Parameter("key", 64, "the pitch", low=0, high=127), Parameter("new", 0.5, "something"))
    stage.player.replace(new, replace(DESCRIPTOR, parameters=parameters), begin_none)
    stage.play(0.5)
    assert stage.pitches(1.0) == [72] * 4
    assert [request.values for request in new.requests] == [{"key": 72, "new": 0.5}]


def test_a_player_that_nobody_closed_leaves_nothing() -> None:
    run = ScriptedRun()
    player = PluginGenerator(DESCRIPTOR, run, lambda state: ScriptedRun(), waits=True)
    del player
    assert run.is_closed
