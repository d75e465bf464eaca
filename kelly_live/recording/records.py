"""What a session log holds: its header, and a record for each thing that happened.

Records are tagged msgspec structs with their time in monotonic seconds; the values in them are those of the program.
What decides over the notes is exact and complete; the rest is there to be read, as its docstring says.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from kelly_live.core.commands import DEFAULT_TUNING, MAX_RISE, NO_LIMITS, Expression, LoudnessLimits, Notes, Tuning
from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import EMOTIONS, MAX_BAR_BEATS, MAX_SEED, ControlChange, MusicParameters
from kelly_live.music.chord_sheet import MAX_SHEET_CHARACTERS
from kelly_live.music.conductor import LOOK_AHEAD_SECONDS, SLICE_BEATS
from kelly_live.music.rest_options import RestOptions
from kelly_live.music.role_options import MAX_TRADE_BARS, RoleOptions

MAX_SECONDS, MAX_BEATS = 1e9, 10**7  # a monotonic clock's after 30 years, and a session's after weeks
MAX_LOOK_AHEAD_SECONDS = 2.0  # the conductor's own and the largest latency are well under 1 s
MIN_SLICE_BEATS = 1 / 64
MAX_TEXT = 4096  # characters of a name, setting or reason
MAX_PARTS = 1000  # parts, plug-ins or settings: more than all ports of a studio have channels

# Every number of a log is bounded, so that no damaged or foreign file can keep a replay busy.
Channel: TypeAlias = Annotated[int, Meta(ge=1, le=16)]
Program: TypeAlias = Annotated[int, Meta(ge=0, le=127)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
Axis: TypeAlias = Annotated[float, Meta(ge=-1.0, le=1.0)]
Beat: TypeAlias = Annotated[float, Meta(gt=-MAX_BEATS, lt=MAX_BEATS)]
Text: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT)]
SentNotes: TypeAlias = tuple[Notes, ...] | None


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who plays on a channel (1-16) of a port ("": the main one), with which General MIDI program (0-127).

    `sends_program`: the port is sent the program. `is_plug_in`: the part's player answers from a process of its own
    when it can, which no replay can repeat, so its notes are in the log.
    """

    name: Text
    channel: Channel
    program: Program
    port: Text = ""
    sends_program: bool = False
    is_plug_in: bool = False


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was chosen before the first note.

    `created`: date and time (UTC). `tonic`: a pitch class. `preset`: the host preset that begins, `extra` the
    generators beside every preset, `effects` behind players and `settings` of both as typed. `live`: it was played
    against the clock. `beats_per_bar`, `form` and `chords` (a sheet): fixed by hand; None: the tradition's (or 4), the
    groove's, and the band's own. `when_silent` and `silent_bars`: what the band did when the player rested, and after
    how long; `role` and `trade_bars`: its role beside him as it began, and how long a turn was. `expression`: loudness
    and brightness went out between the onsets too. `limits` held the notes at first, and `tempo_rise` the tempo
    (BPM a minute). `models`: the set that was played with; None: before there were
    sets, which was `research`. `options`: the command line's other choices, to be read.
    """

    version: Text
    created: Text
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)]
    tonic: Annotated[int, Meta(ge=0, le=11)]
    preset: Text
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]
    extra: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    effects: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    settings: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    tuning: Tuning = DEFAULT_TUNING
    live: bool = True
    look_ahead_seconds: Annotated[float, Meta(ge=0.0, le=MAX_LOOK_AHEAD_SECONDS)] = LOOK_AHEAD_SECONDS
    slice_beats: Annotated[float, Meta(ge=MIN_SLICE_BEATS, le=1.0)] = SLICE_BEATS
    beats_per_bar: Annotated[int, Meta(ge=1, le=MAX_BAR_BEATS)] | None = None
    form: Text | None = None
    chords: Annotated[str, Meta(max_length=MAX_SHEET_CHARACTERS)] | None = None
    when_silent: Text = RestOptions().when_silent
    silent_bars: Annotated[int, Meta(ge=1, le=MAX_BEATS)] = RestOptions().bars
    expression: bool = False
    role: Text = RoleOptions().role
    trade_bars: Annotated[int, Meta(ge=1, le=MAX_TRADE_BARS)] = RoleOptions().trade_bars
    limits: LoudnessLimits = NO_LIMITS
    tempo_rise: Annotated[float, Meta(gt=0.0, le=MAX_RISE)] | None = None
    title: Text = "Kelly Live"
    culture: Text | None = None
    culture_strength: Share | None = None
    profile: Text | None = None
    models: Text | None = None
    options: Annotated[tuple[tuple[Text, Text], ...], Meta(max_length=MAX_PARTS)] = ()

    def tunings_by_port(self) -> dict[str, Tuning]:
        """Return how cents are sent, by port: each knows the programs that its parts begin with."""
        ports = {part.port for part in self.parts} | {""}
        return {port: self.tuning.with_programs(part for part in self.parts if part.port == port) for port in ports}


class LogRecord(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="event"
):
    """The base of all records; a subclass's tag is its name in the log."""

    time: float

    def __post_init__(self) -> None:
        _require_time(self.time, "time")


