"""The conformance kit: every built-in player passes, and each broken rule is found and named."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor, MusicContext, Parameter, Value
from kelly_live.generators.builtin.arpeggio import ArpeggioGenerator
from kelly_live.generators.builtin.bass import BassGenerator
from kelly_live.generators.builtin.chords import ChordGenerator
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.builtin.pad import PadGenerator
from kelly_live.generators.builtin.percussion import PercussionGenerator
from kelly_live.generators.effects.registry import EFFECTS
from kelly_live.testing import assert_conforms, find_faults, make_context, make_parameters, play

BUILT_IN = [ArpeggioGenerator, BassGenerator, ChordGenerator, MelodyGenerator, PadGenerator, PercussionGenerator]


class Pulse:
    """A correct generator: the tonic on each beat."""

    descriptor: ClassVar[Any] = Descriptor("pulse", "pulse", 5, 0)

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        beats = [beat for beat in range(int(start_beat), int(end_beat) + 1) if start_beat <= beat < end_beat]
        return [self.note(context, float(beat)) for beat in beats]

    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        return NoteEvent(beat, 0.5, 48 + context.key.tonic, 80, 5, "pulse")

    def reset(self) -> None:
        pass


class WithoutDescriptor(Pulse):
    descriptor = "pulse"


class TakesArguments(Pulse):
    def __init__(self, volume: int) -> None:
        self.volume = volume


class WithoutConfigure(Pulse):
    descriptor = Descriptor("pulse", "pulse", 5, 0, (Parameter("level", 0.5, "how loud"),))


class Prints(Pulse):
    def reset(self) -> None:
        print("ready")


class LeavesAThread(Pulse):
    def __init__(self) -> None:
        self.ends = threading.Event()
        threading.Thread(target=self.ends.wait, args=(5.0,), daemon=True).start()


class MovesAway(Pulse):
    def reset(self) -> None:
        os.chdir("/")


class DrawsFromTheSharedGenerator(Pulse):
    def reset(self) -> None:
        random.random()


class Varies(Pulse):
    count = 0

    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        Varies.count += 1
        return NoteEvent(beat, 0.5, 40 + Varies.count % 12, 80, 5, "pulse")


class CountsCalls(Pulse):
    """It plays other notes when it is asked in slices, as it does not look at the beat."""

    def __init__(self) -> None:
        self.calls = 0

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        self.calls += 1
        return [NoteEvent(start_beat, 0.1, 40 + self.calls % 12, 80, 5, "pulse")]

    def reset(self) -> None:
        self.calls = 0


class Remembers(Pulse):
    def __init__(self) -> None:
        self.seeds: list[int] = []

    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        if context.seed not in self.seeds:
            self.seeds.append(context.seed)
        return NoteEvent(beat, 0.5, 40 + len(self.seeds), 80, 5, "pulse")


class LosesItsState(Remembers):
    def reset(self) -> None:
        self.seeds = []

    def save_state(self) -> dict[str, int]:
        return {"count": len(self.seeds)}

    def load_state(self, state: dict[str, int]) -> None:
        pass


class KeepsItsState(LosesItsState):
    def save_state(self) -> dict[str, Any]:
        return {"seeds": self.seeds}

    def load_state(self, state: dict[str, Any]) -> None:
        self.seeds = list(state["seeds"])


class StateIsNoJSON(LosesItsState):
    def save_state(self) -> Any:
        return {1.5: object()}


class FailsAtOneEnd(Pulse):
    descriptor = Descriptor("pulse", "pulse", 5, 0, (Parameter("octave", 0, "how high", low=-4.0, high=9.0),))
    octave = 0

    def configure(self, values: Mapping[str, Value]) -> None:
        self.octave = int(values["octave"])

    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        return NoteEvent(beat, 0.5, 48 + 12 * self.octave, 80, 5, "pulse")


class IsAutomated(KeepsItsState):
    """It takes new values while it plays, and remembers what it played."""

    descriptor = Descriptor("pulse", "pulse", 5, 0, (Parameter("up", 0, "semitones", low=0, high=12),))
    up = 0

    def configure(self, values: Mapping[str, Value]) -> None:
        self.up = int(values["up"])

    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        note = super().note(context, beat)
        return NoteEvent(beat, 0.5, note.pitch + self.up, 80, 5, "pulse")


class ForgetsAsItIsConfigured(IsAutomated):
    def configure(self, values: Mapping[str, Value]) -> None:
        super().configure(values)
        self.reset()


class TakesValuesOnce(IsAutomated):
    is_configured = False

    def configure(self, values: Mapping[str, Value]) -> None:
        if not self.is_configured:
            super().configure(values)
        self.is_configured = True


class OutsideItsSlice(Pulse):
    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        return NoteEvent(beat + 100.0, 0.5, 60, 80, 5, "pulse")


class Raises(Pulse):
    def note(self, context: MusicContext, beat: float) -> NoteEvent:
        raise RuntimeError("no model")


class Slow(Pulse):
    """It works for 22 ms on the slices that begin with a beat."""

    worked_seconds = 0.0

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        if end_beat - start_beat < 0.1 and start_beat == int(start_beat):
            Slow.worked_seconds += 0.022
        return super().generate(parameters, context, start_beat, end_beat)


@pytest.mark.parametrize(
    "generator", [Pulse, KeepsItsState, IsAutomated, *BUILT_IN, *EFFECTS.values()], ids=lambda one: one.__name__
)
def test_a_generator_that_keeps_the_contract_has_no_fault(generator: type[Any]) -> None:
    assert find_faults(generator) == []


@pytest.mark.parametrize(
    ("generator", "fault"),
    [
        (WithoutDescriptor, "no `descriptor`"),
        (TakesArguments, "cannot be made without arguments"),
        (WithoutConfigure, "has no `configure`"),
        (Prints, "it prints ('ready')"),
        (LeavesAThread, "leaves a thread running"),
        (MovesAway, "changes the working directory"),
        (DrawsFromTheSharedGenerator, "draws from the shared `random`"),
        (Varies, "the same moment gives other notes the second time"),
        (CountsCalls, "slices of 0.0625 beats give other notes"),
        (Remembers, "after `reset` it plays other notes than a new one"),
        (LosesItsState, "restored by `load_state` it plays other notes"),
        (StateIsNoJSON, "what JSON can hold"),
        (FailsAtOneEnd, "with octave = 9 its notes cannot be played"),
        (ForgetsAsItIsConfigured, "`configure` with the values that it has changes its notes"),
        (TakesValuesOnce, "set to 12 while it plays, up does not do what it does from the start"),
        (OutsideItsSlice, "outside the slice"),
        (Raises, "it raised RuntimeError: no model"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_a_broken_rule_is_named(generator: type[Any], fault: str) -> None:
    faults = find_faults(generator)
    assert fault in faults[0]
    assert all("\n" not in one for one in faults)


def test_a_generator_that_is_too_slow_is_named() -> None:
    (fault,) = find_faults(Slow, stopwatch=lambda: Slow.worked_seconds)
    assert "live slices took over 20 ms" in fault


def test_faults_fail_a_test_with_every_line() -> None:
    with pytest.raises(AssertionError, match=r"breaks the contract:\n- after `reset`"):
        assert_conforms(Remembers)


def test_a_moment_is_what_was_asked_for() -> None:
    context = make_context(tonic=7, mode="dorian", beats_per_bar=3, phrase=2, bpm=72.0)
    assert (context.key.tonic, context.key.mode, context.beats_per_bar, context.bpm) == (7, "dorian", 3, 72.0)
    assert context.phrase.start_beat == 2 * 4 * 3
    notes = play(Pulse(), make_parameters(), context)
    assert [note.onset_beats for note in notes] == [float(beat) for beat in range(24, 36)]
    assert notes == play(Pulse(), make_parameters(), context, slice_beats=0.25)
