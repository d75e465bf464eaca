"""The frozen values that cross a room's door, and the tables that name their axes.

Units are in the names or the docstrings. Invariants are checked where a value is made:
a bad one raises ConfigError, so nothing downstream has to check again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

EMOTIONS = (
    "happy", "sad", "angry", "fearful", "surprised", "disgusted", "neutral", "excited",
)  # fmt: skip
MODES = ("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian")
MAJOR_MODES = ("ionian", "lydian", "mixolydian")  # those with a major third
RHYTHMS = ("straight", "dotted", "syncopated", "triplet", "sustained")
LONGEST_BAR = 16  # beats; a longer one would let a feeling into the mode only every minute or two
MAIN_PORT = ""  # the MIDI port of every note that names none
TEXTURES = ("chordal", "drone", "heterophony", "parallel", "polyphony", "monophony")
ORNAMENTS = ("grace", "mordent", "trill", "turn", "tremolo")

# Russell & Mehrabian (1977), "Evidence for a three-factor theory of emotions": (V, A, D) in [-1, 1].
EMOTION_VAD: dict[str, tuple[float, float, float]] = {
    "happy": (0.81, 0.51, 0.46),
    "sad": (-0.63, -0.27, -0.33),
    "angry": (-0.51, 0.59, 0.25),
    "fearful": (-0.64, 0.60, -0.43),
    "surprised": (0.40, 0.67, -0.13),
    "disgusted": (-0.60, 0.35, 0.11),
    "neutral": (0.0, 0.0, 0.0),
    "excited": (0.62, 0.75, 0.38),
}

_SUM_TOLERANCE = 1e-3


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


# Values are made tens of thousands of times a minute, so the words of an error are only put together for one.
def _require_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # nor is a NaN
        raise ConfigError(f"{name} is {value}; it must be a number from {low:g} to {high:g}")


def _require_weights(name: str, weights: tuple[float, ...], length: int) -> None:
    if len(weights) != length:
        raise ConfigError(f"{name} has {len(weights)} weights; it must have {length}")
    one = f"{name} weight"
    for weight in weights:
        _require_range(one, weight, 0.0, 1.0 + _SUM_TOLERANCE)
    total = sum(weights)
    if not abs(total - 1.0) <= _SUM_TOLERANCE:
        raise ConfigError(f"{name} weights sum to {total:.4f}; they must sum to 1")


@dataclass(frozen=True, slots=True)
class AudioWindow:
    """A run of new mono samples, float32 `[n]` in [-1, 1]; `end_time` in seconds, monotonic, of the last sample."""

    samples: np.ndarray
    sample_rate: int
    end_time: float


@dataclass(frozen=True, slots=True)
class EmotionState:
    """What is felt at `time` (s, monotonic): probabilities over EMOTIONS (sum 1); V, A, D in [-1, 1]."""

    probabilities: tuple[float, ...]
    valence: float
    arousal: float
    dominance: float
    confidence: float
    time: float

    def __post_init__(self) -> None:
        _require_weights("emotion", self.probabilities, len(EMOTIONS))
        for name in ("valence", "arousal", "dominance"):
            _require_range(name, getattr(self, name), -1.0, 1.0)
        _require_range("confidence", self.confidence, 0.0, 1.0)

    @property
    def emotion(self) -> str:
        """The most probable of EMOTIONS."""
        return EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]


NEUTRAL_PROBABILITIES = tuple(1.0 if name == "neutral" else 0.0 for name in EMOTIONS)


@dataclass(frozen=True, slots=True)
class TempoRange:
    """BPM, minimum <= suggested <= maximum, all in 20-300."""

    minimum: float
    suggested: float
    maximum: float

    def __post_init__(self) -> None:
        _require_range("tempo minimum", self.minimum, 20.0, 300.0)
        _require_range("tempo suggested", self.suggested, 20.0, 300.0)
        _require_range("tempo maximum", self.maximum, 20.0, 300.0)
        if not self.minimum <= self.suggested <= self.maximum:
            raise ConfigError(
                f"tempo {self.minimum:g}/{self.suggested:g}/{self.maximum:g} is out of order; "
                "it must be minimum <= suggested <= maximum"
            )


@dataclass(frozen=True, slots=True)
class Register:
    """MIDI note numbers, low <= centre <= high, in 0-127; where the melody lives."""

    low: float
    centre: float
    high: float

    def __post_init__(self) -> None:
        _require_range("register low", self.low, 0.0, 127.0)
        _require_range("register centre", self.centre, 0.0, 127.0)
        _require_range("register high", self.high, 0.0, 127.0)
        if not self.low <= self.centre <= self.high:
            raise ConfigError(
                f"register {self.low:g}/{self.centre:g}/{self.high:g} is out of order; it must be low <= centre <= high"
            )


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Loudness 0-1, floor <= ceiling; variance 0-1 is how far single notes stray inside that band."""

    floor: float
    ceiling: float
    variance: float

    def __post_init__(self) -> None:
        _require_range("dynamics floor", self.floor, 0.0, 1.0)
        _require_range("dynamics ceiling", self.ceiling, 0.0, 1.0)
        _require_range("dynamics variance", self.variance, 0.0, 1.0)
        if not self.floor <= self.ceiling:
            raise ConfigError(
                f"dynamics floor {self.floor:g} is over the ceiling {self.ceiling:g}; it must be floor <= ceiling"
            )


