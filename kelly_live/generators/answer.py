"""Reads what a generator answered: NoteEvents whose numbers are of the right type, and nothing else.

The answer is a built-in generator's own, or what came from the process of another package's: numbers and text.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from kelly_live.core.checks import as_number, as_whole_number
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent

MAX_NOTES_PER_BEAT = 128  # in a slice of up to a beat; more is a fault, not music
LONGEST_NOTE_BEATS = 64.0
_LONGEST_SHOWN = 40  # characters of a value in a message: it may be anything
_WHOLE = ("pitch", "velocity", "channel")
_NUMBERS = ("onset_beats", "duration_beats", "cents")


class InvalidAnswer(Exception):
    """The error of an answer that cannot be played at all; its text says why, in one line."""


class NoteValues(Protocol):
    """A note without its place in the band, as another program sent it: numbers, or text instead of one."""

    @property
    def onset_beats(self) -> float | str:
        """Its start, in beats of the session."""

    @property
    def duration_beats(self) -> float | str:
        """Its length."""

    @property
    def pitch(self) -> float | str:
        """Its MIDI note number."""

    @property
    def velocity(self) -> float | str:
        """Its velocity, 1-127."""

    @property
    def cents(self) -> float | str:
        """What is added to its pitch."""


class Answer(NamedTuple):
    """The notes of an answer that can be played, and why the first of the others was refused."""

    notes: list[NoteEvent]
    refusal: str | None


def read_answer(answer: Iterable[NoteEvent], start_beat: float, end_beat: float) -> Answer:
    """Return the notes of a slice's answer, whole numbers of any type as ints.

    A note with a number of the wrong type is refused, and the rest plays. Raises InvalidAnswer if there are too many
    notes, or they are unsorted, outside the slice, too long or no NoteEvents, and whatever a lazy answer raises.
    """
    return _read((note if _is_clean(note) else _convert(note) for note in _iterate(answer)), start_beat, end_beat)


def read_values(notes: Iterable[NoteValues], part: str, start_beat: float, end_beat: float) -> Answer:
    """Return the notes that another program answered, as those of a `part`; raises InvalidAnswer, as `read_answer`."""
    return _read((_build(note, part) for note in notes), start_beat, end_beat)


def _read(converted: Iterable[NoteEvent | str], start_beat: float, end_beat: float) -> Answer:
    """Collect the notes; instead of one that was refused there is the reason."""
    limit = math.ceil(max(1.0, end_beat - start_beat) * MAX_NOTES_PER_BEAT)
    notes: list[NoteEvent] = []
    refusal: str | None = None
    before = start_beat
    for read in itertools.islice(converted, limit + 1):
        if isinstance(read, str):
            refusal = refusal or read
            continue
        if not start_beat <= read.onset_beats < end_beat:
            raise InvalidAnswer(
                f"a note at beat {read.onset_beats:g} is outside the slice {start_beat:g} to {end_beat:g}"
            )
        if read.onset_beats < before:
            raise InvalidAnswer(
                f"a note at beat {read.onset_beats:g} comes after one at {before:g}; notes must be sorted by onset"
            )
        if read.duration_beats > LONGEST_NOTE_BEATS:
            raise InvalidAnswer(f"a note of {read.duration_beats:g} beats; at most {LONGEST_NOTE_BEATS:g} are allowed")
        before = read.onset_beats
        notes.append(read)
        if len(notes) > limit:
            raise InvalidAnswer(f"over {limit} notes from beat {start_beat:g} to {end_beat:g}; no more may start there")
    return Answer(notes, refusal)


def _iterate(answer: Iterable[NoteEvent]) -> Iterable[NoteEvent]:
    try:
        return iter(answer)
    except TypeError as error:
        raise InvalidAnswer(f"returned a {type(answer).__name__}; it must return a list of NoteEvents") from error


def _is_clean(note: NoteEvent) -> bool:
    """Tell whether a note is a NoteEvent as we make them; the common case, and cheap."""
    return type(note) is NoteEvent and (
        type(note.pitch) is type(note.velocity) is type(note.channel) is int
        and type(note.onset_beats) is type(note.duration_beats) is type(note.cents) is float
        and type(note.part) is type(note.port) is str
        and (note.program is None or type(note.program) is int)
    )


def _convert(note: NoteEvent) -> NoteEvent | str:
    """Return a note with ints and floats, or which of its values is none."""
    if not isinstance(note, NoteEvent):
        raise InvalidAnswer(f"returned a {type(note).__name__}; it must return NoteEvents")
    values = _read_numbers(note, (*_WHOLE, *_NUMBERS))
    if isinstance(values, str):
        return values
    program = note.program if note.program is None else as_whole_number(note.program)
    if program is None and note.program is not None:
        return f"program is {repr(note.program)[:_LONGEST_SHOWN]}; it must be a whole number"
    try:
        return NoteEvent(**values, part=str(note.part), port=str(note.port), program=program)  # type: ignore[arg-type]
    except ConfigError as error:
        return str(error)


def _build(note: NoteValues, part: str) -> NoteEvent | str:
    """Return a note of a part, on a channel that its slot will replace, or why it is none."""
    values = _read_numbers(note, ("pitch", "velocity", *_NUMBERS))
    if isinstance(values, str):
        return values
    try:
        return NoteEvent(**values, channel=1, part=part)  # type: ignore[arg-type]
    except ConfigError as error:
        return str(error)


def _read_numbers(note: NoteEvent | NoteValues, names: Sequence[str]) -> dict[str, float] | str:
    """Return a note's numbers by name, or which of them is none."""
    values: dict[str, float] = {}
    for name in names:
        given = getattr(note, name)
        value = as_whole_number(given) if name in _WHOLE else as_number(given)
        if value is None:
            kind = "a whole number" if name in _WHOLE else "a number"
            shown = given if isinstance(given, str) and not isinstance(note, NoteEvent) else repr(given)
            return f"{name.removesuffix('_beats')} is {shown[:_LONGEST_SHOWN]}; it must be {kind}"
        values[name] = value
    return values
