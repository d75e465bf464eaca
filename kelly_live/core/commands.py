"""Commands to a note sink: frozen values with one schema for the call, the pipe and the log.

Every command is a tagged msgspec struct, so that one union type (`SinkCommand`) describes what may travel. Invariants
are checked where a command is created, and so also where one is decoded; a value outside its range raises ConfigError.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol, TypeAlias

import msgspec

from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import MAIN_PORT, ControlChange, NoteEvent

TUNINGS = ("off", "bend", "mpe", "mts")
MAX_RISE, MAX_NOTES_AT_ONCE = 1000.0, 1000  # of LoudnessLimits
BEND_SEMITONES = (2, 48)  # what General MIDI and what MPE receivers start with


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all commands; a subclass's tag is its name on the wire."""


class Start(Command, frozen=True, tag="start"):
    """Begin: beat 0 falls at `origin_seconds` (monotonic) at `bpm`; the music begins at `first_beat`.

    A later start ends what sounds and counts beats anew.
    """

    origin_seconds: float
    bpm: float
    first_beat: float = 0.0

    def __post_init__(self) -> None:
        _require_finite("the start", self.origin_seconds, "seconds")
        _require_finite("the first beat", self.first_beat)
        _require_tempo(self.bpm)


class TempoChange(Command, frozen=True, tag="tempo"):
    """Change the tempo at a beat. Points must come in rising beat order, after a start."""

    point: TempoPoint

    def __post_init__(self) -> None:
        _require_finite("a tempo's beat", self.point.beat)
        _require_tempo(self.point.bpm)


class Notes(Command, frozen=True, tag="notes"):
    """Send these notes at their beats.

    `loudness`: the one that their velocities show, as an `Expression` counts it. None: that of the expression then.
    """

    notes: tuple[NoteEvent, ...]
    loudness: float | None = None

    def __post_init__(self) -> None:
        if self.loudness is not None:
            _require_loudness(self.loudness)


class Expression(Command, frozen=True, tag="expression"):
    """Let the music be so loud and bright from a beat on: held notes show what has changed since their onsets.

    `loudness` is over 0 and at most 1: the share of the largest velocity that an ordinary note would have now.
    `brightness` in [-1, 1]: 0 is the sound's own. Points come in rising beat order. Before the first one the music is
    as loud as its first note; without one, and without notes that tell their loudness, no controller is sent.
    """

    beat: float
    loudness: float
    brightness: float = 0.0

    def __post_init__(self) -> None:
        _require_finite("an expression's beat", self.beat)
        _require_loudness(self.loudness)
        if not -1.0 <= self.brightness <= 1.0:
            raise ConfigError(f"brightness is {self.brightness}; it must be in -1..1")


class Controls(Command, frozen=True, tag="controls"):
    """Send these controller values as soon as the notes leave room.

    Of one controller's values that wait, the newest is sent.
    """

    changes: tuple[ControlChange, ...]


