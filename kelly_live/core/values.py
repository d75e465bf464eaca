"""The frozen values that packages exchange, and the tables that name their axes.

Units are in the names or the docstrings. Every value checks its invariants when it is made and
raises ConfigError if one fails, so no later code has to check again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kelly_live.core.checks import require, require_note_numbers, require_range, require_weights
from kelly_live.core.errors import ConfigError
from kelly_live.core.melodic_habits import NO_HABITS, MelodicHabits

if TYPE_CHECKING:
    import numpy as np

    from kelly_live.core.midi_messages import ReceivedMessage

EMOTIONS = (
    "happy", "sad", "angry", "fearful", "surprised", "disgusted", "neutral", "excited",
)  # fmt: skip
# What music induces: Zentner, Grandjean & Scherer 2008, as Emotify (Aljanaki et al. 2015) names them.
GEMS = (
    "amazement", "solemnity", "tenderness", "nostalgia", "calmness", "power", "joyful_activation", "tension", "sadness",
)  # fmt: skip
MODES = ("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian")
MAJOR_MODES = ("ionian", "lydian", "mixolydian")  # those with a major third
RHYTHMS = ("straight", "dotted", "syncopated", "triplet", "sustained")
TEMPO_BPM = (20.0, 300.0)  # that players play in
MAX_BAR_BEATS = 16  # mode and harmony change at bar lines: in longer bars that would happen once a minute or less
MAX_SEED = 10**18 - 1
DRUM_CHANNEL = 10  # of General MIDI
MAIN_PORT = ""  # the MIDI port of a note that names no other
MAX_LATENCY_MS = 500.0  # either way: how much earlier or later than its time all of a MIDI port may leave
TEXTURES = ("chordal", "drone", "heterophony", "parallel", "polyphony", "monophony")
# How a rhythm section plays; music/groove.py and music/cycles.py have the patterns.
GROOVES = (
    "ballad", "pop", "rock", "suspense", "stop-time", "march", "lament", "dance", "waltz", "swing", "bossa", "son",
    "bulgar", "polska", "reel", "jig", "usul", "iqa", "tala", "solkattu", "banyan", "jangdan", "bon", "gamelan",
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class AudioWindow:
    """New mono samples, float32 `[n]` in [-1, 1].

    `sample_rate` in Hz. `end_time` is when the last sample was captured, in monotonic seconds: when it arrived, or came
    to the input, where the driver's delay is taken off (`SupervisedSource`). `notes`: the player's own MIDI messages
    (notes, pedals) that were rendered into it, in order; empty where only sound is heard.
    """

    samples: np.ndarray
    sample_rate: int
    end_time: float
    notes: tuple[ReceivedMessage, ...] = ()

    def __post_init__(self) -> None:
        if not self.sample_rate > 0:
            raise ConfigError(f"sample rate is {self.sample_rate} Hz; it must be over 0")


@dataclass(frozen=True, slots=True)
class EmotionState:
    """The emotion at `time` (monotonic seconds).

    `probabilities` over EMOTIONS sum to 1; `valence`, `arousal` and `dominance` are in [-1, 1],
    `confidence` is in [0, 1]. `gems`: of what is heard, scales of GEMS with the share of listeners, in [0, 1], who
    would choose each; empty where they are not read.
    """

    probabilities: tuple[float, ...]
    valence: float
    arousal: float
    dominance: float
    confidence: float
    time: float
    gems: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        require_weights("emotion", self.probabilities, len(EMOTIONS))
        for name in ("valence", "arousal", "dominance"):
            require_range(name, getattr(self, name), -1.0, 1.0)
        require_range("confidence", self.confidence, 0.0, 1.0)
        for name, share in self.gems:
            require_range(name, share, 0.0, 1.0)

    @property
    def emotion(self) -> str:
        """The most probable of EMOTIONS."""
        return EMOTIONS[max(range(len(EMOTIONS)), key=self.probabilities.__getitem__)]


NEUTRAL_PROBABILITIES = tuple(1.0 if name == "neutral" else 0.0 for name in EMOTIONS)


@dataclass(frozen=True, slots=True)
class TempoRange:
    """A range of tempi in BPM: minimum <= suggested <= maximum, all in [20, 300]."""

    minimum: float
    suggested: float
    maximum: float

    def __post_init__(self) -> None:
        require_range("tempo minimum", self.minimum, *TEMPO_BPM)
        require_range("tempo suggested", self.suggested, *TEMPO_BPM)
        require_range("tempo maximum", self.maximum, *TEMPO_BPM)
        if not self.minimum <= self.suggested <= self.maximum:
            raise ConfigError(
                f"tempo {self.minimum:g}/{self.suggested:g}/{self.maximum:g} is out of order; "
                "it must be minimum <= suggested <= maximum"
            )


@dataclass(frozen=True, slots=True)
class Register:
    """Where the melody moves, as MIDI note numbers: low <= centre <= high, all in [0, 127]."""

    low: float
    centre: float
    high: float

    def __post_init__(self) -> None:
        require_range("register low", self.low, 0.0, 127.0)
        require_range("register centre", self.centre, 0.0, 127.0)
        require_range("register high", self.high, 0.0, 127.0)
        if not self.low <= self.centre <= self.high:
            raise ConfigError(
                f"register {self.low:g}/{self.centre:g}/{self.high:g} is out of order; it must be low <= centre <= high"
            )


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Loudness in [0, 1], floor <= ceiling; `variance` in [0, 1] is how far notes vary within that range."""

    floor: float
    ceiling: float
    variance: float

    def __post_init__(self) -> None:
        require_range("dynamics floor", self.floor, 0.0, 1.0)
        require_range("dynamics ceiling", self.ceiling, 0.0, 1.0)
        require_range("dynamics variance", self.variance, 0.0, 1.0)
        if not self.floor <= self.ceiling:
            raise ConfigError(
                f"dynamics floor {self.floor:g} is over the ceiling {self.ceiling:g}; it must be floor <= ceiling"
            )


