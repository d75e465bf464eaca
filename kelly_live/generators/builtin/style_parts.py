"""How the band plays in a tradition's style: its melody, and under it what its texture has instead of triads.

drone        the tonic and its fifth, plucked round and round; a low tonic beneath
heterophony  a second player of the same melody: simpler, a little late, with graces of its own; a low one for its bones
parallel     the melody again, a fourth or fifth lower; polyphony adds a held tonic to it
monophony    the melody alone
Hand drums take the metre's groups where the tradition has a metre (its own instruments where they were measured);
where it has none, they mark no more than the bar.
"""

from __future__ import annotations

from collections.abc import Iterator

from kelly_live.core.values import CultureStyle, MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor, MusicContext
from kelly_live.music.feel import phrase_arc, stray, velocity
from kelly_live.music.randomness import rng_for
from kelly_live.music.style import (
    LONGEST_NOTE,
    Placed,
    accent,
    bar_profile,
    group_starts,
    line,
    melody_key,
    metre_in,
    ornament,
    register_of,
)
from kelly_live.music.theory import Key

_LATE_BEATS = 0.06  # how far the second player of a heterophony is behind
_KEPT = 0.45  # of the melody's weaker notes, those that the second player takes as well
_LOW = 43.0  # where a low tonic lies: G2
_HELD = 52.0  # and the one that singers hold under two others: E3
_PLUCKED = 55.0  # and a drone's tonic: G3, an octave or so below the melody
# General MIDI percussion of the hand: low and high drum, and the instruments that a metre may have parts for, each with
# the density from which it is played.
LOW_DRUM, HIGH_DRUM = 64, 63
_INSTRUMENTS = {"clave": (75, 0.0), "bell": (56, 0.5), "conga": (63, 0.9)}
_STRUCK_BEATS = 0.2
_MARKED = 0.7  # the density from which a bar without a metre of its own has its beginning struck


def sings(parameters: MusicParameters) -> bool:
    """Whether the melody is the style's own: it has a scale to walk on."""
    return parameters.style is not None and parameters.style.scale is not None


def without_chords(parameters: MusicParameters) -> bool:
    """Whether the tradition has something else than chords under its melody."""
    return parameters.style is not None and not parameters.style.has_chords


def hand_drums(parameters: MusicParameters, context: MusicContext) -> bool:
    """Whether the tradition's own drumming replaces the drum kit."""
    metre = metre_in(parameters.style, context)
    return without_chords(parameters) or (metre is not None and bool(metre.parts))


