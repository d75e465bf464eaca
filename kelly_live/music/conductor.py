"""The conductor: asks the band for slice after slice, adds the timing feel, and sends the notes.

Thread: all calls come from one thread, the conductor's (or the caller's, when rendering). It starts no thread, never
sleeps and reads no clock: `now` comes in from outside. All times are monotonic seconds; beats count from the origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kelly_live.core.commands import Notes, PartRelease, Pause, Silence, Start, TempoChange
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import NoteSink
from kelly_live.core.state_copy import copy_state
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import TempoMap, TempoPoint
from kelly_live.core.values import Metre, MusicParameters, NoteEvent
from kelly_live.music.arc_plan import ArcPlan
from kelly_live.music.band import Band, Slot
from kelly_live.music.chord_sheet import ChordSheet
from kelly_live.music.conductor_status import ConductorStatus
from kelly_live.music.context import MusicContext
from kelly_live.music.ending import Ending, plan_ending
from kelly_live.music.expression import ExpressionCurve
from kelly_live.music.form import average_intensity, compute_intensity, compute_trend
from kelly_live.music.harmony import Phrase
from kelly_live.music.mixer import Mixer, MixerChange
from kelly_live.music.note_shaping import NoteShaper
from kelly_live.music.parameter_locks import LockChange
from kelly_live.music.parameters_in_force import ParametersInForce
from kelly_live.music.phrase_planner import PhrasePlanner
from kelly_live.music.player_rest import RestAnswer, RestResponder
from kelly_live.music.randomness import rng_for
from kelly_live.music.rest_options import RestOptions
from kelly_live.music.role_options import RoleOptions
from kelly_live.music.roles import RoleResponder
from kelly_live.music.signatures import SignatureSender
from kelly_live.music.style.metre import choose_metre
from kelly_live.music.style.scale import adapt_to_phrase
from kelly_live.music.theory import NOTE_NAMES
from kelly_live.music.transport import find_beginning
from kelly_live.music.turn_accents import TurnAccents

_NO_SYNC = SyncState()
LOOK_AHEAD_SECONDS = 0.05
# A change of the parameters counts from the next slice on: fine slices answer sooner, coarse ones cost less. The notes
# are the same.
SLICE_BEATS, LIVE_SLICE_BEATS = 1 / 4, 1 / 16
_FINEST_BEATS = 1 / 64


class Conductor:
    """Steps the band through time.

    Call `start`, then `advance` often, then `finish`; or `play_through` to render. Parameters are not played as they
    come in, but smoothed (`music/smoothing.py`), each at its musical place. Bars have `beats_per_bar` beats; without it
    the style's metre decides, and 4 where there is none. With `length_bars` the last of that many bars is the closing
    one, and nothing follows. `form` is one of FORM_NAMES (music/forms.py); a `sheet` gives the chords. A `plan`
    gives tempo, phrases and hit points; `length_bars` must be its own. With `expression` the loudness goes out between
    the onsets too. `tempo_rise`: the tempo rises by so many BPM a minute at most, whoever sets it. Raises ConfigError
    for a value outside its range.
    """

    def __init__(
        self,
        sink: NoteSink,
        band: Band,
        *,
        seed: int,
        tonic: int | None = None,
        beats_per_bar: int | None = None,
        look_ahead_seconds: float = LOOK_AHEAD_SECONDS,
        slice_beats: float = SLICE_BEATS,
        length_bars: int | None = None,
        form: str | None = None,
        sheet: ChordSheet | None = None,
        rest: RestOptions | None = None,
        expression: bool = False,
        role: RoleOptions | None = None,
        plan: ArcPlan | None = None,
        tempo_rise: float | None = None,
    ) -> None:
        # It loads numpy, which a start under a low limit must not.
        from kelly_live.music.chord_following import ChordFollower

        if tonic is not None and not 0 <= tonic <= 11:
            raise ConfigError(f"tonic is {tonic}; it must be a pitch class from 0 (C) to 11 (B)")
        per_bar = 4 if beats_per_bar is None else beats_per_bar
        if per_bar < 1:
            raise ConfigError(f"a bar has {per_bar} beats; it must have 1 or more")
        slices = per_bar / slice_beats if slice_beats >= _FINEST_BEATS else 0.5
        if slices != int(slices):
            raise ConfigError(f"slices of {slice_beats:g} beats do not fill a bar of {per_bar}; they must")
        if length_bars is not None and length_bars < 1:
            raise ConfigError(f"length is {length_bars} bars; it must be 1 or more")
        self._sink = sink
        self._band = band
        self._seed = seed
        tonic = rng_for(seed, "tonic").randrange(12) if tonic is None else tonic
        self._planner = PhrasePlanner(
            seed=seed, tonic=tonic, length_bars=length_bars, form=form, sheet=sheet, plan=plan
        )
        self._chord_follower = ChordFollower()
        self._rest = RestResponder(rest or RestOptions())
        self._expression = ExpressionCurve(sink, is_enabled=expression)
        self._turns = () if plan is None else plan.turns
        self._accents = TurnAccents(band, () if plan is None else plan.hit_beats)
        self._shaper = NoteShaper(band, self._rest, plan, seed)
        self._role = RoleResponder(role or RoleOptions(), seed)
        self._mixer = Mixer()
        self._in_force = ParametersInForce(tempo_rise=tempo_rise, is_planned=plan is not None)
        self._fixed_per_bar = beats_per_bar
        self._own_metre: tuple[int, Metre | None] = per_bar, None  # the session's
        self._per_bar = per_bar
        self._slices_per_bar = int(slices)
        self._slice_beats = slice_beats
        self.look_ahead_seconds = look_ahead_seconds
        self._length_bars = length_bars
        self._tempo: TempoMap | None = None
        self._parameters: MusicParameters | None = None  # as they are asked for
        self._rhythm = ""  # in force
        self._sync = SyncState()
        self._start_count: int | None = None  # of the transport that the band follows
        self._stopped_beat: float | None = None  # where that transport stopped the band
        self._phrase: Phrase | None = None
        self._metre: Metre | None = None  # of the session, if its bars are counted by one
        self._signatures = SignatureSender(sink)
        self._slice = 0
        self._closing_bar: int | None = None
        self._ending: Ending | None = None  # as it is planned
        self._skipped_beats = 0.0
        self._plan: tuple[tuple[float, str], ...] = ()
        self._intensity = self._trend = 0.0  # the running average, and which way the music goes from it
        self._status = ConductorStatus(0.0, 0, 0.0, "", "", NOTE_NAMES[tonic], self._band.muted, 0.0, per_bar)

    @property
    def slots(self) -> Sequence[Slot]:
        """The band's slots: which player's notes go to which channel, with which program."""
        return self._band.slots

    @property
    def tempo_map(self) -> TempoMap:
        """The conductor's own copy; the sink was sent the same points."""
        if self._tempo is None:
            raise ConfigError("the conductor has not started; call start() first")
        return self._tempo

    @property
    def phrase(self) -> Phrase | None:
        """The phrase that the last slice was in; None before the first."""
        return self._phrase

    @property
    def is_done(self) -> bool:
        """Whether the closing bar has been sent; nothing follows it."""
        return self._closing_bar is not None and self._slice >= (self._closing_bar + 1) * self._slices_per_bar

    @property
    def slice_beats(self) -> float:
        """The length of a slice, in beats."""
        return self._slice_beats

    @property
    def slices(self) -> int:
        """The number of slices that have been played or skipped."""
        return self._slice

    @property
    def end_beat(self) -> float | None:
        """Where the music ends, once that is known."""
        last = self._last_bar
        return None if last is None else float((last + 1) * self._per_bar)

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        """Start the sink and reset every player; beat 0 falls at `origin_seconds`."""
        if self._fixed_per_bar is None:
            metre = choose_metre(parameters.style, self._seed)
            self._own_metre = (4, None) if metre is None else (metre.bar_beats, metre)
        self._take_metre(None)
        self._start_count = self._closing_bar = None
        self._ending = None if self._length_bars is None else Ending(self._length_bars - 1)
        self._skipped_beats = 0.0
        self._planner.start(parameters)
        self._planner.reset(self._per_bar, keep_key=False)
        self._begin(origin_seconds, self._planner.choose_tempo(0.0, parameters), 0, parameters)
        self._publish(origin_seconds)

    def advance(self, now: float, parameters: MusicParameters, sync: SyncState = _NO_SYNC) -> None:
        """Play every slice that starts within the look-ahead of `now`; cheap when there is none.

        The band synchronizes to `sync` (`music/synchronization.py`), whose beats are in the same seconds as `now`, and
        obeys its transport: stopped, it ends every note and waits; a new start begins where the transport says, as if
        nothing had been before. More than a bar behind (a suspended machine), it skips to the next bar line.
        """
        locks = self._in_force.locks
        parameters = locks.apply(parameters)
        self._parameters, self._sync = parameters, locks.adapt_sync(self._role.adapt_sync(sync))
        if self._obey_transport(sync, now, parameters):
            return
        self._skip_if_late(now)
        for command in self._role.hear(sync.notes, self.tempo_map, now, self._phrase, parameters, self._band):
            if isinstance(command, Notes):
                self._send_notes(command.notes)
            else:
                self._sink.send(command)
        ahead = self.look_ahead_seconds
        while not self.is_done and self._slice_seconds() < now + ahead + self._in_force.feel_ahead(parameters):
            self.play_slice(parameters)
        self._expression.advance(now, self.tempo_map, self._in_force.dynamics.adapt(parameters))
        self._publish(now)

    def set_role(self, role: str) -> None:
        """Take another role (one of ROLES, music/role_options.py) from the next bar line on. Raises ConfigError."""
        self._role.set_role(role)

    def mix(self, now: float, change: MixerChange) -> None:
        """Change a player's place in the mixer from the next note on; what is heard no longer ends at once."""
        for part in self._mixer.set(change, self._band.slots):
            if self._tempo is not None and self._stopped_beat is None:
                self._sink.send(PartRelease(part, self._tempo.beat_at(now)))
        if self._tempo is not None:
            self._publish(now)

    def lock(self, now: float, change: LockChange) -> None:
        """Hold a musical parameter where it is, or let it follow the feeling again."""
        self._in_force.lock(change, self._slice * self._slice_beats, self.tempo_map.bpm)
        names = self._in_force.locks.names
        self._planner.lock(mode="mode" in names, rhythm=self._rhythm if "articulation" in names else None)
        self._publish(now)

    def panic(self, now: float, *, stops_transport: bool = False) -> None:
        """End every note at once, and play on at the next bar line that nothing was made for.

        A receiver of the clock plays on meanwhile; `stops_transport`: it is stopped, and started at that bar line.
        """
        if self.is_done or self._stopped_beat is not None:
            self._sink.send(Pause() if stops_transport else Silence())
            return
        self._slice = math.ceil(self._slice / self._slices_per_bar) * self._slices_per_bar
        if not stops_transport:
            self._sink.send(Silence())
            self._publish(now)
            return
        beat, bpm = self._slice * self._slice_beats, self.tempo_map.bpm
        origin = self.tempo_map.seconds_at(beat) - beat * 60.0 / bpm
        self._tempo = TempoMap(origin, bpm)
        self._sink.send(Pause())
        self._sink.send(Start(origin, bpm, beat))
        self._signatures.reset()
        self._publish(now)

    def finish(self, now: float) -> float:
        """Send the rest of this bar and a closing bar of the tonic at once; return the beat where that ends.

        The dominant leads there, in a bar of its own where too little is left of this one. A band that rests with its
        player has ended.
        """
        parameters = self._parameters
        if parameters is None:
            raise ConfigError("the conductor has not started; call start() first")
        if self._stopped_beat is not None or (self._closing_bar is None and self._rest.is_silent):
            self._closing_bar = self._slice // self._slices_per_bar - 1  # it was over when it was stopped
        self._skip_if_late(now)
        if self._closing_bar is None:
            leads = parameters.has_chords and self._rest.answer != RestAnswer.CLOSING
            self._ending = plan_ending(self._phrase, self._slice * self._slice_beats, self._per_bar, has_chords=leads)
            self._closing_bar = self._ending.closing_bar
        while not self.is_done:
            self.play_slice(parameters)
        self._publish(now)
        return float((self._closing_bar + 1) * self._per_bar)

    def play_through(
        self, parameters: MusicParameters, at_beat: Callable[[float], MusicParameters] | None = None
    ) -> float:
        """Play all of `length_bars` from second 0, faster than real time, and return the end beat.

        `at_beat` is called at each beat after the first, for the parameters from there on.
        """
        if self._length_bars is None:
            raise ConfigError("playing through needs an end; give the conductor length_bars")
        self.start(0.0, parameters)
        last_beat = 0
        while not self.is_done:
            beat = int(self._slice * self._slice_beats)
            if at_beat is not None and beat > last_beat:
                last_beat, parameters = beat, at_beat(float(beat))
            self.advance(self._slice_seconds(), parameters)
        return float(self._length_bars * self._per_bar)

    def copy(self, sink: NoteSink) -> Conductor:
        """Return a conductor that goes on from here by itself, in slices of SLICE_BEATS, and sends to `sink`.

        This one does not notice what it plays. It must lie on the grid of these slices. The player is expected to go on
        as he does.
        """
        twin = copy_state(self, {id(self._sink): sink, id(self._band): self._band.copy()})
        twin._slice = round(self._slice * self._slice_beats / SLICE_BEATS)
        twin._role.expect_no_change(self._slice * self._slice_beats)
        twin._slices_per_bar, twin._slice_beats = round(self._per_bar / SLICE_BEATS), SLICE_BEATS
        return twin

    def seconds_at(self, beat: float) -> float:
        """Return when a beat falls, in monotonic seconds."""
        return self.tempo_map.seconds_at(beat)

    def status(self) -> ConductorStatus:
        """Return the status as of the last call. Thread: any (one reference, replaced whole)."""
        return self._status

    @property
    def _last_bar(self) -> int | None:
        return self._closing_bar if self._length_bars is None else self._length_bars - 1

    def _begin(self, origin_seconds: float, bpm: float, first_slice: int, parameters: MusicParameters) -> None:
        """Begin the music with a slice, as if nothing had been before it."""
        beat = first_slice * self._slice_beats
        begins_at = origin_seconds + beat * 60.0 / bpm
        limited_bpm = self._in_force.limit_tempo(begins_at, bpm)
        if limited_bpm < bpm:
            origin_seconds, bpm = begins_at - beat * 60.0 / limited_bpm, limited_bpm
        self._tempo = TempoMap(origin_seconds, bpm)
        self._parameters = parameters
        self._in_force.begin(beat, parameters, bpm, self._per_bar)
        self._planner.reset(self._per_bar, keep_key=True)
        for part in (self._chord_follower, self._rest, self._role, self._signatures):
            part.reset()
        self._expression.begin()
        self._accents.begin()
        self._phrase = self._stopped_beat = None
        self._slice = first_slice
        self._intensity, self._trend = compute_intensity(parameters), 0.0
        self._sink.send(Start(origin_seconds, bpm, beat))
        self._band.reset()

    def _take_metre(self, beats_per_bar: int | None) -> None:
        """Count bars of so many beats; None: the session's own. The music must begin anew."""
        own, metre = self._own_metre
        self._per_bar = own if beats_per_bar is None else beats_per_bar
        self._metre = metre if self._per_bar == own else None
        self._slices_per_bar = round(self._per_bar / self._slice_beats)

    def _obey_transport(self, sync: SyncState, now: float, parameters: MusicParameters) -> bool:
        """Stop or start with the transport, except in the closing bar; return whether the band is stopped."""
        transport = sync.transport
        if transport is None or self._closing_bar is not None:
            return False
        if not transport.playing:
            if self._stopped_beat is None:
                self._sink.send(Pause())
                self._stopped_beat = max(0.0, self.tempo_map.beat_at(now))
                self._publish(now)
            return True
        if transport.start_count != self._start_count and (sync.beat is not None or sync.start is not None):
            self._start_count = transport.start_count
            self._take_metre(None if sync.start is None else sync.start.beats_per_bar)
            beginning = find_beginning(sync.beat, sync.start, now, parameters.tempo.suggested, self._slice_beats)
            self._skipped_beats += beginning.skipped_slices * self._slice_beats
            self._begin(beginning.origin_seconds, beginning.bpm, beginning.first_slice, parameters)
        return self._stopped_beat is not None

    def _publish(self, now: float) -> None:
        beat = max(0.0, self.tempo_map.beat_at(now)) if self._stopped_beat is None else self._stopped_beat
        self._status = ConductorStatus(
            beat=beat,
            bar=int(beat // self._per_bar),
            bpm=self.tempo_map.bpm,
            mode=self._planner.mode,
            chord=self._phrase.span_at(beat).chord.name if self._phrase else "",
            tonic=self._planner.tonic,
            muted=self._band.muted,
            skipped_beats=self._skipped_beats,
            beats_per_bar=self._per_bar,
            synchronized=("tempo",) * self._in_force.is_synchronized
            + ("key",) * self._planner.is_synchronized
            + ("chords",) * self._chord_follower.is_synchronized
            + ("dynamics",) * self._in_force.dynamics.is_synchronized,
            plan=self._plan,
            rest_answer=self._rest.answer,
            level_change=self._in_force.level_change,
            is_stopped=self._stopped_beat is not None,
            role=self._role.role,
            role_answer=self._role.remark,
            parameters=self._in_force.parameters,
            locks=self._in_force.locks.names,
            strips=self._mixer.list_strips(self._band.slots),
        )

    def _slice_seconds(self) -> float:
        return self.tempo_map.seconds_at(self._slice * self._slice_beats)

    def _skip_if_late(self, now: float) -> None:
        bar_seconds = self._per_bar * 60.0 / self.tempo_map.bpm
        if self.is_done or now - self._slice_seconds() <= bar_seconds:
            return
        before = self._slice
        bar = math.ceil(self.tempo_map.beat_at(now) / self._per_bar)
        if self._length_bars is not None:
            bar = min(bar, self._length_bars - 1)
        if self._closing_bar is not None:
            bar = min(bar, self._closing_bar)
        self._slice = max(before, bar * self._slices_per_bar)
        self._skipped_beats += (self._slice - before) * self._slice_beats

    def play_slice(self, target: MusicParameters) -> None:
        """Play the next slice now, whenever it is due."""
        target = self._in_force.locks.apply(target)
        start = self._slice * self._slice_beats
        end = start + self._slice_beats
        bar = self._slice // self._slices_per_bar
        bar_starts = self._slice % self._slices_per_bar == 0
        if bar_starts:
            now, bar_seconds = self._slice_seconds(), self._per_bar * 60.0 / self.tempo_map.bpm
            self._role.enter_bar(bar, self._phrase, self._per_bar)
            self._rest.enter_bar(now, bar_seconds, self._role.adapt_activity(self._sync.player, now, bar_seconds))
        if (bar_starts and self._rest.returns) or start in self._turns:
            self._in_force.turn(start, target, self._per_bar)
        smooth_parameters = self._step_parameters(start, target)
        parameters = adapt_to_phrase(smooth_parameters, self._seed, self._planner.find_half(bar)[0])
        parameters = self._role.adapt(self._rest.adapt(parameters))
        intensity = compute_intensity(self._in_force.average)
        if bar_starts:
            self._trend = compute_trend(self._intensity, intensity)
            self._intensity = average_intensity(self._intensity, intensity, self._per_bar)
        if self._length_bars is not None and bar == self._length_bars - 1:
            self._closing_bar = bar
        is_closing = bar == self._closing_bar
        phrase = self._choose_phrase(bar, start, parameters, intensity, is_closing=is_closing)
        if phrase is not self._phrase or bar_starts:
            self._plan = self._planner.list_chords(phrase, bar, smooth_parameters, self._last_bar)
        self._phrase = phrase
        self._signatures.send(start, self._metre, self._per_bar, phrase.key, bar_starts=bar_starts)
        is_compound = self._metre is not None and self._metre.is_compound
        rhythm = self._rhythm = "triplet" if is_compound else self._planner.choose_rhythm(phrase, parameters)
        is_last, upcoming, bpm = is_closing or self._rest.bars_to_last == 0, self._planner.upcoming, self.tempo_map.bpm
        context = MusicContext(self._seed, phrase, rhythm, bpm, is_last, self._trend, upcoming=upcoming)
        loudness = self._expression.take_slice(parameters, context, start)
        notes: Sequence[NoteEvent] = [] if self._rest.is_silent else self._band.play(parameters, context, start, end)
        if not context.closing and self._rest.answer == RestAnswer.NONE:
            notes = self._role.select_notes(notes, parameters, context, start, end, self._band)
        if not self._rest.is_silent:
            notes = self._accents.take_slice(notes, start, end, target, self._in_force.average, parameters, context)
        if notes:
            placed = self._shaper.shape(notes, parameters, context, bar, self._ending, is_closing=is_closing)
            self._send_notes(placed, loudness)
        self._slice += 1
        if not is_closing and self._slice % self._slices_per_bar == self._slices_per_bar - round(1 / self._slice_beats):
            coming = self._planner.preview_bar(context, bar + 1, parameters, self._last_bar, is_compound=is_compound)
            self._band.prepare(parameters, coming, bar + 1)

    def _step_parameters(self, beat: float, target: MusicParameters) -> MusicParameters:
        """Return the parameters in force from a beat on; a new tempo is sent to the sink."""
        parameters, bpm = self._in_force.step(
            beat,
            self._slice_seconds(),
            target,
            self._sync,
            beats_per_bar=self._per_bar,
            find_half=self._planner.find_half,
            choose_tempo=self._planner.choose_tempo,
        )
        if bpm != self.tempo_map.bpm:
            self.tempo_map.add(point := TempoPoint(beat, bpm))
            self._sink.send(TempoChange(point))
        return parameters

    def _choose_phrase(
        self, bar: int, beat: float, parameters: MusicParameters, intensity: float, *, is_closing: bool
    ) -> Phrase:
        """Return the phrase of a beat: as it is planned, with the chords that are followed, and on its way home."""
        if is_closing:
            return self._planner.choose_closing_phrase(bar, parameters)
        planned = self._planner.choose_phrase(bar, beat, parameters, self._sync.key, intensity)
        seconds, bpm = self._slice_seconds(), self.tempo_map.bpm
        phrase = self._chord_follower.follow(planned, beat, seconds, bpm, self._sync.chord)
        phrase = self._rest.choose_phrase(phrase, bar, has_chords=parameters.has_chords)
        return phrase if self._ending is None else self._ending.lead_home(phrase)

    def _send_notes(self, notes: Sequence[NoteEvent], loudness: float | None = None) -> None:
        if mixed := self._mixer.mix(notes, self._band.slots):
            self._sink.send(Notes(mixed, loudness))
