"""A style's melody: the first note of each bar, then the notes between, drawn from the style's moves.

The notes between two first notes are drawn under the condition that they arrive at the second one, so that a bar
depends on nothing but the first notes of its own bar and the next.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import CultureStyle, MusicParameters, Register
from kelly_live.music.context import MusicContext
from kelly_live.music.forms import PhraseRole
from kelly_live.music.randomness import rng_for
from kelly_live.music.style.habits import find_section_share, list_cadences, weigh_by_cells
from kelly_live.music.style.rhythm import place_onsets
from kelly_live.music.style.scale import blend_register, create_melody_key
from kelly_live.music.style.transitions import (
    find_question_degrees,
    find_rest_index,
    find_settings,
    fit_transitions,
    weigh_by_chord,
    weigh_by_contour,
)
from kelly_live.music.theory import Key


class PlacedNote(NamedTuple):
    """A note of the melody: its position in the bar and its length, in beats, and its step of the key."""

    position: float
    length: float
    step: int


def _repetition_labels(context: MusicContext, bar: int) -> tuple[object, ...]:
    """Return the labels of a bar's draws: a phrase's first bar returns with its letter, the others vary."""
    phrase, in_phrase = context.phrase, context.bar_in_phrase(bar)
    return phrase.theme, phrase.role.letter, in_phrase, phrase.occurrence if in_phrase else "opening"


def _pick_index(chances: Floats, number: float) -> int:
    """Return the index that a number in [0, 1) falls on by these chances; 0 if nothing is possible."""
    sums = np.cumsum(chances)
    return min(len(chances) - 1, bisect_right(sums.tolist(), number * float(sums[-1]))) if sums[-1] > 0.0 else 0


@lru_cache(maxsize=64)
def build_line(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[PlacedNote, ...]:
    """Build the melody of one bar of the phrase, in a style that has a scale."""
    style = parameters.style
    assert style is not None
    register, phrase = blend_register(parameters), context.phrase
    key = create_melody_key(style, context)
    transitions = fit_transitions(style, key, register, find_settings(parameters, context))
    onsets, in_phrase = place_onsets(parameters, context, bar), context.bar_in_phrase(bar)
    last = context.is_last_bar(bar)
    moves_by_bar = tuple(
        len(place_onsets(parameters, context, phrase.start_bar + n)) - (n == phrase.bars - 1)
        for n in range(phrase.bars)
    )
    first_notes = _draw_first_notes(parameters, key, register, context, moves_by_bar)
    now = first_notes[min(in_phrase, len(first_notes) - 1)]
    next_first_note = first_notes[min(in_phrase + 1, len(first_notes) - 1)]
    rng = rng_for(context.seed, "idiom line", *_repetition_labels(context, bar))
    indices = [next_first_note if last and len(onsets) == 1 else now]
    # The last note of the phrase is its goal, after a cadence; in other bars the goal is the next bar's first note.
    goals = {len(onsets) - 1 if last else len(onsets): next_first_note}
    if last and not context.closing:
        goals |= _choose_cadence(style, transitions.steps, key.size, context, next_first_note, len(onsets))
    for note_number in range(1, len(onsets)):
        number = rng.random()
        if note_number in goals:
            indices.append(goals[note_number])
            continue
        goal = min(place for place in goals if place > note_number)
        chances = transitions.powers[0][indices[-1]] * transitions.after_moves(goal - note_number)[:, goals[goal]]
        if transitions.turns is not None and note_number > 1:
            chances = chances * transitions.turns[indices[-2], indices[-1]]
        line = [transitions.steps[index] for index in indices]
        typical = weigh_by_cells(style.habits, key.size, transitions.steps, line)
        indices.append(_pick_index(chances if typical is None else chances * typical, number))
    ends = [*onsets[1:], float(context.beats_per_bar)]
    return tuple(
        PlacedNote(position, end - position, transitions.steps[index])
        for position, end, index in zip(onsets, ends, indices, strict=True)
    )


def _choose_cadence(
    style: CultureStyle, steps: tuple[int, ...], size: int, context: MusicContext, rest: int, count: int
) -> dict[int, int]:
    """Choose the last notes before a phrase's rest: by their place in a bar of `count` notes, indices in `steps`.

    A bar's first note is left alone, so is a note out of range, and half of the moves: a cadence that took most of a
    sparse bar would make its steps commoner than they are.
    """
    cadences = list_cadences(style.habits, size, steps[rest])
    if not cadences:
        return {}
    rng = rng_for(context.seed, "cadence", context.phrase.theme, steps[rest] % size)
    cadence = rng.choices([cell for cell, _ in cadences], [share for _, share in cadences])[0]
    before = enumerate(reversed(cadence[:-1]), start=2)
    return {count - back: step - steps[0] for back, step in before if back <= 1 + (count - 1) // 2 and step in steps}


@lru_cache(maxsize=64)
def _draw_first_notes(
    parameters: MusicParameters, key: Key, register: Register, context: MusicContext, moves: tuple[int, ...]
) -> tuple[int, ...]:
    """Draw the step index that each bar of the phrase begins with, and then the one that it rests on.

    `moves` is the number of moves from each bar's first note to the next bar's.
    """
    style = parameters.style
    assert style is not None
    transitions, phrase = (
        fit_transitions(style, key, register, find_settings(parameters, context)),
        context.phrase,
    )
    rest = _find_rest(style, key, register, context, phrase.role, phrase.index)
    if context.closing:
        return rest, rest
    first_notes: list[int] = []
    before = (
        rest
        if phrase.preceding is None
        else _find_rest(style, key, register, context, phrase.preceding, phrase.index - 1)
    )
    for bar in range(phrase.bars):
        rng = rng_for(context.seed, "idiom anchor", *_repetition_labels(context, phrase.start_bar + bar))
        chances = weigh_by_contour(style, key, transitions.steps, register, phrase.role, (bar + 0.5) / phrase.bars)
        if first_notes:
            chances = chances * transitions.after_moves(moves[bar - 1])[first_notes[-1]]
        else:
            chances = chances * (transitions.weight if phrase.index == 0 else transitions.powers[0][before])
        moves_left = sum(moves[bar:])
        if moves_left == 0:
            first_notes.append(rest)
            continue
        chances = chances * transitions.after_moves(moves_left)[:, rest]
        if style.has_chords and style.scale is not None:
            beat = float((phrase.start_bar + bar) * phrase.beats_per_bar)
            chances = chances * weigh_by_chord(key, transitions.steps, context.chord_at(beat))
        first_notes.append(_pick_index(chances, rng.random()))
    return (*first_notes, rest)


def _find_rest(
    style: CultureStyle, key: Key, register: Register, context: MusicContext, role: PhraseRole, index: int
) -> int:
    """Return the step index that a phrase rests on: the tonic for an answer, else another degree."""
    degree, questions = 0, find_question_degrees(style, key.size)
    if not (role.closed or context.closing) and questions:
        degree = rng_for(context.seed, "question", role.identify(index)).choice(questions)
    steps = tuple(key.steps_within(register.low, register.high))
    share = 1.0 if context.closing else find_section_share(role, 1.0)
    return find_rest_index(style, degree, steps, key, register, share)
