"""The chord player: struck where the harmony changes, broken between, comped where it is dense."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, NamedTuple

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.context import MelodyNote
from kelly_live.music.form import compute_accompaniment_density, compute_energy
from kelly_live.music.groove import choose_level, find_groove, place_cell
from kelly_live.music.melody_line import clashes, list_melody
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE, count_notes, list_strong_beats, rank_by_rhythm_cells, rank_places
from kelly_live.music.theory import Chord
from kelly_live.music.voicing import lead_voices, tune_pitch

_NOTES_PER_BEAT = 0.45  # strokes a beat at density 1
# Broken chords run at nearly the same pace whatever the density, as in piano music (EMOPIA: 1.6 to 2.3 onsets a beat in
# every quadrant, held melodies or not): this many a beat where it is dense, half of it at density _HALF_FIGURE.
_FIGURE, _HALF_FIGURE = 2.4, 0.3
_FIGURE_PACE = {"sustained": 0.85}
# Bitter music is accompanied restlessly and glad music lightly, as people do it: under the melody EMOPIA's pianists
# play 4.7 times a second in Q2 and 3.8 in Q1 (train, n 187 and 169, SE .1), ours 4.2 and 4.5 without this. (Gabrielsson
# & Lindström 2010, from memory: rough, complex rhythm for unease and anger, flowing for joy.)
_UNREST = 0.4  # log of the pace, or of the density that chooses a pattern, for an unrest of 1
_ENERGY_PACE = 0.25  # log of the pace, where the form is at its highest
_FULL_DENSITY = 1.0  # from here on a new chord is struck with all its voices
_RING_BEATS = (2.4, 1.1, 0.9)  # how long a broken note rings: at density 0, less for each 1 of density, at least
# Share of the bars with the pedal down, and how long a note rings in the others: people have three, four, five and six
# keys sounding about as often each (EMOPIA), and all chords under the pedal made it nearly always the same five.
_PEDAL, _DRY_BEATS = 0.75, 0.6
# How much of the pace a bar's rhythm goes at, sixteenths run up here and there; and the onsets of the rhythm of
# people's that it grows from.
_MORE_OR_FEWER = (0.75, 1.0, 1.25, 1.4)
_CELL_ONSETS = (6, 7, 9, 10)
_BELOW_MELODY = 12  # semitones from the melody's centre down to the chords'
# Never higher than EMOPIA's: its notes under the melody have their median at 60 in Q1 (ours 62 with a highest of 64).
# Traditions were measured with 64, and keep it.
_LOWEST_CENTRE, _HIGHEST_CENTRE, _HIGHEST_IN_TRADITION = 51, 61, 64
# Which voice (0 the lowest) a broken chord takes on each half beat of a bar, over and over.
_FIGURES = ((0, 2, 3, 2), (0, 3, 1, 3), (0, 1, 2, 3), (0, 2, 1, 3, 1, 2, 1, 3), (0, 1, 2, 3, 2, 3, 2, 1))


# The voices of a groove's marks (music/groove.py).
_POWER = -1  # root and fifth, low
_MARKS = {"X": (0, 1, 2, 3), "x": (1, 2, 3), "d": (1, 2), "P": (_POWER,), "0": (0,), "1": (1,), "2": (2,), "3": (3,)}
_POWER_CENTRE = 46
_THINNED = 0.6  # chance that a stroke between a pattern's beats is left out, where the form were at -1
VOICINGS = ("close", "open")
LOWEST_PITCH = 45  # A2: below it is the bass's


class Attack(NamedTuple):
    """A place in the bar (beats) and the voices, 0 the lowest, that begin there."""

    position: float
    voices: tuple[int, ...]


class ChordGenerator(BarPlayer):
    """Plays the phrase's chords in four voices: struck where they change, broken or comped until the next."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "chords",
        "chords",
        channel=1,
        program=0,
        yields_to_style=True,
        parameters=(
            Parameter("voicing", "close", "open takes the second voice from the top an octave down", choices=VOICINGS),
        ),
        help="the harmony in four voices, struck, broken or comped",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        start = float(bar * context.beats_per_bar)
        melody = list_melody(parameters, context, bar)
        strokes = [
            (attack.position, self._voice_attack(attack, parameters, context, start + attack.position, melody))
            for attack in _choose_attacks(parameters, context, bar)
        ]
        strong, groove = list_strong_beats(context.beats_per_bar), find_groove(parameters.groove)
        weight = groove.balance.get("chords", 1.0)
        longest, less, least = _RING_BEATS
        down = rng_for(context.seed, "pedal", context.phrase.index, bar).random() < _PEDAL
        pedal = down or context.closing or context.rhythm == "sustained"
        ring = max(least, longest - less * parameters.density) if pedal else _DRY_BEATS
        for index, (position, voices) in enumerate(strokes):
            beat = start + position
            span = context.span_at(beat)
            firm = position in strong or beat == span.start_beat
            for number, pitch in voices.items():
                # A voice rings until it plays again: a new chord as under a pedal, notes between for less long.
                again = (other for other, later in strokes[index + 1 :] if number in later)
                beats_left = min(start + next(again, float(context.beats_per_bar)), span.end_beat) - beat
                is_pedalled = pedal or (beat == span.start_beat and position == 0.0 and context.is_last_bar(bar))
                if groove.stroke_beats is not None and not context.closing:  # the last chord rings
                    beats_left, is_pedalled = min(beats_left, groove.stroke_beats), True
                note = tune_pitch(span.chord, pitch)
                yield NoteEvent(
                    onset_beats=beat,
                    duration_beats=0.97
                    * (beats_left if is_pedalled else min(beats_left, 2.0 * ring if firm else ring)),
                    pitch=note.pitch,
                    cents=note.cents,
                    velocity=compute_velocity(
                        parameters,
                        context,
                        "chords",
                        beat,
                        weight=weight * (0.9 if firm else 0.62),
                        voice=number,
                    ),
                    channel=self.descriptor.channel,
                    part=self.descriptor.part,
                )

    def _voice_attack(
        self,
        attack: Attack,
        parameters: MusicParameters,
        context: MusicContext,
        beat: float,
        melody: Sequence[MelodyNote],
    ) -> dict[int, int]:
        """Return the pitches of an attack by voice, 0 the lowest, without those that clash with the melody."""
        groove = find_groove(parameters.groove)
        pitches: tuple[int, ...]
        voices: tuple[int, ...]
        if attack.voices == (_POWER,):
            pitches, voices = _voice_power_chord(context.chord_at(beat)), (0, 1, 2)
        else:
            pitches = _choose_voicing(context, beat, _choose_centre(parameters), self.choice("voicing"))
            voices = attack.voices
        if groove.resolves:
            voices = _choose_clear(voices, pitches, beat, melody)
        return {number: pitches[number] for number in voices if number < len(pitches)}


