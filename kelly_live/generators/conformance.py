"""Check a generator against the contract (`kelly_live/generators/base.py`), as its authors do in their tests.

Each rule is a function that yields the faults which it finds, one line each. The moments that are tried differ in
metre, scale, rhythm, density and place in the piece, and are the same in every run.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

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
from kelly_live.generators.base import Configurable, Generator
from kelly_live.generators.conformance_subject import InProcessSubject, NotTold, Subject, keep_folder
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.note_effect import NoteEffect
from kelly_live.generators.parameter import Parameter, Value, resolve_values
from kelly_live.generators.plugin_process import PlayerFault
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale

Checked: TypeAlias = "Callable[[], Generator] | type[NoteEffect] | Subject"
Moment: TypeAlias = tuple[MusicParameters, MusicContext]

_MOST_SLOW = 0.05  # of the slices may be over the budget: a busy machine has such moments
_LONGEST_STATE = 1 << 16  # bytes of a state as JSON
_MOST_FAULTS = 3  # of one rule: the first ones tell enough
_SLENDRO = Scale("slendro", (0.0, 240.0, 480.0, 720.0, 960.0))


class RuleResult(NamedTuple):
    """A rule in words, and the faults that were found, one line each.

    `is_tried` is False where a rule before it is broken, or the process does not say what is needed.
    """

    rule: str
    faults: tuple[str, ...]
    is_tried: bool = True


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


def check_rules(subject: Checked, *, stopwatch: Callable[[], float] = time.thread_time) -> list[RuleResult]:
    """Check a generator rule by rule; where its calls fail, the rules after that are not tried.

    Args:
        subject: The class of the generator or of the note effect, a function that makes a new one, or an
            ExternalGenerator.
        stopwatch: Returns how many seconds the calling thread has worked; unused for an ExternalGenerator.
    """
    tested = subject if isinstance(subject, Subject) else InProcessSubject(subject, stopwatch)
    results: list[RuleResult] = []
    is_broken = False
    for name, rule in _RULES.items():
        if is_broken:
            results.append(RuleResult(name, (), is_tried=False))
            continue
        faults: list[str] = []
        try:
            with keep_folder():
                faults += itertools.islice(rule(tested), _MOST_FAULTS)
        except InvalidAnswer as error:
            faults.append(f"its notes cannot be played: {error}")
        except NotTold:
            results.append(RuleResult(name, (), is_tried=False))
            continue
        except PlayerFault as fault:
            faults.append(fault.reason)
        except Exception as error:  # the generator's own, which is a fault of it
            faults.append(f"it raised {type(error).__name__}: {error}")
            is_broken = True
        is_broken = is_broken or bool(faults and name in _FIRST_RULES)
        results.append(RuleResult(name, tuple(" ".join(fault.split()) for fault in faults)))
    return results


def find_faults(subject: Checked, *, stopwatch: Callable[[], float] = time.thread_time) -> list[str]:
    """Return how a generator breaks the contract, one line each; none if it keeps it. See `check_rules`."""
    return [fault for result in check_rules(subject, stopwatch=stopwatch) for fault in result.faults]


def assert_conforms(subject: Checked) -> None:
    """Raise AssertionError with every fault, where a generator or a note effect breaks the contract."""
    if faults := find_faults(subject):
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


def _check_descriptor(subject: Subject) -> Iterator[str]:
    """Yield what a generator's class lacks."""
    descriptor = getattr(subject.made_by, "descriptor", None)
    if isinstance(subject.made_by, type) and not isinstance(descriptor, Descriptor):
        yield "its class has no `descriptor` that is a Descriptor"
        return
    try:
        generator = subject.make()
    except PlayerFault:
        raise
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


def _make(subject: Subject, values: dict[str, Value] | None = None) -> Generator:
    """Make a generator as the host does: with the value of every parameter, and reset."""
    generator = subject.make()
    resolved = resolve_values(generator.descriptor.parameters, values or {})
    if resolved and isinstance(generator, Configurable):
        generator.configure(resolved)
    generator.reset()
    return generator


def _exercise(subject: Subject) -> None:
    generator = _make(subject)
    for parameters, context in itertools.islice(_list_moments(), 3):
        play(generator, parameters, context)


def _check_notes(subject: Subject) -> Iterator[str]:
    """Yield the moments whose notes cannot be played: out of range, unsorted, or outside the span."""
    for moment in _list_moments():
        try:
            play(_make(subject), *moment)
        except InvalidAnswer as error:
            yield f"its notes cannot be played: {error} ({_describe(moment)})"


def _check_output(subject: Subject) -> Iterator[str]:
    """Yield what it prints."""
    if printed := subject.observe(partial(_exercise, subject)).printed:
        yield f"it prints ({printed[:60]!r}); stdout may be a result: log instead"


def _check_threads(subject: Subject) -> Iterator[str]:
    """Yield whether a thread goes on after the calls."""
    leaves_thread = subject.observe(partial(_exercise, subject)).leaves_thread
    if leaves_thread is None:
        raise NotTold
    if leaves_thread:
        yield "it leaves a thread running; no call may start one that outlives it"


def _check_changes(subject: Subject) -> Iterator[str]:
    """Yield what it changes around it."""
    changes = subject.observe(partial(_exercise, subject)).changes
    if changes is None:
        raise NotTold
    yield from changes


def _check_repeatability(subject: Subject) -> Iterator[str]:
    """Yield the moments in which two fresh generators differ."""
    for moment in _list_moments():
        if play(_make(subject), *moment) != play(_make(subject), *moment):
            yield f"the same moment gives other notes the second time ({_describe(moment)}); draw from `context.seed`"


