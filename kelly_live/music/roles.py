"""The band's role beside the player: it leaves him space, answers him, trades turns with him, leads, or shadows him.

Pure and clock-free, as `player_rest.py` is: the player's notes and the band's come in slice by slice, and what is
played goes out. A role changes at a bar line. What the band does is decided for each slice, so that an answer breaks
off as soon as he plays again: nothing of it has been sent but what lies within the look-ahead, and what sounds then is
ended on the next beat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kelly_live.core.band_roles import ACCOMPANY, ANSWER, LEAD, SHADOW, TRADE
from kelly_live.core.commands import Notes, PartRelease
from kelly_live.core.sync_state import PlayerActivity, PlayerNote, SyncState
from kelly_live.core.timebase import TempoMap
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.band import Band, Slot
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import LOUDEST_VELOCITY, SOFTEST_VELOCITY, draw_deviation, velocity_for
from kelly_live.music.harmony import Phrase
from kelly_live.music.motif import AnswerNote, fit_note, plan_answer
from kelly_live.music.player_phrase import PhraseMemory, PhraseNote, PlayerPhrase
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import find_middle_beat
from kelly_live.music.role_options import RoleOptions
from kelly_live.music.style.scale import create_melody_key
from kelly_live.music.theory import Key

_MELODY = "melody"
_ENDLESS_BARS = 8  # who plays for longer without a gap plays no phrases: the band's tune joins in
_DENSE, _DENSEST = 1.0, 3.0  # strokes a beat from which the band thins out, and at which it is thinnest
_THINNEST = 0.55  # of its density
_DENSITY_GRAIN = 0.05
_TURN_DENSITY, _TURN_VELOCITY = 0.8, 0.85  # of the others' under the player's turn,
_SOLO_VELOCITY = 0.9  # and of their velocity under the band's
_SOLO_DENSITY = 0.5  # more, in a turn of its own tune
_COUNTER_VELOCITY, _COUNTER_BEATS = 0.8, 2.0  # of the tune's notes that are left under a phrase
_FILL_SHARE = 0.5  # of a bar: how long a fill is at most, where the band accompanies
_LONGEST_ANSWER_BARS = 4
_SHORTEST_ANSWER_BEATS = 1.0
_HAND_OVER_BEATS = 1.0  # before the player's turn, that are free
_FEWEST_NOTES = 3  # that are material for an answer
_FEWEST_OF_RETURN = 2  # that take the band's turn from it: one alone is a slip
_AT_ONCE_SECONDS = 0.08  # a note that is known sooner is doubled; of a later one a double would be a stumble,
_ECHO_BEATS = 0.25  # so it is echoed on the next sixteenth
_SHADOW_VELOCITY = 0.6
_SHADOW_STEPS = (-2, -2, 0, 5)  # a third below, the same, or a sixth above
_ON_PLACE_BEATS = 0.07
_FINEST_PLACE = 1 / 12  # beats: sixteenths and triplets lie on it
_PAUSE_BEATS = 1.5  # of a solo after a note; where more is free, the motif is spun on
_PICKUP_BEATS = 1.0  # before a turn, that belong to it
_MOTIF_BEATS = 2.0
_NEARLY = 0.98  # of the way to the next chord
_TOUCH = 0.9  # of the way to the next note


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of a trade: whose it is, and the beats from which and until which it lasts."""

    is_band: bool
    start_beat: float
    end_beat: float


