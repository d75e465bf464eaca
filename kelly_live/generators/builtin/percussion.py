"""The percussion player: the groove's kit, its ghost notes and variations, fills between phrases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter
from kelly_live.music.cycles import list_cycle_strokes
from kelly_live.music.drumming import (
    TOUCHES,
    Drumming,
    Stroke,
    compute_stroke_velocity,
    find_instrument,
    find_place,
    load_drumming,
)
from kelly_live.music.feel import compute_phrase_arc, draw_deviation
from kelly_live.music.form import compute_accompaniment_density, compute_lift
from kelly_live.music.groove import (
    CLOSED_HAT,
    CRASH,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MID_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
    DrumLine,
    Groove,
    find_groove,
    place_cell,
)
from kelly_live.music.randomness import pick, rng_for
from kelly_live.music.rhythm import find_middle_beat

_KIT = 0.8  # the kit comes in where the melody has most of a note a beat; below that there are no drums
_STROKE_BEATS = 0.2
_DRUMS = ("kick", "snare")  # what a groove's balance calls the drums; cymbals and what is shaken go on as usual
_BUILDING, _CALMING = 0.5, 0.5  # trends from which the drums follow
_CRASH_BEATS = 2.0
_ARC_TOUCH = 0.08  # how much more firmly a phrase's highest place is struck
_FIRMEST, _FIRM = TOUCHES["X"], TOUCHES["x"]
_GHOST_DENSITY = 0.75
# A fill has one stroke a beat from the first density on, and as many as people's from the sum of both.
_FILL_DENSITY, _FILL_DENSITY_RANGE = 0.85, 0.5
_PHRASE_BARS = 4  # a fill comes at the end of one, so that its chance there is that of so many bars


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

    def __init__(self) -> None:
        super().__init__()
        self._drummers = load_drumming()

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        density = compute_accompaniment_density(parameters, context)
        groove = find_groove(parameters.groove)
        drumming, drums_share = self._drummers[groove.drummers], groove.balance.get("drums", 1.0)
        for stroke in _list_strokes(groove, drumming, context, bar, fills=self.switch("fills")):
            if density < stroke.density:
                continue
            beat = bar * context.beats_per_bar + stroke.position
            lift = compute_lift(context, beat) + _ARC_TOUCH * compute_phrase_arc(context.phrase_fraction(beat))
            deviation = draw_deviation(context.seed, "percussion", beat, stroke.key)
            share = drums_share if find_instrument(stroke.key) in _DRUMS else 1.0
            yield NoteEvent(
                onset_beats=float(beat),
                duration_beats=_CRASH_BEATS if stroke.key == CRASH else _STROKE_BEATS,
                pitch=stroke.key,
                velocity=compute_stroke_velocity(
                    drumming, parameters.dynamics, stroke, lift=lift, deviation=deviation, share=share
                ),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )


def _list_strokes(groove: Groove, drumming: Drumming, context: MusicContext, bar: int, *, fills: bool) -> list[Stroke]:
    """Return the bar's strokes, no key twice in one place."""
    if context.closing:
        return list(_read_lines(groove.closing.drums, context, 0))
    per_bar, number = context.beats_per_bar, context.bar_in_phrase(bar)
    cycle = list_cycle_strokes(groove.name, None, context, bar)
    if cycle and per_bar not in groove.drums:
        return cycle
    lines = groove.drums.get(per_bar)
    strokes = [*_read_lines(lines, context, number)] if lines else [*_list_kit(context), *_list_ghosts(context)]
    strokes = _vary(strokes, drumming, context, bar)
    fill_beats = _choose_fill_beats(drumming, context, bar) if fills and groove.has_fills else 0
    if fill_beats:
        fill_start = float(per_bar - fill_beats)
        strokes = [stroke for stroke in strokes if stroke.position < fill_start or stroke.key == KICK]
        strokes += _list_fill(drumming, context, fill_start)
    if number == 0 and groove.has_fills:
        strokes += _list_arrival(context)
    chosen: dict[tuple[float, int], Stroke] = {}
    for stroke in strokes:
        known = chosen.setdefault((stroke.position, stroke.key), stroke)
        if stroke.density < known.density:
            chosen[stroke.position, stroke.key] = stroke
    return list(chosen.values())