def _check_slices(subject: Subject) -> Iterator[str]:
    """Yield the moments in which short slices give other notes than the whole phrase."""
    for moment in itertools.islice(_list_moments(), 0, None, 3):
        whole = play(_make(subject), *moment)
        if play(_make(subject), *moment, slice_beats=subject.slice_beats) != whole:
            slices = f"slices of {subject.slice_beats:g} beats"
            yield f"{slices} give other notes than the whole phrase ({_describe(moment)})"


def _check_reset(subject: Subject) -> Iterator[str]:
    """Yield the moments in which a generator that was reset differs from a new one."""
    for before, moment in itertools.islice(itertools.pairwise(_list_moments()), 0, None, 4):
        generator = _make(subject)
        play(generator, *before)
        generator.reset()
        if play(generator, *moment) != play(_make(subject), *moment):
            yield f"after `reset` it plays other notes than a new one ({_describe(moment)})"


def _check_state(subject: Subject) -> Iterator[str]:
    """Yield how a state that was saved does not lead to the same notes."""
    generator = _make(subject)
    save, load = (getattr(generator, name, None) for name in ("save_state", "load_state"))
    if (save is None) != (load is None):
        yield "it has one of `save_state` and `load_state`; it must have both or neither"
    if save is None or load is None:
        return
    for before, moment in itertools.islice(itertools.pairwise(_list_moments()), 0, None, 6):
        generator = _make(subject)
        play(generator, *before)
        try:
            state = json.dumps(generator.save_state(), allow_nan=False)  # type: ignore[attr-defined]  # asked above
        except (TypeError, ValueError) as error:
            yield f"`save_state` must return what JSON can hold: {error}"
            return
        if state == "null" and subject.may_have_no_state:
            return
        if len(state) > _LONGEST_STATE:
            yield f"its state has {len(state)} bytes; at most {_LONGEST_STATE} are allowed"
        expected = play(generator, *moment)
        restored = _make(subject)
        restored.load_state(json.loads(state))  # type: ignore[attr-defined]
        if play(restored, *moment) != expected:
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


def _check_parameters(subject: Subject) -> Iterator[str]:
    """Yield the parameters' values with which it fails."""
    moments: Sequence[Moment] = list(itertools.islice(_list_moments(), 4))
    for parameter in subject.make().descriptor.parameters:
        for value in _list_values(parameter):
            try:
                for moment in moments:
                    play(_make(subject, {parameter.name: value}), *moment)
            except (InvalidAnswer, ConfigError) as error:
                yield f"with {parameter.name} = {value} its notes cannot be played: {error}"
            except PlayerFault as fault:
                yield f"with {parameter.name} = {value}: {fault.reason}"
            except Exception as error:  # the generator's own
                yield f"with {parameter.name} = {value} it raised {type(error).__name__}: {error}"


def _check_automation(subject: Subject) -> Iterator[str]:
    """Yield what values that are set while it plays do that they must not, and the parameters that do not take them."""
    moments = list(itertools.islice(_list_moments(), 6))
    parameters = subject.make().descriptor.parameters
    for before, moment in itertools.pairwise(moments if parameters else ()):
        expected = _play_both(_make(subject), before, moment)
        generator = _make(subject)
        play(generator, *before)
        generator.configure(resolve_values(parameters, {}))  # type: ignore[attr-defined]  # the first rule asks for it
        if play(generator, *moment) != expected:
            yield f"`configure` with the values that it has changes its notes ({_describe(moment)}); keep what you know"
            return
    for parameter in parameters:
        value = list(_list_values(parameter))[-1]
        expected = play(_make(subject, {parameter.name: value}), *moments[1])
        generator = _make(subject)
        play(generator, *moments[0])
        generator.configure(resolve_values(parameters, {parameter.name: value}))  # type: ignore[attr-defined]
        generator.reset()
        if play(generator, *moments[1]) != expected:
            yield f"set to {value} while it plays, {parameter.name} does not do what it does from the start"


def _play_both(generator: Generator, before: Moment, moment: Moment) -> list[NoteEvent]:
    play(generator, *before)
    return play(generator, *moment)


def _check_budget(subject: Subject) -> Iterator[str]:
    """Yield whether it is too slow to be played live, by the processor time that it uses."""
    slow = count = 0
    for parameters, context in itertools.islice(_list_moments(), 0, None, 9):
        generator = _make(subject)
        start = context.phrase.start_beat
        beats = subject.budget.beats or context.beats_per_bar
        play(generator, parameters, context)  # the first call may load something
        for place in range(round((context.phrase.end_beat - start) / beats)):
            first = start + place * beats
            began = subject.stopwatch()
            generator.generate(parameters, context, first, first + beats)
            slow += subject.stopwatch() - began > subject.budget.seconds
            count += 1
    if slow > _MOST_SLOW * count:
        limit = f"{1000.0 * subject.budget.seconds:.0f} ms"
        yield f"{slow} of {count} {subject.budget.name} took over {limit}; it must take less"


_RULES: Mapping[str, Callable[[Subject], Iterator[str]]] = {
    "descriptor": _check_descriptor,
    "notes in range, sorted, in their span": _check_notes,
    "prints nothing": _check_output,
    "leaves no thread running": _check_threads,
    "changes nothing around it": _check_changes,
    "same seed, same notes": _check_repeatability,
    "same notes in any slices": _check_slices,
    "reset": _check_reset,
    "state saved and restored": _check_state,
    "every parameter at its ends": _check_parameters,
    "parameters set while it plays": _check_automation,
    "time budget": _check_budget,
}
_FIRST_RULES = ("descriptor", "notes in range, sorted, in their span")  # what breaks these can keep no other