@dataclass(frozen=True, slots=True)
class TimingWeights:
    """The shares of notes played behind, on and ahead of the beat; they sum to 1."""

    behind: float
    on: float
    ahead: float

    def __post_init__(self) -> None:
        require_weights("timing", (self.behind, self.on, self.ahead), 3)


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale that replaces the diatonic modes: cents above the tonic, rising from 0 to under 1200."""

    name: str
    degrees_cents: tuple[float, ...]

    def __post_init__(self) -> None:
        require(
            len(self.degrees_cents) >= 1
            and self.degrees_cents[0] == 0.0
            and all(a < b for a, b in zip(self.degrees_cents, self.degrees_cents[1:], strict=False))
            and self.degrees_cents[-1] < 1200.0,
            f"scale {self.name!r} must list rising cents from 0 to under 1200",
        )


@dataclass(frozen=True, slots=True)
class Metre:
    """One rhythmic cycle of a tradition (a usul, a tala, a dance metre).

    `groups` are counts of units (2+2+2+3), each `unit_beats` long. `profile` holds the probability of a
    melody onset at evenly spaced positions of the cycle, downbeat first; `parts` the same by instrument.
    `share` in [0, 1] is its weight when one metre of several is chosen.
    """

    name: str
    share: float
    unit_beats: float
    groups: tuple[int, ...]
    profile: tuple[float, ...]
    parts: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def __post_init__(self) -> None:
        require_range(f"share of {self.name}", self.share, 0.0, 1.0)
        require_range(f"unit of {self.name}", self.unit_beats, 0.1, 4.0)
        require(
            1 <= len(self.groups) <= 64 and all(1 <= group <= 64 for group in self.groups),
            f"{self.name} groups as {self.groups}; it must have 1 to 64 groups of 1 to 64 units",
        )
        for profile in (self.profile, *(part for _, part in self.parts)):
            require(
                1 <= len(profile) <= 256 and all(0.0 <= chance <= 1.0 for chance in profile),
                f"an onset profile of {self.name} must be 1 to 256 chances from 0 to 1",
            )
        require(
            self.cycles_per_bar > 0,
            f"{self.name} lasts {self.beats:g} beats; 1, 2 or 4 of it must make whole beats",
        )
        require(
            self.bars_per_cycle > 0,
            f"{self.name} lasts {self.beats:g} beats; it must be 1, 2 or 4 bars of at most {MAX_BAR_BEATS} whole beats",
        )

    @property
    def beats(self) -> float:
        """Length of one cycle in beats."""
        return sum(self.groups) * self.unit_beats

    @property
    def cycles_per_bar(self) -> int:
        """Cycles that the conductor counts as one bar: enough for at least 3 whole beats. 0 if none fits."""
        for count in (1, 2, 4):
            beats = count * self.beats
            if abs(beats - round(beats)) < 1e-6 and (beats > 2.5 or count == 4):
                return count
        return 0

    @property
    def bars_per_cycle(self) -> int:
        """Bars that a cycle is divided into if it is longer than MAX_BAR_BEATS; 1 otherwise. 0 if none fits."""
        cycle_beats = round(self.cycles_per_bar * self.beats)
        return next((bars for bars in (1, 2, 4) if cycle_beats % bars == 0 and cycle_beats // bars <= MAX_BAR_BEATS), 0)

    @property
    def bar_beats(self) -> int:
        """Beats of a bar as the conductor counts it."""
        return round(self.cycles_per_bar * self.beats) // max(1, self.bars_per_cycle)

    @property
    def is_compound(self) -> bool:
        """Whether the beat divides into three (as in 6/8)."""
        return abs(self.unit_beats - 1.0 / 3.0) < 1e-6


def _require_groove(name: str, groove: str) -> None:
    require(groove in ("", *GROOVES), f"{name} is {groove!r}; it must be empty or one of {', '.join(GROOVES)}")


@dataclass(frozen=True, slots=True)
class CultureStyle:
    """How a tradition plays. None and () mean "not known": the generators then use their defaults.

    `degree_weights`: one for each degree of `scale`, sum 1. `intervals`: (signed cents, share) of melodic
    steps. `metres`: one is chosen for a session. `density`: melody notes a beat. `ornaments`: the
    probability of each of ORNAMENTS for a note. `swing_ratio`: the long to the short half of a beat.
    `texture`: one of TEXTURES; only "chordal" (and None) has chords. `strength` in (0, 1]: the share of
    phrases in its scale (the others use the mode that the emotion chose), and the weight of its register.
    `groove` names how its rhythm section plays (music/groove.py); empty: as the emotion says. `habits` are those of
    the scale's melodies.
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
    groove: str = ""
    habits: MelodicHabits = NO_HABITS

    def __post_init__(self) -> None:
        require_range(f"strength of {self.name}", self.strength, 0.0, 1.0)
        if self.degree_weights:
            size = 0 if self.scale is None else len(self.scale.degrees_cents)
            require_weights(f"degree of {self.name}", self.degree_weights, size)
        for cents, share in self.intervals:
            require_range(f"interval of {self.name}", cents, -2400.0, 2400.0)
            require_range(f"interval share of {self.name}", share, 0.0, 1.0)
        if self.density is not None:
            require_range(f"density of {self.name}", self.density, 0.01, 20.0)
        require(len(self.ornaments) == len(ORNAMENTS), f"ornaments of {self.name} must be one rate each of ORNAMENTS")
        for rate in self.ornaments:
            require_range(f"ornament rate of {self.name}", rate, 0.0, 1.0)
        require_range(f"swing of {self.name}", self.swing_ratio, 0.3, 5.0)
        _require_groove(f"groove of {self.name}", self.groove)
        require(
            self.texture is None or self.texture in TEXTURES,
            f"texture of {self.name} is {self.texture!r}; it must be one of {', '.join(TEXTURES)}",
        )

    @property
    def has_chords(self) -> bool:
        """Whether the melody is harmonised with chords; true if the texture is not known."""
        return self.texture in (None, "chordal")


