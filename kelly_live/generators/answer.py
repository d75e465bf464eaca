"""Reads what a generator answered: NoteEvents whose numbers are of the right type, and nothing else.

Thread: the one that calls the generator. An answer may be lazy, and a note's attribute may be code, so nothing of
another package's answer is read outside its sandbox.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

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


class Answer(NamedTuple):
    """The notes of an answer that can be played, and why the first of the others was refused."""

    notes: list[NoteEvent]
    refusal: str | None


def read_answer(answer: Iterable[NoteEvent], start_beat: float, end_beat: float) -> Answer:
    """Return the notes of a slice's answer, whole numbers of any type as ints.

    A note with a number of the wrong type is refused, and the rest plays. Raises InvalidAnswer if there are too many
    notes, or they are unsorted, outside the slice, too long or no NoteEvents, and whatever a lazy answer raises.
    """
    limit = math.ceil(max(1.0, end_beat - start_beat) * MAX_NOTES_PER_BEAT)
    notes: list[NoteEvent] = []
    refusal: str | None = None
    before = start_beat
    for note in itertools.islice(_iterate(answer), limit + 1):
        read = note if _is_clean(note) else _convert(note)
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
    values: dict[str, float] = {}
    for name in (*_WHOLE, *_NUMBERS):
        given = getattr(note, name)
        value = as_whole_number(given) if name in _WHOLE else as_number(given)
        if value is None:
            kind = "a whole number" if name in _WHOLE else "a number"
            return f"{name.removesuffix('_beats')} is {repr(given)[:_LONGEST_SHOWN]}; it must be {kind}"
        values[name] = value
    program = note.program if note.program is None else as_whole_number(note.program)
    if program is None and note.program is not None:
        return f"program is {repr(note.program)[:_LONGEST_SHOWN]}; it must be a whole number"
    try:
        return NoteEvent(**values, part=str(note.part), port=str(note.port), program=program)  # type: ignore[arg-type]
    except ConfigError as error:
        return str(error)
