"""Answers to a player's phrase: his motif, varied.

Either his rhythm is kept and the pitches go elsewhere, or his contour is kept and the end of the rhythm changes; never
both. The motif is sequenced to where the most of its strong notes are tones of their chords. The plan is a row of scale
steps; each is fitted to the chord in force only when it is played.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kelly_live.core.values import Register
from kelly_live.music.context import MusicContext
from kelly_live.music.player_phrase import PhraseNote, PlayerPhrase
from kelly_live.music.rhythm import list_strong_beats
from kelly_live.music.theory import Key, Note

_GRIDS = (0.25, 1 / 3)  # beats; a phrase is played on the one that it lies nearer to
_GRID_ADVANTAGE = 0.7  # of the finer grid's errors: thirds must be clearly meant
_LONGEST_BEATS, _LAST_BEATS = 1.0, 1.5
_TOUCH = 0.9  # of the way to the next note
_SEQUENCES = (-3, -2, -1, 1, 2, 3)  # steps that an answer lies over the call
_TURNED_SHARE = 1 / 3  # of the notes, at the end, that are turned over where the contour changes
_NEAR_STEPS = 3  # how far a note is moved for the chord and the contour, at most
_LONG_BEATS = 0.9  # from here on a note stands for itself, and is a tone of its chord


class AnswerNote(NamedTuple):
    """A note of an answer: its beat and length, and its step before the chord has its say.

    `direction` is 1 where it lies over the note before, -1 under it, 0 where it repeats it, None for the first one.
    """

    beat: float
    length: float
    step: int
    direction: int | None
    is_last: bool


def plan_answer(
    call: PlayerPhrase, key: Key, register: Register, context: MusicContext, *, shift_beats: float, rng: random.Random
) -> tuple[AnswerNote, ...]:
    """Plan a variation of a call, `shift_beats` after it, in the octave that is nearest to the register's centre."""
    beats = [beat + shift_beats for beat in _snap(call.notes)]
    steps = _move_into(register, key, _find_steps(call.notes, key, register, rng))
    kept = [index for index, beat in enumerate(beats) if index == 0 or beat > beats[index - 1]]  # one on each place
    beats, steps = [beats[index] for index in kept], [steps[index] for index in kept]
    if len(beats) > 2 and rng.random() < 0.5 and len({note.pitch for note in call.notes}) > 2:
        beats = _vary_rhythm(beats)
    elif len(steps) > 3 and rng.random() < 0.5:
        steps = _turn_end(steps)
    steps = _sequence(beats, steps, key, register, context, rng)
    notes = []
    for index, (beat, step) in enumerate(zip(beats, steps, strict=True)):
        is_last = index == len(beats) - 1
        length = _LAST_BEATS if is_last else min(_LONGEST_BEATS, _TOUCH * (beats[index + 1] - beat))
        direction = None if index == 0 else _compare(step, steps[index - 1])
        notes.append(AnswerNote(beat, length, step, direction, is_last))
    return tuple(notes)


def fit_note(note: AnswerNote, before: int | None, key: Key, context: MusicContext) -> Note:
    """Fit a note to the chord in force at its beat; `before` is the pitch of the note before it.

    A strong, long or last one is a tone of the chord. All keep the contour, where a tone is near enough for that.
    """
    chord = context.chord_at(note.beat)
    key = chord.key if key == context.key else key
    near = sorted(range(note.step - _NEAR_STEPS, note.step + _NEAR_STEPS + 1), key=lambda step: abs(step - note.step))
    if _is_strong(note.beat, context) or note.is_last or note.length >= _LONG_BEATS:
        near = [step for step in near if _is_chord_tone(step, note.beat, key, context)] or near
    pitches = [key.note(step) for step in near]
    fits = (pitch for pitch in pitches if before is None or _compare(pitch.pitch, before) == note.direction)
    return next(fits, pitches[0])


def _compare(one: int, other: int) -> int:
    return (one > other) - (one < other)


def _is_strong(beat: float, context: MusicContext) -> bool:
    return beat % context.beats_per_bar in list_strong_beats(context.beats_per_bar)


def _is_chord_tone(step: int, beat: float, key: Key, context: MusicContext) -> bool:
    return key.note(step).pitch % 12 in context.chord_at(beat).pitch_classes


def _snap(notes: Sequence[PhraseNote]) -> list[float]:
    """Put the notes on the grid that they were meant on."""

    def error(grid: float) -> float:
        total = sum(abs(note.beat - round(note.beat / grid) * grid) for note in notes)
        return total if grid == _GRIDS[0] else total / _GRID_ADVANTAGE

    grid = min(_GRIDS, key=error)
    return [round(note.beat / grid) * grid for note in notes]


def _find_steps(notes: Sequence[PhraseNote], key: Key, register: Register, rng: random.Random) -> list[int]:
    """Return the steps that were played; where a pitch is not known, a walk goes on from the note before."""
    step = next((key.step_near(note.pitch) for note in notes if note.pitch is not None), None)
    step = key.step_near(register.centre) if step is None else step
    steps = []
    for note in notes:
        step = step + rng.choice((-2, -1, 1, 2)) if note.pitch is None else key.step_near(note.pitch)
        steps.append(step)
    return steps


def _move_into(register: Register, key: Key, steps: Sequence[int]) -> list[int]:
    """Move steps by octaves, so that their middle is near to the register's."""
    middle = sorted(steps)[len(steps) // 2]
    octaves = round((key.step_near(register.centre) - middle) / key.size)
    return [step + octaves * key.size for step in steps]


def _turn_end(steps: Sequence[int]) -> list[int]:
    """Keep the head of a motif, and turn its end over."""
    head = len(steps) - max(2, round(_TURNED_SHARE * len(steps)))
    return [*steps[:head], *(2 * steps[head - 1] - step for step in steps[head:])]


def _sequence(
    beats: Sequence[float],
    steps: Sequence[int],
    key: Key,
    register: Register,
    context: MusicContext,
    rng: random.Random,
) -> list[int]:
    """Move a motif to where it lies in the register, and the most of its strong notes are tones of their chords."""
    strong = [index for index, beat in enumerate(beats) if _is_strong(beat, context) or index == len(beats) - 1]
    playable = key.steps_within(register.low, register.high)

    def rate(shift: int) -> int:
        inside = sum(step + shift in playable for step in steps)
        return inside + sum(_is_chord_tone(steps[index] + shift, beats[index], key, context) for index in strong)

    shift = max(rng.sample(_SEQUENCES, len(_SEQUENCES)), key=rate)
    return [step + shift for step in steps]


def _vary_rhythm(beats: Sequence[float]) -> list[float]:
    """Keep the head of a rhythm; its end has the distances the other way round, or long and short where they are equal.

    The last note stays where it is.
    """
    distances = [after - beat for beat, after in pairwise(beats)]
    head, end = distances[: len(distances) // 2], distances[len(distances) // 2 :]
    varied = end[::-1]
    if varied == end:
        even = len(end) - len(end) % 2
        varied = [distance * (1.5 if index % 2 == 0 else 0.5) for index, distance in enumerate(end[:even])] + end[even:]
    result = [beats[0]]
    for distance in (*head, *varied):
        result.append(result[-1] + distance)
    return result
