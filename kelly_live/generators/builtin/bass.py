"""The bass player: roots where chords change, fifths and octaves between, a step into the next root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, compute_velocity
from kelly_live.music.form import compute_accompaniment_density
from kelly_live.music.groove import Groove, choose_level, find_groove, place_cell
from kelly_live.music.harmony import ChordSpan
from kelly_live.music.melody_line import clashes, list_melody
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE, count_notes, rank_places
from kelly_live.music.theory import Chord
from kelly_live.music.voicing import HIGHEST_BASS, LOWEST_BASS, find_bass_root

_LEAD_IN_DENSITY = 0.5  # of the accompaniment: below it the bass holds its last note
# How firmly it plays against the tune (1.35). EMOPIA's pianists (train, a quarter of the clips, 192) strike the lowest
# note of two or more, below E3, with .85, .89, .75 and .68 of the top one's velocity in Q1 to Q4; ours have .85,
# .88, .82 and .73 with the grooves' balance, and had 1.01 with a weight of 1.1.
_WEIGHT, _PASSING = 0.7, 0.88
_NOTES_PER_BEAT = (0.2, 0.42)  # at density 0, and more for each 1 of density


class BassGenerator(BarPlayer):
    """One voice that plays the root on every change of chord, so that even sparse harmony is clear."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "bass",
        "bass",
        channel=2,
        program=32,
        yields_to_style=True,
        help="roots where chords change, fifths and octaves between",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        start = float(bar * context.beats_per_bar)
        pattern = _choose_pattern(parameters, context, bar)
        if pattern is not None:
            yield from self._read_pattern(pattern, parameters, context, bar)
            return
        places, groove = _choose_places(parameters, context, bar), find_groove(parameters.groove)
        ends = [*places[1:], float(context.beats_per_bar)]
        for position, end in zip(places, ends, strict=True):
            beat = start + position
            chord = context.chord_at(beat)
            note = chord.key.note(_choose_step(context, beat))
            length = min(end - position, 4.0)
            yield NoteEvent(
                onset_beats=beat,
                duration_beats=length * (0.98 if length >= 1.0 or context.rhythm == "sustained" else 0.8),
                pitch=note.pitch - _count_semitones_down(groove.lowest_bass, chord, note.pitch),
                cents=note.cents,
                velocity=compute_velocity(parameters, context, "bass", beat, weight=_weigh(groove)),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )

    def _read_pattern(
        self, pattern: str, parameters: MusicParameters, context: MusicContext, bar: int
    ) -> Iterator[NoteEvent]:
        """Yield the notes of a groove's pattern; a new chord inside the bar has its root where the pattern has none."""
        start, per_bar = float(bar * context.beats_per_bar), float(context.beats_per_bar)
        marks = {place_cell(cell, context.rhythm): mark for cell, mark in enumerate(pattern) if mark != "."}
        changes = {span.start_beat - start for span in context.phrase.spans if 0.0 < span.start_beat - start < per_bar}
        if "N" not in marks.values():
            marks.update(dict.fromkeys(changes, "R"))
        if _leads_in(parameters, context, bar) and not {"N", "W"} & set(marks.values()):  # those lead on by themselves
            lead_in = _list_lead_in(context)
            marks = {place: mark for place, mark in marks.items() if place < min(lead_in)} | lead_in
        places = sorted(marks)
        groove = find_groove(parameters.groove)
        is_short, weight = groove.stroke_beats is not None, _weigh(groove)
        melody = list_melody(parameters, context, bar) if groove.resolves else ()
        for place, end in zip(places, [*places[1:], per_bar], strict=True):
            beat = start + place
            chord, step = _find_marked_step(marks[place], context, beat)
            note = chord.key.note(step)
            if marks[place] not in "RN" and clashes(note.pitch, beat, melody):
                # The root again, instead of a passing tone.
                note = context.chord_at(beat).key.note(find_bass_root(context.chord_at(beat)))
            towards = context.phrase.chord_after(beat) if marks[place] in "AN12" else context.chord_at(beat)
            pitch = note.pitch + (1 if marks[place] == "B" else 0)
            pitch -= _count_semitones_down(groove.lowest_bass, towards, pitch)
            length = min(end - place, 1.0 if is_short else 4.0)
            yield NoteEvent(
                onset_beats=beat,
                duration_beats=length * (0.5 if is_short else 0.95 if length >= 1.0 else 0.8),
                pitch=pitch,
                cents=note.cents,
                velocity=compute_velocity(
                    parameters,
                    context,
                    "bass",
                    beat,
                    weight=weight * (1.0 if marks[place] in "RN" else _PASSING),
                ),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )


def _weigh(groove: Groove) -> float:
    """Return how firmly the bass plays in a groove."""
    return _WEIGHT * groove.balance.get("bass", 1.0)


def _count_semitones_down(lowest: int | None, chord: Chord, pitch: int) -> int:
    """Count how far below its usual place the bass plays a note: an octave where the chord's root has room for one."""
    root = chord.key.note(find_bass_root(chord)).pitch
    return 12 if lowest is not None and min(root, pitch) - 12 >= lowest else 0


