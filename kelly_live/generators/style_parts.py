"""What the band plays in a culture's style: a part for each role that the style knows.

The band plays these parts in place of the generators of that role (the rule is in generators/base.py). Under a melody
of the style's own, its texture decides what sounds instead of triads:

drone        the tonic and its fifth, plucked in turn; a low tonic beneath
heterophony  a second player of the same melody: simpler, a little late, with its own graces; a low one plays its bones
parallel     the melody again, a fourth or fifth lower; polyphony adds a held tonic to it
monophony    the melody alone

Hand drums take the cycle of the groove in the metre (music/cycles.py), else the metre's groups, and its own instruments
where they were measured. Without a metre they mark no more than the bar. Gongs are the lowest part's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from kelly_live.core.values import CultureStyle, MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, Value
from kelly_live.music.cycles import GONG, KEMPUL, find_cycle_line, has_gongs, list_cycle_strokes, list_gongs
from kelly_live.music.feel import compute_phrase_arc, draw_deviation, velocity_for
from kelly_live.music.groove import find_groove
from kelly_live.music.randomness import rng_for
from kelly_live.music.style.line import PlacedNote, build_line
from kelly_live.music.style.metre import cut_bar_profile, find_group_starts, find_metre, weigh_beat
from kelly_live.music.style.ornaments import ornament_note
from kelly_live.music.style.rhythm import LONGEST_NOTE_BEATS
from kelly_live.music.style.scale import blend_register, create_melody_key
from kelly_live.music.theory import Key

_LATE_BEATS = 0.06  # how far the second player of a heterophony is behind
_SECOND_SHARE = 0.45  # of the melody's weaker notes, those that the second player takes as well
_LOW_TONIC = 43.0  # where a drone's low tonic lies: G2
_HELD_TONIC = 52.0  # and the one that singers hold under two others: E3
_PLUCKED_TONIC = 55.0  # and a drone's plucked tonic: G3, an octave or so below the melody
# Gongs: the great one about G1, the hanging ones under G3, the kettles on the melody's tones under G4.
_GONG_TONIC, _KEMPUL_TOP, _KENONG_TOP = 33.0, 55.0, 67.0
# General MIDI percussion played by hand: low and high drum, and the instruments that a metre may have parts for, each
# with the density from which it is played.
LOW_DRUM, HIGH_DRUM = 64, 63
_INSTRUMENTS = {"clave": (75, 0.0), "bell": (56, 0.5), "conga": (63, 0.9)}
_STROKE_BEATS = 0.2
_SOFTEST_WEIGHT, _TOUCH_WEIGHT = 0.33, 0.8  # of the accent, by the touch of a cycle's stroke: 1 for a firm one
_BAR_MARK_DENSITY = 0.7  # from here on the beginning of a bar without a metre of its own is struck


def _has_melody(parameters: MusicParameters) -> bool:
    """Tell whether the style has a melody of its own: a scale to walk on."""
    return parameters.style is not None and parameters.style.scale is not None


def _has_texture(parameters: MusicParameters) -> bool:
    """Tell whether the style has something else than chords under its melody."""
    return parameters.style is not None and not parameters.style.has_chords


class StylePart(BarPlayer):
    """A part of a style, played in the slot of the player whose role it takes."""

    @abstractmethod
    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style in force plays this part."""


class StyleMelody(StylePart):
    """The style's melody, ornamented."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-melody",
        "melody",
        channel=3,
        program=0,
        parameters=(
            Parameter("octave", 0, "play higher or lower than the emotion's register", low=-2, high=2, unit="octaves"),
        ),
        help="a culture's melody",
    )

    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style has a scale."""
        return _has_melody(parameters)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        shift = 12 * round(self.number("octave"))
        for note in self._notes(parameters, context, bar):
            yield replace(note, pitch=note.pitch + shift) if shift and 0 <= note.pitch + shift <= 127 else note

    def _notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        style = _style(parameters)
        key = create_melody_key(style, context)
        before: int | None = None
        for note in build_line(parameters, context, bar):
            beat = bar * context.beats_per_bar + note.position
            length = 0.95 * min(note.length, LONGEST_NOTE_BEATS)
            is_rising = before is not None and note.step > before
            before = note.step
            for bit in ornament_note(style, context.seed, "melody", beat, length, rising=is_rising):
                yield _note(
                    parameters, context, self.descriptor, key, note.step + bit.steps, beat, bit.after, bit.length, 1.15
                )