def _choose_clear(
    voices: tuple[int, ...], pitches: Sequence[int], beat: float, melody: Sequence[MelodyNote]
) -> tuple[int, ...]:
    """Choose the voices that do not stand a semitone from the melody; a single one gives way to another."""
    clear = [number for number in range(len(pitches)) if not clashes(pitches[number], beat, melody)]
    chosen = tuple(number for number in voices if number in clear)
    if chosen or not clear:
        return chosen
    return (min(clear, key=lambda number: abs(number - voices[0])),)


def _voice_power_chord(chord: Chord) -> tuple[int, ...]:
    """Voice root, fifth and octave low, without the third."""
    root = min(
        (pitch for pitch in range(_POWER_CENTRE - 6, _POWER_CENTRE + 7) if pitch % 12 == chord.pitch_classes[0]),
        key=lambda pitch: abs(pitch - _POWER_CENTRE),
    )
    fifths = [above for above in (7, 6, 8) if (root + above) % 12 in chord.pitch_classes]
    return (root, root + (fifths[0] if fifths else 12), root + 12)


def _choose_centre(parameters: MusicParameters) -> int:
    """Choose the middle of the voicing: under the melody, neither too low nor too high."""
    highest = _HIGHEST_CENTRE if parameters.style is None else _HIGHEST_IN_TRADITION
    centre = int(min(highest, max(_LOWEST_CENTRE, parameters.register.centre - _BELOW_MELODY)))
    return centre - find_groove(parameters.groove).chords_lower