class PartProgram(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The General MIDI program (0-127) that a part plays, on a channel (1-16) of a port."""

    channel: int
    program: int
    port: str = MAIN_PORT

    def __post_init__(self) -> None:
        if not (1 <= self.channel <= 16 and 0 <= self.program <= 127):
            raise ConfigError(
                f"program {self.program} on channel {self.channel}; it must be 0..127 on a channel in 1..16"
            )


class HasProgram(Protocol):
    """Anything with a General MIDI program on a channel of a port."""

    @property
    def channel(self) -> int:
        """The MIDI channel, 1-16."""

    @property
    def program(self) -> int:
        """The General MIDI program, 0-127."""

    @property
    def port(self) -> str:
        """The name of the MIDI port; "" is the main one."""


class Tuning(Command, frozen=True, tag="tuning"):
    """Send cents in this way, from the next start on.

    `mode` is one of TUNINGS. `bend_semitones` is one of BEND_SEMITONES; None means 48 for "mpe", else 2. `programs` is
    what the parts play, so that a channel that a part borrows sounds like the part.
    """

    mode: str = "bend"
    bend_semitones: int | None = None
    programs: tuple[PartProgram, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in TUNINGS:
            raise ConfigError(f"tuning is {self.mode!r}; it must be one of {', '.join(TUNINGS)}")
        if self.bend_semitones not in (None, *BEND_SEMITONES):
            raise ConfigError(f"the bend range is {self.bend_semitones} semitones; it must be 2 or 48")

    @property
    def bend_range(self) -> int:
        """Semitones either way."""
        return self.bend_semitones or (48 if self.mode == "mpe" else 2)

    def with_programs(self, parts: Iterable[HasProgram]) -> Tuning:
        """Return the same tuning for parts that play these programs."""
        programs = tuple(PartProgram(part.channel, part.program, part.port) for part in parts)
        return msgspec.structs.replace(self, programs=programs)


DEFAULT_TUNING = Tuning()  # sends nothing extra until a note has cents


class LoudnessLimits(Command, frozen=True, tag="loudness-limits"):
    """Let no note be louder, whoever plays it; None: no such limit.

    `velocity`: the loudest, 1-127. `rise`: how fast velocities may rise, a second. `accent`: by how much a note may
    exceed the average of the last two seconds. `notes`: how many may sound at once, on a port.
    """

    velocity: int | None = None
    rise: float | None = None
    accent: int | None = None
    notes: int | None = None

    def __post_init__(self) -> None:
        for name, value, most in (("velocity", self.velocity, 127), ("accent", self.accent, 127)):
            if value is not None and not 1 <= value <= most:
                raise ConfigError(f"the limit of {name} is {value}; it must be in 1..{most}")
        if self.rise is not None and not 0.0 < self.rise <= MAX_RISE:
            raise ConfigError(f"the limit of rise is {self.rise}; it must be over 0, and {MAX_RISE:g} at most")
        if self.notes is not None and not 1 <= self.notes <= MAX_NOTES_AT_ONCE:
            raise ConfigError(f"the limit of notes is {self.notes}; it must be in 1..{MAX_NOTES_AT_ONCE}")


NO_LIMITS = LoudnessLimits()


class Signature(Command, frozen=True, tag="signature"):
    """Note the metre and the key of the music from a beat on. Only files show it; nothing is sent for it.

    `sharps` in -7..7 are the key's, negative for flats.
    """

    beat: float
    numerator: int
    denominator: int
    sharps: int
    is_minor: bool

    def __post_init__(self) -> None:
        _require_finite("a signature's beat", self.beat)
        if not (1 <= self.numerator <= 255 and self.denominator in (1, 2, 4, 8, 16, 32)):
            fraction = f"{self.numerator}/{self.denominator}"
            raise ConfigError(f"the time signature is {fraction}; it must be 1..255 over a power of 2 up to 32")
        if not -7 <= self.sharps <= 7:
            raise ConfigError(f"the key signature has {self.sharps} sharps; it must have -7..7")


class ChannelRelease(Command, frozen=True, tag="release"):
    """End whatever a receiver still plays on these channels (1-16), from whichever sender.

    `resets_expression`: bring the controllers of an expression back, too.
    """

    channels: tuple[int, ...]
    resets_expression: bool = False

    def __post_init__(self) -> None:
        for channel in self.channels:
            if not 1 <= channel <= 16:
                raise ConfigError(f"channel is {channel}; it must be in 1..16")


class PartRelease(Command, frozen=True, tag="part-release"):
    """End what a part was sent until now at a beat: its notes sound no longer, and none of them begins later."""

    part: str
    beat: float

    def __post_init__(self) -> None:
        _require_finite("the release's beat", self.beat)

    def shorten(self, note: NoteEvent) -> NoteEvent | None:
        """Return a note that was sent before as it is played now; None: not at all."""
        if note.part != self.part or note.onset_beats + note.duration_beats <= self.beat:
            return note
        if note.onset_beats >= self.beat:
            return None
        return replace(note, duration_beats=self.beat - note.onset_beats)


class Silence(Command, frozen=True, tag="silence"):
    """Forget the notes that are not sent and end what sounds, at once. Tempo, clock and transport go on."""


class Pause(Command, frozen=True, tag="pause"):
    """Forget what is not sent and end what sounds, at once; the next start goes on. No tempo in between."""


class Stop(Command, frozen=True, tag="stop"):
    """Cancel what is not sent, end what sounds, close the port. A second stop has no effect."""


SinkCommand: TypeAlias = (
    Start
    | TempoChange
    | Notes
    | Expression
    | Controls
    | Tuning
    | LoudnessLimits
    | Signature
    | ChannelRelease
    | PartRelease
    | Silence
    | Pause
    | Stop
)


def _require_finite(name: str, value: float, unit: str = "") -> None:
    if not math.isfinite(value):
        raise ConfigError(f"{name} is {value} {unit}".rstrip() + "; it must be a finite number")


def _require_tempo(bpm: float) -> None:
    if not 0.0 < bpm < math.inf:
        raise ConfigError(f"tempo is {bpm} BPM; it must be over 0")


def _require_loudness(loudness: float) -> None:
    if not 0.0 < loudness <= 1.0:
        raise ConfigError(f"loudness is {loudness}; it must be over 0 and at most 1")