class StartRecord(LogRecord, frozen=True, kw_only=True, tag="start"):
    """The music started: beat 0 falls at `origin_seconds`."""

    origin_seconds: float
    parameters: MusicParameters

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_time(self.origin_seconds, "origin_seconds")


class StepRecord(LogRecord, frozen=True, kw_only=True, tag="step"):
    """The conductor created its next slices.

    `changes` are the parameters that are new since the record before, by name, and `sync` what the band is synchronised
    to, if that is new. `plays` are the notes that it sent, lot by lot, where a plug-in was among the players, and
    `points` what it sent of the expression.
    """

    changes: dict[str, Any] = {}
    sync: SyncState | None = None
    plays: SentNotes = None
    points: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_beats(self.plays)
        for point in self.points:
            if not abs(point.beat) < MAX_BEATS:
                raise ConfigError(f"an expression lies at beat {point.beat:g}; no session does")


class FinishRecord(LogRecord, frozen=True, kw_only=True, tag="finish"):
    """The conductor was asked for its closing bar; `plays` as in a step."""

    plays: SentNotes = None

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_beats(self.plays)


class ControlRecord(LogRecord, frozen=True, kw_only=True, tag="control"):
    """Controller values were sent."""

    changes: tuple[ControlChange, ...]


class PanicRecord(LogRecord, frozen=True, kw_only=True, tag="panic"):
    """Every note was ended; the band plays on at the next bar.

    `stops_transport`: the transport starts anew, too.
    """

    stops_transport: bool = False


class RoleRecord(LogRecord, frozen=True, kw_only=True, tag="role"):
    """The band was given another role, which it takes at the next bar line."""

    role: Text


class LimitsRecord(LogRecord, frozen=True, kw_only=True, tag="limits"):
    """From here on the notes were held to other limits."""

    limits: LoudnessLimits


class ParameterRecord(LogRecord, frozen=True, kw_only=True, tag="parameter"):
    """A parameter of a player, or of an effect behind it, was given a value, to which it moves."""

    player: Text
    effect: Text | None = None
    parameter: Text
    value: bool | int | float | Text


class MixerRecord(LogRecord, frozen=True, kw_only=True, tag="mixer"):
    """A player's place in the mixer was changed: its mute, solo or level. A value of None turned a switch over."""

    player: Text
    control: Text
    value: bool | float | None = None


class LockRecord(LogRecord, frozen=True, kw_only=True, tag="lock"):
    """A musical parameter was locked where it was, or released; None turned its lock over."""

    name: Text
    is_on: bool | None = None


class PresetRecord(LogRecord, frozen=True, kw_only=True, tag="preset"):
    """In the next step, at a bar line, the band changes to another host preset."""

    name: Text
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]


class MuteRecord(LogRecord, frozen=True, kw_only=True, tag="mute"):
    """A player failed, and is silent from the next step on."""

    player: Text
    reason: Text


class StopRecord(LogRecord, frozen=True, kw_only=True, tag="stop"):
    """The end; what had not been sent by then never was."""


