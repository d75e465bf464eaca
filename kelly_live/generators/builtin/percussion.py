"""The percussion player: kick, snare and cymbals by rhythm and density, fills between phrases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.form import compute_accompaniment_density, is_resting
from kelly_live.music.harmony import FORM
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import find_middle_beat

# General MIDI percussion keys.
KICK, SNARE, CLOSED_HAT, OPEN_HAT, CRASH, RIDE, MARACAS = 36, 38, 42, 46, 49, 51, 70
HIGH_TOM, MID_TOM, LOW_TOM = 50, 47, 45
# Calm music has a shaker at most: the kit comes in where the melody has most of a note a beat.
_KIT = 0.8
_HIT_BEATS = 0.2
_BUILDING, _CALMING = 0.5, 0.5  # trends from which the drums follow
_CRASH_BEATS = 2.0


class Hit(NamedTuple):
    """A stroke: its position in the bar (beats), MIDI key, weight (0-1), and the least density."""

    position: float
    key: int
    touch: float
    density: float


class PercussionGenerator(BarPlayer):
    """Strokes on channel 10; each has a least density, so that more density only adds strokes."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "percussion",
        "percussion",
        channel=10,
        program=0,
        yields_to_style=True,
        parameters=(Parameter("fills", True, "lead into the next phrase with a fill, or keep the beat"),),
        help="kick, snare and cymbals",
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        if is_resting("percussion", parameters, context, bar):
            return
        density = compute_accompaniment_density(parameters, context)
        for hit in _hits(context, bar, fills=self.switch("fills")):
            if density < hit.density:
                continue
            beat = bar * context.beats_per_bar + hit.position
            yield NoteEvent(
                onset_beats=float(beat),
                duration_beats=_CRASH_BEATS if hit.key == CRASH else _HIT_BEATS,
                pitch=hit.key,
                velocity=compute_velocity(parameters, context, "percussion", beat, weight=hit.touch, voice=hit.key),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )


def _hits(context: MusicContext, bar: int, *, fills: bool) -> list[Hit]:
    """Return the bar's strokes, no key twice in one place."""
    if context.closing:
        return [Hit(0.0, KICK, 1.0, _KIT), Hit(0.0, CRASH, 0.8, 1.2)]
    per_bar = context.beats_per_bar
    hits = [*_groove(context), *_ghosts(context)]
    if fills and context.is_last_bar(bar) and context.trend > -_CALMING:
        # The fill takes the last beat (two at a section's end, or where the emotion builds up) from the cymbals and the
        # snare; where it calms down there is none.
        long = (context.phrase.place.closed or context.trend >= _BUILDING) and per_bar >= 4
        fill_start = per_bar - (2.0 if long else 1.0)
        hits = [hit for hit in hits if hit.position < fill_start or hit.key == KICK]
        hits += _fill(context, fill_start)
    if context.bar_in_phrase(bar) == 0:
        least = 1.0 if context.trend >= _BUILDING else 1.3 if context.phrase.place.letter == "B" else 1.6
        hits.append(Hit(0.0, CRASH, 0.75, least))
    first_hits: dict[tuple[float, int], Hit] = {}
    for hit in hits:
        first_hit = first_hits.setdefault((hit.position, hit.key), hit)
        if hit.density < first_hit.density:
            first_hits[hit.position, hit.key] = hit
    return list(first_hits.values())


def _groove(context: MusicContext) -> Iterator[Hit]:
    per_bar, rhythm = context.beats_per_bar, context.rhythm
    middle = find_middle_beat(per_bar)
    off = {"straight": 0.5, "dotted": 0.75, "syncopated": 0.5, "triplet": 2 / 3, "sustained": 0.5}[rhythm]
    cymbal = RIDE if rhythm in ("triplet", "sustained") else CLOSED_HAT
    is_sustained = rhythm == "sustained"
    yield Hit(0.0, MARACAS, 0.6, 0.12)  # all that is left when it is calm
    for beat in range(per_bar):
        strong = beat in (0, middle)
        yield Hit(float(beat), cymbal, 0.72 if strong else 0.62, _KIT if strong else 1.1 if is_sustained else _KIT)
        yield Hit(beat + off, cymbal, 0.85 if rhythm == "syncopated" else 0.6, 2.0 if is_sustained else 1.0)
    yield Hit(0.0, KICK, 1.05, _KIT)
    if middle is not None and rhythm != "syncopated":
        yield Hit(float(middle), KICK if not is_sustained else SNARE, 0.95, 0.85)
    if rhythm == "syncopated":
        yield Hit(1.5, KICK, 1.0, 0.85)
        if per_bar > 3:
            yield Hit(per_bar - 1.5, KICK, 0.95, 1.1)
    elif rhythm == "dotted":
        yield Hit(per_bar - 1.25, KICK, 0.9, 1.2)
    backbeats = () if is_sustained else range(1, per_bar, 2) if per_bar % 2 == 0 else range(1, per_bar)
    for beat in backbeats:
        yield Hit(float(beat), SNARE, 1.0, 0.85)


def _ghosts(context: MusicContext) -> Iterator[Hit]:
    """Yield what dense drumming adds: sixteenths (or mid-triplets), an extra kick, a ghosted snare."""
    per_bar, rhythm = context.beats_per_bar, context.rhythm
    inner = (1 / 3,) if rhythm == "triplet" else (0.25, 0.5) if rhythm == "dotted" else (0.25, 0.75)
    if rhythm == "sustained":
        return
    rng = rng_for(context.seed, "ghosts", context.phrase.index // len(FORM), context.phrase.place.letter)
    for beat in range(per_bar):
        for offset in inner:
            yield Hit(beat + offset, RIDE if rhythm == "triplet" else CLOSED_HAT, 0.45, 1.9 + 0.4 * rng.random())
    extra = rng.randrange(per_bar)
    yield Hit(extra + (2 / 3 if rhythm == "triplet" else 0.75), KICK, 0.8, 1.7)
    ghost = rng.randrange(per_bar)
    yield Hit(ghost + inner[0], SNARE, 0.4, 2.2)
    yield Hit(per_bar - 1 + (2 / 3 if rhythm == "triplet" else 0.5), OPEN_HAT, 0.7, 1.5)


def _fill(context: MusicContext, start: float) -> Iterator[Hit]:
    """Yield a fill down the toms: the first stroke of each beat early, the rest as density grows."""
    per_bar = context.beats_per_bar
    offsets = (0.0, 1 / 3, 2 / 3) if context.rhythm == "triplet" else (0.0, 0.5, 0.25, 0.75)
    for beat in range(int(start), per_bar):
        drums = (SNARE, HIGH_TOM) if beat < per_bar - 1 else (MID_TOM, LOW_TOM)
        for rank, offset in enumerate(offsets):
            yield Hit(beat + offset, drums[offset >= 0.5], 0.85 + 0.1 * offset, (0.85, 1.0, 1.6, 1.8)[rank])
