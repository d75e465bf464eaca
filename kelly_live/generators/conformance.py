"""Check a generator against the contract (`kelly_live/generators/base.py`), as its authors do in their tests.

Each rule is a function that yields the faults which it finds, one line each. The moments that are tried differ in
metre, scale, rhythm, density and place in the piece, and are the same in every run.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import (
    MODES,
    RHYTHMS,
    Dynamics,
    MusicParameters,
    NoteEvent,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.generators.answer import InvalidAnswer, read_answer
from kelly_live.generators.base import BUDGET_SECONDS, Configurable, Generator
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.parameter import Parameter, Value, resolve_values
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale

MakeGenerator: TypeAlias = Callable[[], Generator]
Moment: TypeAlias = tuple[MusicParameters, MusicContext]

_SLICE_BEATS = 1.0 / 16.0  # a live slice
_MOST_SLOW = 0.05  # of the slices may be over the budget: a busy machine has such moments
_LONGEST_STATE = 1 << 16  # bytes of a state as JSON
_MOST_FAULTS = 3  # of one rule: the first ones tell enough
_SLENDRO = Scale("slendro", (0.0, 240.0, 480.0, 720.0, 960.0))


def make_parameters(
    *,
    bpm: float = 100.0,
    mode: str = "ionian",
    rhythm: str = "straight",
    density: float = 1.0,
    register: tuple[float, float, float] = (59.0, 69.0, 79.0),
    dynamics: tuple[float, float, float] = (0.3, 0.8, 0.3),
    scale: Scale | None = None,
) -> MusicParameters:
    """Return parameters that differ from a plain middle only where it is said.

    `register` is (low, centre, high) in MIDI note numbers, `dynamics` (floor, ceiling, variance) in 0-1, `density` in
    notes a beat. Raises ConfigError.
    """
    return MusicParameters(
        tempo=TempoRange(max(20.0, bpm - 10.0), bpm, min(300.0, bpm + 10.0)),
        modes=tuple(float(one == mode) for one in MODES),
        register=Register(*register),
        dynamics=Dynamics(*dynamics),
        timing=TimingWeights(0.0, 1.0, 0.0),
        density=density,
        rhythms=tuple(float(one == rhythm) for one in RHYTHMS),
        scale=scale,
    )


def make_context(
    *,
    seed: int = 3,
    phrase: int = 1,
    tonic: int = 2,
    mode: str = "ionian",
    rhythm: str = "straight",
    beats_per_bar: int = 4,
    bpm: float = 100.0,
    scale: Scale | None = None,
) -> MusicContext:
    """Return the moment of a phrase of four bars: the `phrase`-th of a piece, in the key of `tonic` (0-11)."""
    key = Key(tonic, build_mode_scale(mode) if scale is None else scale)
    planned = plan_phrase(seed, phrase, key, start_bar=4 * phrase, beats_per_bar=beats_per_bar, busy=True)
    return MusicContext(seed=seed, phrase=planned, rhythm=rhythm, bpm=bpm)


def play(
    generator: Generator, parameters: MusicParameters, context: MusicContext, *, slice_beats: float | None = None
) -> list[NoteEvent]:
    """Return a generator's notes of the whole phrase, asked for at once or in slices.

    Raises what the generator raises, and InvalidAnswer for notes that could not be played.
    """
    start, end = context.phrase.start_beat, context.phrase.end_beat
    count = 1 if slice_beats is None else round((end - start) / slice_beats)
    edges = [start + (end - start) * place / count for place in range(count + 1)]
    notes: list[NoteEvent] = []
    for first, last in itertools.pairwise(edges):
        answer = read_answer(generator.generate(parameters, context, first, last), first, last)
        if answer.refusal is not None:
            raise InvalidAnswer(answer.refusal)
        notes += answer.notes
    return notes


def find_faults(make_generator: MakeGenerator, *, stopwatch: Callable[[], float] = time.thread_time) -> list[str]:
    """Return how a generator breaks the contract, one line each; none if it keeps it.

    Args:
        make_generator: The class of the generator, or a function that makes a new one.
        stopwatch: Returns how many seconds the calling thread has worked.
    """
    faults = list(_find_faults_of_descriptor(make_generator))
    if faults:
        return faults
    rules: tuple[Callable[[MakeGenerator], Iterator[str]], ...] = (
        _check_side_effects,
        _check_repeatability,
        _check_slices,
        _check_reset,
        _check_state,
        _check_parameters,
        partial(_check_budget, stopwatch=stopwatch),
    )
    for rule in rules:
        try:
            faults += itertools.islice(rule(make_generator), _MOST_FAULTS)
        except InvalidAnswer as error:
            faults.append(f"its notes cannot be played: {error}")
        except Exception as error:  # the generator's own, which is a fault of it
            faults.append(f"it raised {type(error).__name__}: {error}")
        if faults:  # what comes next would mostly say the same
            break
    return faults


def assert_conforms(make_generator: MakeGenerator) -> None:
    """Raise AssertionError with every fault, where a generator breaks the contract."""
    if faults := find_faults(make_generator):
        raise AssertionError("the generator breaks the contract:\n" + "\n".join(f"- {fault}" for fault in faults))


def _list_moments() -> Iterator[Moment]:
    """List moments that differ in all that a generator is told."""
    scales: tuple[tuple[str, Scale | None], ...] = (("ionian", None), ("aeolian", None), ("phrygian", _SLENDRO))
    densities = itertools.cycle((0.0, 1.5, 3.0, 0.6))
    seeds = itertools.count(1)
    for beats_per_bar, (mode, scale), rhythm in itertools.product((4, 3, 7), scales, RHYTHMS):
        seed = next(seeds)
        context = make_context(
            seed=seed, phrase=seed % 5, tonic=seed % 12, mode=mode, rhythm=rhythm, beats_per_bar=beats_per_bar,
            bpm=60.0 + 2.0 * seed, scale=scale,
        )  # fmt: skip
        context = replace(context, closing=seed % 7 == 0, trend=(-1.0, 0.0, 0.8)[seed % 3])
        low = 30.0 + seed % 40
        yield (
            make_parameters(
                bpm=context.bpm, mode=mode, rhythm=rhythm, density=next(densities),
                register=(low, low + 8.0, low + 20.0), scale=scale,
            ),
            context,
        )  # fmt: skip


def _describe(moment: Moment) -> str:
    parameters, context = moment
    return (
        f"seed {context.seed}, {context.beats_per_bar} beats a bar, {context.key.scale.name}, {context.rhythm}, "
        f"density {parameters.density:g}"
    )


def _find_faults_of_descriptor(make_generator: MakeGenerator) -> Iterator[str]:
    descriptor = getattr(make_generator, "descriptor", None)
    if isinstance(make_generator, type) and not isinstance(descriptor, Descriptor):
        yield "its class has no `descriptor` that is a Descriptor"
        return
    try:
        generator = make_generator()
    except Exception as error:  # the generator's own
        yield f"it cannot be made without arguments: {type(error).__name__}: {error}"
        return
    if not isinstance(getattr(generator, "descriptor", None), Descriptor):
        yield "it has no `descriptor` that is a Descriptor"
        return
    for name in ("generate", "reset"):
        if not callable(getattr(generator, name, None)):
            yield f"it has no method `{name}`"
    if generator.descriptor.parameters and not isinstance(generator, Configurable):
        yield "it declares parameters, but has no `configure` to take their values"


def _make(make_generator: MakeGenerator, values: dict[str, Value] | None = None) -> Generator:
    """Make a generator as the host does: with the value of every parameter, and reset."""
    generator = make_generator()
    resolved = resolve_values(generator.descriptor.parameters, values or {})
    if resolved and isinstance(generator, Configurable):
        generator.configure(resolved)
    generator.reset()
    return generator


def _check_side_effects(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield what a call does beside answering."""
    threads, folder, environment = set(threading.enumerate()), os.getcwd(), dict(os.environ)
    clock, state = time.monotonic, random.getstate()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        generator = _make(make_generator)
        for parameters, context in itertools.islice(_list_moments(), 3):
            play(generator, parameters, context)
    if printed.getvalue():
        yield f"it prints ({printed.getvalue().splitlines()[0][:60]!r}); stdout may be a result: log instead"
    if set(threading.enumerate()) - threads:
        yield "it leaves a thread running; no call may start one that outlives it"
    if os.getcwd() != folder:
        yield "it changes the working directory"
        os.chdir(folder)
    if dict(os.environ) != environment:
        yield "it changes the environment"
    if time.monotonic is not clock:
        yield "it replaces `time.monotonic`"
    if random.getstate() != state:
        yield "it draws from the shared `random`; make a `random.Random` from `context.seed`"