class StyleChords(StylePart):
    """The middle of the texture, where the chords would be."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-chords", "chords", channel=1, program=0, help="a culture's accompaniment"
    )

    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style accompanies by something else than chords."""
        return _has_texture(parameters)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        texture = _style(parameters).texture
        if texture == "drone":
            yield from _pluck_drone(parameters, context, bar, self.descriptor)
        elif texture == "heterophony" and _has_melody(parameters):
            yield from _play_second(parameters, context, bar, self.descriptor)
        elif texture in ("parallel", "polyphony") and _has_melody(parameters):
            yield from _play_below(parameters, context, bar, self.descriptor)


class StylePad(StyleChords):
    """The same for a second player of the texture, with dynamics of its own."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-pad", "pad", channel=4, program=89, help="a culture's accompaniment"
    )


class StyleArpeggio(StylePart):
    """Silence: a style without chords has none to break."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-arpeggio", "arpeggio", channel=5, program=46, help="silent where a culture has no chords"
    )

    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style accompanies by something else than chords."""
        return _has_texture(parameters)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterable[NoteEvent]:
        """Return nothing."""
        return ()


class StyleBass(StylePart):
    """The bottom of the texture: a held tonic, or the bones of the melody."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-bass", "bass", channel=2, program=32, help="a culture's lowest part"
    )

    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style accompanies by something else than chords."""
        return _has_texture(parameters)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        style, player = _style(parameters), self.descriptor
        start, per_bar = float(bar * context.beats_per_bar), context.beats_per_bar
        if style.texture in ("drone", "polyphony"):
            key = context.key
            for position in range(0, per_bar, int(LONGEST_NOTE_BEATS)):
                length = 0.97 * min(LONGEST_NOTE_BEATS, per_bar - position)
                tonic = _tonic_step(key, _LOW_TONIC if style.texture == "drone" else _HELD_TONIC)
                yield _note(parameters, context, player, key, tonic, start + position, 0.0, length, 0.85)
        elif has_gongs(parameters.groove, find_metre(style, context), per_bar):
            gongs = list_gongs(parameters.groove, find_metre(style, context), context, bar)
            for place, gong in [(0.0, GONG)] if context.closing else gongs:
                step = _choose_gong_step(gong, parameters, context, bar, place)
                yield _note(
                    parameters, context, player, create_melody_key(style, context), step, start + place, 0.0,
                    LONGEST_NOTE_BEATS if gong == GONG else 0.5 * LONGEST_NOTE_BEATS, 1.0,
                )  # fmt: skip
        elif style.texture == "heterophony" and _has_melody(parameters):
            key = create_melody_key(style, context)
            frame_notes = _select_frame_notes(parameters, context, bar)
            ends = [*(note.position for note in frame_notes[1:]), float(per_bar)]
            for note, end in zip(frame_notes, ends, strict=True):
                step = _lower_octaves(key, note.step, _LOW_TONIC + 12.0)
                length = 0.95 * min(end - note.position, LONGEST_NOTE_BEATS)
                yield _note(parameters, context, player, key, step, start + note.position, 0.0, length, 0.8)


class StylePercussion(StylePart):
    """Hand drums on the metre's groups, or the instruments that were measured; none under a single voice."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "style-percussion", "percussion", channel=10, program=0, help="a culture's hand drums"
    )

    def is_in_style(self, parameters: MusicParameters, context: MusicContext) -> bool:
        """Tell whether the style's own drumming replaces a drum kit: not where its groove has a pattern for the bar."""
        metre = find_metre(parameters.style, context)
        if _has_texture(parameters):
            return True
        has_pattern = context.beats_per_bar in find_groove(parameters.groove).drums
        return metre is not None and bool(metre.parts) and not has_pattern

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the strokes of a bar."""
        style, metre, player = _style(parameters), find_metre(parameters.style, context), self.descriptor
        start, per_bar = float(bar * context.beats_per_bar), context.beats_per_bar
        has_cycle = bool(find_cycle_line(parameters.groove, metre, per_bar))
        if style.texture in ("monophony", "parallel", "polyphony") and not has_cycle:
            return
        instruments = [] if metre is None else [name for name, _ in metre.parts if name in _INSTRUMENTS]
        audible_instruments = [name for name in instruments if parameters.density >= _INSTRUMENTS[name][1]]
        if context.closing:
            yield _stroke(parameters, context, player, LOW_DRUM, start, 1.0)
            return
        if has_cycle:
            for stroke in list_cycle_strokes(parameters.groove, metre, context, bar):
                if parameters.density >= stroke.density:
                    weight = _SOFTEST_WEIGHT + _TOUCH_WEIGHT * stroke.touch
                    yield _stroke(parameters, context, player, stroke.key, start + stroke.position, weight)
            return
        for name in audible_instruments:
            assert metre is not None
            chances = cut_bar_profile(metre, name, bar)
            rng = rng_for(context.seed, "hand", name, context.phrase.theme, context.phrase.role.letter, bar % 2)
            for cell, chance in enumerate(chances):
                if rng.random() < chance * min(1.0, 0.5 + 0.5 * parameters.density):
                    beat = start + cell * per_bar / len(chances)
                    yield _stroke(parameters, context, player, _INSTRUMENTS[name][0], beat, 0.8)
        if instruments:
            return
        if metre is None:  # free in time, or not known: at most the bar is marked
            if parameters.density >= _BAR_MARK_DENSITY:
                yield _stroke(parameters, context, player, LOW_DRUM, start, 0.8)
            return
        groups = find_group_starts(metre, per_bar, bar)
        for position in groups:
            low = (bar % metre.bars_per_cycle * per_bar + position) % metre.beats == 0.0
            drum, weight = (LOW_DRUM, 1.0) if low else (HIGH_DRUM, 0.85)
            yield _stroke(parameters, context, player, drum, start + position, weight)
        if parameters.density > 0.8:  # a lively hand fills in between
            rng = rng_for(context.seed, "hand", context.phrase.theme, context.phrase.role.letter, bar % 2)
            for n in range(round(per_bar / metre.unit_beats)):
                position = n * metre.unit_beats
                if rng.random() < parameters.density - 0.7 and all(abs(position - group) > 1e-6 for group in groups):
                    yield _stroke(parameters, context, player, HIGH_DRUM, start + position, 0.55)


STYLE_PARTS: Mapping[str, type[StylePart]] = {
    part.descriptor.part: part
    for part in (StyleMelody, StyleChords, StylePad, StyleArpeggio, StyleBass, StylePercussion)
}


def create_style_part(player: Descriptor, values: Mapping[str, Value]) -> StylePart | None:
    """Create the style's part for a player's role, or None where the band leaves the player alone.

    `values` are the player's parameters, as in `configure_style_part`.
    """
    part_class = STYLE_PARTS.get(player.part)
    if part_class is None or not player.yields_to_style:
        return None
    part = part_class()
    configure_style_part(part, player, values)
    return part


def configure_style_part(part: StylePart, player: Descriptor, values: Mapping[str, Value]) -> None:
    """Hand the part those values of the player that both declare with the same name, kind and range."""
    declared_ranges = {
        (parameter.name, parameter.kind, parameter.low, parameter.high) for parameter in player.parameters
    }
    shared_names = [
        parameter.name
        for parameter in part.descriptor.parameters
        if (parameter.name, parameter.kind, parameter.low, parameter.high) in declared_ranges
    ]
    part.configure({name: values[name] for name in shared_names if name in values})


# ---------------------------------------------------------------- the textures


def _pluck_drone(
    parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor
) -> Iterator[NoteEvent]:
    """Yield a tanpura's round, a string a beat: the fifth (or a step near it), tonic, tonic, low tonic."""
    key, start = context.key, float(bar * context.beats_per_bar)
    low = _tonic_step(key, _PLUCKED_TONIC)
    strings = (_step_below(key, low, 498.0), low, low, low - key.size)
    for beat in range(context.beats_per_bar):
        if context.closing and beat:
            return
        string = low if context.closing else strings[beat % 4]
        length = context.beats_per_bar - beat if context.closing else 3.9
        yield _note(parameters, context, player, key, string, start + beat, 0.0, length, 0.6)


