"""A tune from the melody transformer, which keeps the band's contract between melody and harmony.

The net proposes (music/melody_net.py); what is drawn from its answers is limited to what the band can stand by: the
register, a step's resolution after a tone outside the chord on a strong beat, long notes that are tones of their chord,
a phrase that comes to rest in its last bar, the density that the feeling asks for, and no run of over a bar that a song
has which the net learned from. Phrases of a letter vary
the first one of their theme, and sections that return nearly repeat what they were.

A bar is drawn as a whole when it is first asked for, so a change of the parameters is heard from the next bar on. Most
of it has been drawn by then, a note a slice, during the bar before (`draw_ahead`), with the same result.
In the closing bar, and where a bar has not four beats or the scale not seven tones, the tune is that of
music/melody_line.py.
"""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.state_copy import copy_state
from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MelodyNote, MusicContext
from kelly_live.music.feel import choose_articulation, draw_deviation
from kelly_live.music.form import compute_energy
from kelly_live.music.forms import PhraseRole
from kelly_live.music.groove import find_groove, place_cell
from kelly_live.music.melody_bar import ALL_STEPS, STRONG_PLACES, DrawnNote, MelodyBar, find_target
from kelly_live.music.melody_line import build_melody, limit_length
from kelly_live.music.melody_net import (
    AHEAD,
    BAR,
    MAX_GAP,
    MIDDLE,
    MIN_RUN_NOTES,
    NO_STEP,
    RESTS,
    START,
    STEPS,
    MelodyNet,
    NetMemory,
)
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE

_VARIED, _REPEATED = 2, 3  # how like its reference a phrase is, as the net knows it; 0 is not at all
_NOTES_PER_DENSITY = 4.0  # notes of a bar where there is one a beat
_FULL_BAR = 8.0  # notes at which the net's density is 1
_SHARE, _CONTRAST_SHARE = 0.95, 1.15  # of the notes that density asks for, in a theme's first part and in others
_OFF_BEAT = {"straight": 0.6, "dotted": 0.6, "syncopated": 0.78, "triplet": 0.55, "sustained": 0.4}
_LEAPS, _LEAPS_OF_GROOVE = 0.45, 0.6  # people's median, and what a groove that leaps adds
_LIFT_STEPS = 2.5  # where the form is at its highest
_SPREAD = 0.8
_TEMPERATURE, _KEPT = 0.95, 0.95  # share of the probability that is drawn from
_TILT = 1.5  # how firmly the density is kept: the power of a gap for each e-fold of too many notes
_LONGEST_GAP = 20  # places inside a phrase
_REST_GAP = 6  # places from which on a note comes to rest
_CADENCE_PLACE = 4  # of the last bar, from which on the next note is the phrase's last
_NEAR_STEPS = 4
_RESOLVED_PLACES, _SHORT_PLACES = 4, 5  # what a tone outside the chord lasts at most, on a strong beat and elsewhere
_LONGEST_BEATS, _LONGEST_SUSTAINED_BEATS = 3.5, 5.0
_NO_REFERENCE = np.full(0, NO_STEP)


def _is_fit(parameters: MusicParameters, context: MusicContext) -> bool:
    """Tell whether the net knows the bars, the scale and the style."""
    return context.beats_per_bar == 4 and context.key.size == 7 and parameters.style is None


def _draw(logits: Floats, mask: np.ndarray, temperature: float, rng: random.Random) -> int:
    """Draw an index under a mask from the likeliest _KEPT of the probability."""
    scaled = np.where(mask, logits / temperature, -1e9)
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    below = np.cumsum(shares[order])
    count = int(np.searchsorted(below, _KEPT)) + 1
    return int(order[np.searchsorted(below[: count - 1], rng.random() * below[min(count, len(below)) - 1])])