@dataclass(frozen=True, slots=True)
class TimingWeights:
    """How much the players lay behind, sit on, or push ahead of the beat; sum 1."""

    behind: float
    on: float
    ahead: float

    def __post_init__(self) -> None:
        _require_weights("timing", (self.behind, self.on, self.ahead), 3)


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale that overrides the diatonic modes: cents above the tonic, ascending in [0, 1200), first 0."""

    name: str
    degrees_cents: tuple[float, ...]

    def __post_init__(self) -> None:
        _require(
            len(self.degrees_cents) >= 1
            and self.degrees_cents[0] == 0.0
            and all(a < b for a, b in zip(self.degrees_cents, self.degrees_cents[1:], strict=False))
            and self.degrees_cents[-1] < 1200.0,
            f"scale {self.name!r} must list rising cents from 0 to under 1200",
        )


@dataclass(frozen=True, slots=True)
class Metre:
    """A measure: `groups` of units (2+2+2+3), each `unit_beats` long; the chance of a melody onset at evenly spaced
    places (`profile`, the downbeat first), and the same for single instruments. `share` weighs it among its like.
    """

    name: str
    share: float
    unit_beats: float
    groups: tuple[int, ...]
    profile: tuple[float, ...]
    parts: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        _require_range(f"share of {self.name}", self.share, 0.0, 1.0)
        _require_range(f"unit of {self.name}", self.unit_beats, 0.1, 4.0)
        _require(
            1 <= len(self.groups) <= 64 and all(1 <= group <= 64 for group in self.groups),
            f"{self.name} groups as {self.groups}; it must have 1 to 64 groups of 1 to 64 units",
        )
        for profile in (self.profile, *(part for _, part in self.parts)):
            _require(
                1 <= len(profile) <= 256 and all(0.0 <= chance <= 1.0 for chance in profile),
                f"an onset profile of {self.name} must be 1 to 256 chances from 0 to 1",
            )
        _require(self.measures > 0, f"{self.name} lasts {self.beats:g} beats; 1, 2 or 4 of it must make whole beats")
        _require(
            self.bars > 0,
            f"{self.name} lasts {self.beats:g} beats; it must be 1, 2 or 4 bars of at most {LONGEST_BAR} whole beats",
        )

    @property
    def beats(self) -> float:
        return sum(self.groups) * self.unit_beats

    @property
    def measures(self) -> int:
        """How many measures the conductor counts as one bar: enough for whole beats, three at least (0: none fit)."""
        for count in (1, 2, 4):
            beats = count * self.beats
            if abs(beats - round(beats)) < 1e-6 and (beats > 2.5 or count == 4):
                return count
        return 0

    @property
    def bars(self) -> int:
        """How many of the conductor's bars a measure lies over, if it lasts over LONGEST_BAR beats (0: none fit)."""
        whole = round(self.measures * self.beats)
        return next((bars for bars in (1, 2, 4) if whole % bars == 0 and whole // bars <= LONGEST_BAR), 0)

    @property
    def bar_beats(self) -> int:
        """Beats of a bar as the conductor counts it."""
        return round(self.measures * self.beats) // max(1, self.bars)

    @property
    def compound(self) -> bool:
        """Whether the beat divides by three."""
        return abs(self.unit_beats - 1.0 / 3.0) < 1e-6


@dataclass(frozen=True, slots=True)
class CultureStyle:
    """How a tradition plays, as far as it is known: None and () leave a player its own habits.

    `degree_weights` one a degree of `scale`; `intervals` (signed cents, share); `metres` to choose one from;
    `density` melody notes a beat; `ornaments` the chance of each of ORNAMENTS a note; `swing_ratio` long to short half
    beat; `texture` one of TEXTURES, of which only "chordal" (and None) has chords. `strength` in (0, 1]: so many of the
    phrases are in its scale, the others in the feeling's own mode, and its register counts so much.
    """

    name: str
    scale: Scale | None = None
    degree_weights: tuple[float, ...] = ()
    intervals: tuple[tuple[float, float], ...] = ()
    metres: tuple[Metre, ...] = ()
    density: float | None = None
    ornaments: tuple[float, ...] = (0.0,) * len(ORNAMENTS)
    swing_ratio: float = 1.0
    texture: str | None = None
    register: Register | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        _require_range(f"strength of {self.name}", self.strength, 0.0, 1.0)
        if self.degree_weights:
            size = 0 if self.scale is None else len(self.scale.degrees_cents)
            _require_weights(f"degree of {self.name}", self.degree_weights, size)
        for cents, share in self.intervals:
            _require_range(f"interval of {self.name}", cents, -2400.0, 2400.0)
            _require_range(f"interval share of {self.name}", share, 0.0, 1.0)
        if self.density is not None:
            _require_range(f"density of {self.name}", self.density, 0.01, 20.0)
        _require(len(self.ornaments) == len(ORNAMENTS), f"ornaments of {self.name} must be one rate each of ORNAMENTS")
        for rate in self.ornaments:
            _require_range(f"ornament rate of {self.name}", rate, 0.0, 1.0)
        _require_range(f"swing of {self.name}", self.swing_ratio, 0.3, 5.0)
        _require(
            self.texture is None or self.texture in TEXTURES,
            f"texture of {self.name} is {self.texture!r}; it must be one of {', '.join(TEXTURES)}",
        )

    @property
    def chordal(self) -> bool:
        """Whether chords stand under the melody; where nobody says, they may."""
        return self.texture in (None, "chordal")


@dataclass(frozen=True, slots=True)
class MusicParameters:
    """What the players are told: everything a generator may use, in musical units.

    `modes` weighs the 7 MODES, `rhythms` the 5 RHYTHMS (each sums to 1). `density` 0-3: 1 is about one
    melody note a beat, 3 about three or more. `scale` None: the conductor picks a mode from `modes`. `idiom` None: no
    tradition's own habits. `unrest` -1 to 1: how restlessly (over 0) or lightly (under 0) an accompaniment moves.
    """

    tempo: TempoRange
    modes: tuple[float, ...]
    register: Register
    dynamics: Dynamics
    timing: TimingWeights
    density: float
    rhythms: tuple[float, ...]
    scale: Scale | None = None
    idiom: CultureStyle | None = None
    unrest: float = 0.0

    def __post_init__(self) -> None:
        _require_weights("mode", self.modes, len(MODES))
        _require_weights("rhythm", self.rhythms, len(RHYTHMS))
        _require_range("density", self.density, 0.0, 3.0)
        _require_range("unrest", self.unrest, -1.0, 1.0)

    @property
    def mode(self) -> str:
        """The heaviest of MODES."""
        return MODES[max(range(len(MODES)), key=self.modes.__getitem__)]


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One note. Onset and duration in beats from the start of the session; pitch a MIDI note number, plus `cents`
    in [-100, 100] for tunings outside 12-TET; velocity 1-127; channel 1-16 (10 is percussion); part, a name; the name
    of the port it leaves by ("": the main one); the General MIDI program 0-127 that its channel is told before it,
    None: what the channel has.
    """

    onset_beats: float
    duration_beats: float
    pitch: int
    velocity: int
    channel: int
    part: str
    cents: float = 0.0
    port: str = MAIN_PORT
    program: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.onset_beats):
            raise ConfigError(f"onset is {self.onset_beats}; it must be a finite beat")
        if not 0.0 < self.duration_beats < math.inf:
            raise ConfigError(f"duration is {self.duration_beats} beats; it must be over 0")
        if not 0 <= self.pitch <= 127:
            raise ConfigError(f"pitch is {self.pitch}; it must be in 0..127")
        if not 1 <= self.velocity <= 127:
            raise ConfigError(f"velocity is {self.velocity}; it must be in 1..127")
        if not 1 <= self.channel <= 16:
            raise ConfigError(f"channel is {self.channel}; it must be in 1..16")
        _require_range("cents", self.cents, -100.0, 100.0)
        if not (self.program is None or 0 <= self.program <= 127):
            raise ConfigError(f"program is {self.program}; it must be in 0..127")


@dataclass(frozen=True, slots=True)
class SoundingNote:
    """A note as it was really sent: start and end in seconds, pitch 0-127 and the `cents` beside it that a receiver
    makes of bends and tunings, velocity 1-127, channel 1-16.
    """

    start_seconds: float
    end_seconds: float
    pitch: int
    velocity: int
    channel: int
    cents: float = 0.0


@dataclass(frozen=True, slots=True)
class BeatEstimate:
    """Somebody else's beat, to be joined: one of its beats falls at `beat_seconds` (monotonic), the next ones every
    60 / `bpm` s. `confidence` in [0, 1]; `beat_number` counts that beat from the start (a MIDI clock's song position),
    None where nobody counts.
    """

    beat_seconds: float
    bpm: float
    confidence: float
    beat_number: int | None = None

    def __post_init__(self) -> None:
        _require(math.isfinite(self.beat_seconds), f"a pulse lies at {self.beat_seconds} s; it must be a finite time")
        _require_range("pulse tempo", self.bpm, 20.0, 300.0)
        _require_range("pulse confidence", self.confidence, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """The key that somebody plays in: `tonic` a pitch class 0 (C) to 11 (B), `mode` one of MODES, `confidence` in
    [0, 1].
    """

    tonic: int
    mode: str
    confidence: float

    def __post_init__(self) -> None:
        _require(0 <= self.tonic <= 11, f"tonic is {self.tonic}; it must be a pitch class from 0 (C) to 11 (B)")
        _require(self.mode in MODES, f"mode is {self.mode!r}; it must be one of {', '.join(MODES)}")
        _require_range("key confidence", self.confidence, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Transport:
    """Somebody else's buttons: `playing`, or held, and then the band is silent. `take` grows with each start, continue
    and jump: the music then goes on at the pulse's `beat_number` at once, rather than glide there.
    """

    playing: bool
    take: int = 0


@dataclass(frozen=True, slots=True)
class SyncState:
    """What the band joins instead of deciding itself: a pulse, a key, both or (None, None) neither. `transport` None:
    nobody starts and stops it.
    """

    pulse: BeatEstimate | None = None
    key: KeyEstimate | None = None
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A MIDI controller's new value: channel 1-16, controller 0-119 (120 and up are channel mode messages), value
    0-127.
    """

    channel: int
    controller: int
    value: int

    def __post_init__(self) -> None:
        _require(1 <= self.channel <= 16, f"channel is {self.channel}; it must be in 1..16")
        _require(0 <= self.controller <= 119, f"controller is {self.controller}; it must be in 0..119")
        _require(0 <= self.value <= 127, f"value is {self.value}; it must be in 0..127")
