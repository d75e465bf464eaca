"""What the band is synchronised to: beat, key, chord, transport and position of a player, a recording or a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kelly_live.core.checks import require, require_range
from kelly_live.core.values import MODES

MIN_METRE_BEATS, MAX_METRE_BEATS = 2, 12  # of a metre that is fixed by hand


@dataclass(frozen=True, slots=True)
class BeatEstimate:
    """The beat of an external source, to synchronise to.

    One beat falls at `beat_seconds` (monotonic), the next ones every 60 / `bpm` seconds. `confidence` in
    [0, 1]. `beat_number` counts that beat from the start (a MIDI clock's song position); None if the
    source does not count beats.
    """

    beat_seconds: float
    bpm: float
    confidence: float
    beat_number: int | None = None

    def __post_init__(self) -> None:
        require(math.isfinite(self.beat_seconds), f"a beat lies at {self.beat_seconds} s; it must be a finite time")
        require_range("beat tempo", self.bpm, 20.0, 400.0)
        require_range("beat confidence", self.confidence, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """The key of an external source: `tonic` is a pitch class 0 (C) to 11 (B), `mode` one of MODES.

    `confidence` in [0, 1].
    """

    tonic: int
    mode: str
    confidence: float

    def __post_init__(self) -> None:
        require(0 <= self.tonic <= 11, f"tonic is {self.tonic}; it must be a pitch class from 0 (C) to 11 (B)")
        require(self.mode in MODES, f"mode is {self.mode!r}; it must be one of {', '.join(MODES)}")
        require_range("key confidence", self.confidence, 0.0, 1.0)


CHORD_QUALITIES = ("major", "minor")


@dataclass(frozen=True, slots=True)
class ChordChange:
    """A chord that begins at `seconds` (monotonic): its root, a pitch class 0-11, and one of CHORD_QUALITIES."""

    seconds: float
    root: int
    quality: str

    def __post_init__(self) -> None:
        require(math.isfinite(self.seconds), f"a chord begins at {self.seconds} s; it must be a finite time")
        require(0 <= self.root <= 11, f"root is {self.root}; it must be a pitch class from 0 (C) to 11 (B)")
        require(
            self.quality in CHORD_QUALITIES, f"quality is {self.quality!r}; it must be {' or '.join(CHORD_QUALITIES)}"
        )


@dataclass(frozen=True, slots=True)
class ChordEstimate:
    """The chord that an external source plays, and the changes that are expected of it.

    `confidence` in [0, 1]. `expected` is in order of time; it is empty until the source repeats itself. `chances` are
    the probabilities of the 12 major chords from C up and the 12 minor ones; empty where only one chord is known.
    """

    chord: ChordChange
    confidence: float
    expected: tuple[ChordChange, ...] = ()
    chances: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require_range("chord confidence", self.confidence, 0.0, 1.0)
        require(len(self.chances) in (0, 24), f"{len(self.chances)} chords have a probability; it must be 24 or none")


@dataclass(frozen=True, slots=True)
class PlayerActivity:
    """Whether a player plays or rests, `since` when (seconds, monotonic)."""

    is_playing: bool
    since: float

    def __post_init__(self) -> None:
        require(math.isfinite(self.since), f"a player plays or rests since {self.since} s; it must be a finite time")


MAX_PLAYER_NOTES = 32


@dataclass(frozen=True, slots=True)
class PlayerNote:
    """A note that a player began at `seconds` (monotonic).

    `pitch` is a MIDI note number; None where only the rhythm is known. `velocity` is 1-127.
    """

    seconds: float
    pitch: int | None
    velocity: int

    def __post_init__(self) -> None:
        require(math.isfinite(self.seconds), f"a note begins at {self.seconds} s; it must be a finite time")
        if self.pitch is not None:
            require_range("a player's pitch", self.pitch, 0, 127)
        require_range("a player's velocity", self.velocity, 1, 127)


@dataclass(frozen=True, slots=True)
class Transport:
    """Start and stop of an external source. While it is not `playing`, the band is silent.

    `start_count` grows with every start, continue and jump of the source. The music then continues at the
    `beat_number` of its beat at once, without a gradual approach.
    """

    playing: bool
    start_count: int = 0

    def __post_init__(self) -> None:
        require(self.start_count >= 0, f"start count is {self.start_count}; it must be at least 0")


@dataclass(frozen=True, slots=True)
class SongPosition:
    """A position in an external source's song: `beat`, maybe fractional, fell at `seconds` (monotonic).

    From there on bars have `beats_per_bar` beats, MIN_METRE_BEATS to MAX_METRE_BEATS; None: as the session's own.
    """

    seconds: float
    beat: float
    beats_per_bar: int | None = None

    def __post_init__(self) -> None:
        require(math.isfinite(self.seconds), f"a beat lies at {self.seconds} s; it must be a finite time")
        require(0.0 <= self.beat < math.inf, f"a beat has number {self.beat}; it must be at least 0")
        if self.beats_per_bar is not None:
            require_range("a bar's number of beats", self.beats_per_bar, MIN_METRE_BEATS, MAX_METRE_BEATS)


@dataclass(frozen=True, slots=True)
class SyncState:
    """What the band is synchronised to. None: the source gives no beat, key, chord, or no start and stop.

    `start` is where its transport started last, from its first tick on; its tempo may be known only later. `player` is
    None until somebody has played. `loudness`: where in his own range he plays, from -1 (softest) to 1; None in a rest.
    `notes` are those that he began of late, in order of time, MAX_PLAYER_NOTES at most.
    """

    beat: BeatEstimate | None = None
    key: KeyEstimate | None = None
    transport: Transport | None = None
    start: SongPosition | None = None
    chord: ChordEstimate | None = None
    player: PlayerActivity | None = None
    loudness: float | None = None
    notes: tuple[PlayerNote, ...] = ()

    def __post_init__(self) -> None:
        if self.loudness is not None:
            require_range("a player's loudness", self.loudness, -1.0, 1.0)
        count = len(self.notes)
        require(count <= MAX_PLAYER_NOTES, f"the player began {count} notes; {MAX_PLAYER_NOTES} are kept at most")