def _list_arrival(context: MusicContext) -> list[Stroke]:
    """List what marks the first beat of a phrase: a crash, the sooner the more the phrase is an arrival."""
    role = context.phrase.role
    if role.arrival > 0:
        return [Stroke(0.0, CRASH, _FIRMEST, 0.0), Stroke(0.0, KICK, _FIRMEST, 0.0)]
    if role.arrival < 0:
        return []
    least = 1.0 if context.trend >= _BUILDING else 1.3 if role.is_contrast else 1.6
    return [Stroke(0.0, CRASH, _FIRM, least)]


def _read_lines(lines: tuple[DrumLine, ...], context: MusicContext, number: int) -> Iterator[Stroke]:
    """Yield the strokes of a groove's patterns; inner sixteenths move to the thirds where the band plays those."""
    for line in lines:
        for cell, mark in enumerate(line.bars[number % len(line.bars)]):
            if mark in TOUCHES:
                yield Stroke(place_cell(cell, context.rhythm), line.key, TOUCHES[mark], line.density)


def _vary(strokes: list[Stroke], drumming: Drumming, context: MusicContext, bar: int) -> list[Stroke]:
    """Leave strokes out, and add ghost notes and kicks, as often as people do: hardly a bar comes twice alike."""
    rng = rng_for(context.seed, "drum variation", context.phrase.index, bar)
    keys = {stroke.key for stroke in strokes}
    taken = {(stroke.position, stroke.key) for stroke in strokes}
    varied = [
        stroke
        for stroke in strokes
        if stroke.touch >= _FIRMEST
        or stroke.position == 0.0
        or rng.random() >= drumming.left_out[find_instrument(stroke.key)]
    ]
    cells = (0.0, 1 / 3, 2 / 3) if context.rhythm == "triplet" else (0.0, 0.25, 0.5, 0.75)
    for beat in range(context.beats_per_bar):
        for offset in cells:
            position = beat + offset
            for key, chances, touch, density in (
                (SNARE, drumming.ghosts, TOUCHES["o"], _GHOST_DENSITY),
                (KICK, drumming.kicks, _FIRM, 1.0),
            ):
                is_drawn = rng.random() < chances[find_place(position)]
                if is_drawn and key in keys and (position, key) not in taken:
                    varied.append(Stroke(position, key, touch, density))
    return varied


def _list_kit(context: MusicContext) -> Iterator[Stroke]:
    """Yield the plain band's kit, by the rhythm in force."""
    per_bar, rhythm = context.beats_per_bar, context.rhythm
    middle = find_middle_beat(per_bar)
    off = {"straight": 0.5, "dotted": 0.75, "syncopated": 0.5, "triplet": 2 / 3, "sustained": 0.5}[rhythm]
    cymbal = RIDE if rhythm in ("triplet", "sustained") else CLOSED_HAT
    is_sustained = rhythm == "sustained"
    for beat in range(per_bar):
        strong = beat in (0, middle)
        least = _KIT if strong or not is_sustained else 1.1
        yield Stroke(float(beat), cymbal, _FIRM if strong else 0.5, least)
        yield Stroke(beat + off, cymbal, _FIRM if rhythm == "syncopated" else 0.4, 2.0 if is_sustained else 0.9)
    yield Stroke(0.0, KICK, _FIRMEST, _KIT)
    if middle is not None and rhythm != "syncopated":
        yield Stroke(float(middle), SNARE if is_sustained else KICK, _FIRMEST, 0.85)
    if rhythm == "syncopated":
        yield Stroke(1.5, KICK, _FIRMEST, 0.85)
        if per_bar > 3:
            yield Stroke(per_bar - 1.5, KICK, _FIRMEST, 1.1)
    elif rhythm == "dotted":
        yield Stroke(per_bar - 1.25, KICK, _FIRM, 1.2)
    backbeats = () if is_sustained else range(1, per_bar, 2) if per_bar % 2 == 0 else range(1, per_bar)
    for beat in backbeats:
        yield Stroke(float(beat), SNARE, _FIRMEST, 0.85)


