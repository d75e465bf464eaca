"""The band's tune: a line over its rhythm that keeps a contract with the harmony.

The rhythm comes first (music/melody_rhythm.py). Then the pitches, from strong places to weak ones. Strong beats are
chord tones near a contour (the phrase's arc plus the motif); some have an appoggiatura instead, the next tone of the
scale (music/vocabulary.py says how often and on which side). Every place between gets a passing tone, a neighbour, or a
repeat.

Last the contract. A tone outside the chord on a strong beat goes on, within a beat, by a step to a tone of the chord,
or gives way to one; a long note is a tone of its chord; a leap is answered by a step back. The accompaniment asks
`list_melody` what the tune plays, and does not strike what `clashes` with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from kelly_live.core.values import Dynamics, MusicParameters, TempoRange, TimingWeights
from kelly_live.music.context import MelodyNote, MusicContext
from kelly_live.music.feel import choose_articulation, compute_phrase_arc, draw_deviation
from kelly_live.music.form import compute_energy
from kelly_live.music.forms import CONTINUATION, PRESENTATION
from kelly_live.music.groove import find_groove
from kelly_live.music.melody_rhythm import (
    AHEAD_BEATS,
    BREATH_BEATS,
    PhraseShape,
    choose_shape,
    find_goal,
    find_motif,
    is_anticipated,
    label_theme,
    list_onsets,
)
from kelly_live.music.randomness import pick, rng_for
from kelly_live.music.rhythm import list_strong_beats
from kelly_live.music.style.line import build_line
from kelly_live.music.style.scale import create_melody_key
from kelly_live.music.theory import Chord, Note
from kelly_live.music.vocabulary import load_vocabulary
from kelly_live.music.voicing import find_bass_pitch, penalize_parallels

_ARC_STEPS, _CONTRAST_STEPS = 8.5, 11.0  # how high a phrase rises, where the register allows
_LIFT_STEPS = 4.2  # of the anchor, where the form is at its highest: the range opens over a section
_TURNED_BACK = 0.7  # of the way that a contour goes past the register, that it comes back
_PULL = 0.6  # of a neighbouring strong tone, against 1 of the contour
_STALE = 0.9  # a repeated strong tone costs nearly a step
_PARALLELS = 0.35  # steps for each point of parallels with the bass (music/voicing.py)
_APPOGGIATURA_PLACES = 0.6  # share of the strong beats that can have one: near what follows, inside a phrase
_VARIED = 0.3  # share of the notes between that a return draws again
_LONGEST_BEATS = 2.5  # a note rings no longer, save in sustained music
_RESOLVED_BEATS = 1.0  # a tone outside the chord on a strong beat goes on this soon at the latest ...
_LONG_BEATS = 1.4  # ... and a note this long is a tone of its chord

_ANY_TEMPO, _ANY_DYNAMICS = TempoRange(100.0, 100.0, 100.0), Dynamics(0.5, 0.5, 0.0)
_ANY_TIMING = TimingWeights(0.0, 1.0, 0.0)
_TOGETHER_BEATS = 0.13  # onsets closer than this are heard as one
_LEAP_STEPS = 4  # a fifth: from here on a leap is answered


def build_melody(parameters: MusicParameters, context: MusicContext, bar: int) -> list[MelodyNote]:
    """Build the tune's notes that start in a bar of the phrase, in order, without the player's own octave."""
    start, end = float(bar * context.beats_per_bar), float((bar + 1) * context.beats_per_bar)
    return [note for note in _build_phrase(_select_melodic(parameters), context) if start <= note.onset_beats < end]


def _select_melodic(parameters: MusicParameters) -> MusicParameters:
    """Put constants in place of what the tune does not depend on, so that it is built once a bar, not once a step."""
    return replace(parameters, tempo=_ANY_TEMPO, dynamics=_ANY_DYNAMICS, timing=_ANY_TIMING, unrest=0.0)


@lru_cache(maxsize=64)
def _build_phrase(parameters: MusicParameters, context: MusicContext) -> tuple[MelodyNote, ...]:
    onsets, groove = list_onsets(parameters, context), find_groove(parameters.groove)
    line = _Line(parameters, context)
    steps = [line.step(beat) for beat in onsets]
    following: list[float | None] = [*onsets[1:], None][: len(onsets)]
    if parameters.style is None:
        if groove.leaps:
            line.leap(onsets, steps, groove.leaps)
        line.keep_contract(onsets, steps)
    pitches = [line.chord_at(beat).key.note(step) for beat, step in zip(onsets, steps, strict=True)]
    if groove.is_chromatic and parameters.style is None:
        _add_chromatic_notes(pitches, [line.is_strong(beat) for beat in onsets])
    notes = []
    for beat, after, step, note in zip(onsets, following, steps, pitches, strict=True):
        length = _choose_length(parameters, context, line.shape, beat, after)
        length *= groove.gate
        notes.append(MelodyNote(beat, min(length, limit_length(context, line.find_target(beat), step, beat)), note))
    return tuple(notes)


def _add_chromatic_notes(notes: list[Note], strong: Sequence[bool]) -> None:
    """Move weak notes by a semitone into the next one, where they lie a whole tone from it or repeat the one before."""
    for index in range(len(notes) - 2, 0, -1):  # from the end, as each goes to where the next one has gone
        before, note, after = (notes[number].pitch for number in (index - 1, index, index + 1))
        if not strong[index] and abs(after - before) <= 2 and abs(after - note) == 2:
            notes[index] = notes[index]._replace(pitch=note + (1 if after > note else -1))


def list_melody(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[MelodyNote, ...]:
    """List what the melody plays from the bar before to the end of a bar: the tune, or the line of a style's scale."""
    style, per_bar = parameters.style, context.beats_per_bar
    bars = [number for number in (bar - 1, bar) if number >= context.phrase.start_bar]
    if style is None or style.scale is None:
        if context.melody is not None:
            return tuple(note for number in bars for note in context.melody.list_bar(parameters, context, number))
        return tuple(note for number in bars for note in build_melody(parameters, context, number))
    key = create_melody_key(style, context)
    return tuple(
        MelodyNote(number * per_bar + note.position, note.length, key.note(note.step))
        for number in bars
        for note in build_line(parameters, context, number)
    )


