"""The patterns of the library isobar as a player that keeps to the chords.

isobar is by Daniel Jones (MIT; github.com/ideoforms/isobar). Needs the extra: pip install 'kelly-live[isobar]'.

isobar's own timeline, clock and outputs stay unused: only its patterns, each seeded from ours, decide rhythm and line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import list_strong_beats

try:
    import isobar
except ImportError as error:
    raise ConfigError(f"isobar is not installed ({error}); pip install 'kelly-live[isobar]'") from error

FIGURES = ("walk", "arpeggio", "fractal")
_RULES = ("N+N[-N]-N", "N[++N]-N+N", "NN+N[--N]")  # L-systems that turn back to where they began
_REACH_STEPS = 6  # how far a figure leaves its middle
_MOST_SHARE = 0.8  # of the places of a bar are played at most, so that it stays a rhythm


class IsobarGenerator(BarPlayer):
    """A second line under the tune: Euclidean rhythms, and walks, arpeggios or L-systems along the scale."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "isobar",
        "isobar",
        channel=6,
        program=11,
        parameters=(
            Parameter("figure", "arpeggio", "how the line moves", choices=FIGURES),
            Parameter("octave", -1, "its middle from the tune's", low=-3, high=1, unit="octaves"),
            Parameter("share", 0.8, "how many notes it has for each one of the tune", low=0.1, high=3.0),
        ),
        help="isobar's patterns: Euclidean rhythms under walks, arpeggios or L-systems",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        start, per_bar = float(bar * context.beats_per_bar), context.beats_per_bar
        middle = min(108.0, max(24.0, parameters.register.centre + 12.0 * self.number("octave")))
        slots = per_bar * (3 if context.rhythm == "triplet" else 2)
        hits = round(min(_MOST_SHARE * slots, self.number("share") * parameters.density * per_bar))
        if context.closing:
            hits = 1
        if hits < 1:
            return
        # A motif returns with its theme, every other bar of a phrase.
        where = (context.phrase.theme, context.phrase.role.letter, context.bar_in_phrase(bar) % 2)
        line = _create_figure(self.choice("figure"), rng_for(context.seed, "isobar", *where).randrange(2**31))
        rhythm = isobar.PEuclidean(hits, slots).nextn(slots)
        places = [slot * per_bar / slots for slot, hit in enumerate(rhythm) if hit is not None]
        ends = [*places[1:], float(per_bar)]
        for place, end in zip(places, ends, strict=True):
            beat = start + place
            chord = context.chord_at(beat)
            step = chord.step_near(chord.key.step_near(middle)) + _wrap_step(next(line))
            if place in list_strong_beats(per_bar) or context.closing or self.choice("figure") == "arpeggio":
                step = chord.step_near(step)
            note = chord.key.note(step)
            yield NoteEvent(
                onset_beats=beat,
                duration_beats=0.9 * min(end - place, 2.0),
                pitch=min(127, max(0, note.pitch)),
                cents=note.cents,
                velocity=compute_velocity(parameters, context, "isobar", beat, weight=0.8),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )


def _create_figure(name: str, seed: int) -> Any:
    """Create an endless isobar pattern of scale steps around 0."""
    if name == "walk":
        walk = isobar.PBrown(0, 2, -_REACH_STEPS, _REACH_STEPS)
        walk.seed(seed)
        return walk
    if name == "arpeggio":
        ways = (isobar.PArpeggiator.UP, isobar.PArpeggiator.DOWN, isobar.PArpeggiator.DIVERGE)
        return isobar.PLoop(isobar.PArpeggiator([-4, -2, 0, 2, 4], ways[seed % len(ways)]))
    return isobar.PLSystem(_RULES[seed % len(_RULES)], depth=3, loop=True)


def _wrap_step(step: int | None) -> int:
    """Return a figure's step, wrapped where it would leave its range."""
    around = 2 * _REACH_STEPS + 1
    return ((step or 0) + _REACH_STEPS) % around - _REACH_STEPS
