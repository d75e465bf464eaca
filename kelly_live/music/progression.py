"""Progressions: the mode degrees of a phrase's bars, one each, and what stands between two of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from kelly_live.music.forms import PhraseRole
from kelly_live.music.grammar import Grammar
from kelly_live.music.randomness import pick

_DOMINANT, _SUBDOMINANT = 4, 3  # mode degrees
_UNLIKELY = 0.05  # a move that the grammar lacks, where an ending leaves no other


def choose_opening(grammar: Grammar, role: PhraseRole, rng: random.Random) -> int:
    """Choose the mode degree that the phrases of a letter open on."""
    if role.degrees:
        return role.degrees[0]
    return 0 if role.opens_home else pick(rng, grammar.moves[0])


def fit_degrees(degrees: Sequence[int], bars: int, *, leads_home: bool) -> list[int]:
    """Fit a form's own chords to a number of bars; before the closing bar the last of them is the dominant."""
    fitted = [*degrees, *[degrees[-1]] * bars][:bars]
    return [*fitted[:-1], _DOMINANT] if leads_home else fitted


def stretch_degrees(degrees: Sequence[int], bars: int) -> list[int]:
    """Fit a loop of chords to a phrase of uneven length: what comes before its ending is cut, or held for longer."""
    if bars < len(degrees):
        return [*degrees[: max(0, bars - 2)], *degrees[-min(bars, 2) :]]
    return [*degrees[:-2], *[degrees[-2]] * (bars - len(degrees)), *degrees[-2:]]


def choose_degrees(
    grammar: Grammar,
    role: PhraseRole,
    bars: int,
    opening_rng: random.Random,
    ending_rng: random.Random,
    *,
    leads_home: bool,
    next_degree: int,
    taken: int | None,
) -> list[int]:
    """Choose one mode degree a bar: the opening depends on the letter, the ending on the phrase.

    A question does not end where the next phrase begins. `taken`: the second chord of the first part.
    """
    goes_home = role.closed and not leads_home
    has_dominant = (
        _DOMINANT in grammar.home
        and _DOMINANT in grammar.half
        and grammar.home[_DOMINANT] >= max(grammar.home.values())
    )
    # Before the closing bar it is the dominant, where the mode has one, and at the end of a contrast that goes home.
    if has_dominant and (leads_home or (role.is_contrast and next_degree == 0)):
        ends: Mapping[int, float] = {_DOMINANT: 1.0}
    else:
        ends = grammar.home if leads_home else _list_question_ends(grammar, next_degree)
    last = 0 if goes_home else pick(ending_rng, ends)
    if bars == 1:
        return [last]
    degrees = [choose_opening(grammar, role, opening_rng)]
    while len(degrees) < bars - 2:
        ways = dict(grammar.moves[degrees[-1]])
        if len(degrees) == 1 and degrees[0] == 0 and taken is not None and len(ways) > 1:
            ways.pop(taken, None)
        degrees.append(pick(opening_rng, ways))
    if bars > 2:
        # The bar before the last leads into it: a full close by the mode's own cadence, a half one by the grammar.
        source = grammar.home if goes_home else dict.fromkeys(grammar.moves, 1.0)
        onward_moves = grammar.moves[degrees[-1]]
        # Two chords to and fro are not a progression: the third bar brings a third one.
        degrees_in_use = {*degrees, last}
        avoid = degrees_in_use if len(degrees_in_use) < 3 else {degrees[-1], last}
        ways = {
            d: w * onward_moves.get(d, _UNLIKELY) * grammar.moves[d].get(last, _UNLIKELY)
            for d, w in source.items()
            if d not in avoid and not (has_dominant and d == _DOMINANT and last == _SUBDOMINANT)
        }
        if not degrees_in_use & set(grammar.colour):  # the last chance for the chord that makes the mode audible
            ways = {d: w for d, w in ways.items() if d in grammar.colour} or ways
        degrees.append(pick(ending_rng, ways or grammar.home))
    degrees.append(last)
    if bars > 2 and not set(degrees) & set(grammar.colour):
        degrees[1] = grammar.colour[0]
    return degrees


def _list_question_ends(grammar: Grammar, next_degree: int) -> Mapping[int, float]:
    """List the chords that a question may stop on, with their weights.

    They are none that the next phrase begins with, and no dominant that would go on to the subdominant; where none is
    left, those that lead on to it.
    """
    ends = {
        degree: weight
        for degree, weight in grammar.half.items()
        if degree != next_degree and not (degree == _DOMINANT and next_degree == _SUBDOMINANT)
    }
    return ends or {
        degree: row[next_degree]
        for degree, row in grammar.moves.items()
        if next_degree in row and degree not in (0, _DOMINANT)
    }


def choose_between(grammar: Grammar, departure: int, destination: int, rng: random.Random) -> int:
    """Choose a chord between two others; `departure` again if nothing leads on."""
    return pick(
        rng,
        {
            d: w * grammar.moves[d].get(destination, _UNLIKELY)
            for d, w in grammar.moves[departure].items()
            if d != destination
        }
        or {departure: 1},
    )