class RoleResponder:
    """Decides what the band plays beside the player. Thread: the conductor's."""

    def __init__(self, options: RoleOptions, seed: int) -> None:
        self._options = self._next_options = options
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Begin anew, knowing nothing of the player."""
        self._memory = PhraseMemory()
        self._was_playing = False
        self._plan: tuple[AnswerNote, ...] = ()
        self._plan_end = 0.0
        self._answered_pitch: int | None = None
        self._answers = 0
        self._turn: _Turn | None = None
        self._band_turn_seconds = 0.0  # since the player's latest note
        self._latest_activity: PlayerActivity | None = None
        self._density = 1.0
        self._shadowed_beat = -math.inf
        self._lacks_player = False
        self._played_until = 0.0  # the beat before which all was sent

    def set_role(self, role: str) -> None:
        """Take another role from the next bar line on. Raises ConfigError."""
        self._next_options = replace(self._options, role=role)

    @property
    def role(self) -> str:
        """The role in force."""
        return self._options.role

    @property
    def remark(self) -> str:
        """What the band does now, for the status line; empty where it accompanies."""
        if self._lacks_player and self.role != LEAD:
            return f"{self.role}: this band has no melody player"
        if self._turn is not None:
            return "the band's turn" if self._turn.is_band else "your turn"
        if self._plan and self.role in (ANSWER, ACCOMPANY):
            return "answering you"
        return {ACCOMPANY: "", ANSWER: "answers you", LEAD: "leads", SHADOW: "shadows you"}.get(self.role, self.role)

    @property
    def has_solo(self) -> bool:
        """Whether this is the band's turn."""
        return self._turn is not None and self._turn.is_band

    def hear(
        self,
        notes: Sequence[PlayerNote],
        tempo: TempoMap,
        now: float,
        phrase: Phrase | None,
        parameters: MusicParameters,
        band: Band,
    ) -> list[Notes | PartRelease]:
        """Take what the player began; return what is done about it at once.

        A band that shadows him doubles or echoes it. In the other roles its melody player ends on the next beat what it
        plays when he comes in again.
        """
        line = self._memory.hear(notes, tempo)
        slot = find_melody_slot(band) if line else None
        if phrase is None or slot is None:
            return []
        if self.role == SHADOW:
            doubles = self._double(line, tempo, now, phrase, parameters, slot)
            return [Notes(doubles)] if doubles else []
        if not self._yield():
            return []
        return [PartRelease(slot.part, float(math.ceil(max(self._played_until, tempo.beat_at(now)))))]

    def _double(
        self,
        line: Sequence[PhraseNote],
        tempo: TempoMap,
        now: float,
        phrase: Phrase,
        parameters: MusicParameters,
        slot: Slot,
    ) -> tuple[NoteEvent, ...]:
        doubles, now_beat = [], tempo.beat_at(now)
        for note in line:
            is_late = now - tempo.seconds_at(note.beat) > _AT_ONCE_SECONDS
            beat = math.ceil(now_beat / _ECHO_BEATS) * _ECHO_BEATS if is_late else now_beat
            if beat - self._shadowed_beat < _ECHO_BEATS - _ON_PLACE_BEATS:
                continue  # in a run of his, every other note is enough
            self._shadowed_beat = beat
            doubles.append(self._shadow(note, beat, phrase, parameters, slot))
        return tuple(doubles)

    def expect_no_change(self, beat: float) -> None:
        """From a beat on, expect the player to go on as he does there."""
        self._memory.expect_no_change(beat)

    def enter_bar(self, bar: int, phrase: Phrase | None, beats_per_bar: int) -> None:
        """Decide for a bar; `phrase` is the one that the bar before lay in."""
        if self._next_options != self._options:
            self._options = self._next_options
            self._plan, self._turn = (), None
        beat = float(bar * beats_per_bar)
        if self.role == TRADE:
            self._enter_turn(bar, phrase, beats_per_bar)
        busy = 0.0
        if self._memory.is_playing(beat) and self.role != LEAD:
            busy = (self._memory.measure_density(beat) - _DENSE) / (_DENSEST - _DENSE)
        density = 1.0 - (1.0 - _THINNEST) * min(1.0, max(0.0, busy))
        if self.role == TRADE and not self.has_solo:
            density *= _TURN_DENSITY
        self._density = round(density / _DENSITY_GRAIN) * _DENSITY_GRAIN

    def adapt(self, parameters: MusicParameters) -> MusicParameters:
        """Return the parameters that the band plays with: thinner, the denser the player is."""
        if not self._memory.has_notes:
            return parameters
        if self.has_solo and not self._plan:
            return replace(parameters, density=min(3.0, parameters.density + _SOLO_DENSITY))
        return parameters if self._density == 1.0 else replace(parameters, density=parameters.density * self._density)

    def adapt_sync(self, sync: SyncState) -> SyncState:
        """Return what the band is synchronised to: where it leads, its chords are its own."""
        return replace(sync, chord=None) if self.role == LEAD and sync.chord is not None else sync

    def adapt_activity(
        self, activity: PlayerActivity | None, seconds: float, bar_seconds: float
    ) -> PlayerActivity | None:
        """Return whether the player rests, for a bar that begins at `seconds`: the band's turns are no rest of his."""
        if activity is None or activity.is_playing or self._turn is None:
            self._band_turn_seconds = 0.0
            return activity
        if self._latest_activity is None or self._latest_activity.since != activity.since:
            self._latest_activity, self._band_turn_seconds = activity, 0.0
        if self._turn.is_band:
            self._band_turn_seconds += bar_seconds
            return PlayerActivity(is_playing=True, since=seconds)
        return replace(activity, since=min(seconds, activity.since + self._band_turn_seconds))

    def select_notes(
        self,
        notes: Sequence[NoteEvent],
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
        band: Band,
    ) -> Sequence[NoteEvent]:
        """Return what the band plays of its notes in [start_beat, end_beat), and what it answers."""
        if not self._memory.has_notes or self.role == LEAD:
            self._plan = ()
            return notes
        slot, self._played_until = find_melody_slot(band), end_beat
        self._lacks_player = slot is None
        self._follow_phrases(start_beat, parameters, context)
        answer = [] if slot is None else self._play_plan(slot, parameters, context, start_beat, end_beat)
        others = [note for note in notes if band.get_role(note.part) != _MELODY]
        tune = [note for note in notes if band.get_role(note.part) == _MELODY]
        if self._turn is not None:
            share = _SOLO_VELOCITY if self._turn.is_band else _TURN_VELOCITY
            others = [_soften(note, share) for note in others]
        return [*others, *self._select_tune(tune, context, start_beat), *answer]

    # ------------------------------------------------------------ turns and gaps

    def _enter_turn(self, bar: int, phrase: Phrase | None, beats_per_bar: int) -> None:
        """Begin the next turn where one is due. The first, the player's, begins with a phrase of the form.

        After a turn that he left out, the next one is his too.
        """
        beat, turn = float(bar * beats_per_bar), self._turn
        begins = (phrase is None or phrase.end_beat <= beat) if turn is None else turn.end_beat <= beat
        if begins:
            end_beat = beat + self._options.trade_bars * beats_per_bar
            has_played = turn is not None and bool(self._memory.list_line(turn.start_beat - _PICKUP_BEATS, beat))
            self._turn = _Turn(has_played and turn is not None and not turn.is_band, beat, end_beat)
            self._plan = ()

    def _yield(self) -> bool:
        """Tell whether the player has just come in again, as a note of his is taken; the band's turn is his then."""
        if self.role == LEAD:
            return False
        if self._turn is None:
            return not self._was_playing
        phrase = self._memory.latest
        if not self._turn.is_band or phrase is None or phrase.start_beat <= self._turn.start_beat:
            return False  # or he only finishes what he began in his turn
        if len(phrase.notes) < _FEWEST_OF_RETURN or phrase.start_beat >= self._turn.end_beat - _PICKUP_BEATS:
            return False
        self._turn, self._plan = replace(self._turn, is_band=False), ()
        return True

    def _follow_phrases(self, beat: float, parameters: MusicParameters, context: MusicContext) -> None:
        """Plan an answer where a gap begins, and drop it where he plays again."""
        is_playing = self._memory.is_playing(beat)
        begins_gap = self._was_playing and not is_playing
        self._was_playing = is_playing
        if self._turn is not None:
            if self._turn.is_band and beat == self._turn.start_beat:
                self._plan_solo(parameters, context)
        elif is_playing:
            self._plan = ()
        elif begins_gap:
            self._plan_end = beat
            if self.role in (ACCOMPANY, ANSWER):
                self._plan_answer(beat, parameters, context)
        if self._plan and beat >= self._plan_end:
            self._plan = ()

    def _plan_answer(self, beat: float, parameters: MusicParameters, context: MusicContext) -> None:
        call = self._memory.latest
        if call is None or len(call.notes) < _FEWEST_NOTES:
            return
        length, per_bar = call.last_beat - call.start_beat, context.beats_per_bar
        expected = self._memory.expected_gap_beats
        room = length if expected is None else expected - (beat - call.last_beat)
        most = _FILL_SHARE * per_bar if self.role == ACCOMPANY else float(_LONGEST_ANSWER_BARS * per_bar)
        tails = call.list_tails(min(most, max(_SHORTEST_ANSWER_BEATS, room)))
        # Of a call that is cut, the end that can begin soonest on its own place of the beat.
        tail = tails[0] if tails[0] == call else min(tails, key=lambda one: round((one.start_beat - beat) % 1.0, 1))
        shift = math.ceil(beat - _round_place(tail.start_beat))
        self._plan = self._vary(tail, float(shift), parameters, context)
        self._plan_end = self._plan[-1].beat + self._plan[-1].length

    def _plan_solo(self, parameters: MusicParameters, context: MusicContext) -> None:
        """Plan the band's turn of what the player played in his: the same places, a turn later, varied."""
        assert self._turn is not None
        length = self._turn.end_beat - self._turn.start_beat
        phrases = self._memory.list_line(self._turn.start_beat - length, self._turn.start_beat)
        notes: list[AnswerNote] = []
        if sum(len(phrase.notes) for phrase in phrases) >= _FEWEST_NOTES:
            for phrase in phrases:
                notes += self._vary(phrase, length, parameters, context)
            notes = self._fill_holes(notes, phrases[-1], parameters, context)
        until = self._turn.end_beat - _HAND_OVER_BEATS
        self._plan = tuple(note for note in notes if note.beat < until)
        self._plan_end = self._turn.end_beat

    def _fill_holes(
        self, notes: Sequence[AnswerNote], phrase: PlayerPhrase, parameters: MusicParameters, context: MusicContext
    ) -> list[AnswerNote]:
        """Spin the end of his last phrase out where the band's turn has a hole: he left space, a solo goes on."""
        assert self._turn is not None
        motif = phrase.list_tails(_MOTIF_BEATS)[0]
        starts = [self._turn.start_beat - _PAUSE_BEATS, *(note.beat for note in notes)]
        filled = list(notes)
        for start, end in pairwise([*starts, self._turn.end_beat]):
            at = start + _PAUSE_BEATS
            while end - at > _PAUSE_BEATS:
                shift = float(math.ceil(at - _round_place(motif.start_beat)))
                filled += [note for note in self._vary(motif, shift, parameters, context) if note.beat < end - 0.5]
                at = motif.last_beat + shift + _PAUSE_BEATS
        return sorted(filled)

    def _vary(
        self, call: PlayerPhrase, shift_beats: float, parameters: MusicParameters, context: MusicContext
    ) -> tuple[AnswerNote, ...]:
        self._answers += 1
        rng = rng_for(self._seed, "answer to the player", self._answers)
        key = _find_melody_key(parameters, context)
        return plan_answer(call, key, parameters.register, context, shift_beats=shift_beats, rng=rng)

    # ------------------------------------------------------------ notes

    def _play_plan(
        self, slot: Slot, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        key = _find_melody_key(parameters, context)
        played = []
        for note in self._plan:
            if start_beat <= note.beat < end_beat:
                before = None if note.direction is None else self._answered_pitch
                pitch, cents = fit_note(note, before, key, context)
                self._answered_pitch = pitch
                deviation = draw_deviation(self._seed, "answer", note.beat)
                velocity = velocity_for(parameters.dynamics, accent=0.65, deviation=deviation)
                played.append(slot.place(NoteEvent(note.beat, note.length, _fold(pitch), velocity, 1, _MELODY, cents)))
        return played

    def _select_tune(self, tune: list[NoteEvent], context: MusicContext, beat: float) -> list[NoteEvent]:
        """Return what is left of the band's own tune."""
        per_bar, memory = context.beats_per_bar, self._memory
        if self._turn is not None:
            is_free = self._turn.is_band and not self._plan and beat < self._turn.end_beat - _HAND_OVER_BEATS
            return tune if is_free else []
        if memory.is_playing(beat):
            if memory.measure_phrase(beat) >= _ENDLESS_BARS * per_bar and self.role != ANSWER:
                return tune
            return [self._hold(note, context) for note in tune if self._is_counter_note(note, context)]
        middle = find_middle_beat(per_bar) or per_bar
        is_over = beat >= math.ceil(self._plan_end / middle) * middle
        return tune if self.role != ANSWER and not self._plan and is_over else []

    def _is_counter_note(self, note: NoteEvent, context: MusicContext) -> bool:
        """Tell whether a note of the tune stays under the player's phrase: a tone of the chord on a bar line."""
        place = note.onset_beats % context.beats_per_bar
        is_chord_tone = note.pitch % 12 in context.chord_at(note.onset_beats).pitch_classes
        return self.role == ACCOMPANY and place < _ON_PLACE_BEATS and is_chord_tone

    def _hold(self, note: NoteEvent, context: MusicContext) -> NoteEvent:
        room = context.span_at(note.onset_beats).end_beat - note.onset_beats
        length = max(note.duration_beats, min(_COUNTER_BEATS, _NEARLY * room))
        return replace(_soften(note, _COUNTER_VELOCITY), duration_beats=length)

    def _shadow(
        self, note: PhraseNote, beat: float, phrase: Phrase, parameters: MusicParameters, slot: Slot
    ) -> NoteEvent:
        chord = phrase.span_at(beat).chord
        key, start = chord.key, self._memory.latest
        if note.pitch is None:
            pitch, cents = key.note(chord.step_near(key.step_near(parameters.register.centre)))
        else:
            number = 0 if start is None else round(start.start_beat * 4)
            steps = rng_for(self._seed, "shadow", number).choice(_SHADOW_STEPS)  # the same for a phrase
            pitch, cents = key.note(key.step_near(note.pitch) + steps)
        velocity = min(note.velocity, round(parameters.dynamics.ceiling * LOUDEST_VELOCITY))
        length = _TOUCH * min(1.0, self._memory.pace_beats)
        shadow = NoteEvent(max(0.0, beat), length, _fold(pitch), velocity, 1, _MELODY, cents)
        return slot.place(_soften(shadow, _SHADOW_VELOCITY))


def find_melody_slot(band: Band) -> Slot | None:
    """Find the place of the band's melody player, if it has one that plays."""
    silent = {player.name for player in band.muted}
    return next((slot for slot in band.slots if slot.part not in silent and band.get_role(slot.part) == _MELODY), None)


def _find_melody_key(parameters: MusicParameters, context: MusicContext) -> Key:
    return context.key if parameters.style is None else create_melody_key(parameters.style, context)


def _round_place(beat: float) -> float:
    """Return the place of the beat that a note was meant on."""
    return round(beat / _FINEST_PLACE) * _FINEST_PLACE


def _fold(pitch: int) -> int:
    """Move a pitch into MIDI's range by octaves."""
    while pitch < 0:
        pitch += 12
    while pitch > 127:
        pitch -= 12
    return pitch


def _soften(note: NoteEvent, share: float) -> NoteEvent:
    return replace(note, velocity=max(SOFTEST_VELOCITY, round(note.velocity * share)))
