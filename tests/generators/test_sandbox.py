"""A plug-in of another package runs in its own thread; the test decides when it answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import pytest

from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import FIRST_CALL_SECONDS, Descriptor, MusicContext
from kelly_live.generators.sandbox import THREAD_NAME, DeadlineExceeded, SandboxedGenerator
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, built_in, make_parameters, play_piece, step

PATIENT = 30.0  # far more than any answer takes: the test waits for the answer, not for the time
NEVER = 0.0


class Visitor:
    """A generator that runs the test's function before it answers."""

    descriptor: ClassVar[Descriptor] = Descriptor("visitor", "visitor", 6, 0)

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.act = act
        self.threads: set[str] = set()
        self.entered = threading.Event()
        self.resets = 0

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        self.act()
        return [NoteEvent(start_beat, 0.25, 60, 80, 6, "visitor")]

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Closed until the test opens it, and open at its end, whatever happened."""
    event = threading.Event()
    yield event
    event.set()


def play(players: GeneratorBand, bars: int = 4) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, players, seed=3, tonic=0, length_bars=bars).play_through(make_parameters())
    return sink


def test_a_sandboxed_generator_in_time_plays_as_a_built_in_one() -> None:
    visitor = Visitor()
    players = GeneratorBand([SandboxedGenerator(visitor, deadline_seconds=PATIENT)])
    assert play(players).notes == play(GeneratorBand([Visitor()])).notes
    assert visitor.threads == {THREAD_NAME}
    assert visitor.resets == 1
    players.close()


def test_its_thread_leaves_real_time_priority_before_the_first_call() -> None:
    steps: list[tuple[str, str]] = []

    def log(step: str) -> None:
        steps.append((step, threading.current_thread().name))

    visitor = Visitor(lambda: log("call"))
    players = GeneratorBand(
        [SandboxedGenerator(visitor, deadline_seconds=PATIENT, leave_realtime=lambda: log("leave real time"))]
    )
    play(players, bars=1)
    assert steps[:2] == [("leave real time", THREAD_NAME), ("call", THREAD_NAME)]
    assert [step for step, _ in steps].count("leave real time") == 1
    players.close()


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="the system has no scheduling policies")
def test_it_does_not_inherit_the_real_time_policy_of_the_thread_that_starts_it() -> None:
    policies: list[int] = []
    players = GeneratorBand(
        [SandboxedGenerator(Visitor(lambda: policies.append(os.sched_getscheduler(0))), deadline_seconds=PATIENT)]
    )
    failures: list[OSError] = []

    def play_in_real_time() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except OSError as error:
            failures.append(error)
            return
        play(players, bars=1)

    conductor = threading.Thread(target=play_in_real_time)  # this thread keeps its own policy
    conductor.start()
    conductor.join()
    if failures:
        pytest.skip(f"the system grants no real-time priority ({failures[0]})")
    assert set(policies) == {os.SCHED_OTHER}
    players.close()


def test_a_hanging_generator_is_muted_after_one_deadline(gate: threading.Event) -> None:
    clock = ManualClock()
    visitor = Visitor(gate.wait)
    sandboxed = SandboxedGenerator(visitor, deadline_seconds=NEVER, clock=clock)
    players = GeneratorBand([sandboxed, *built_in()])
    sink = RecordingSink()
    conductor = Conductor(sink, players, seed=3, tonic=0, length_bars=16)
    conductor.start(0.0, make_parameters())
    step(conductor, 0.0, 2.0, make_parameters())
    assert players.muted == (), "it may still be loading"
    clock.advance(FIRST_CALL_SECONDS)
    step(conductor, 2.1, 6.0, make_parameters())
    (muted,) = players.muted
    assert (muted.name, muted.state) == ("visitor", PlayerState.TOO_SLOW)
    assert sink.notes == [
        note for note in play_piece(make_parameters()).notes if note.onset_beats <= sink.notes[-1].onset_beats
    ]


def test_a_late_answer_is_not_played_and_the_next_one_is(gate: threading.Event) -> None:
    visitor = Visitor(gate.wait)
    sandboxed = SandboxedGenerator(visitor, deadline_seconds=NEVER)
    onsets = play_slice(sandboxed, 0.0)
    assert onsets is None
    late = sandboxed._call
    assert late is not None
    gate.set()
    assert late.done.wait(PATIENT)
    sandboxed._deadline = PATIENT
    assert play_slice(sandboxed, 1.0) == [1.0]
    sandboxed.close()


def play_slice(sandboxed: SandboxedGenerator, start: float) -> list[float] | None:
    """The onsets of one slice; None if they did not come in time."""
    onsets: list[float] | None = None

    class Once(Visitor):
        def generate(
            self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
        ) -> Sequence[NoteEvent]:
            nonlocal onsets
            if start_beat == start:
                try:
                    onsets = [
                        note.onset_beats for note in sandboxed.generate(parameters, context, start_beat, end_beat)
                    ]
                except DeadlineExceeded:
                    onsets = None
            return []

    play(GeneratorBand([Once()]), bars=1)
    return onsets


def test_a_fault_in_its_thread_mutes_it_as_any_other() -> None:
    def fail() -> None:
        raise ZeroDivisionError("by zero")

    players = GeneratorBand([SandboxedGenerator(Visitor(fail), deadline_seconds=PATIENT)])
    play(players)
    (muted,) = players.muted
    assert muted.state == PlayerState.FAILED
    assert "ZeroDivisionError: by zero" in muted.reason


def test_a_generator_that_exits_ends_only_its_own_thread() -> None:
    def leave() -> None:
        raise SystemExit(3)

    players = GeneratorBand([SandboxedGenerator(Visitor(leave), deadline_seconds=PATIENT)])
    play(players)
    assert [muted.state for muted in players.muted] == [PlayerState.FAILED]


def test_an_endless_loop_is_stopped_when_it_is_closed() -> None:
    def spin() -> None:
        while True:
            pass

    visitor = Visitor(spin)
    sandboxed = SandboxedGenerator(visitor, deadline_seconds=NEVER)
    assert play_slice(sandboxed, 0.0) is None
    assert visitor.entered.wait(PATIENT)
    call = sandboxed._call
    assert call is not None
    sandboxed.close()
    assert call.done.wait(PATIENT), "the loop still runs"


def test_a_generator_that_still_hangs_stays_muted_in_the_next_session(gate: threading.Event) -> None:
    sandboxed = SandboxedGenerator(Visitor(gate.wait), deadline_seconds=NEVER)
    assert play_slice(sandboxed, 0.0) is None
    players = GeneratorBand([sandboxed])
    play(players)
    assert [muted.state for muted in players.muted] == [PlayerState.FAILED]
    assert "hangs" in players.muted[0].reason