def _play_second(
    parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor
) -> Iterator[NoteEvent]:
    """Yield the second player's notes: those on the groups and some of the others, a little late.

    They lie an octave lower if there is room.
    """
    style = _style(parameters)
    key = create_melody_key(style, context)
    metre = find_metre(style, context)
    groups = find_group_starts(metre, context.beats_per_bar, bar)
    down = key.size if blend_register(parameters).centre > 62.0 else 0
    notes: list[PlacedNote] = []
    for note in build_line(parameters, context, bar):
        rng = rng_for(
            context.seed, "second", context.phrase.theme, context.phrase.role.letter, round(note.position * 48)
        )
        firm = any(abs(note.position - group) < 1e-6 for group in groups)
        if not notes or firm or rng.random() < _SECOND_SHARE:
            notes.append(note)
    ends = [*(note.position for note in notes[1:]), float(context.beats_per_bar)]
    for note, end in zip(notes, ends, strict=True):
        beat = bar * context.beats_per_bar + note.position
        late = 0.0 if context.closing else min(_LATE_BEATS, 0.3 * (end - note.position))
        length = 0.93 * min(end - note.position - late, LONGEST_NOTE_BEATS)
        for bit in ornament_note(style, context.seed, "second", beat, length, rising=True):
            step = note.step - down + bit.steps
            yield _note(parameters, context, player, key, step, beat, late + bit.after, bit.length, 0.8)