def clashes(pitch: int, beat: float, melody: Sequence[MelodyNote]) -> bool:
    """Tell whether a pitch, struck at a beat, stands a semitone from a note of the melody; octaves are folded.

    A note of the melody counts while it sounds, and where it begins together with the pitch.
    """
    for onset, length, note in melody:
        until = max(onset + length - _TOGETHER_BEATS, onset + _TOGETHER_BEATS)
        if onset - _TOGETHER_BEATS < beat < until and (note.pitch - pitch) % 12 in (1, 11):
            return True
    return False


def _choose_length(
    parameters: MusicParameters, context: MusicContext, shape: PhraseShape, beat: float, following: float | None
) -> float:
    """Choose a note's length: by its articulation; before a breath or a rest it is long, and stops in time."""
    if context.closing:
        return 0.97 * context.beats_per_bar
    if following is None and context.phrase.role.build != PRESENTATION:
        left = context.phrase.end_beat - beat
        return max(0.5, min(left - 1.0, 2.0 * _LONGEST_BEATS))
    following = context.phrase.end_beat if following is None else following
    gap = following - beat
    upbeat = context.phrase.end_beat - shape.upbeat
    if parameters.style is None and shape.upbeat and beat < upbeat - 1e-6 <= following:
        return max(0.5, min(gap - BREATH_BEATS, 2.0 * _LONGEST_BEATS))  # the breath before an upbeat
    longest = 2.0 * _LONGEST_BEATS if context.rhythm == "sustained" else _LONGEST_BEATS
    touch = choose_articulation(context.rhythm, parameters.density, draw_deviation(context.seed, "touch", beat))
    return touch * min(gap, longest)


def limit_length(context: MusicContext, target: float, step: int, beat: float) -> float:
    """Return how long a note may last: over a change of chord only where the next chord has it too.

    `target` is the beat whose chord the note belongs to.
    """
    span = context.span_at(target)
    inside = span.end_beat < context.phrase.end_beat
    stays = inside and context.chord_at(span.end_beat).has(step)
    end = context.span_at(span.end_beat).end_beat if stays else span.end_beat
    return max(0.2, 0.98 * (end - beat))


# ---------------------------------------------------------------- pitch


def _select_triad(chord: Chord) -> Chord:
    """Return a chord without its seventh, which is no place of rest."""
    return replace(chord, degrees=chord.degrees[:3]) if len(chord.degrees) > 3 else chord