def melody(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """The style's melody, ornamented."""
    style = _style(parameters)
    key = melody_key(style, context)
    before: int | None = None
    for note in line(parameters, context, bar):
        beat = bar * context.beats_per_bar + note.position
        length = 0.95 * min(note.length, LONGEST_NOTE)
        rising = before is not None and note.step > before
        before = note.step
        for bit in ornament(style, context.seed, "melody", beat, length, rising):
            yield _event(parameters, context, player, key, note.step + bit.steps, beat, bit.after, bit.length, 1.15)


def accompaniment(
    parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor
) -> Iterator[NoteEvent]:
    """What sounds where the chords would be."""
    texture = _style(parameters).texture
    if texture == "drone":
        yield from _plucked(parameters, context, bar, player)
    elif texture == "heterophony" and sings(parameters):
        yield from _second(parameters, context, bar, player)
    elif texture in ("parallel", "polyphony") and sings(parameters):
        yield from _below(parameters, context, bar, player)


def low_part(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """What sounds where the bass would be: a held tonic, or the bones of the melody."""
    style = _style(parameters)
    start, per_bar = float(bar * context.beats_per_bar), context.beats_per_bar
    if style.texture in ("drone", "polyphony"):
        key = context.key
        for position in range(0, per_bar, int(LONGEST_NOTE)):
            length = 0.97 * min(LONGEST_NOTE, per_bar - position)
            held = _tonic(key, _LOW if style.texture == "drone" else _HELD)
            yield _event(parameters, context, player, key, held, start + position, 0.0, length, 0.85)
    elif style.texture == "heterophony" and sings(parameters):
        key = melody_key(style, context)
        bones = _bones(parameters, context, bar)
        ends = [*(note.position for note in bones[1:]), float(per_bar)]
        for note, end in zip(bones, ends, strict=True):
            step = _lowered(key, note.step, _LOW + 12.0)
            length = 0.95 * min(end - note.position, LONGEST_NOTE)
            yield _event(parameters, context, player, key, step, start + note.position, 0.0, length, 0.8)


def drums(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """Hand drums on the metre's groups, or the instruments whose part was measured; none under a single voice."""
    style, metre = _style(parameters), metre_in(parameters.style, context)
    if style.texture in ("monophony", "parallel", "polyphony"):
        return
    start, per_bar = float(bar * context.beats_per_bar), context.beats_per_bar
    measured = [] if metre is None else [name for name, _ in metre.parts if name in _INSTRUMENTS]
    playing = [name for name in measured if parameters.density >= _INSTRUMENTS[name][1]]
    if context.closing:
        yield _stroke(parameters, context, player, LOW_DRUM, start, 1.0)
        return
    for name in playing:
        assert metre is not None
        chances = bar_profile(metre, name, bar)
        rng = rng_for(context.seed, "hand", name, context.phrase.theme, context.phrase.place.letter, bar % 2)
        for cell, chance in enumerate(chances):
            if rng.random() < chance * min(1.0, 0.5 + 0.5 * parameters.density):
                beat = start + cell * per_bar / len(chances)
                yield _stroke(parameters, context, player, _INSTRUMENTS[name][0], beat, 0.8)
    if measured:
        return
    if metre is None:  # free in time, or nobody says: at most the bar is marked
        if parameters.density >= _MARKED:
            yield _stroke(parameters, context, player, LOW_DRUM, start, 0.8)
        return
    groups = group_starts(metre, per_bar, bar)
    for position in groups:
        low = (bar % metre.bars_per_cycle * per_bar + position) % metre.beats == 0.0
        drum, weight = (LOW_DRUM, 1.0) if low else (HIGH_DRUM, 0.85)
        yield _stroke(parameters, context, player, drum, start + position, weight)
    if parameters.density > 0.8:  # a lively hand fills in between
        rng = rng_for(context.seed, "hand", context.phrase.theme, context.phrase.place.letter, bar % 2)
        for n in range(round(per_bar / metre.unit_beats)):
            position = n * metre.unit_beats
            if rng.random() < parameters.density - 0.7 and all(abs(position - group) > 1e-6 for group in groups):
                yield _stroke(parameters, context, player, HIGH_DRUM, start + position, 0.55)


# ---------------------------------------------------------------- the textures


def _plucked(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """A tanpura's round: the fifth (or what is nearest to it), the tonic twice, the low tonic; one string a beat."""
    key, start = context.key, float(bar * context.beats_per_bar)
    low = _tonic(key, _PLUCKED)
    strings = (_under(key, low, 498.0), low, low, low - key.size)
    for beat in range(context.beats_per_bar):
        if context.closing and beat:
            return
        string = low if context.closing else strings[beat % 4]
        left = context.beats_per_bar - beat if context.closing else 3.9
        yield _event(parameters, context, player, key, string, start + beat, 0.0, left, 0.6)


def _second(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """The second player: the notes on the groups and some of the others, a little late; an octave lower if there is
    room.
    """
    style = _style(parameters)
    key = melody_key(style, context)
    metre = metre_in(style, context)
    groups = group_starts(metre, context.beats_per_bar, bar)
    down = key.size if register_of(parameters).centre > 62.0 else 0
    kept: list[Placed] = []
    for note in line(parameters, context, bar):
        rng = rng_for(
            context.seed, "second", context.phrase.theme, context.phrase.place.letter, round(note.position * 48)
        )
        firm = any(abs(note.position - group) < 1e-6 for group in groups)
        if not kept or firm or rng.random() < _KEPT:
            kept.append(note)
    ends = [*(note.position for note in kept[1:]), float(context.beats_per_bar)]
    for note, end in zip(kept, ends, strict=True):
        beat = bar * context.beats_per_bar + note.position
        late = 0.0 if context.closing else min(_LATE_BEATS, 0.3 * (end - note.position))
        length = 0.93 * min(end - note.position - late, LONGEST_NOTE)
        for bit in ornament(style, context.seed, "second", beat, length, rising=True):
            step = note.step - down + bit.steps
            yield _event(parameters, context, player, key, step, beat, late + bit.after, bit.length, 0.8)


def _below(parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor) -> Iterator[NoteEvent]:
    """The melody again, as many steps lower as come nearest to a fifth."""
    key = melody_key(_style(parameters), context)
    for note in line(parameters, context, bar):
        beat = bar * context.beats_per_bar + note.position
        step = note.step - key.size if context.closing else _under(key, note.step, 702.0)
        yield _event(parameters, context, player, key, step, beat, 0.0, 0.93 * min(note.length, LONGEST_NOTE), 0.85)


def _bones(parameters: MusicParameters, context: MusicContext, bar: int) -> list[Placed]:
    """The melody's notes that begin a group, thinned to about one in two beats."""
    notes = line(parameters, context, bar)
    metre = metre_in(parameters.style, context)
    bones: list[Placed] = []
    for start in group_starts(metre, context.beats_per_bar, bar):
        note = next((n for n in notes if abs(n.position - start) < 1e-6), None)
        if note is not None and (not bones or note.position - bones[-1].position >= 1.5):
            bones.append(note)
    return bones or [notes[0]]


# ---------------------------------------------------------------- single notes


def _style(parameters: MusicParameters) -> CultureStyle:
    assert parameters.style is not None
    return parameters.style


def _tonic(key: Key, pitch: float) -> int:
    """The tonic's step nearest to a pitch."""
    return round((key.step_near(pitch)) / key.size) * key.size


def _under(key: Key, step: int, cents: float) -> int:
    """The step of the octave below that comes nearest to so many cents lower."""
    return min(range(step - key.size, step), key=lambda other: abs(key.cents(step) - cents - key.cents(other)))


def _lowered(key: Key, step: int, under: float) -> int:
    """The step by as many octaves down as bring it under a pitch."""
    while key.cents(step) / 100.0 > under:
        step -= key.size
    return step


def _event(
    parameters: MusicParameters, context: MusicContext, player: Descriptor, key: Key, step: int, beat: float,
    after: float, length: float, weight: float,
) -> NoteEvent:  # fmt: skip
    note = key.note(step)
    while note.pitch > 127:
        step -= key.size
        note = key.note(step)
    while note.pitch < 0:
        step += key.size
        note = key.note(step)
    return NoteEvent(
        onset_beats=beat + after,
        duration_beats=max(length, 0.02),
        pitch=note.pitch,
        cents=note.cents,
        velocity=_touch(parameters, context, player.part, beat, weight),
        channel=player.channel,
        part=player.part,
    )


def _stroke(
    parameters: MusicParameters, context: MusicContext, player: Descriptor, key: int, beat: float, weight: float
) -> NoteEvent:
    return NoteEvent(
        onset_beats=beat,
        duration_beats=_STRUCK_BEATS,
        pitch=key,
        velocity=_touch(parameters, context, player.part, beat, weight, key),
        channel=player.channel,
        part=player.part,
    )


def _touch(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, weight: float, voice: int = 0
) -> int:
    """A velocity from the metre's own accents, the phrase's arc and the note's own chance."""
    metre = metre_in(parameters.style, context)
    height = accent(metre, beat, context.beats_per_bar)
    arc = phrase_arc(context.phrase_fraction(beat))
    strength = weight * (0.15 + 0.6 * height + 0.25 * arc)
    return velocity(parameters.dynamics, accent=strength, stray=stray(context.seed, part, beat, voice))
