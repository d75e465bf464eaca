"""The melody player: a motif that returns, varied, with chord tones on strong beats.

The line is built from the inside out. First the strong beats: chord tones near a contour (the phrase's arc plus
the motif). Some strong beats have an appoggiatura instead, the next tone of the scale (music/vocabulary.py says how
often and on which side). Then every place between two notes gets a passing tone, a neighbour, or a repeat.
A place's pitch so depends on the places that are stronger than it, never on how many of them density lets sound. When
a phrase returns, some of these notes are drawn again, so that it comes back as itself and not as a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.feel import choose_articulation, compute_phrase_arc, draw_deviation
from kelly_live.music.form import is_resting
from kelly_live.music.randomness import pick, rng_for
from kelly_live.music.rhythm import PACE, count_notes, list_strong_beats, rank_by_rhythm_cells, rank_places
from kelly_live.music.style.rhythm import place_onsets
from kelly_live.music.theory import Chord
from kelly_live.music.vocabulary import load_vocabulary
from kelly_live.music.voicing import find_bass_pitch, penalize_parallels

_ARC_STEPS = {"A": 3.0, "B": 4.5}  # how high a phrase rises, where the register allows
_PULL = 0.7  # of a neighbouring strong tone, against 1 of the contour
_STALE = 0.9  # a repeated strong tone costs nearly a step
_PARALLELS = 0.35  # steps for each point of parallels with the bass (music/voicing.py)
_APPOGGIATURA_PLACES = 0.6  # share of the strong beats that can have one: near what follows, inside a phrase
_VARIED = 0.3  # share of the notes between that a return draws again
_LAST_BAR = 0.5  # of a phrase's other bars' notes: it comes to rest
_CELL_ONSETS = 6  # of the rhythm that a bar grows from: people have most of them here and at five
_CADENCE_DENSITY = 0.2  # from here on a phrase is never left without its last note
_LONGEST_BEATS = 2.5  # a note rings no longer, save in sustained music
_MOTIF = (0, 1, 0, 2)  # which motif each bar of a phrase states; 2 is the cadence


class MelodyGenerator(BarPlayer):
    """One voice inside the register, with a rest at the end of each phrase."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "melody",
        "melody",
        channel=3,
        program=0,
        yields_to_style=True,
        parameters=(
            Parameter("octave", 0, "play higher or lower than the emotion's register", low=-2, high=2, unit="octaves"),
        ),
        help="the tune: a motif that returns, varied, over an arc",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        shift = 12 * round(self.number("octave"))
        for note in self._tune(parameters, context, bar):
            yield replace(note, pitch=note.pitch + shift) if shift and 0 <= note.pitch + shift <= 127 else note

    def _tune(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        line, phrase = _Line(parameters, context), context.phrase
        beats = [bar * context.beats_per_bar + place for place in _choose_places(parameters, context, bar)]
        later = (
            other * context.beats_per_bar + place
            for other in range(bar + 1, phrase.start_bar + phrase.bars)
            for place in _choose_places(parameters, context, other)
        )
        for beat, next_beat in zip(beats, [*beats[1:], next(later, None)], strict=False):
            step = line.step(beat)
            note = context.chord_at(beat).key.note(step)  # the leading tone, where the chord has it
            length = _choose_length(parameters, context, beat, next_beat)
            yield NoteEvent(
                onset_beats=float(beat),
                duration_beats=min(length, _limit_length(context, beat, step)),
                pitch=note.pitch,
                cents=note.cents,
                velocity=compute_velocity(parameters, context, "melody", beat, weight=1.15),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )


def _theme_labels(context: MusicContext) -> tuple[object, ...]:
    return context.phrase.theme, context.phrase.place.letter


def _choose_places(parameters: MusicParameters, context: MusicContext, bar: int) -> list[float]:
    """Choose the onsets of a bar; the last bar of a phrase rests by its second strong beat."""
    per_bar = context.beats_per_bar
    if context.closing:
        return [0.0]
    if is_resting("melody", parameters, context, bar):
        return []
    if parameters.style is not None:
        return list(place_onsets(parameters, context, bar))
    bar_in_phrase = context.bar_in_phrase(bar)
    motif = _MOTIF[bar_in_phrase % 4] if not context.is_last_bar(bar) else 2
    rng = rng_for(context.seed, "motif rhythm", *_theme_labels(context), motif)
    ranks = rank_places(context.rhythm, per_bar, rng, freedom=0.22)
    count = parameters.density * per_bar * PACE[context.rhythm]
    bars = context.phrase.bars
    if bars > 1:  # what the last bar rests, the others make up for
        count *= bars / (bars - 1.0 + _LAST_BAR)
    if context.is_last_bar(bar):
        rest = list_strong_beats(per_bar)[-1]
        before = [place for place in ranks if 0.0 < place < rest]
        ranks = (0.0, float(rest), *before) if rest else (0.0,)
        count *= _LAST_BAR
    elif bar_in_phrase == 1:  # a breath in the middle of the phrase
        ranks = tuple(place for place in ranks if place < per_bar - 0.5)
    number = count_notes(count, bar_in_phrase)
    if context.is_last_bar(bar):
        number = max(1, number) if parameters.density >= _CADENCE_DENSITY else number
        return sorted(ranks[:number])
    if per_bar == 4:
        draw = rng_for(context.seed, "motif cell", *_theme_labels(context), motif)
        ranks = rank_by_rhythm_cells(ranks, context.rhythm, "melody", _CELL_ONSETS, draw, from_first=bar_in_phrase == 0)
    return sorted(ranks[:number])


def _choose_length(parameters: MusicParameters, context: MusicContext, beat: float, next_beat: float | None) -> float:
    """Choose a note's length: by its articulation; at the phrase's end long, then a rest."""
    if context.closing:
        return 0.97 * context.beats_per_bar
    if next_beat is None:
        beats_left = context.phrase.end_beat - beat
        return max(0.5, min(beats_left - 1.0, 2.0 * _LONGEST_BEATS))
    longest = 2.0 * _LONGEST_BEATS if context.rhythm == "sustained" else _LONGEST_BEATS
    touch = choose_articulation(context.rhythm, parameters.density, draw_deviation(context.seed, "touch", beat))
    return touch * min(next_beat - beat, longest)


def _limit_length(context: MusicContext, beat: float, step: int) -> float:
    """Return how long a note may last: over a change of chord only where the next chord has it too."""
    span = context.span_at(beat)
    stays = span.end_beat < context.phrase.end_beat and context.chord_at(span.end_beat).has(step)
    end = context.span_at(span.end_beat).end_beat if stays else span.end_beat
    return 0.98 * (end - beat)


@dataclass
class _Line:
    """The phrase's melody as a function from beat to step, built from strong places to weak ones."""

    parameters: MusicParameters
    context: MusicContext
    _steps: dict[float, int] = field(default_factory=dict)
    _strong_steps: dict[float, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        register = self.parameters.register
        self.steps = self.context.key.steps_within(register.low, register.high)
        middle_step = self.context.key.step_near(register.centre)
        self.anchor = min(self.steps[-1], max(self.steps[0], middle_step))
        self.strong = list_strong_beats(self.context.beats_per_bar)
        # The motif: how far each strong beat of bars 0 (and, shifted, 2) and 1 leaves the arc.
        rng = rng_for(self.context.seed, "motif", *_theme_labels(self.context))
        self.motif = [[rng.choice((-2, -1, 0, 1, 2)) for _ in self.strong] for _ in range(2)]
        turn = rng_for(self.context.seed, "turn", self.context.phrase.index)
        self.sequence = turn.choice((-1, 1, 2))
        if self.context.phrase.place.variation:
            self.motif[1][-1] += turn.choice((-2, 2))

    def step(self, beat: float) -> int:
        """Return the step at a beat of the phrase."""
        if beat not in self._steps:
            strong = beat % self.context.beats_per_bar in self.strong
            if strong:
                self._steps[beat] = self._frame_step(beat) + self._choose_appoggiatura(beat)
            else:
                self._steps[beat] = self._choose_between(beat)
        return self._steps[beat]

    def _frame_step(self, beat: float) -> int:
        """Return a strong beat's own step without its appoggiatura; elsewhere the beat's step."""
        if beat % self.context.beats_per_bar not in self.strong:
            return self.step(beat)
        if beat not in self._strong_steps:
            self._strong_steps[beat] = self._choose_strong(beat)
        return self._strong_steps[beat]

    def _choose_appoggiatura(self, beat: float) -> int:
        """Return 1 or -1 where a strong beat has an appoggiatura from above or below, else 0."""
        tables, context = load_vocabulary(), self.context
        bar = context.bar_at(beat)
        if tables is None or beat >= context.phrase.end_beat or context.is_last_bar(bar) or context.closing:
            return 0
        rng = rng_for(context.seed, "leaning", *_theme_labels(context), self._motif_labels(beat))
        if rng.random() * _APPOGGIATURA_PLACES >= tables.leaning:
            return 0
        falling_share = sum(share for step, share in tables.resolutions.items() if step < 0)
        rising_share = sum(share for step, share in tables.resolutions.items() if step > 0)
        side = 1 if rng.random() * (falling_share + rising_share) < falling_share else -1
        frame_step, chord = self._frame_step(beat), context.chord_at(beat)
        if chord.has(frame_step + side) or frame_step + side not in self.steps:
            side = -side
        if chord.has(frame_step + side) or frame_step + side not in self.steps:
            return 0
        after = [s for s in self.strong if s > beat % context.beats_per_bar]
        next_strong_beat = beat - beat % context.beats_per_bar + (after[0] if after else context.beats_per_bar)
        return side if abs(self._frame_step(next_strong_beat) - frame_step - side) <= 2 else 0

    def _choose_strong(self, beat: float) -> int:
        context, phrase = self.context, self.context.phrase
        if beat >= phrase.end_beat:
            return self._choose_chord_tone(phrase.chord_after(phrase.end_beat), self.anchor)
        chord, bar = context.chord_at(beat), context.bar_at(beat)
        if context.is_last_bar(bar):
            # An answer rests on the tonic itself, a question on the nearest tone of its chord.
            last = beat - context.beats_per_bar if context.bar_in_phrase(bar) else None
            before = self.anchor if last is None else self._frame_step(last)
            if phrase.place.closed and chord.root == 0:
                chord = replace(chord, degrees=(0,))
            return self._choose_chord_tone(chord, self.anchor, before, before=last)
        width = (len(self.steps) - 1) / 2.0
        rise = min(_ARC_STEPS[phrase.place.letter], 0.6 * width)
        height = rise * (1.5 * compute_phrase_arc(context.phrase_fraction(beat)) - 0.5)
        bar_in_phrase, position = context.bar_in_phrase(bar), beat % context.beats_per_bar
        turn = self.motif[bar_in_phrase % 2][self.strong.index(int(position))] + self.sequence * (bar_in_phrase == 2)
        contour = self.anchor + height + turn * min(1.0, width / 5.0)
        # Bars lead on from bar to bar, so that a sparse line, which has little else, goes by small intervals too;
        # the strong beat inside a bar lies between its own bar's tone and the next one's.
        bar_start = beat - position
        if position:
            next_bar = bar_start + context.beats_per_bar
            neighbours = self._frame_step(bar_start), self._frame_step(next_bar)
            return self._choose_chord_tone(chord, contour, *neighbours, before=bar_start)
        if bar_in_phrase == 0:
            return self._choose_chord_tone(chord, contour, self.anchor)
        last_bar = bar_start - context.beats_per_bar
        return self._choose_chord_tone(chord, contour, self._frame_step(last_bar), before=last_bar)

    def _choose_chord_tone(self, chord: Chord, contour: float, *neighbours: int, before: float | None = None) -> int:
        """Choose the chord's tone in the register that is nearest to the contour and to its neighbours.

        On the way from the tone `before` it avoids parallels with the bass.
        """
        bass = None
        if before is not None:
            last = self.context.chord_at(before)
            bass = (find_bass_pitch(last), find_bass_pitch(chord)), last.key.note(self._frame_step(before)).pitch

        def cost(step: int) -> float:
            distance = abs(step - contour) + _PULL * sum(abs(step - other) for other in neighbours)
            parallels = penalize_parallels(bass[0], (bass[1], chord.key.note(step).pitch)) if bass else 0.0
            return distance + _STALE * (step in neighbours) + _PARALLELS * parallels

        return min((s for s in self.steps if chord.has(s)), key=cost, default=self._clamp(round(contour)))

    def _choose_between(self, beat: float) -> int:
        """Choose a step between two notes: those of the beat (or half beat), and of the next one."""
        per_bar = self.context.beats_per_bar
        position = beat % per_bar
        bar_start = beat - position
        before: float
        after: float
        if position == int(position):
            before = max(s for s in self.strong if s < position)
            after = min((s for s in self.strong if s > position), default=per_bar)
        else:
            before, after = int(position), int(position) + 1
            offset = position - before
            if offset in (0.25, 0.75):
                before, after = before + 0.5 * (offset > 0.5), after - 0.5 * (offset < 0.5)
            elif offset > 0.5 and offset < 0.7:
                before += 1 / 3
        left_step, right_step = self._frame_step(bar_start + before), self._frame_step(bar_start + after)
        return self._clamp(self._choose_connecting(left_step, right_step, beat))

    def _choose_connecting(self, a: int, b: int, beat: float) -> int:
        seed, phrase, place = self.context.seed, self.context.phrase, self._motif_labels(beat)
        rng = rng_for(seed, "joint", *_theme_labels(self.context), place)
        if (
            rng_for(seed, "varied", phrase.index, place).random() < _VARIED
            and phrase.place.variation + phrase.index // 4
        ):
            rng = rng_for(seed, "joint", phrase.index, place)
        gap = b - a
        tables = load_vocabulary()
        if tables is not None and abs(gap) <= 4:
            first = tables.steps(1 if gap >= 0 else -1)
            ways = {a + step: first[step] * tables.steps(step).get(gap - step, 0.0) for step in first if abs(step) <= 4}
            return pick(rng, {step: weight for step, weight in ways.items() if weight > 0.0} or {a: 1.0})
        sign = 1 if gap > 0 else -1
        if gap == 0:
            return a + rng.choice((-1, 1, 1))  # a neighbour
        if abs(gap) == 1:
            return a if rng.random() < 0.6 else b + sign  # a repeat, or over the target and back
        if abs(gap) <= 4:
            return a + sign * (abs(gap) // 2 if rng.random() < 0.5 else (abs(gap) + 1) // 2)  # passing
        middle = a + gap // 2
        return self.context.chord_at(beat).step_near(middle)

    def _motif_labels(self, beat: float) -> tuple[int, int]:
        """Return the labels of a place inside its motif, the same for each statement."""
        bar_in_phrase = self.context.bar_in_phrase(self.context.bar_at(beat))
        return _MOTIF[bar_in_phrase % 4], round(beat % self.context.beats_per_bar * 48)

    def _clamp(self, step: int) -> int:
        """Limit a step to the register."""
        return min(self.steps[-1], max(self.steps[0], step))
