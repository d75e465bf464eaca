"""Where the tune's notes fall: how a phrase comes in, moves and comes to rest.

A phrase has an entry (on the first beat, with an upbeat, or late), a motif for each bar, strong beats whose note may
come ahead of them, over the barline, and one of several cadences. Entries and motifs return with the phrase's letter,
cadences and upbeats vary from phrase to phrase.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.form import is_resting
from kelly_live.music.forms import BARS_PER_PHRASE, CONTINUATION, PERIOD, PRESENTATION, PhraseRole
from kelly_live.music.randomness import pick, rng_for
from kelly_live.music.rhythm import PACE, count_notes, list_strong_beats, rank_by_rhythm_cells, rank_places
from kelly_live.music.style.rhythm import place_onsets

_SHARE, _CONTRAST_SHARE = 0.95, 1.15  # of the notes that density asks for: a form has three A to one B
_LAST_BAR = 0.5  # of a phrase's other bars' notes: it comes to rest
_CELL_ONSETS = 6  # of the rhythm that a bar grows from: people have most of them here and at five
_CADENCE_DENSITY = 0.2  # from here on a phrase is never left without its last note
# Which motif each bar of a phrase states; the last bar has the cadence, but for a presentation's.
_MOTIFS = {PERIOD: (0, 1, 0, 1), PRESENTATION: (0, 1, 0, 1), CONTINUATION: (0, 0, 3, 0)}
CADENCE = 2
BREATH_BEATS = 0.9  # silence before an upbeat, or before the next phrase

# Shares of a phrase's entries: beats before (-) or after the first beat. A sixth of POP909's phrases begin on it
# (median; 0 to 95 % by song).
_ENTRIES = {0.0: 0.34, -0.5: 0.1, -1.0: 0.2, -1.5: 0.12, 0.5: 0.1, 1.0: 0.14}
# Shares of the cadences, by name: on the beat, on its second strong beat, feminine (resolved on the weak beat), early
# (the last downbeat is anticipated), late.
_CADENCES = {"beat": 0.25, "middle": 0.3, "feminine": 0.15, "early": 0.2, "late": 0.1}
# Chance that a strong beat's note is played ahead of it, and how far, by the band's rhythm.
_ANTICIPATED = {"straight": 0.22, "dotted": 0.2, "syncopated": 0.55, "triplet": 0.22, "sustained": 0.1}
AHEAD_BEATS = {"straight": 0.5, "dotted": 0.25, "syncopated": 0.5, "triplet": 1 / 3, "sustained": 0.5}


class PhraseShape(NamedTuple):
    """How a phrase comes in and goes out: its entry and the next one's upbeat in beats, and its cadence."""

    entry: float
    upbeat: float
    cadence: str


def label_theme(context: MusicContext) -> tuple[object, ...]:
    """Return the labels of what returns with the phrase's letter inside its theme."""
    return context.phrase.theme, context.phrase.role.letter


def find_motif(context: MusicContext, bar: int) -> int:
    """Find which motif a bar states; CADENCE is the phrase's coming to rest."""
    if context.is_cadence(bar):
        return CADENCE
    motifs = _MOTIFS[context.phrase.role.build]
    return motifs[context.bar_in_phrase(bar) % len(motifs)]


def _choose_entry(seed: int, index: int, role: PhraseRole) -> float:
    """Choose where phrase `index` enters: the same wherever its letter returns inside a theme."""
    entry = pick(rng_for(seed, "entry", role.theme, role.letter), _ENTRIES)
    if not role.theme and not role.is_contrast:
        entry = min(0.0, entry)  # a session opens on its first beat, and its first theme returns as it was
    return entry if index else 0.0


def choose_shape(context: MusicContext) -> PhraseShape:
    """Choose the entry, the next phrase's upbeat and the cadence of the phrase in force."""
    phrase, per_bar = context.phrase, context.beats_per_bar
    entry = _choose_entry(context.seed, phrase.index, phrase.role)
    following = phrase.following
    upbeat = 0.0 if following is None else -min(0.0, _choose_entry(context.seed, phrase.index + 1, following))
    cadence = pick(rng_for(context.seed, "cadence", phrase.occurrence), _CADENCES)
    if per_bar < 3 or phrase.bars < 2:
        entry = upbeat = 0.0
    if phrase.role.build == CONTINUATION:
        entry = 0.0  # it goes on without a breath
    if phrase.role.build == PRESENTATION:
        upbeat, cadence = 0.0, "beat"
    if cadence == "early" and phrase.bars < 3:
        cadence = "beat"
    return PhraseShape(entry if entry < per_bar - 1 else 0.0, upbeat if upbeat <= per_bar / 2.0 else 0.0, cadence)


def is_anticipated(context: MusicContext, beat: int, shape: PhraseShape) -> bool:
    """Tell whether the note of a strong beat is played ahead of it, over the barline or the middle of the bar."""
    bar, position = divmod(beat, context.beats_per_bar)
    number = context.bar_in_phrase(bar)
    if context.closing or beat <= context.phrase.start_beat or beat >= context.phrase.end_beat:
        return False
    if position not in list_strong_beats(context.beats_per_bar):
        return False
    if context.is_last_bar(bar) and not position:
        return shape.cadence == "early"
    chance = rng_for(context.seed, "anticipation", *label_theme(context), number, position).random()
    return chance < _ANTICIPATED[context.rhythm]


