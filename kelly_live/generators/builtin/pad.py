"""The pad player: sustained chords whose common tones sound on, so that only what changes is struck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.form import compute_accompaniment_density
from kelly_live.music.voicing import lead_voices, tune_pitch

_BELOW_MELODY = 9  # semitones from the melody's centre down to the pad's
_LOWEST_CENTRE, _HIGHEST_CENTRE = 54, 67
_THREE, _FOUR = 0.35, 0.9  # the densities from which three and four voices sound, of two
_TOUCH = 0.55
_LONGEST_BEATS = 32.0
# Tones that stay as long as this are struck once more where the emotion builds up: a crescendo in notes.
_SWELL_BEATS, _SWELL_TREND = 4.0, 0.5


class PadGenerator(BarPlayer):
    """Two to four sustained voices, soft; a tone that the next chord shares is not struck again."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "pad",
        "pad",
        channel=4,
        program=89,
        yields_to_style=True,
        parameters=(Parameter("tied", True, "off strikes every voice of every chord"),),
        help="held chords; common tones sound on",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        spans = context.phrase.spans
        centre = int(min(_HIGHEST_CENTRE, max(_LOWEST_CENTRE, parameters.register.centre - _BELOW_MELODY)))
        voicings = [
            _select_voices(voicing, parameters, context)
            for voicing in lead_voices(tuple(s.chord for s in spans), centre)
        ]
        start, end = float(bar * context.beats_per_bar), float((bar + 1) * context.beats_per_bar)
        for number, span in enumerate(spans):
            if not start <= span.start_beat < end:
                continue
            for voice, pitch in enumerate(voicings[number]):
                if self.switch("tied") and number and pitch in voicings[number - 1]:
                    continue
                last = number
                while self.switch("tied") and last + 1 < len(spans) and pitch in voicings[last + 1]:
                    last += 1
                until = min(spans[last].end_beat, span.start_beat + _LONGEST_BEATS)
                beats = [span.start_beat]
                if context.trend >= _SWELL_TREND and until - span.start_beat >= _SWELL_BEATS:
                    beats.append(span.start_beat + 0.5 * min(span.end_beat - span.start_beat, end - start))
                for beat, release in zip(beats, [*beats[1:], until], strict=True):
                    note = tune_pitch(span.chord, pitch)
                    yield NoteEvent(
                        onset_beats=beat,
                        duration_beats=0.99 * (release - beat),
                        pitch=note.pitch,
                        cents=note.cents,
                        velocity=compute_velocity(parameters, context, "pad", beat, weight=_TOUCH, voice=voice),
                        channel=self.descriptor.channel,
                        part=self.descriptor.part,
                    )


def _select_voices(voicing: tuple[int, ...], parameters: MusicParameters, context: MusicContext) -> tuple[int, ...]:
    """Select the upper voices, the more the denser: the bass has the root."""
    density = compute_accompaniment_density(parameters, context)
    return voicing[-(4 if density >= _FOUR else 3 if density >= _THREE else 2) :]