@dataclass(slots=True)
class _Memory:
    """What the tune remembers of itself.

    `row` are the steps on the places of the phrase in force, from bar `phrase_start` on; `reference` is what that
    phrase varies, and how like it it is. `statements` are the rows of theme, letter and variation. `base` is the
    scale's step that is the net's step 0. `next` is the gap and rest after the `last` note. `line` are places and
    pitches of the latest notes. `rested_bar` is the last bar of a phrase that came to rest.
    """

    row: np.ndarray = field(default_factory=lambda: _NO_REFERENCE)
    reference: tuple[np.ndarray, int] = (_NO_REFERENCE, 0)
    phrase_start: int = -1
    statements: dict[tuple[int, str, int], np.ndarray] = field(default_factory=dict)
    base: int | None = None
    last: DrawnNote | None = None
    next: tuple[int, int] | None = None
    line: list[tuple[int, int]] = field(default_factory=list)
    rested_bar: int = -1


class _BarAhead(NamedTuple):
    """A bar that is drawn before it is asked for: as it is expected, and what was remembered before it."""

    bar: MelodyBar
    notes: list[DrawnNote]
    remaining: Iterator[DrawnNote]
    memory: _Memory
    net_memory: NetMemory


class NeuralMelody:
    """The tune of a session, bar after bar. Thread: the conductor's."""

    def __init__(self, net: MelodyNet) -> None:
        self._net = net
        self.reset()

    def __deepcopy__(self, memo: dict[int, object]) -> NeuralMelody:
        """Return a tune that goes on by itself; what was drawn ahead it draws again, with the same result."""
        ahead = self._ahead
        twin = copy.copy(self)
        twin._net = self._net.copy(None if ahead is None else ahead.net_memory)
        twin._memory = copy_state(self._memory if ahead is None else ahead.memory)
        twin._bars, twin._ahead = dict(self._bars), None
        return twin

    def reset(self) -> None:
        """Begin a new session."""
        self._net.reset()
        self._seed: int | None = None
        self._bars: dict[int, tuple[MelodyNote, ...]] = {}
        self._memory = _Memory()
        self._ahead: _BarAhead | None = None

    def list_bar(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Sequence[MelodyNote]:
        """List the notes that start in a bar of the phrase, in order. Drawn once; later calls get the same notes."""
        if context.closing or not _is_fit(parameters, context):
            return build_melody(parameters, context, bar)
        if bar not in self._bars or self._seed != context.seed:
            if self._seed != context.seed or (self._bars and bar < max(self._bars)):
                self.reset()
                self._seed = context.seed
            self._bars = {number: notes for number, notes in self._bars.items() if number >= bar - 1}
            self._bars[bar] = self._draw_bar(self._create_bar(parameters, context, bar))
        return self._bars[bar]

    def draw_ahead(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Draw one note more of the bar after the latest one, so that it costs little when it is asked for.

        It is drawn for the parameters and context of now. Where it begins with others, it is drawn anew.
        """
        if self._seed != context.seed or bar - 1 not in self._bars or not _is_fit(parameters, context):
            return
        if self._ahead is not None:
            note = next(self._ahead.remaining, None)
            if note is not None:
                self._ahead.notes.append(note)
            return
        expected = context.expect_bar(bar)
        if expected is not None:
            ahead = self._create_bar(parameters, expected, bar)
            memory, net_memory = copy.deepcopy(self._memory), self._net.save()
            self._ahead = _BarAhead(ahead, [], self._draw_notes(ahead), memory, net_memory)

    # ------------------------------------------------------------ what a bar is drawn with

    def _create_bar(self, parameters: MusicParameters, context: MusicContext, number: int) -> MelodyBar:
        key, register, role = context.key, parameters.register, context.phrase.role
        centre = key.step_near(register.centre)
        base = 7 * round(centre / 7) - MIDDLE
        steps = key.steps_within(register.low - 1.0, register.high + 1.0)
        allowed = (ALL_STEPS + base >= steps[0]) & (ALL_STEPS + base <= steps[-1])
        anchor = centre + round(_LIFT_STEPS * compute_energy(context.phrase))
        height = (min(steps[-1], max(steps[0], anchor)) - base - MIDDLE) / 7.0
        notes = parameters.density * PACE[context.rhythm] * _NOTES_PER_DENSITY * role.pace
        density = notes * (_CONTRAST_SHARE if role.is_contrast else _SHARE) / _FULL_BAR
        conditions = np.array(
            (
                min(1.1, max(0.09, density)),
                _OFF_BEAT[context.rhythm] * (0.8 + 0.2 * min(1.0, 2.0 * density)),
                _LEAPS + _LEAPS_OF_GROOVE * find_groove(parameters.groove).leaps,
                min(0.6, max(-0.67, height)),
                _SPREAD,
                float(role.closed),
                float(key.scale.degrees_cents[2] >= 350.0),
                1.0,
            )
        )
        rng = rng_for(context.seed, "neural melody", number)
        return MelodyBar(parameters, context, number, rng, base, allowed if allowed.any() else ~allowed, conditions)

    def _enter(self, bar: MelodyBar) -> None:
        """Enter a bar: a register of its own, or a phrase that begins."""
        memory, phrase, role = self._memory, bar.context.phrase, bar.context.phrase.role
        if bar.base != memory.base:
            self._move(0 if memory.base is None else memory.base - bar.base)
            memory.base = bar.base
        if phrase.start_bar != memory.phrase_start:
            memory.phrase_start, memory.row = phrase.start_bar, np.full(phrase.bars * BAR, NO_STEP)
            memory.statements = {old: row for old, row in memory.statements.items() if old[0] >= role.theme - 1}
            memory.reference = self._find_reference(role)
            if memory.reference[1] != _REPEATED:
                memory.statements.setdefault((role.theme, role.letter, role.variation), memory.row)

    def _move(self, steps: int) -> None:
        """Move what is remembered by whole octaves, where the register moves."""
        for row in (self._memory.row, *self._memory.statements.values()):
            row[row != NO_STEP] = np.clip(row[row != NO_STEP] + steps, 0, STEPS - 1)
        if self._memory.last is not None and self._memory.last.step != START:
            self._memory.last.step = min(STEPS - 1, max(0, self._memory.last.step + steps))

    def _find_reference(self, role: PhraseRole | None) -> tuple[np.ndarray, int]:
        """Find the steps of the phrase that one of this role varies, and how like it that is; 0: there is none."""
        if role is None:
            return _NO_REFERENCE, 0
        same = self._memory.statements.get((role.theme, role.letter, role.variation))
        if same is not None and same is not self._memory.row:
            return same, _REPEATED
        first = self._memory.statements.get((role.theme, role.letter, 0))
        return (_NO_REFERENCE, 0) if first is None or first is self._memory.row else (first, _VARIED)

    # ------------------------------------------------------------ drawing

    def _draw_bar(self, bar: MelodyBar) -> tuple[MelodyNote, ...]:
        """Draw a bar, or what is left of it where it was drawn ahead as it has come."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.bar.draws_like(bar):
            return self._build_notes(bar, [*ahead.notes, *ahead.remaining])
        if ahead is not None:
            self._memory = ahead.memory
            self._net.restore(ahead.net_memory)
        return self._build_notes(bar, list(self._draw_notes(bar)))

    def _draw_notes(self, bar: MelodyBar) -> Iterator[DrawnNote]:
        """Enter a bar and yield its notes, each as it is drawn."""
        self._enter(bar)
        memory = self._memory
        if memory.last is None:
            memory.last = DrawnNote(bar.start, START)
            self._add_last(bar)
        while True:
            last = memory.last
            if memory.next is None:
                memory.next = self._draw_gap(bar, last)
            gap, rest = memory.next
            if last.place + gap < bar.first_place:
                gap = bar.first_place - last.place
                memory.next = gap, rest
            if last.place + gap >= bar.end:
                return
            note = self._draw_note(bar, last, last.place + gap, rest)
            memory.last, memory.next = note, None
            self._add_last(bar)
            yield note

    def _draw_gap(self, bar: MelodyBar, last: DrawnNote) -> tuple[int, int]:
        """Draw how far the next onset is, and the silence before it; the last note's length follows."""
        in_phrase = last.place >= bar.context.phrase.start_beat * 4.0
        is_first = last.step == START
        last_bar = last.place // BAR
        comes_to_rest = in_phrase and bar.context.is_cadence(last_bar) and self._memory.rested_bar != last_bar
        low, high = int(not is_first), _LONGEST_GAP if in_phrase else MAX_GAP
        if last.is_outside:
            high = _RESOLVED_PLACES if last.is_strong else _SHORT_PLACES
        elif comes_to_rest and last.is_goal and last.place % BAR >= _CADENCE_PLACE:
            low, high = _REST_GAP, MAX_GAP
        low = min(MAX_GAP, max(low, bar.first_place - last.place))
        gaps = np.arange(MAX_GAP + 1)
        mask = (gaps >= low) & (gaps <= max(low, high))
        cells = (last.place + gaps) % 4
        fit = np.ones(MAX_GAP + 1, bool)
        if bar.context.rhythm == "triplet":
            fit = cells != 3  # a beat has three places
        elif bar.is_fast:
            fit = cells % 2 == 0
        mask = mask & fit if (mask & fit).any() else mask
        # More notes than are due make the gaps longer, fewer make them shorter.
        count = int((self._memory.row != NO_STEP).sum())
        past = last.place - self._memory.phrase_start * BAR if in_phrase else 0
        due = max(0.5, _FULL_BAR * float(bar.conditions[0])) * (past + 1) / BAR
        tilt = _TILT * math.log((count + 1.5) / (due + 1.5))
        gap = _draw(self._net.score_gaps() + tilt * np.log(np.maximum(1, gaps)), mask, _TEMPERATURE, bar.rng)
        rest = _draw(self._net.score_rests(gap), np.array(RESTS) < max(1, gap), 1.0, bar.rng)
        if comes_to_rest and gap >= _REST_GAP and not is_first:
            self._memory.rested_bar = last_bar
        last.length, last.is_legato = gap - RESTS[rest], rest == 0
        return gap, rest

    def _draw_note(self, bar: MelodyBar, last: DrawnNote, place: int, rest: int) -> DrawnNote:
        """Draw the step at a place."""
        reference, likeness = self._memory.reference
        past = place - self._memory.phrase_start * BAR
        before = reference[: past + 1]
        at = int(before[past]) if len(before) > past else NO_STEP
        before = before[before != NO_STEP]
        latest = int(before[-1]) if len(before) else NO_STEP
        chord = bar.chord_at(place)
        classes = chord.pitch_classes
        is_major = len(classes) > 1 and (classes[1] - classes[0]) % 12 >= 4
        gap = min(MAX_GAP, place - last.place)
        columns = (
            gap, place % BAR, bar.show_bar(place), chord.root, bar.chord_at(place + 2).root,
            bar.chord_at(place + 8).root, int(is_major), likeness, at, latest,
        )  # fmt: skip
        tones, goals = bar.find_tones(place), bar.find_goals(place)
        mask = self._limit_steps(bar, last, place, tones, goals)
        step = self._draw_step(bar, place, self._net.score_steps(columns, bar.conditions), mask)
        target = find_target(place)
        anticipates = bool(bar.find_tones(target)[step])
        self._memory.row[past] = step
        self._memory.line = [
            *self._memory.line[-2 * BAR :],
            (self._place_in_time(bar, place), self._find_pitch(bar, place, step)),
        ]
        return DrawnNote(
            place, step, gap, rest, chord.root, is_major,
            is_outside=not (tones[step] or anticipates), is_goal=bool(goals[step]),
            target=target if anticipates else place,
        )  # fmt: skip

    def _draw_step(self, bar: MelodyBar, place: int, logits: Floats, mask: np.ndarray) -> int:
        """Draw a step that quotes no song: one of the mask, else one of the register, and only else any."""
        free = mask.copy()
        while free.any():
            step = _draw(logits, free, _TEMPERATURE, bar.rng)
            if not self._is_quoted(bar, place, step):
                return step
            free[step] = False
        others = [step for step in map(int, np.flatnonzero(bar.allowed)) if not self._is_quoted(bar, place, step)]
        return max(others, key=logits.__getitem__) if others else _draw(logits, mask, _TEMPERATURE, bar.rng)

    def _limit_steps(
        self, bar: MelodyBar, last: DrawnNote, place: int, tones: np.ndarray, goals: np.ndarray
    ) -> np.ndarray:
        """Limit the steps at a place to what the contract with the harmony allows."""
        mask, near = bar.allowed, np.abs(ALL_STEPS - last.step) if last.step != START else np.zeros(STEPS, int)
        if last.is_outside and last.is_strong:
            resolutions = mask & tones & (near == 1)
            mask = resolutions if resolutions.any() else mask & tones
        elif bar.is_cadence and self._memory.rested_bar != bar.number and place % BAR >= _CADENCE_PLACE:
            mask = mask & goals & (near <= _NEAR_STEPS)
        elif place % STRONG_PLACES == 0:
            beside = np.zeros(STEPS, bool)
            beside[1:] |= tones[:-1]
            beside[:-1] |= tones[1:]
            mask = mask & tones if bar.is_cadence and place % BAR == 0 else mask & (tones | beside)
        return mask if mask.any() else tones

    def _is_quoted(self, bar: MelodyBar, place: int, step: int) -> bool:
        """Tell whether a step at a place completes a run of over a bar that a song has."""
        now, pitch = self._place_in_time(bar, place), self._find_pitch(bar, place, step)
        for first in range(len(self._memory.line) - MIN_RUN_NOTES + 1, -1, -1):
            run = self._memory.line[first:]
            if now - run[0][0] <= BAR:
                continue
            if len(run) >= MIN_RUN_NOTES and run[-1][0] - run[0][0] > BAR:
                break  # this run was over a bar without the new note
            notes = [*run, (now, pitch)]
            if self._net.is_quoted([(b[1] - a[1], b[0] - a[0]) for a, b in itertools.pairwise(notes)]):
                return True
        return False

    def _place_in_time(self, bar: MelodyBar, place: int) -> int:
        """Return the sixteenth that is nearest to where a place is played."""
        return round(4.0 * self._find_beat(bar, place))

    def _find_beat(self, bar: MelodyBar, place: int) -> float:
        return place // BAR * 4.0 + place_cell(place % BAR, bar.context.rhythm)

    def _find_pitch(self, bar: MelodyBar, place: int, step: int) -> int:
        return bar.chord_at(place).key.note(step + bar.base).pitch

    def _add_last(self, bar: MelodyBar) -> None:
        """Add the last note to what the net knows."""
        last = self._memory.last
        assert last is not None
        reference, likeness = self._memory.reference
        phrase = bar.context.phrase
        end = phrase.bars * BAR
        rows = np.full(end + AHEAD, NO_STEP)
        following = self._find_reference(phrase.following)[0][:AHEAD]
        rows[: min(len(reference), end)] = reference[:end]
        rows[end : end + len(following)] = following
        first = last.place - self._memory.phrase_start * BAR + 1
        rhythm = rows[first : first + AHEAD] != NO_STEP
        columns = (
            last.step, last.gap, last.rest, last.place % BAR, bar.show_bar(last.place), last.root, int(last.is_major),
            likeness,
        )  # fmt: skip
        self._net.add_note(columns, np.concatenate((bar.conditions, bar.conditions, rhythm)), last.place)

    def _build_notes(self, bar: MelodyBar, drawn: Sequence[DrawnNote]) -> tuple[MelodyNote, ...]:
        """Build what is played: notes on the band's rhythm, with its articulation."""
        parameters, context = bar.parameters, bar.context
        longest = _LONGEST_SUSTAINED_BEATS if context.rhythm == "sustained" else _LONGEST_BEATS
        notes: list[MelodyNote] = []
        for note in drawn:
            beat = self._find_beat(bar, note.place)
            if notes and beat <= notes[-1].onset_beats:
                continue  # two sixteenths that share a third of a beat
            step = note.step + bar.base
            deviation = draw_deviation(context.seed, "touch", beat)
            touch = choose_articulation(context.rhythm, parameters.density, deviation) if note.is_legato else 0.97
            length = touch * min(note.length / 4.0, longest) * find_groove(parameters.groove).gate
            length = min(length, limit_length(context, note.target / 4.0, step, beat))
            notes.append(MelodyNote(beat, max(0.1, length), context.chord_at(beat).key.note(step)))
        return tuple(notes)
