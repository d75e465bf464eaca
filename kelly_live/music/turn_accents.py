"""Accents on a sudden turn: the band strikes on the next half of a beat when a feeling rises at once.

What is planned comes at bars and phrases; this one answers before them. A kit that plays strikes crash and kick; the
accompaniment strikes the notes again that it holds, or struck last in the same chord. A tradition's cycle is not broken
into: there only the accompaniment strikes. A sudden fall has no accent; what sounds grows softer (music/expression.py).

Pure but for what was struck last; the same slices give the same accents. Thread: the conductor's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.band import Band
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import LOUDEST_VELOCITY, MEAN_ACCENT, velocity_for
from kelly_live.music.form import compute_intensity, is_resting
from kelly_live.music.groove import CRASH, KICK, find_groove

# Of `compute_intensity`, over its average of three beats: from neutral to excited is .2, from sad to excited .33; the
# shipped reader's jitter is .03 (SD).
SUDDEN_RISE = 0.16
_LEAST_BEATS = 8.0  # between two accents: more often, none is one
_CRASH_BEATS, _KICK_BEATS = 2.0, 0.2
_LEAST_DRUM_DENSITY = 0.8  # below it, the kit does not play
_MEMORY_BEATS = 4.0
_LEAST_BEATS_HELD = 0.5  # an accent lasts so long
_APART_BEATS = 0.25  # what was struck, or will be, so near is not struck twice
_STRIKERS = 2  # parts strike together on a planned beat, at the least
_ACCOMPANIMENT = ("chords", "arpeggio", "pad", "bass")  # the first of them that plays has the accent


class TurnAccents:
    """Watches what is felt, slice by slice, and adds the notes of an accent where one is due.

    On the `planned` beats one is due whatever is felt, and near them no other.
    """

    def __init__(self, band: Band, planned: Sequence[float] = ()) -> None:
        self._band = band
        self._planned = planned
        self.begin()

    def begin(self) -> None:
        """Begin anew: nothing has been played."""
        self._struck: list[NoteEvent] = []
        self._due_beat: float | None = None
        self._next_beat = _LEAST_BEATS
        self._is_armed = True
        self._last: dict[str, list[NoteEvent]] = {}

    def take_slice(
        self,
        notes: Sequence[NoteEvent],
        start: float,
        end: float,
        target: MusicParameters,
        average: MusicParameters,
        parameters: MusicParameters,
        context: MusicContext,
    ) -> list[NoteEvent]:
        """Return a slice's notes, with those of an accent.

        `target` is what is felt now, `average` what was felt over the last beats, `parameters` what is played.
        """
        rise = compute_intensity(target) - compute_intensity(average)
        if rise < SUDDEN_RISE / 2:
            self._is_armed = True
        may_strike = start >= self._next_beat and not context.closing and not self._is_near_planned(start)
        if rise >= SUDDEN_RISE and self._is_armed and may_strike:
            self._due_beat, self._is_armed = _find_accent_beat(start, context), False
            self._next_beat = self._due_beat + _LEAST_BEATS
        self._due_beat = next((beat for beat in self._planned if start <= beat < end), self._due_beat)
        accent: list[NoteEvent] = []
        if self._due_beat is not None and self._due_beat < end:
            if self._due_beat >= start:
                accent = list(self._list_accent(self._due_beat, notes, target, parameters, context))
            if self._due_beat in self._planned:
                accent += self._strike_again(self._due_beat, [*notes, *accent], target, parameters, context)
            self._due_beat = None
        if self._planned:
            self._remember(notes)
        self._struck = [note for note in self._struck if note.onset_beats > start - _MEMORY_BEATS] + list(notes)
        return [*notes, *accent]

    def _remember(self, notes: Sequence[NoteEvent]) -> None:
        """Keep what each pitched part struck last, at once."""
        for note in notes:
            if self._band.get_role(note.part) == "percussion":
                continue
            known = self._last.get(note.part, [])
            last = [one for one in known if note.onset_beats - one.onset_beats < _APART_BEATS]
            self._last[note.part] = [*last, note]

    def _strike_again(
        self,
        beat: float,
        notes: Sequence[NoteEvent],
        target: MusicParameters,
        parameters: MusicParameters,
        context: MusicContext,
    ) -> Iterator[NoteEvent]:
        """Yield what lacks of a strike of _STRIKERS parts on a planned beat: what others struck last, in its chord."""
        striking = {note.part for note in notes if note.onset_beats == beat}
        roles = {part: self._band.get_role(part) for part in self._last}
        order = [part for role in (*_ACCOMPANIMENT, "melody") for part, own in roles.items() if own == role]
        velocity = velocity_for(target.dynamics, accent=1.0, deviation=0.0)
        for part in [part for part in order if part not in striking][: max(0, _STRIKERS - len(striking))]:
            for note in self._last[part]:
                pitch = _find_chord_tone(note, beat, context) if parameters.has_chords else note.pitch
                length = max(1.0, note.onset_beats + note.duration_beats - beat)
                yield replace(note, onset_beats=beat, duration_beats=length, pitch=pitch, velocity=velocity)

    def _is_near_planned(self, beat: float) -> bool:
        return any(abs(beat - planned) < _LEAST_BEATS for planned in self._planned)

    def _list_accent(
        self,
        beat: float,
        notes: Sequence[NoteEvent],
        target: MusicParameters,
        parameters: MusicParameters,
        context: MusicContext,
    ) -> Iterator[NoteEvent]:
        velocity = velocity_for(target.dynamics, accent=1.0, deviation=0.0)
        taken = {(note.channel, note.pitch) for note in notes if abs(note.onset_beats - beat) < _APART_BEATS}
        has_kit = find_groove(parameters.groove).has_fills and target.density >= _LEAST_DRUM_DENSITY
        if has_kit and not is_resting("percussion", parameters, context, context.bar_at(beat)):
            drums = [slot for slot in self._band.slots if self._band.get_role(slot.part) == "percussion"]
            for slot in drums[:1]:
                stroke = min(LOUDEST_VELOCITY, max(1, round(velocity * slot.volume)))
                for key, beats in ((CRASH, _CRASH_BEATS), (KICK, _KICK_BEATS)):
                    if (slot.channel, key) not in taken:
                        yield NoteEvent(beat, beats, key, stroke, slot.channel, slot.part, port=slot.port)
        gain = velocity / velocity_for(parameters.dynamics, accent=MEAN_ACCENT, deviation=0.0)
        chord = self._find_chord(beat, context)
        loudest = max((note.velocity for note in chord), default=0)
        for note in chord:
            if (note.channel, note.pitch) not in taken:
                yield replace(
                    note,
                    onset_beats=beat,
                    duration_beats=max(_LEAST_BEATS_HELD, note.onset_beats + note.duration_beats - beat),
                    velocity=min(LOUDEST_VELOCITY, max(loudest, round(gain * loudest))),
                )

    def _find_chord(self, beat: float, context: MusicContext) -> list[NoteEvent]:
        """Return the accompaniment's notes of this chord: those that it holds, else those that it struck last."""
        first = context.span_at(beat).start_beat - _APART_BEATS
        struck = [note for note in self._struck if first < note.onset_beats < beat - _APART_BEATS]
        for role in _ACCOMPANIMENT:
            own = [note for note in struck if self._band.get_role(note.part) == role]
            if own:
                last = max(note.onset_beats for note in own)
                held = [note for note in own if note.onset_beats + note.duration_beats > beat]
                chosen = held or [note for note in own if note.onset_beats > last - _APART_BEATS]
                return list({(note.channel, note.pitch): note for note in chosen}.values())
        return []


def _find_chord_tone(note: NoteEvent, beat: float, context: MusicContext) -> int:
    """Find the tone of the chord at a beat that is nearest to a note; one with a tuning of its own stays."""
    tones = context.chord_at(beat).pitch_classes
    if note.cents:
        return note.pitch
    return min(
        range(note.pitch - 6, note.pitch + 7), key=lambda pitch: (pitch % 12 not in tones, abs(pitch - note.pitch))
    )


def _find_accent_beat(start: float, context: MusicContext) -> float:
    """Find the next half of a beat, or its long part where the beat is in three."""
    beat = math.floor(start)
    middle = 2 / 3 if context.rhythm == "triplet" else 1 / 2
    return next(beat + part for part in (0.0, middle, 1.0) if beat + part >= start - 1e-9)