@dataclass(frozen=True, slots=True)
class MusicParameters:
    """What generators play from: everything that an emotion decides, in musical units.

    `modes` weighs the 7 MODES and `rhythms` the 5 RHYTHMS (each sums to 1). `density` in [0, 3]: 1 is about one melody
    note a beat, 3 is three or more. `scale` None: the conductor picks a mode from `modes`. `style` None: no tradition.
    `unrest` in [-1, 1]: how restlessly (> 0) or lightly (< 0) the accompaniment moves. `groove` names how the rhythm
    section plays (music/groove.py); empty: as the rhythms and the density say.
    """

    tempo: TempoRange
    modes: tuple[float, ...]
    register: Register
    dynamics: Dynamics
    timing: TimingWeights
    density: float
    rhythms: tuple[float, ...]
    scale: Scale | None = None
    style: CultureStyle | None = None
    unrest: float = 0.0
    groove: str = ""

    def __post_init__(self) -> None:
        require_weights("mode", self.modes, len(MODES))
        require_weights("rhythm", self.rhythms, len(RHYTHMS))
        require_range("density", self.density, 0.0, 3.0)
        require_range("unrest", self.unrest, -1.0, 1.0)
        _require_groove("groove", self.groove)

    @property
    def mode(self) -> str:
        """The one of MODES with the largest weight."""
        return MODES[max(range(len(MODES)), key=self.modes.__getitem__)]

    @property
    def has_chords(self) -> bool:
        """Whether the music is harmonised: only a style may be without chords."""
        return self.style is None or self.style.has_chords


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One note.

    Beats count from the start of the session. `pitch` is a MIDI note number, `cents` in [-100, 100] is added to it (for
    tunings outside 12-TET). `velocity` 1-127, `channel` 1-16 (10 is percussion), `part` the player's name, `port` the
    MIDI port's name ("" is the main one), `program` a General MIDI program to select first (0-127; None: as it is).
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
        try:
            if not math.isfinite(self.onset_beats):
                raise ConfigError(f"onset is {self.onset_beats}; it must be a finite beat")
            if not 0.0 < self.duration_beats < math.inf:
                raise ConfigError(f"duration is {self.duration_beats} beats; it must be over 0")
            require_note_numbers(self.pitch, self.velocity, self.channel, self.program)
            require_range("cents", self.cents, -100.0, 100.0)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"a note holds something else than numbers ({error})") from error