@dataclass
class _Line:
    """The phrase's melody as a function from beat to step, built from strong places to weak ones."""

    parameters: MusicParameters
    context: MusicContext
    _steps: dict[float, int] = field(default_factory=dict)
    _strong_steps: dict[float, int] = field(default_factory=dict)
    _goal: float = 0.0
    _goal_bar: float = 0.0

    def __post_init__(self) -> None:
        register = self.parameters.register
        self.steps = self.context.key.steps_within(register.low, register.high)
        lift = _LIFT_STEPS * compute_energy(self.context.phrase)
        middle_step = self.context.key.step_near(register.centre) + round(lift)
        self.anchor = min(self.steps[-1], max(self.steps[0], middle_step))
        self.strong = list_strong_beats(self.context.beats_per_bar)
        self.shape = choose_shape(self.context)
        self._goal_bar = self.context.phrase.end_beat - self.context.beats_per_bar
        self._goal = self._goal_bar + find_goal(self.context, self.shape)
        # The motif: how far each strong beat of bars 0 (and, shifted, 2) and 1 leaves the arc.
        rng = rng_for(self.context.seed, "motif", *label_theme(self.context))
        self.motif = [[rng.choice((-2, -1, 0, 1, 2)) for _ in self.strong] for _ in range(2)]
        turn = rng_for(self.context.seed, "turn", self.context.phrase.occurrence)
        self.sequence = turn.choice((-1, 1, 2))
        if self.context.phrase.role.variation:
            self.motif[1][-1] += turn.choice((-2, 2))

    def find_target(self, beat: float) -> float:
        """Return the strong beat that a note anticipates, or the beat itself."""
        ahead = beat + AHEAD_BEATS[self.context.rhythm]
        target = round(ahead)
        if self.parameters.style is not None or abs(ahead - target) > 1e-6:
            return beat
        return float(target) if is_anticipated(self.context, target, self.shape) else beat

    def is_strong(self, beat: float) -> bool:
        """Tell whether a note at a beat stands for a strong one."""
        return self.find_target(beat) % self.context.beats_per_bar in self.strong

    def chord_at(self, beat: float) -> Chord:
        """Return the chord that a note at a beat belongs to: the next bar's, where it anticipates that."""
        return self.context.chord_at(self.find_target(beat))

    def step(self, beat: float) -> int:
        """Return the step at a beat of the phrase, before the contract."""
        if beat not in self._steps:
            target = self.find_target(beat)
            if target != beat:
                self._steps[beat] = self._frame_step(target)
            elif beat == self._goal:  # a feminine or late cadence has its resting tone here
                self._steps[beat] = self._frame_step(self._goal_bar)
            elif beat == self._goal_bar and self.shape.cadence == "feminine" and self._goal > beat:
                resting = self._frame_step(beat)
                self._steps[beat] = resting + 1 if resting + 1 in self.steps else resting
            elif self._is_upbeat(beat):
                self._steps[beat] = self._choose_upbeat(beat)
            elif beat % self.context.beats_per_bar in self.strong:
                self._steps[beat] = self._frame_step(beat) + self._choose_appoggiatura(beat)
            else:
                self._steps[beat] = self._choose_between(beat)
        return self._steps[beat]

    def leap(self, onsets: Sequence[float], steps: list[int], share: float) -> None:
        """Throw some strong notes an octave or a sixth up or down, where the register allows."""
        for index, beat in enumerate(onsets):
            rng = rng_for(self.context.seed, "leap", *label_theme(self.context), self._motif_labels(beat))
            if beat % self.context.beats_per_bar in self.strong and rng.random() < share:
                side = 1 if steps[index] <= self.anchor else -1
                reach = (self.context.key.size, self.context.key.size - 2)
                steps[index] = next((s for r in reach if (s := steps[index] + side * r) in self.steps), steps[index])

    def keep_contract(self, onsets: Sequence[float], steps: list[int]) -> None:
        """Change steps so that each tone outside its chord resolves by a step, and long notes are tones of theirs."""
        for index, beat in enumerate(onsets):
            chord = _select_triad(self.chord_at(beat))
            if chord.has(steps[index]) or self._is_upbeat(beat):
                continue
            after = onsets[index + 1] if index + 1 < len(onsets) else None
            gap = (self.context.phrase.end_beat if after is None else after) - beat
            is_strong = self.is_strong(beat)
            if is_strong and after is not None and gap <= _RESOLVED_BEATS:
                resolution = self._find_resolution(steps[index], steps[index + 1], after)
                if resolution is not None:
                    steps[index + 1] = resolution
                    continue
            if is_strong or gap >= _LONG_BEATS:
                steps[index] = self._find_chord_tone(chord, steps[index])
        for index in range(1, len(steps) - 1):  # a leap is answered by a step back
            leap, onward = steps[index] - steps[index - 1], steps[index + 1] - steps[index]
            weak = onsets[index + 1] % self.context.beats_per_bar not in self.strong
            if abs(leap) >= _LEAP_STEPS and leap * onward > 0 and weak:
                steps[index + 1] = self._clamp(steps[index] - (1 if leap > 0 else -1))

    def _find_resolution(self, step: int, planned: int, beat: float) -> int | None:
        """Return the neighbour of a step that the chord at a beat has, the planned one or a lower one first."""
        chord = _select_triad(self.chord_at(beat))
        neighbours = [other for other in (step - 1, step + 1) if chord.has(other) and other in self.steps]
        return min(neighbours, key=lambda other: (other != planned, other), default=None)

    def _find_chord_tone(self, chord: Chord, step: int) -> int:
        return min((s for s in self.steps if chord.has(s)), key=lambda s: (abs(s - step), s), default=step)

    def _is_upbeat(self, beat: float) -> bool:
        """Tell whether a note belongs to the next phrase's upbeat."""
        first = self.context.phrase.end_beat - self.shape.upbeat
        return self.shape.upbeat > 0.0 and self.parameters.style is None and beat >= first - 1e-6

    def _choose_upbeat(self, beat: float) -> int:
        """Choose an upbeat's step: by scale steps towards where the next phrase is likely to begin."""
        left = self.context.phrase.end_beat - beat
        side = rng_for(self.context.seed, "upbeat", self.context.phrase.occurrence).choice((-1, -1, 1))
        goal = self._frame_step(self.context.phrase.end_beat)
        return self._clamp(goal + side * max(1, round(2.0 * left)))

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
        if tables is None or beat >= context.phrase.end_beat or context.is_cadence(bar) or context.closing:
            return 0
        rng = rng_for(context.seed, "leaning", *label_theme(context), self._motif_labels(beat))
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
        if context.is_cadence(bar):
            # An answer rests on the tonic itself, a question on the nearest tone of its chord.
            last = beat - context.beats_per_bar if context.bar_in_phrase(bar) else None
            before = self.anchor if last is None else self._frame_step(last)
            if phrase.role.closed and chord.root == 0:
                chord = replace(chord, degrees=(0,))
            return self._choose_chord_tone(chord, self.anchor, before, before=last)
        width = (len(self.steps) - 1) / 2.0
        groove = find_groove(self.parameters.groove)
        rise = groove.melody_range * min(_CONTRAST_STEPS if phrase.role.is_contrast else _ARC_STEPS, 1.1 * width)
        fraction = context.phrase_fraction(beat)
        height = rise * (0.5 - fraction if groove.falls else 1.5 * compute_phrase_arc(fraction) - 0.5)
        bar_in_phrase, position = context.bar_in_phrase(bar), beat % context.beats_per_bar
        motif = self.motif[find_motif(context, bar) % 2]
        turn = motif[self.strong.index(int(position))] + self._shift_motif(bar_in_phrase)
        contour = self._turn_back(self.anchor + height + turn * groove.melody_range * min(1.0, width / 5.0))
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

    def _turn_back(self, contour: float) -> float:
        """Return a contour that goes back where the register ends, so that the line does not stick to its last tone."""
        nearest = min(self.steps[-1], max(self.steps[0], contour))
        return contour if nearest == contour else nearest + _TURNED_BACK * (nearest - contour)

    def _shift_motif(self, bar_in_phrase: int) -> int:
        """Return the steps that a bar's motif is moved by: a sequence, at once where a sentence breaks its idea up."""
        if self.context.phrase.role.build == CONTINUATION:
            return self.sequence * bar_in_phrase
        return self.sequence * (bar_in_phrase == 2)

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
        rng = rng_for(seed, "joint", *label_theme(self.context), place)
        if (
            rng_for(seed, "varied", phrase.index, place).random() < _VARIED
            and phrase.role.variation + phrase.role.repeat
            and not phrase.role.is_literal
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
        return find_motif(self.context, self.context.bar_at(beat)), round(beat % self.context.beats_per_bar * 48)

    def _clamp(self, step: int) -> int:
        """Limit a step to the register."""
        return min(self.steps[-1], max(self.steps[0], step))
