"""The arpeggio player: the chord's tones one after another, up, down or both, over a few octaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.feel import choose_articulation, draw_deviation
from kelly_live.music.form import compute_accompaniment_density
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import count_notes, rank_places

PATTERNS = ("up", "down", "up-down", "broken", "any")
_BELOW_MELODY = 5  # semitones from the melody's centre down to the pattern's middle
_LOWEST_CENTRE, _HIGHEST_CENTRE = 60, 78
_NOTES_PER_BEAT = (0.8, 1.6)  # at density 0, and more for each 1 of density
_SILENT_BELOW = 0.15  # density: in near silence there is no arpeggio
_FIRM, _LIGHT = 0.85, 0.6
_GATE_BEATS = 1.5


class ArpeggioGenerator(BarPlayer):
    """One note at a time; as many a beat as density asks, on the places that the band's rhythm favours."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "arpeggio",
        "arpeggio",
        channel=5,
        program=46,
        yields_to_style=True,
        parameters=(
            Parameter("pattern", "any", "the order of the tones; any: one of them a theme", choices=PATTERNS),
            Parameter("octaves", 2, "how far it goes before it turns", low=1, high=3, unit="octaves"),
        ),
        help="the chord's tones one after another",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        if parameters.density < _SILENT_BELOW:
            return
        per_bar = context.beats_per_bar
        start = float(bar * per_bar)
        places = _choose_places(parameters, context, bar)
        pattern = self.choice("pattern")
        if pattern == "any":
            pattern = rng_for(context.seed, "pattern", context.phrase.theme, context.phrase.role.letter).choice(
                PATTERNS[:-1]
            )
        for place, next_place in zip(places, [*places[1:], float(per_bar)], strict=True):
            beat = start + place
            span = context.span_at(beat)
            steps = self._list_steps(parameters, context, beat)
            # The figure begins again with each chord, and counts half beats: a note more or less moves no other.
            number = round((beat - max(span.start_beat, start)) * (3 if context.rhythm == "triplet" else 4))
            note = span.chord.key.note(steps[_choose_index(pattern, number, len(steps))])
            touch = choose_articulation(context.rhythm, parameters.density, draw_deviation(context.seed, "gate", beat))
            beats_left = context.phrase.end_beat - beat if context.closing else min(next_place - place, _GATE_BEATS)
            yield NoteEvent(
                onset_beats=beat,
                duration_beats=touch * min(beats_left, span.end_beat - beat),
                pitch=note.pitch,
                cents=note.cents,
                velocity=compute_velocity(
                    parameters, context, "arpeggio", beat, weight=_LIGHT if place % 1.0 else _FIRM
                ),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )

    def _list_steps(self, parameters: MusicParameters, context: MusicContext, beat: float) -> list[int]:
        """Return the chord's steps around the pattern's middle, rising."""
        chord, half = context.chord_at(beat), 6.0 * self.number("octaves")
        middle = min(_HIGHEST_CENTRE, max(_LOWEST_CENTRE, parameters.register.centre - _BELOW_MELODY))
        within = chord.key.steps_within(max(0.0, middle - half), min(127.0, middle + half))
        return [step for step in within if chord.has(step)] or [chord.step_near(chord.key.step_near(middle))]


def _choose_places(parameters: MusicParameters, context: MusicContext, bar: int) -> list[float]:
    if context.closing:
        return [0.0]
    per_bar = context.beats_per_bar
    rng = rng_for(
        context.seed, "arpeggio", context.phrase.theme, context.phrase.role.letter, context.phrase.role.repeat
    )
    ranks = rank_places("straight" if context.rhythm == "sustained" else context.rhythm, per_bar, rng, freedom=0.05)
    least, more = _NOTES_PER_BEAT
    return sorted(
        ranks[: count_notes((least + more * compute_accompaniment_density(parameters, context)) * per_bar, 0)]
    )


def _choose_index(pattern: str, number: int, size: int) -> int:
    """Return which of `size` steps the note at place `number` of a figure takes."""
    if size == 1:
        return 0
    match pattern:
        case "up":
            return number % size
        case "down":
            return size - 1 - number % size
        case "up-down":
            turn = number % (2 * size - 2)
            return min(turn, 2 * size - 2 - turn)
    return (number // 2 + 2 * (number % 2)) % size  # broken: two up, one back