def _choose_attacks(parameters: MusicParameters, context: MusicContext, bar: int) -> list[Attack]:
    """Choose where a bar is played, and with which voices.

    Chords sound at every change and at the best places of the rhythm, single voices at the next best. More density only
    adds voices and places.
    """
    per_bar, density = context.beats_per_bar, compute_accompaniment_density(parameters, context)
    start = float(bar * per_bar)
    changes = {span.start_beat - start for span in context.phrase.spans}
    changes = {position for position in changes if 0.0 <= position < per_bar}
    if context.closing:
        mark = "P" if find_groove(parameters.groove).closing.in_unison else "X"
        return [Attack(position, _MARKS[mark]) for position in sorted(changes)]
    restless = math.exp(_UNREST * parameters.unrest)
    levels = find_groove(parameters.groove).chords.get(per_bar)
    if levels is not None:
        pattern = choose_level(levels, restless * density, context.bar_in_phrase(bar))
        return _read_pattern(pattern or "", context, changes)
    role = context.phrase.role
    form = role.repeat  # a section that returns is accompanied otherwise
    rng = rng_for(context.seed, "comping", form, role.letter, context.bar_in_phrase(bar) % 2)
    ranks = rank_places(context.rhythm, per_bar, rng, freedom=0.12)
    beats = per_bar * PACE[context.rhythm]
    struck_places = set(ranks[: count_notes(_NOTES_PER_BEAT * density * beats, 0)])
    slope = density**1.5
    pace = _FIGURE * _FIGURE_PACE.get(context.rhythm, 1.0) * slope / (slope + _HALF_FIGURE**1.5)
    pace *= restless * math.exp(_ENERGY_PACE * compute_energy(context.phrase))
    if per_bar == 4:  # a rhythm that people accompany with, of about as many notes
        draw = rng_for(context.seed, "accompaniment", form, role.letter, context.bar_in_phrase(bar) % 2)
        pace *= draw.choice(_MORE_OR_FEWER)
        ranks = rank_by_rhythm_cells(ranks, context.rhythm, "accompaniment", draw.choice(_CELL_ONSETS), draw)
    broken = set(ranks[: count_notes(pace * per_bar, 0)])
    figure = rng_for(context.seed, "figure", form, role.letter).choice(_FIGURES)
    attacks = []
    for position in sorted(changes | struck_places | broken):
        voice = figure[round(2.0 * position) % len(figure)]
        voices: tuple[int, ...]
        if position in changes:
            voices = (0, 1, 2, 3) if density >= _FULL_DENSITY else (0, 1, 2)
        elif position in struck_places:
            voices = tuple(sorted({voice, 2, 3}))
        else:
            voices = (voice,)
        attacks.append(Attack(position, voices))
    return attacks


def _read_pattern(pattern: str, context: MusicContext, changes: Collection[float]) -> list[Attack]:
    """Read a groove's pattern, thinned where the form is low: strokes between the beats give way."""
    attacks: dict[float, tuple[int, ...]] = {}
    rng = rng_for(context.seed, "thinned", context.phrase.theme, context.phrase.role.letter, len(changes))
    for cell, mark in enumerate(pattern):
        if mark in _MARKS:
            is_thinned = mark != "X" and cell % 4 and rng.random() < -_THINNED * compute_energy(context.phrase)
            if not is_thinned:
                attacks.setdefault(place_cell(cell, context.rhythm), _MARKS[mark])
    return [Attack(position, attacks[position]) for position in sorted(attacks)]


def _choose_voicing(context: MusicContext, beat: float, centre: int, spacing: str) -> tuple[int, ...]:
    """Voice the chord at a beat, led from the phrase's first chord, which lies around the centre."""
    spans = context.phrase.spans
    number = next((number for number, span in enumerate(spans) if beat < span.end_beat), -1)
    pitches = lead_voices(tuple(span.chord for span in spans), centre)[number]
    if spacing == "open" and len(pitches) >= 3 and pitches[-2] - 12 >= LOWEST_PITCH:
        return tuple(sorted((*pitches[:-2], pitches[-2] - 12, pitches[-1])))  # "drop 2"
    return pitches