def _list_ghosts(context: MusicContext) -> Iterator[Stroke]:
    """Yield what dense drumming adds: sixteenths (or mid-triplets), ghost notes of the snare, an open hat."""
    per_bar, rhythm = context.beats_per_bar, context.rhythm
    inner = (1 / 3,) if rhythm == "triplet" else (0.25, 0.5) if rhythm == "dotted" else (0.25, 0.75)
    if rhythm == "sustained":
        return
    rng = rng_for(context.seed, "ghosts", context.phrase.theme, context.phrase.role.letter)
    for beat in range(per_bar):
        for offset in inner:
            yield Stroke(
                beat + offset, RIDE if rhythm == "triplet" else CLOSED_HAT, TOUCHES["-"], 1.9 + 0.4 * rng.random()
            )
    extra = rng.randrange(per_bar)
    yield Stroke(extra + (2 / 3 if rhythm == "triplet" else 0.75), KICK, _FIRM, 1.7)
    for place in (rng.randrange(per_bar) + inner[0], per_bar / 2.0 - 1.0 + inner[-1]):
        yield Stroke(place, SNARE, TOUCHES["o"], _GHOST_DENSITY)
    yield Stroke(per_bar - 1 + (2 / 3 if rhythm == "triplet" else 0.5), OPEN_HAT, _FIRM, 1.5)


def _choose_fill_beats(drumming: Drumming, context: MusicContext, bar: int) -> int:
    """Choose how many beats at the end of a bar go to a fill, 0 for none.

    A phrase that ends a section and what builds up have one of two beats or more, other phrases as often as people play
    one. What builds up has a beat in the middle of a phrase, too; where it calms down there is none.
    """
    role, following = context.phrase.role, context.phrase.following
    builds = context.trend >= _BUILDING
    if not context.is_last_bar(bar) or context.trend <= -_CALMING:
        return int(builds and context.bar_in_phrase(bar) == context.phrase.bars // 2 - 1)
    rng = rng_for(context.seed, "fill length", context.phrase.index)
    is_drawn, beats = rng.random() < _PHRASE_BARS * drumming.fill_rate, pick(rng, drumming.fill_beats)
    turns = role.closed or builds or (following is not None and following.starts)
    if context.beats_per_bar >= 4 and turns:
        return max(2, beats)
    return min(beats, context.beats_per_bar - 1, 2) if is_drawn else 0


def _list_fill(drumming: Drumming, context: MusicContext, start: float) -> Iterator[Stroke]:
    """Yield a fill down the toms: the first stroke of each beat early, the rest as density grows."""
    per_bar = context.beats_per_bar
    offsets = (0.0, 1 / 3, 2 / 3) if context.rhythm == "triplet" else (0.0, 0.5, 0.25, 0.75)
    rng = rng_for(context.seed, "fill", context.phrase.index)
    drums = rng.choice(((SNARE, HIGH_TOM, MID_TOM, LOW_TOM), (SNARE, SNARE, HIGH_TOM, LOW_TOM)))
    for beat in range(int(start), per_bar):
        for rank, offset in enumerate(offsets):
            share = (beat + offset - start) / (per_bar - start)
            least = _FILL_DENSITY + _FILL_DENSITY_RANGE * rank / drumming.fill_strokes
            yield Stroke(beat + offset, drums[int(len(drums) * share)], 0.45 + 0.5 * share, least)
