"""A tune from the melody transformer, which keeps the band's contract between melody and harmony.

The net proposes (music/melody_net.py); what is drawn from its answers is limited to what the band can stand by: the
register, a step's resolution after a tone outside the chord on a strong beat, long notes that are tones of their chord,
a phrase that comes to rest in its last bar, the density that the feeling asks for, and no run of over a bar that a song
has which the net learned from. Phrases of a letter vary
the first one of their theme, and sections that return nearly repeat what they were.

A bar is drawn as a whole when it is first asked for, so a change of the parameters is heard from the next bar on.
In the closing bar, and where a bar has not four beats or the scale not seven tones, the tune is that of
music/melody_line.py.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MelodyNote, MusicContext
from kelly_live.music.feel import choose_articulation, draw_deviation
from kelly_live.music.form import compute_energy, is_resting
from kelly_live.music.forms import PhraseRole
from kelly_live.music.groove import find_groove, place_cell
from kelly_live.music.melody_line import build_melody, limit_length
from kelly_live.music.melody_net import (
    AHEAD,
    BAR,
    MAX_GAP,
    MIDDLE,
    MIN_RUN_NOTES,
    NO_CHORD,
    NO_STEP,
    RESTS,
    START,
    STEPS,
    MelodyNet,
)
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE
from kelly_live.music.theory import Chord

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
_FAST_BPM = 104.0  # from here on nothing begins on an odd sixteenth: people's songs with those are slower
_LONGEST_GAP = 20  # places inside a phrase
_REST_GAP = 6  # places from which on a note comes to rest
_CADENCE_PLACE = 4  # of the last bar, from which on the next note is the phrase's last
_NEAR_STEPS = 4
_STRONG_PLACES = 8
_RESOLVED_PLACES, _SHORT_PLACES = 4, 5  # what a tone outside the chord lasts at most, on a strong beat and elsewhere
_LONGEST_BEATS, _LONGEST_SUSTAINED_BEATS = 3.5, 5.0
_ALL_STEPS = np.arange(STEPS)
_NO_REFERENCE = np.full(0, NO_STEP)


@dataclass(slots=True)
class _Drawn:
    """A note on the grid: its place and step, the gap and rest before it, and what it is in its chord.

    `target` is the place whose chord it belongs to. `length` (places) and `is_legato` are known with the next gap.
    """

    place: int
    step: int
    gap: int = 0
    rest: int = 0
    root: int = NO_CHORD
    is_major: bool = False
    is_outside: bool = False
    is_goal: bool = False
    target: int = 0
    length: int = 1
    is_legato: bool = False

    @property
    def is_strong(self) -> bool:
        return self.place % _STRONG_PLACES == 0


@dataclass(frozen=True, slots=True)
class _Bar:
    """What a bar is drawn with; `allowed` are the register's steps, `conditions` as the net takes them."""

    parameters: MusicParameters
    context: MusicContext
    number: int
    rng: random.Random
    base: int
    allowed: np.ndarray
    conditions: Floats

    @property
    def start(self) -> int:
        return self.number * BAR

    @property
    def end(self) -> int:
        return self.start + BAR

    @property
    def is_cadence(self) -> bool:
        return self.context.is_cadence(self.number)

    @property
    def first_place(self) -> int:
        """The first place that a note may begin on: none before the upbeat of a section that the tune rests in."""
        if is_resting("melody", self.parameters, self.context, self.number):
            return self.end
        return self.start + BAR // 2 * ("melody" in self.context.phrase.role.silent)

    def show_bar(self, place: int) -> int:
        """Return a place's bar as the net knows it, which learned from phrases of four: 3 is the last one."""
        number = self.context.bar_in_phrase(place // BAR)
        return 3 if number >= self.context.phrase.bars - 1 else min(2, max(0, number))

    def chord_at(self, place: int) -> Chord:
        phrase, beat = self.context.phrase, place / 4.0
        return phrase.span_at(beat).chord if beat < phrase.end_beat else phrase.chord_after(phrase.end_beat - 0.01)

    def find_tones(self, place: int) -> np.ndarray:
        """Find the steps that the triad at a place has."""
        return _find_steps(self.chord_at(place).degrees[:3], self.base % 7)

    def find_goals(self, place: int) -> np.ndarray:
        """Find the steps that the phrase may rest on: an answer on the tonic where its chord is, else a chord tone."""
        if self.context.phrase.role.closed and self.chord_at(place).root == 0:
            return _find_steps((0,), self.base % 7)
        return self.find_tones(place)


@lru_cache(maxsize=512)
def _find_steps(degrees: tuple[int, ...], base: int) -> np.ndarray:
    """Find the net's steps of some degrees of the scale, where its step 0 is the degree `base`."""
    return np.isin((_ALL_STEPS + base) % 7, degrees)


def _find_target(place: int) -> int:
    """Return the beat that a note may anticipate: the next one from the beat's second half, else its own place."""
    return place + (4 - place % 4) if place % 4 >= 2 else place


def _draw(logits: Floats, mask: np.ndarray, temperature: float, rng: random.Random) -> int:
    """Draw an index under a mask from the likeliest _KEPT of the probability."""
    scaled = np.where(mask, logits / temperature, -1e9)
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    below = np.cumsum(shares[order])
    count = int(np.searchsorted(below, _KEPT)) + 1
    return int(order[np.searchsorted(below[: count - 1], rng.random() * below[min(count, len(below)) - 1])])


class NeuralMelody:
    """The tune of a session, bar after bar. Thread: the conductor's."""

    def __init__(self, net: MelodyNet) -> None:
        self._net = net
        self.reset()

    def reset(self) -> None:
        """Begin a new session."""
        self._net.reset()
        self._seed: int | None = None
        self._bars: dict[int, tuple[MelodyNote, ...]] = {}
        self._row = _NO_REFERENCE  # the steps on the places of the phrase in force
        self._reference = _NO_REFERENCE, 0  # what that phrase varies
        self._phrase_start = -1
        self._statements: dict[tuple[int, str, int], np.ndarray] = {}  # the rows of theme, letter and variation
        self._base: int | None = None  # the scale's step that is the net's step 0
        self._last: _Drawn | None = None
        self._next: tuple[int, int] | None = None  # the gap and rest after the last note
        self._line: list[tuple[int, int]] = []  # places and pitches of the latest notes
        self._rested_bar = -1  # the last bar of a phrase that came to rest

    def list_bar(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Sequence[MelodyNote]:
        """List the notes that start in a bar of the phrase, in order. Drawn once; later calls get the same notes."""
        is_fit = context.beats_per_bar == 4 and context.key.size == 7 and parameters.style is None
        if context.closing or not is_fit:
            return build_melody(parameters, context, bar)
        if bar not in self._bars or self._seed != context.seed:
            if self._seed != context.seed or (self._bars and bar < max(self._bars)):
                self.reset()
                self._seed = context.seed
            self._bars = {number: notes for number, notes in self._bars.items() if number >= bar - 1}
            self._bars[bar] = self._draw_bar(self._prepare(parameters, context, bar))
        return self._bars[bar]

    # ------------------------------------------------------------ what a bar is drawn with

    def _prepare(self, parameters: MusicParameters, context: MusicContext, number: int) -> _Bar:
        key, register, phrase, role = context.key, parameters.register, context.phrase, context.phrase.role
        centre = key.step_near(register.centre)
        base = 7 * round(centre / 7) - MIDDLE
        if base != self._base:
            self._move(0 if self._base is None else self._base - base)
            self._base = base
        if phrase.start_bar != self._phrase_start:
            self._phrase_start, self._row = phrase.start_bar, np.full(phrase.bars * BAR, NO_STEP)
            self._statements = {old: row for old, row in self._statements.items() if old[0] >= role.theme - 1}
            self._reference = self._find_reference(role)
            if self._reference[1] != _REPEATED:
                self._statements.setdefault((role.theme, role.letter, role.variation), self._row)
        steps = key.steps_within(register.low - 1.0, register.high + 1.0)
        allowed = (_ALL_STEPS + base >= steps[0]) & (_ALL_STEPS + base <= steps[-1])
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
        return _Bar(parameters, context, number, rng, base, allowed if allowed.any() else ~allowed, conditions)

    def _move(self, steps: int) -> None:
        """Move what is remembered by whole octaves, where the register moves."""
        for row in (self._row, *self._statements.values()):
            row[row != NO_STEP] = np.clip(row[row != NO_STEP] + steps, 0, STEPS - 1)
        if self._last is not None and self._last.step != START:
            self._last.step = min(STEPS - 1, max(0, self._last.step + steps))

    def _find_reference(self, role: PhraseRole | None) -> tuple[np.ndarray, int]:
        """Find the steps of the phrase that one of this role varies, and how like it that is; 0: there is none."""
        if role is None:
            return _NO_REFERENCE, 0
        same = self._statements.get((role.theme, role.letter, role.variation))
        if same is not None and same is not self._row:
            return same, _REPEATED
        first = self._statements.get((role.theme, role.letter, 0))
        return (_NO_REFERENCE, 0) if first is None or first is self._row else (first, _VARIED)

    # ------------------------------------------------------------ drawing

    def _draw_bar(self, bar: _Bar) -> tuple[MelodyNote, ...]:
        if self._last is None:
            self._last = _Drawn(bar.start, START)
            self._add_last(bar)
        drawn: list[_Drawn] = []
        while True:
            last = self._last
            if self._next is None:
                self._next = self._draw_gap(bar, last)
            gap, rest = self._next
            if last.place + gap < bar.first_place:
                gap = bar.first_place - last.place
                self._next = gap, rest
            if last.place + gap >= bar.end:
                break
            note = self._draw_note(bar, last, last.place + gap, rest)
            drawn.append(note)
            self._last, self._next = note, None
            self._add_last(bar)
        return self._build_notes(bar, drawn)

    def _draw_gap(self, bar: _Bar, last: _Drawn) -> tuple[int, int]:
        """Draw how far the next onset is, and the silence before it; the last note's length follows."""
        in_phrase = last.place >= bar.context.phrase.start_beat * 4.0
        is_first = last.step == START
        last_bar = last.place // BAR
        comes_to_rest = in_phrase and bar.context.is_cadence(last_bar) and self._rested_bar != last_bar
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
        elif bar.context.bpm >= _FAST_BPM and bar.context.rhythm != "dotted":
            fit = cells % 2 == 0
        mask = mask & fit if (mask & fit).any() else mask
        # More notes than are due make the gaps longer, fewer make them shorter.
        count = int((self._row != NO_STEP).sum())
        past = last.place - self._phrase_start * BAR if in_phrase else 0
        due = max(0.5, _FULL_BAR * float(bar.conditions[0])) * (past + 1) / BAR
        tilt = _TILT * math.log((count + 1.5) / (due + 1.5))
        gap = _draw(self._net.score_gaps() + tilt * np.log(np.maximum(1, gaps)), mask, _TEMPERATURE, bar.rng)
        rest = _draw(self._net.score_rests(gap), np.array(RESTS) < max(1, gap), 1.0, bar.rng)
        if comes_to_rest and gap >= _REST_GAP and not is_first:
            self._rested_bar = last_bar
        last.length, last.is_legato = gap - RESTS[rest], rest == 0
        return gap, rest

    def _draw_note(self, bar: _Bar, last: _Drawn, place: int, rest: int) -> _Drawn:
        """Draw the step at a place."""
        reference, likeness = self._reference
        past = place - self._phrase_start * BAR
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
        target = _find_target(place)
        anticipates = bool(bar.find_tones(target)[step])
        self._row[past] = step
        self._line = [*self._line[-2 * BAR :], (self._place_in_time(bar, place), self._find_pitch(bar, place, step))]
        return _Drawn(
            place, step, gap, rest, chord.root, is_major,
            is_outside=not (tones[step] or anticipates), is_goal=bool(goals[step]),
            target=target if anticipates else place,
        )  # fmt: skip

    def _draw_step(self, bar: _Bar, place: int, logits: Floats, mask: np.ndarray) -> int:
        """Draw a step that quotes no song: one of the mask, else one of the register, and only else any."""
        free = mask.copy()
        while free.any():
            step = _draw(logits, free, _TEMPERATURE, bar.rng)
            if not self._is_quoted(bar, place, step):
                return step
            free[step] = False
        others = [step for step in map(int, np.flatnonzero(bar.allowed)) if not self._is_quoted(bar, place, step)]
        return max(others, key=logits.__getitem__) if others else _draw(logits, mask, _TEMPERATURE, bar.rng)

    def _limit_steps(self, bar: _Bar, last: _Drawn, place: int, tones: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Limit the steps at a place to what the contract with the harmony allows."""
        mask, near = bar.allowed, np.abs(_ALL_STEPS - last.step) if last.step != START else np.zeros(STEPS, int)
        if last.is_outside and last.is_strong:
            resolutions = mask & tones & (near == 1)
            mask = resolutions if resolutions.any() else mask & tones
        elif bar.is_cadence and self._rested_bar != bar.number and place % BAR >= _CADENCE_PLACE:
            mask = mask & goals & (near <= _NEAR_STEPS)
        elif place % _STRONG_PLACES == 0:
            beside = np.zeros(STEPS, bool)
            beside[1:] |= tones[:-1]
            beside[:-1] |= tones[1:]
            mask = mask & tones if bar.is_cadence and place % BAR == 0 else mask & (tones | beside)
        return mask if mask.any() else tones

    def _is_quoted(self, bar: _Bar, place: int, step: int) -> bool:
        """Tell whether a step at a place completes a run of over a bar that a song has."""
        now, pitch = self._place_in_time(bar, place), self._find_pitch(bar, place, step)
        for first in range(len(self._line) - MIN_RUN_NOTES + 1, -1, -1):
            run = self._line[first:]
            if now - run[0][0] <= BAR:
                continue
            if len(run) >= MIN_RUN_NOTES and run[-1][0] - run[0][0] > BAR:
                break  # this run was over a bar without the new note
            notes = [*run, (now, pitch)]
            if self._net.is_quoted([(b[1] - a[1], b[0] - a[0]) for a, b in itertools.pairwise(notes)]):
                return True
        return False

    def _place_in_time(self, bar: _Bar, place: int) -> int:
        """Return the sixteenth that is nearest to where a place is played."""
        return round(4.0 * self._find_beat(bar, place))

    def _find_beat(self, bar: _Bar, place: int) -> float:
        return place // BAR * 4.0 + place_cell(place % BAR, bar.context.rhythm)

    def _find_pitch(self, bar: _Bar, place: int, step: int) -> int:
        return bar.chord_at(place).key.note(step + bar.base).pitch

    def _add_last(self, bar: _Bar) -> None:
        """Add the last note to what the net knows."""
        last = self._last
        assert last is not None
        reference, likeness = self._reference
        phrase = bar.context.phrase
        end = phrase.bars * BAR
        rows = np.full(end + AHEAD, NO_STEP)
        following = self._find_reference(phrase.following)[0][:AHEAD]
        rows[: min(len(reference), end)] = reference[:end]
        rows[end : end + len(following)] = following
        first = last.place - self._phrase_start * BAR + 1
        rhythm = rows[first : first + AHEAD] != NO_STEP
        columns = (
            last.step, last.gap, last.rest, last.place % BAR, bar.show_bar(last.place), last.root, int(last.is_major),
            likeness,
        )  # fmt: skip
        self._net.add_note(columns, np.concatenate((bar.conditions, bar.conditions, rhythm)), last.place)

    def _build_notes(self, bar: _Bar, drawn: Sequence[_Drawn]) -> tuple[MelodyNote, ...]:
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