def _play_below(
    parameters: MusicParameters, context: MusicContext, bar: int, player: Descriptor
) -> Iterator[NoteEvent]:
    """Yield the melody again, as many steps lower as come nearest to a fifth."""
    key = create_melody_key(_style(parameters), context)
    for note in build_line(parameters, context, bar):
        beat = bar * context.beats_per_bar + note.position
        step = note.step - key.size if context.closing else _step_below(key, note.step, 702.0)
        yield _note(
            parameters, context, player, key, step, beat, 0.0, 0.93 * min(note.length, LONGEST_NOTE_BEATS), 0.85
        )


def _choose_gong_step(gong: str, parameters: MusicParameters, context: MusicContext, bar: int, position: float) -> int:
    """Return the tone of a gong: the low tonic, or the tone that the melody has there, in the gong's own octave."""
    key = create_melody_key(_style(parameters), context)
    if gong == GONG:
        return _tonic_step(key, _GONG_TONIC)
    notes = build_line(parameters, context, bar) if _has_melody(parameters) else ()
    reached = [note.step for note in notes if note.position <= position + 1e-6]
    step = reached[-1] if reached else notes[0].step if notes else 0
    return _lower_octaves(key, step, _KEMPUL_TOP if gong == KEMPUL else _KENONG_TOP)


def _select_frame_notes(parameters: MusicParameters, context: MusicContext, bar: int) -> list[PlacedNote]:
    """Return the melody's notes that begin a group, thinned to about one in two beats."""
    notes = build_line(parameters, context, bar)
    metre = find_metre(parameters.style, context)
    frame_notes: list[PlacedNote] = []
    for start in find_group_starts(metre, context.beats_per_bar, bar):
        note = next((n for n in notes if abs(n.position - start) < 1e-6), None)
        if note is not None and (not frame_notes or note.position - frame_notes[-1].position >= 1.5):
            frame_notes.append(note)
    return frame_notes or [notes[0]]


# ---------------------------------------------------------------- single notes


def _style(parameters: MusicParameters) -> CultureStyle:
    assert parameters.style is not None
    return parameters.style


def _tonic_step(key: Key, pitch: float) -> int:
    """Return the tonic's step nearest to a pitch."""
    return round((key.step_near(pitch)) / key.size) * key.size


def _step_below(key: Key, step: int, cents: float) -> int:
    """Return the step within the octave below that comes nearest to `cents` lower."""
    return min(range(step - key.size, step), key=lambda other: abs(key.cents(step) - cents - key.cents(other)))


def _lower_octaves(key: Key, step: int, pitch: float) -> int:
    """Move a step down by octaves until it lies under a pitch."""
    while key.cents(step) / 100.0 > pitch:
        step -= key.size
    return step


def _note(
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
        velocity=_velocity(parameters, context, player.part, beat, weight),
        channel=player.channel,
        part=player.part,
    )


def _stroke(
    parameters: MusicParameters, context: MusicContext, player: Descriptor, key: int, beat: float, weight: float
) -> NoteEvent:
    return NoteEvent(
        onset_beats=beat,
        duration_beats=_STROKE_BEATS,
        pitch=key,
        velocity=_velocity(parameters, context, player.part, beat, weight, key),
        channel=player.channel,
        part=player.part,
    )


def _velocity(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, weight: float, voice: int = 0
) -> int:
    """Return a velocity from the metre's own accents, the phrase's arc and the note's own chance."""
    metre = find_metre(parameters.style, context)
    height = weigh_beat(metre, beat, context.beats_per_bar)
    arc = compute_phrase_arc(context.phrase_fraction(beat))
    strength = weight * (0.15 + 0.6 * height + 0.25 * arc)
    return velocity_for(parameters.dynamics, accent=strength, deviation=draw_deviation(context.seed, part, beat, voice))