class TakeRecord(LogRecord, frozen=True, kw_only=True, tag="take"):
    """Of the session only this part is the take: what sounded from a time to another (s, monotonic).

    None: from its start, or to the end of the log. The latest record of a log counts.
    """

    start_seconds: float | None = None
    end_seconds: float | None = None

    def __post_init__(self) -> None:
        for seconds, name in ((self.time, "time"), (self.start_seconds, "start"), (self.end_seconds, "end")):
            _require_time(0.0 if seconds is None else seconds, name)


class ChecksumRecord(LogRecord, frozen=True, kw_only=True, tag="checksum"):
    """How many notes have been handed over by now, and a checksum (CRC-32) of all that was."""

    notes: Count
    crc: Annotated[int, Meta(ge=0, lt=2**32)]


class EmotionRecord(LogRecord, frozen=True, kw_only=True, tag="emotion"):
    """The emotion of the audio that ends at `audio_seconds`, rounded. To be read.

    `probabilities` are over EMOTIONS.
    """

    audio_seconds: Annotated[float, Meta(gt=-MAX_SECONDS, lt=MAX_SECONDS)]
    emotion: Text
    valence: Axis
    arousal: Axis
    dominance: Axis
    confidence: Share
    probabilities: Annotated[tuple[Share, ...], Meta(max_length=len(EMOTIONS))]


class ActionRecord(LogRecord, frozen=True, kw_only=True, tag="action"):
    """The performer did something, with `source` ("key", "midi"), in this bar (from 0). To be read."""

    name: Text
    source: Text
    bar: Annotated[int, Meta(gt=-MAX_BEATS, lt=MAX_BEATS)]
    value: Text | None = None


class IsoRecord(LogRecord, frozen=True, kw_only=True, tag="iso"):
    """An iso session came to a phase, in words ("leads to calm"). To be read."""

    phase: Text


class TempoRecord(LogRecord, frozen=True, kw_only=True, tag="tempo"):
    """The tempo from `beat` on. To be read."""

    beat: Beat
    bpm: Annotated[float, Meta(gt=0.0, le=1000.0)]


class CounterRecord(LogRecord, frozen=True, kw_only=True, tag="counters"):
    """Counters that have moved, since the start. To be read.

    `dropped` notes came too late and were never sent, although they are in the recording; `late` messages left late;
    `windows` of input and `overflows` were lost; `skipped_beats` were not played; `limited` notes were held to the
    limits.
    """

    dropped: Count
    late: Count
    windows: Count
    overflows: Count
    skipped_beats: Annotated[float, Meta(ge=0.0, lt=MAX_BEATS)]
    limited: Count = 0


class Feeling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An emotion's name, and its place from -1 to 1 on each axis."""

    emotion: Text
    valence: Axis
    arousal: Axis
    dominance: Axis


class FeelingRecord(LogRecord, frozen=True, kw_only=True, tag="feeling"):
    """What was heard and what was played, about once a second. To be read.

    `heard`: the latest of the analysis; None: nothing new came of it. `played`: with all that steers it. `tonic`,
    `mode` and `chord`: of the music. `synchronized`: what of it the band took from the player.
    """

    heard: Feeling | None = None
    played: Feeling
    tonic: Text
    mode: Text
    chord: Text
    synchronized: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()


Record: TypeAlias = (
    StartRecord | StepRecord | FinishRecord | ControlRecord | PanicRecord | RoleRecord | ParameterRecord | MixerRecord
    | LockRecord | LimitsRecord | PresetRecord | MuteRecord | StopRecord | ChecksumRecord | EmotionRecord | ActionRecord
    | TempoRecord | CounterRecord | FeelingRecord | TakeRecord | IsoRecord
)  # fmt: skip


def _require_time(seconds: float, name: str) -> None:
    if not abs(seconds) < MAX_SECONDS:
        raise ConfigError(f"{name} is {seconds:g}; no clock shows that")


def _require_beats(plays: SentNotes) -> None:
    for note in (note for command in plays or () for note in command.notes):
        if not (abs(note.onset_beats) < MAX_BEATS and note.duration_beats < MAX_BEATS):
            raise ConfigError(f"a note lies at beat {note.onset_beats:g} for {note.duration_beats:g}; no session does")