class ControllerPoint(NamedTuple):
    """What controllers 11 (expression) and 74 (brightness) of a channel are from a time on (seconds)."""

    seconds: float
    level: int
    brightness: int


@dataclass(frozen=True, slots=True)
class SoundingNote:
    """A note as a receiver plays it, read back from the MIDI messages that were sent.

    Start and end in seconds; `pitch` 0-127 plus `cents` (of bends and tunings); `velocity` 1-127; `channel` 1-16.
    `expression`: controllers 11 and 74 of its channel as it sounded, from its start on; empty: they were not sent.
    """

    start_seconds: float
    end_seconds: float
    pitch: int
    velocity: int
    channel: int
    cents: float = 0.0
    expression: tuple[ControllerPoint, ...] = ()

    def __post_init__(self) -> None:
        if not -math.inf < self.start_seconds <= self.end_seconds < math.inf:
            raise ConfigError(
                f"a note sounds from {self.start_seconds} s to {self.end_seconds} s; it must not end before it starts"
            )
        require_note_numbers(self.pitch, self.velocity, self.channel)


@dataclass(frozen=True, slots=True)
class ControlChange:
    """A MIDI control change: channel 1-16, controller 0-119, value 0-127.

    Controllers 120 and up are channel mode messages.
    """

    channel: int
    controller: int
    value: int

    def __post_init__(self) -> None:
        require(1 <= self.channel <= 16, f"channel is {self.channel}; it must be in 1..16")
        require(0 <= self.controller <= 119, f"controller is {self.controller}; it must be in 0..119")
        require(0 <= self.value <= 127, f"value is {self.value}; it must be in 0..127")
