"""The conductor: asks each player for the next slice of time, lays the feel over it, and hands it to the sink.

Thread: all calls from one thread, the conductor's (or the caller's, when rendering); it starts none, never sleeps
and reads no clock: `now` comes in from outside. All times are monotonic seconds, all beats count from the origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kelly_live.core.commands import Notes, Pause, Signature, Start, TempoChange
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import NoteSink
from kelly_live.core.timebase import TempoMap, TempoPoint
from kelly_live.core.values import RHYTHMS, BeatEstimate, Metre, MusicParameters, NoteEvent, SyncState, TempoRange
from kelly_live.music.band import Band, MutedPlayer, Slot
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import compute_earliest_offset, compute_onset_offset
from kelly_live.music.form import average_intensity, compute_intensity, compute_trend
from kelly_live.music.harmony import BARS_PER_PHRASE, FORM, Phrase, choose_phrase_mode, plan_closing_phrase, plan_phrase
from kelly_live.music.randomness import rng_for
from kelly_live.music.signatures import key_signature, time_signature
from kelly_live.music.smoothing import ParameterSmoother
from kelly_live.music.style.metre import choose_metre, swing_beat
from kelly_live.music.style.scale import adapt_to_phrase, choose_harmonic_scale
from kelly_live.music.synchronization import SynchronizedKey, SynchronizedTempo
from kelly_live.music.theory import NOTE_NAMES, Key, build_mode_scale

_TEMPO_GRAIN_BPM = 0.25  # finer changes are not heard, only sent
_NOBODY = SyncState()
LOOK_AHEAD_SECONDS = 0.05
# What is asked for counts from the next slice on: fine ones answer sooner, coarse ones cost less. The notes are alike.
SLICE_BEATS, LIVE_SLICE_BEATS = 1 / 4, 1 / 16
_FINEST_BEATS = 1 / 64
_STILL_IN_TIME_SECONDS = 0.06  # a start is told a little after its first beat: by less than a slice at 240 BPM
_BUSY_DENSITY = 1.5  # from here on, chords may change twice a bar


@dataclass(frozen=True, slots=True)
class ConductorStatus:
    """Where the music is: at `beat`, in `bar` (from 0), as of the last `advance`; and where it goes: `plan` has the
    beat and name of each chord from the bar being made to the end of the next, as things stand.
    """

    beat: float
    bar: int
    bpm: float
    mode: str
    chord: str
    tonic: str
    muted: tuple[MutedPlayer, ...]
    skipped_beats: float
    beats_per_bar: int = 4
    joined: tuple[str, ...] = ()  # what of "tempo" and "key" somebody else leads in
    plan: tuple[tuple[float, str], ...] = ()

    @property
    def bars(self) -> float:
        """How many bars have gone by, with the part of the present one."""
        return self.beat / self.beats_per_bar


class Conductor:
    """Steps the band through time: `start`, then `advance` often, then `finish`; or `play_through` to render.

    What is asked for is not played at once: it glides (`music/glide.py`), each parameter at its musical place.
    Bars have `beats_per_bar` beats; not given, a tradition's metre says, and 4 where there is none.
    With `length_bars` the last of that many bars is the closing one, and nothing follows.
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
    ) -> None:
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
        self._tonic = rng_for(seed, "tonic").randrange(12) if tonic is None else tonic
        self._given_per_bar = beats_per_bar
        self._per_bar = per_bar
        self._slices_per_bar = int(slices)
        self._slice_beats = slice_beats
        self.look_ahead_seconds = look_ahead_seconds
        self._length_bars = length_bars
        self._tempo: TempoMap | None = None
        self._parameters: MusicParameters | None = None
        self._glide: ParameterSmoother | None = None
        self._lead = SyncState()
        self._joined_tempo = SynchronizedTempo(0.0, 0.0, 0.0)
        self._joined_key = SynchronizedKey()
        self._take: int | None = None  # of somebody else's transport
        self._held_beat: float | None = None  # where that stopped us
        self._phrase: Phrase | None = None
        self._key: Key | None = None
        self._metre: Metre | None = None  # of the session, if its bars are counted by one
        self._signature: tuple[int, int, int, bool] | None = None  # as sent last, since the latest start
        self._busy = False
        self._compound = False
        self._slice = 0
        self._closing_bar: int | None = None
        self._skipped_beats = 0.0
        self._plan: tuple[tuple[float, str], ...] = ()
        self._intensity = self._trend = 0.0  # what the feeling was, and where it goes
        self._status = ConductorStatus(0.0, 0, 0.0, "", "", NOTE_NAMES[self._tonic], self._band.muted, 0.0, per_bar)

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
    def done(self) -> bool:
        """Whether the closing bar has been sent; nothing will follow it."""
        return self._closing_bar is not None and self._slice >= (self._closing_bar + 1) * self._slices_per_bar

    @property
    def slice_beats(self) -> float:
        """How much is made at a time."""
        return self._slice_beats

    @property
    def slices(self) -> int:
        """How many slices have been made or skipped."""
        return self._slice

    @property
    def end_beat(self) -> float | None:
        """Where the music ends, once that is settled."""
        last = self._closing_bar if self._length_bars is None else self._length_bars - 1
        return None if last is None else float((last + 1) * self._per_bar)

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        """Beat 0 falls at `origin_seconds`; resets every player and starts the sink."""
        bpm = _grained(parameters.tempo.suggested)
        metre = choose_metre(parameters.style, self._seed)
        self._compound = False
        self._metre = metre if self._given_per_bar is None else None
        if self._given_per_bar is None:
            self._per_bar = 4 if metre is None else metre.bar_beats
            self._compound = metre is not None and metre.is_compound
            self._slices_per_bar = round(self._per_bar / self._slice_beats)
        self._joined_key = SynchronizedKey()
        self._take = self._closing_bar = None
        self._skipped_beats = 0.0
        self._begin(origin_seconds, bpm, 0, parameters)
        self._publish(origin_seconds)

    def _begin(self, origin_seconds: float, bpm: float, first: int, parameters: MusicParameters) -> None:
        """The music begins with slice `first`, whatever was before it."""
        beat = first * self._slice_beats
        self._tempo = TempoMap(origin_seconds, bpm)
        self._parameters = parameters
        self._glide = ParameterSmoother.begin(beat, parameters, self._per_bar)
        self._joined_tempo = SynchronizedTempo(beat, bpm, bpm)
        self._phrase = self._key = self._held_beat = None
        self._signature = None
        self._slice = first
        self._intensity, self._trend = compute_intensity(parameters), 0.0
        self._sink.send(Start(origin_seconds, bpm, beat))
        self._band.reset()

    def advance(self, now: float, parameters: MusicParameters, lead: SyncState = _NOBODY) -> None:
        """Make and send every slice that starts within the look-ahead of `now`; cheap when there is none. `lead` is
        joined (`music/joining.py`); its beats are in the same seconds as `now`. Its transport is obeyed: stopped, the
        band ends every note and waits; a new take begins where it says, as if nothing had been before.

        More than a bar behind (a suspended machine), it skips to the next bar line instead of a burst of old notes.
        """
        self._parameters, self._lead = parameters, lead
        if self._held_by(lead, now, parameters):
            return
        self._skip_if_late(now)
        while not self.done and self._slice_seconds() < now + self.look_ahead_seconds + self._early(parameters):
            self._play_slice(parameters)
        self._publish(now)

    def panic(self, now: float) -> None:
        """End every note at once, and play on at the next bar line that nothing was made for."""
        if self.done or self._held_beat is not None:
            self._sink.send(Pause())
            return
        self._slice = math.ceil(self._slice / self._slices_per_bar) * self._slices_per_bar
        beat, bpm = self._slice * self._slice_beats, self.tempo_map.bpm
        origin = self.tempo_map.seconds_at(beat) - beat * 60.0 / bpm
        self._tempo = TempoMap(origin, bpm)
        self._sink.send(Pause())
        self._sink.send(Start(origin, bpm, beat))
        self._signature = None  # a start begins a new count of beats
        self._publish(now)

    def finish(self, now: float) -> float:
        """Send the rest of this bar and a closing bar of the tonic, at once; returns the beat where that ends."""
        parameters = self._parameters
        if parameters is None:
            raise ConfigError("the conductor has not started; call start() first")
        if self._held_beat is not None:
            self._closing_bar = self._slice // self._slices_per_bar - 1  # it was over when it was stopped
        self._skip_if_late(now)
        if self._closing_bar is None:
            self._closing_bar = math.ceil(self._slice / self._slices_per_bar)
        while not self.done:
            self._play_slice(parameters)
        self._publish(now)
        return float((self._closing_bar + 1) * self._per_bar)

    def play_through(
        self, parameters: MusicParameters, at_beat: Callable[[float], MusicParameters] | None = None
    ) -> float:
        """Play all of `length_bars` from second 0, faster than real time; returns the end beat. `at_beat` is asked at
        each beat after the first for the parameters from there on.
        """
        if self._length_bars is None:
            raise ConfigError("playing through needs an end; give the conductor length_bars")
        self.start(0.0, parameters)
        asked = 0
        while not self.done:
            beat = int(self._slice * self._slice_beats)
            if at_beat is not None and beat > asked:
                asked, parameters = beat, at_beat(float(beat))
            self.advance(self._slice_seconds(), parameters)
        return float(self._length_bars * self._per_bar)

    def seconds_at(self, beat: float) -> float:
        """When a beat falls, seconds, monotonic."""
        return self.tempo_map.seconds_at(beat)

    def status(self) -> ConductorStatus:
        """The status as of the last call; may be read from any thread (one reference, swapped whole)."""
        return self._status

    def _held_by(self, lead: SyncState, now: float, parameters: MusicParameters) -> bool:
        """Obeys the transport, if there is one and the closing bar was not asked for: whether it holds the band."""
        transport = lead.transport
        if transport is None or self._closing_bar is not None:
            return False
        if not transport.playing:
            if self._held_beat is None:
                self._sink.send(Pause())
                self._publish(now)
                self._held_beat = self._status.beat
            return True
        if transport.start_count != self._take and lead.beat is not None:
            self._take = transport.start_count
            self._set_down(lead.beat, now, parameters)
        return self._held_beat is not None

    def _set_down(self, pulse: BeatEstimate, now: float, parameters: MusicParameters) -> None:
        """Begin where the pulse is, at its tempo."""
        bpm = _grained(pulse.bpm)
        origin = pulse.beat_seconds - (pulse.beat_number or 0) * 60.0 / bpm
        beat = (now - _STILL_IN_TIME_SECONDS - origin) * bpm / 60.0
        self._begin(origin, bpm, max(0, math.ceil(beat / self._slice_beats)), parameters)

    def _publish(self, now: float) -> None:
        beat = max(0.0, self.tempo_map.beat_at(now)) if self._held_beat is None else self._held_beat
        key, phrase = self._key, self._phrase
        self._status = ConductorStatus(
            beat=beat,
            bar=int(beat // self._per_bar),
            bpm=self.tempo_map.bpm,
            mode=key.scale.name if key else "",
            chord=phrase.span_at(beat).chord.name if phrase else "",
            tonic=key.tonic_name if key else NOTE_NAMES[self._tonic],
            muted=self._band.muted,
            skipped_beats=self._skipped_beats,
            beats_per_bar=self._per_bar,
            joined=("tempo",) * self._joined_tempo.joined + ("key",) * (self._joined_key.key is not None),
            plan=self._plan,
        )

    def _early(self, asked: MusicParameters) -> float:
        """How far feel may move a note of the next slice ahead of it: the slice is made that much earlier."""
        glide = self._glide
        timings = [asked.timing] if glide is None else [asked.timing, glide.asked.timing, glide.played.timing]
        return max(compute_earliest_offset(timing) for timing in timings)

    def _slice_seconds(self) -> float:
        return self.tempo_map.seconds_at(self._slice * self._slice_beats)

    def _skip_if_late(self, now: float) -> None:
        bar_seconds = self._per_bar * 60.0 / self.tempo_map.bpm
        if self.done or now - self._slice_seconds() <= bar_seconds:
            return
        before = self._slice
        bar = math.ceil(self.tempo_map.beat_at(now) / self._per_bar)
        if self._length_bars is not None:
            bar = min(bar, self._length_bars - 1)
        if self._closing_bar is not None:
            bar = min(bar, self._closing_bar)
        self._slice = max(before, bar * self._slices_per_bar)
        self._skipped_beats += (self._slice - before) * self._slice_beats

    def _play_slice(self, asked: MusicParameters) -> None:
        start = self._slice * self._slice_beats
        end = start + self._slice_beats
        bar = self._slice // self._slices_per_bar
        told = self._glided(start, asked)
        parameters = adapt_to_phrase(told, self._seed, bar // BARS_PER_PHRASE)
        if self._slice % self._slices_per_bar == 0:
            now = compute_intensity(self._glide.asked if self._glide else parameters)
            self._trend = compute_trend(self._intensity, now)
            self._intensity = average_intensity(self._intensity, now, self._per_bar)
        if self._length_bars is not None and bar == self._length_bars - 1:
            self._closing_bar = bar
        closing = bar == self._closing_bar
        before = self._phrase
        phrase = self._phrase_for(bar, parameters, closing=closing)
        if phrase is not before or self._slice % self._slices_per_bar == 0:
            self._plan = self._outlook(phrase, bar, told)
        self._send_signature(start)
        context = MusicContext(
            seed=self._seed,
            phrase=phrase,
            rhythm="triplet" if self._compound else _rhythm(self._seed, phrase, parameters),
            bpm=self.tempo_map.bpm,
            closing=closing,
            trend=self._trend,
        )
        notes = self._band.play(parameters, context, start, end)
        if notes:
            felt = [self._felt(note, parameters) for note in notes]
            self._sink.send(Notes(tuple(sorted(felt, key=lambda note: (note.onset_beats, note.channel, note.pitch)))))
        self._slice += 1

    def _send_signature(self, beat: float) -> None:
        """Send the metre and the key in force, where they are new: at the start, and at bar lines."""
        if self._key is None or (self._signature is not None and self._slice % self._slices_per_bar != 0):
            return
        signature = (*time_signature(self._metre, self._per_bar), *key_signature(self._key))
        if signature != self._signature:
            self._signature = signature
            self._sink.send(Signature(beat, *signature))

    def _glided(self, beat: float, asked: MusicParameters) -> MusicParameters:
        """The parameters in force from a beat on; a new tempo is told to the sink."""
        self._glide = (
            self._glide.step(beat, asked) if self._glide else ParameterSmoother.begin(beat, asked, self._per_bar)
        )
        played = self._glide.played
        own = _grained(played.tempo.suggested)
        joined = self._joined_tempo.step(beat, self._slice_seconds(), own, self._lead.beat, self._per_bar)
        self._joined_tempo, bpm = joined, joined.bpm
        if bpm != self.tempo_map.bpm:
            point = TempoPoint(beat, bpm)
            self.tempo_map.add(point)
            self._sink.send(TempoChange(point))
        if not joined.engaged:
            return played
        tempo = TempoRange(min(bpm, played.tempo.minimum), bpm, max(bpm, played.tempo.maximum))
        return replace(played, tempo=tempo)

    def _phrase_for(self, bar: int, parameters: MusicParameters, *, closing: bool) -> Phrase:
        """The plan in force, or a new one: at a phrase's first bar (or at the bar that a skip landed on), and where
        the key turns inside a phrase, the rest of which is then played as if it had been in the new key all along.
        """
        phrase = self._phrase
        if closing:
            if phrase is None or phrase.start_bar != bar or phrase.bars != 1:
                self._key = self._key or self._asked_key(parameters, bar // BARS_PER_PHRASE)
                phrase = plan_closing_phrase(
                    bar // BARS_PER_PHRASE, self._key, start_bar=bar, beats_per_bar=self._per_bar
                )
            self._phrase = phrase
            return phrase
        begins = phrase is None or not phrase.start_bar <= bar < phrase.start_bar + phrase.bars
        bar_starts = self._slice % self._slices_per_bar == 0
        self._joined_key = self._joined_key.step(
            self._slice * self._slice_beats, self._lead.key, phrase_starts=begins, bar_starts=bar_starts
        )
        key = self._asked_key(parameters, bar // BARS_PER_PHRASE)
        if phrase is None or begins or key != self._key:
            if begins:
                self._busy = parameters.density >= _BUSY_DENSITY
            phrase = self._planned(bar // BARS_PER_PHRASE, key, parameters)
        self._key, self._phrase = key, phrase
        return phrase

    def _planned(self, index: int, key: Key, parameters: MusicParameters) -> Phrase:
        """Phrase `index` as it is played with these parameters; shorter, and leading home, before the closing bar."""
        start_bar = index * BARS_PER_PHRASE
        bars, leads_home = BARS_PER_PHRASE, False
        if self._length_bars is not None:
            bars = min(bars, self._length_bars - 1 - start_bar)
            leads_home = start_bar + bars == self._length_bars - 1
        return plan_phrase(
            self._seed,
            index,
            key,
            start_bar=start_bar,
            beats_per_bar=self._per_bar,
            bars=bars,
            busy=self._busy,
            leads_home=leads_home,
            modes=parameters.modes if self._joined_key.key is None else None,
        )

    def _outlook(self, phrase: Phrase, bar: int, parameters: MusicParameters) -> tuple[tuple[float, str], ...]:
        """The chords from a bar's first beat to the end of the next bar."""
        start, end, following = float(bar * self._per_bar), float((bar + 2) * self._per_bar), bar + 1
        last = self._closing_bar if self._length_bars is None else self._length_bars - 1
        spans = list(phrase.spans)
        if phrase.end_beat < end and (last is None or following < last):
            index = following // BARS_PER_PHRASE
            spans += self._planned(index, self._asked_key(parameters, index), parameters).spans
        elif phrase.end_beat < end and following == last and self._key is not None:
            spans += plan_closing_phrase(0, self._key, start_bar=following, beats_per_bar=self._per_bar).spans
        return tuple((s.start_beat, s.chord.name) for s in spans if start < s.end_beat and s.start_beat < end)

    def _asked_key(self, parameters: MusicParameters, phrase: int) -> Key:
        """A tradition's scale; else the phrase's share of the modes."""
        joined, parameters = self._joined_key, adapt_to_phrase(parameters, self._seed, phrase)
        tonic = self._tonic if joined.tonic is None else joined.tonic
        own = choose_harmonic_scale(parameters.style) if parameters.style is not None else None
        if joined.key is not None and own is None and parameters.scale is None:
            return Key(tonic, build_mode_scale(joined.key.mode))
        return Key(
            tonic, own or parameters.scale or build_mode_scale(choose_phrase_mode(self._seed, phrase, parameters.modes))
        )

    def _felt(self, note: NoteEvent, parameters: MusicParameters) -> NoteEvent:
        """The note where the hand puts it: an offset in seconds, as beats of the tempo in force."""
        role = self._band.role_of(note.part)
        beat, voice = note.onset_beats, note.pitch
        offset = compute_onset_offset(parameters.timing, seed=self._seed, part=role, beat=beat, voice=voice)
        if parameters.style is not None:
            note = replace(note, onset_beats=swing_beat(note.onset_beats, parameters.style.swing_ratio))
        if offset == 0.0:
            return note
        return replace(note, onset_beats=max(0.0, note.onset_beats + offset * self.tempo_map.bpm / 60.0))


def _grained(bpm: float) -> float:
    return round(bpm / _TEMPO_GRAIN_BPM) * _TEMPO_GRAIN_BPM


def _rhythm(seed: int, phrase: Phrase, parameters: MusicParameters) -> str:
    """One rhythm for the whole band, thrown once a letter and form, half a turn apart, the heavier ones favoured."""
    throw = (rng_for(seed, "rhythm", phrase.index // len(FORM)).random() + 0.5 * (phrase.place.letter == "B")) % 1.0
    squares = [weight * weight for weight in parameters.rhythms]
    below = 0.0
    for name, square in zip(RHYTHMS, squares, strict=True):
        below += square / sum(squares)
        if throw < below:
            return name
    return RHYTHMS[-1]
