"""The chord player: pads where it is sparse, comping where it is dense, voices moving as little as they can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kelly_live.domain import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, struck
from kelly_live.music.dice import dice
from kelly_live.music.rhythm import PACE, ranked_places, strong_beats, wanted
from kelly_live.music.voicing import tuned, voice

_NOTES_PER_BEAT = 0.45  # strokes a beat at density 1
_BELOW_MELODY = 13  # semitones from the melody's centre down to the chords'
_LOWEST_CENTRE, _HIGHEST_CENTRE = 51, 60
_ROLL_BEATS = 0.5  # from voice to voice where the music is sustained


class ChordGenerator(BarPlayer):
    """Comps the phrase's chords in four voices; weak strokes leave out the lowest."""

    descriptor: ClassVar[Descriptor] = Descriptor("chords", "chords", channel=1, program=4)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        start = float(bar * context.beats_per_bar)
        strokes = _strokes(parameters, context, bar)
        ends = [*strokes[1:], float(context.beats_per_bar)]
        for position, end in zip(strokes, ends, strict=True):
            beat = start + position
            span = context.span_at(beat)
            strong = beat == span.start_beat or position in strong_beats(context.beats_per_bar)
            pitches = _voicing(context, beat, _centre(parameters))
            length = min(start + end, span.end_beat) - beat
            # A stroke between the beats is let go early, or the comping turns to a wash.
            held = length if strong or context.rhythm == "sustained" else min(length, 0.6)
            for number, pitch in enumerate(pitches):
                if not strong and number == 0:
                    continue
                # Held chords open from the bottom up, like a hand on a harp.
                entry = _ROLL_BEATS * number if context.rhythm == "sustained" and length > 2 * _ROLL_BEATS else 0.0
                entry = min(entry, length - _ROLL_BEATS) if entry else 0.0
                note = tuned(span.chord, pitch)
                yield NoteEvent(
                    onset_beats=beat + entry,
                    duration_beats=0.97 * (held - entry),
                    pitch=note.pitch,
                    cents=note.cents,
                    velocity=struck(
                        parameters, context, "chords", beat + entry, weight=0.9 if strong else 0.75, voice=number
                    ),
                    channel=self.descriptor.channel,
                    part=self.descriptor.part,
                )


def _centre(parameters: MusicParameters) -> int:
    """The middle of the voicing: under the melody, but neither in the mud nor in the sky."""
    return int(min(_HIGHEST_CENTRE, max(_LOWEST_CENTRE, parameters.register.centre - _BELOW_MELODY)))


def _strokes(parameters: MusicParameters, context: MusicContext, bar: int) -> list[float]:
    """Where the bar is struck: at every change of chord, and as far down the rhythm's ranking as density asks."""
    start = float(bar * context.beats_per_bar)
    changes = {span.start_beat - start for span in context.phrase.spans}
    changes = {position for position in changes if 0.0 <= position < context.beats_per_bar}
    if context.closing:
        return sorted(changes)
    place = context.phrase.place
    rng = dice(context.seed, "comping", context.phrase.theme, place.letter, context.bar_in_phrase(bar) % 2)
    ranks = ranked_places(context.rhythm, context.beats_per_bar, rng, freedom=0.12)
    count = _NOTES_PER_BEAT * parameters.density * context.beats_per_bar * PACE[context.rhythm]
    return sorted(changes | set(ranks[: wanted(count, 0)]))


def _voicing(context: MusicContext, beat: float, centre: int) -> tuple[int, ...]:
    """The chord at a beat, led from the phrase's first chord on; that one stands around the centre."""
    pitches: tuple[int, ...] | None = None
    for span in context.phrase.spans:
        pitches = voice(span.chord, pitches, centre)
        if beat < span.end_beat:
            break
    assert pitches is not None  # a phrase has chords
    return pitches