def _choose_pattern(parameters: MusicParameters, context: MusicContext, bar: int) -> str | None:
    levels = find_groove(parameters.groove).bass.get(context.beats_per_bar)
    if levels is None or context.closing:
        return None
    density = compute_accompaniment_density(parameters, context)
    return choose_level(levels, density, context.bar_in_phrase(bar))


def _leads_in(parameters: MusicParameters, context: MusicContext, bar: int) -> bool:
    """Tell whether the bass walks from a phrase's last bar into the next one."""
    groove = find_groove(parameters.groove)
    is_lively = compute_accompaniment_density(parameters, context) >= _LEAD_IN_DENSITY
    return context.is_last_bar(bar) and groove.has_fills and not groove.is_broken_off and is_lively


def _list_lead_in(context: MusicContext) -> dict[float, str]:
    """List the marks of two steps into the next phrase, on the last beat and after it."""
    last_cell = 4 * (context.beats_per_bar - 1)
    return {place_cell(last_cell, context.rhythm): "2", place_cell(last_cell + 2, context.rhythm): "1"}


def _find_marked_step(mark: str, context: MusicContext, beat: float) -> tuple[Chord, int]:
    """Return the chord and step of a pattern's mark (music/groove.py)."""
    span = context.span_at(beat)
    chord, root = span.chord, find_bass_root(span.chord)
    following = context.phrase.chord_after(beat)
    if mark == "N":
        return following, find_bass_root(following)
    if mark in "12":  # so many steps from where the next phrase begins, from the side that the bass is on
        target = find_bass_root(following)
        return chord, target + (int(mark) if target < root else -int(mark))
    if mark == "A":
        target = find_bass_root(following)
        rng = rng_for(context.seed, "bass approach", context.phrase.index, round(beat * 48))
        rises = target > root or (target == root and rng.random() < 0.5)
        return chord, target - 1 if rises else target + 1
    above = [s for s in range(root + 1, root + chord.key.size) if chord.has(s)]
    if mark == "5" and len(above) >= 2:
        fifth = above[1]
        return chord, fifth if chord.key.note(fifth).pitch <= HIGHEST_BASS else fifth - chord.key.size
    if mark == "3" and above:
        return chord, above[0]
    if mark == "8":
        return chord, root + chord.key.size
    if mark == "D":  # the tone of the chord that a falling line comes to
        fallen = root + chord.key.size - round((beat - context.phrase.start_beat) / context.beats_per_bar * 1.4)
        return chord, chord.step_near(fallen)
    if mark == "W":
        rng = rng_for(context.seed, "bass walk", context.phrase.index, round(beat * 48))
        target = find_bass_root(following)
        share = (beat - span.start_beat) / max(1.0, span.end_beat - span.start_beat)
        way = root + (target - root) * share + rng.choice((-2.0, 2.0, 4.0)) * (1.0 - share)
        lowest, highest = chord.key.step_near(LOWEST_BASS), chord.key.step_near(HIGHEST_BASS)
        return chord, min(highest, max(lowest, chord.step_near(way) if rng.random() < 0.6 else round(way)))
    return chord, root


def _choose_places(parameters: MusicParameters, context: MusicContext, bar: int) -> list[float]:
    start = float(bar * context.beats_per_bar)
    changes = {span.start_beat - start for span in context.phrase.spans}
    changes = {position for position in changes if 0.0 <= position < context.beats_per_bar}
    if context.closing:
        return sorted(changes)
    rng = rng_for(context.seed, "bass rhythm", context.phrase.role.repeat, context.phrase.role.letter)
    ranks = rank_places(context.rhythm, context.beats_per_bar, rng, freedom=0.15)
    least, more = _NOTES_PER_BEAT
    count = (
        (least + more * compute_accompaniment_density(parameters, context))
        * context.beats_per_bar
        * PACE[context.rhythm]
    )
    return sorted(changes | set(ranks[: max(1, count_notes(count, 0))]))


def _choose_step(context: MusicContext, beat: float) -> int:
    """Choose the bass's step at a beat; it depends on the place alone, not on its other notes."""
    span: ChordSpan = context.span_at(beat)
    chord, root = span.chord, find_bass_root(span.chord)
    if beat == span.start_beat or context.closing:
        return root
    rng = rng_for(context.seed, "bass line", context.phrase.index, round(beat * 48))
    beats_left = span.end_beat - beat
    target = find_bass_root(context.phrase.chord_after(beat))
    if beats_left <= 0.5 or (beats_left <= 1.0 and rng.random() < 0.5):
        # Approach the next root by a step, from the side that the bass comes from.
        return target + (1 if target < root or (target == root and rng.random() < 0.5) else -1)
    # A line in place of a leap: fifth below or above, octave, or the root again on the strong beat.
    above = [s for s in chord.key.steps_within(chord.key.cents(root) / 100.0, HIGHEST_BASS) if chord.has(s)]
    choices = [root, root, *above[1:5]]
    if (beat - span.start_beat) % 2.0 == 0.0 and len(chord.degrees) > 2:
        choices = [s for s in above[1:4] if s % chord.key.size == chord.degrees[2]] or choices
    return rng.choice(choices)