@lru_cache(maxsize=128)
def list_onsets(parameters: MusicParameters, context: MusicContext) -> tuple[float, ...]:
    """List the onsets of a whole phrase, in beats of the session."""
    phrase, per_bar = context.phrase, context.beats_per_bar
    bars = range(phrase.start_bar, phrase.start_bar + phrase.bars)
    if context.closing:
        return (phrase.start_beat,)
    if parameters.style is not None:
        return tuple(
            float(bar * per_bar + place)
            for bar in bars
            if not is_resting("melody", parameters, context, bar)
            for place in place_onsets(parameters, context, bar)
        )
    shape = choose_shape(context)
    found: set[float] = set()
    for bar in bars:
        if is_resting("melody", parameters, context, bar):
            continue
        start = float(bar * per_bar)
        places = _choose_places(parameters, context, bar, shape)
        found |= {start + place for place in places}
    ahead = AHEAD_BEATS[context.rhythm]
    for beat in [beat for beat in found if beat % 1.0 == 0.0 and is_anticipated(context, int(beat), shape)]:
        found = found - {beat} | {beat - ahead}
    return tuple(sorted(found))


def _clear_anticipations(
    ranks: tuple[float, ...], context: MusicContext, bar: int, shape: PhraseShape
) -> tuple[float, ...]:
    """Leave out the places from an anticipated strong beat's new place up to it, so that none is lost."""
    per_bar, ahead = context.beats_per_bar, AHEAD_BEATS[context.rhythm]
    strong = (*list_strong_beats(per_bar)[1:], per_bar)
    moved = [place for place in strong if is_anticipated(context, bar * per_bar + place, shape)]
    return tuple(rank for rank in ranks if not any(place - ahead - 1e-6 < rank < place for place in moved))


def _choose_places(parameters: MusicParameters, context: MusicContext, bar: int, shape: PhraseShape) -> list[float]:
    """Choose the onsets of a bar from its start, before strong beats are anticipated."""
    per_bar, bar_in_phrase = context.beats_per_bar, context.bar_in_phrase(bar)
    last, motif = context.is_cadence(bar), find_motif(context, bar)
    rng = rng_for(context.seed, "motif rhythm", *label_theme(context), motif)
    ranks = rank_places(context.rhythm, per_bar, rng, freedom=0.22)
    count = parameters.density * per_bar * PACE[context.rhythm]
    bars = context.phrase.bars
    role = context.phrase.role
    count *= role.pace * (_CONTRAST_SHARE if role.is_contrast else _SHARE)
    if bars > 1:  # what the last bar rests, the others make up for, in uneven phrases as in square ones
        count *= BARS_PER_PHRASE / (BARS_PER_PHRASE - 1.0 + _LAST_BAR)
    if "melody" in role.silent:
        return _list_upbeat(context, shape)
    if last:
        return _choose_cadence_places(parameters, context, shape, ranks, count * _LAST_BAR)
    number = count_notes(count, bar_in_phrase)
    if bar_in_phrase == 1 and role.build != CONTINUATION:  # a breath in the middle of the phrase
        ranks = tuple(place for place in ranks if place < per_bar - 0.5)
    if per_bar == 4:
        draw = rng_for(context.seed, "motif cell", *label_theme(context), motif)
        ranks = rank_by_rhythm_cells(ranks, context.rhythm, "melody", _CELL_ONSETS, draw, from_first=bar_in_phrase == 0)
    ranks = _clear_anticipations(ranks, context, bar, shape)
    if bar_in_phrase == 0 and shape.entry > 0.0:
        late = tuple(place for place in ranks if place >= shape.entry - 1e-6)
        ranks = (min(late, default=shape.entry), *(place for place in late if place != min(late)))
    return sorted(ranks[:number])


def _choose_cadence_places(
    parameters: MusicParameters, context: MusicContext, shape: PhraseShape, ranks: tuple[float, ...], count: float
) -> list[float]:
    """Choose the onsets of a phrase's last bar: into its last note, then the next phrase's upbeat."""
    number = count_notes(count, context.phrase.bars - 1)
    if parameters.density >= _CADENCE_DENSITY:
        number = max(1, number)
    goal = find_goal(context, shape)
    before = [place for place in ranks if 0.0 < place < goal]
    first = [goal] if shape.cadence == "late" or not goal else [0.0, goal]
    return sorted([*first, *_list_upbeat(context, shape), *before][:number])


def find_goal(context: MusicContext, shape: PhraseShape) -> float:
    """Find where the last note of a phrase's last bar begins: early enough for a breath after it."""
    per_bar = context.beats_per_bar
    rest = float(list_strong_beats(per_bar)[-1])
    end = per_bar - shape.upbeat - BREATH_BEATS
    goal = {"beat": 0.0, "early": 0.0, "middle": rest, "feminine": 1.0, "late": 0.5}[shape.cadence]
    return goal if goal <= end - 0.25 else 0.0


def _list_upbeat(context: MusicContext, shape: PhraseShape) -> list[float]:
    """List the places of the next phrase's upbeat, those nearest to that phrase first."""
    grain = AHEAD_BEATS[context.rhythm] if context.rhythm == "triplet" else 0.5
    places = [context.beats_per_bar - grain * number for number in range(1, round(shape.upbeat / grain) + 1)]
    if context.rhythm == "triplet":
        places = [place for place in places if round(3.0 * place) % 3 != 1]
    return places