def _check_repeatability(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield the moments in which two fresh generators differ."""
    for moment in _list_moments():
        if play(_make(make_generator), *moment) != play(_make(make_generator), *moment):
            yield f"the same moment gives other notes the second time ({_describe(moment)}); draw from `context.seed`"


def _check_slices(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield the moments in which live slices give other notes than the whole phrase."""
    for moment in itertools.islice(_list_moments(), 0, None, 3):
        whole = play(_make(make_generator), *moment)
        if play(_make(make_generator), *moment, slice_beats=_SLICE_BEATS) != whole:
            yield f"sixteenths of a beat give other notes than the whole phrase ({_describe(moment)})"


def _check_reset(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield the moments in which a generator that was reset differs from a new one."""
    for before, moment in itertools.islice(itertools.pairwise(_list_moments()), 0, None, 4):
        generator = _make(make_generator)
        play(generator, *before)
        generator.reset()
        if play(generator, *moment) != play(_make(make_generator), *moment):
            yield f"after `reset` it plays other notes than a new one ({_describe(moment)})"


def _check_state(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield how a state that was saved does not lead to the same notes."""
    generator = _make(make_generator)
    save, load = (getattr(generator, name, None) for name in ("save_state", "load_state"))
    if (save is None) != (load is None):
        yield "it has one of `save_state` and `load_state`; it must have both or neither"
    if save is None or load is None:
        return
    for before, moment in itertools.islice(itertools.pairwise(_list_moments()), 0, None, 6):
        generator, restored = _make(make_generator), _make(make_generator)
        play(generator, *before)
        try:
            state = json.dumps(generator.save_state(), allow_nan=False)  # type: ignore[attr-defined]  # asked above
        except (TypeError, ValueError) as error:
            yield f"`save_state` must return what JSON can hold: {error}"
            return
        if len(state) > _LONGEST_STATE:
            yield f"its state has {len(state)} bytes; at most {_LONGEST_STATE} are allowed"
        restored.load_state(json.loads(state))  # type: ignore[attr-defined]
        if play(generator, *moment) != play(restored, *moment):
            yield f"restored by `load_state` it plays other notes ({_describe(moment)})"


def _list_values(parameter: Parameter) -> Iterable[Value]:
    match parameter.kind:
        case "switch":
            return (False, True)
        case "choice":
            return parameter.choices
        case "whole":
            return (int(parameter.low), int(parameter.high))
        case _:
            return (parameter.low, parameter.high)


def _check_parameters(make_generator: MakeGenerator) -> Iterator[str]:
    """Yield the parameters' values with which it fails."""
    moments: Sequence[Moment] = list(itertools.islice(_list_moments(), 4))
    for parameter in make_generator().descriptor.parameters:
        for value in _list_values(parameter):
            try:
                for moment in moments:
                    play(_make(make_generator, {parameter.name: value}), *moment)
            except (InvalidAnswer, ConfigError) as error:
                yield f"with {parameter.name} = {value} its notes cannot be played: {error}"
            except Exception as error:  # the generator's own
                yield f"with {parameter.name} = {value} it raised {type(error).__name__}: {error}"


def _check_budget(make_generator: MakeGenerator, stopwatch: Callable[[], float]) -> Iterator[str]:
    """Yield whether it is too slow for live slices, by the processor time that it uses."""
    slow = count = 0
    for parameters, context in itertools.islice(_list_moments(), 0, None, 9):
        generator = _make(make_generator)
        start = context.phrase.start_beat
        play(generator, parameters, context)  # the first call may load something
        for place in range(round((context.phrase.end_beat - start) / _SLICE_BEATS)):
            first = start + place * _SLICE_BEATS
            began = stopwatch()
            generator.generate(parameters, context, first, first + _SLICE_BEATS)
            slow += stopwatch() - began > BUDGET_SECONDS
            count += 1
    if slow > _MOST_SLOW * count:
        yield f"{slow} of {count} live slices took over {1000.0 * BUDGET_SECONDS:.0f} ms; a slice must take less"
