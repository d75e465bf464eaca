"""The protocols between the packages: what the engine needs of each part, real or fake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kelly_live.core.commands import SinkCommand
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow, EmotionState, MusicParameters


@dataclass(frozen=True, slots=True)
class AudioHealth:
    """Counters of an audio source since its start.

    `level_dbfs` is the RMS of the latest block (-120 is silence). `problem` is one line while the input is lost.
    `inputs`: of an input with several channels, those that carry sound, from 1 up; empty where there is no choice.
    `delay_seconds`: how long sound takes through the input, by its driver; None where that is not known.
    """

    level_dbfs: float
    overflows: int
    dropped_seconds: float
    problem: str | None = None
    inputs: tuple[int, ...] = ()
    delay_seconds: float | None = None


class AudioSource(Protocol):
    """Mono float32 audio at `sample_rate` Hz. Thread: the analysis thread only, except `health` (any)."""

    sample_rate: int

    def start(self) -> None:
        """Open the input and start it. Raises AudioError."""

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the samples since the last read; None if none came in `timeout` s. Raises AudioError."""

    @property
    def is_finished(self) -> bool:
        """Whether a finite source has delivered everything; a live source never has."""

    def health(self) -> AudioHealth:
        """Return the counters as of now."""

    def close(self) -> None:
        """Stop, and release the input; safe to call twice."""


@dataclass(frozen=True, slots=True)
class Morph:
    """A line from one emotion to another, counted in bars of the music.

    It leads from `origin` (None: from what is read at each moment) to `target`, straight, or by way of the places `via`
    (valence, arousal) at an even speed. It starts at bar `start_bar`, takes `bars` bars (over 0), and stays at its end
    until it is released.
    """

    target: EmotionOverride
    start_bar: float = 0.0
    bars: float = 8.0
    origin: EmotionState | None = None
    via: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class EmotionOverride:
    """What a performer sets by hand, in the order in which it acts.

    `freeze` holds the state that was read last. Each value that is not None replaces that part of it; numbers win over
    the emotion. `morph` leads on from there.
    """

    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    emotion: str | None = None
    freeze: bool = False
    morph: Morph | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The state that is played, the override included, and the music that follows from it."""

    state: EmotionState
    parameters: MusicParameters


class EmotionReader(Protocol):
    """Turns audio into emotion states, one a hop of `hop_seconds`. Thread: analysis only.

    `sample_rate` in Hz is what `push` expects.
    """

    sample_rate: int
    hop_seconds: float

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """Take new samples (any number); return one state for each hop that they completed."""

    def reset(self) -> None:
        """Forget all audio so far, as if nothing had been pushed."""

    def close(self) -> None:
        """Release what the reader holds; nothing is called afterwards."""


class Mapper(Protocol):
    """Maps an emotion state to music parameters; a pure function of the state and the audience."""

    @property
    def audience(self) -> object:
        """Whom it maps for: another object as soon as that changes."""

    def __call__(self, state: EmotionState) -> MusicParameters:
        """Return what to play for this emotion."""


class SyncSource(Protocol):
    """What the band is synchronised to: the music on the audio input, a MIDI clock or a Link session."""

    def estimate(self, now: float) -> SyncState:
        """Return beat, key and transport as of `now` (monotonic seconds).

        It does not block. Thread: the conductor's.
        """


class BeatTracker(SyncSource, Protocol):
    """A SyncSource that estimates beat and key from audio."""

    def push(self, block: AudioWindow) -> None:
        """Take new samples (any number). Thread: analysis only."""


@dataclass(frozen=True, slots=True)
class SchedulerHealth:
    """Counters of the send path since its start.

    `late_messages` are among the `sent_messages`; `dropped_notes` were not sent at all; `sounding_notes` sound now.
    `limited_notes` were made softer by the loudness limits, or not begun. The `*_late_seconds` are how long after its
    due time a message left: the worst, and two quantiles (within about 12 %). `error` is what ended the sending;
    `problem` is a loss that is being repaired. `sent_until`, after a stop, is the time of the music (seconds,
    monotonic) up to which its notes were sent.
    """

    sent_messages: int = 0
    late_messages: int = 0
    dropped_notes: int = 0
    sounding_notes: int = 0
    limited_notes: int = 0
    worst_late_seconds: float = 0.0
    p50_late_seconds: float = 0.0
    p99_late_seconds: float = 0.0
    error: str | None = None
    problem: str | None = None
    sent_until: float | None = None


class NoteSink(Protocol):
    """Receives the conductor's commands: the scheduler process live, a scheduler in process offline.

    Thread: the conductor's. No `send` waits, but for one of a `Stop`, which may take seconds until the port is closed.
    When a hand-off is full, a whole note (on and off) is dropped and counted.
    """

    def send(self, command: SinkCommand) -> None:
        """Take one command.

        Raises ConfigError for a tempo before the last one in beats, MidiError if the port is gone.
        """

    def health(self) -> SchedulerHealth:
        """Return the counters as of now."""


class MidiOut(Protocol):
    """An open MIDI output. Thread: the scheduler's only."""

    name: str

    def send(self, message: bytes) -> None:
        """Send one complete raw message. Raises MidiError if the port is gone."""

    def close(self) -> None:
        """Close the port; safe to call twice."""


class MidiIn(Protocol):
    """An open MIDI input. Thread: one that polls; the driver's own thread may fill it at any time."""

    @property
    def name(self) -> str:
        """The port's name."""

    @property
    def grain_seconds(self) -> float:
        """The largest delay of a time stamp: JACK delivers once a period, so a stamp is up to one period late."""

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""

    @property
    def overflows(self) -> int:
        """Messages that were discarded: too many at once, too fast, or not valid MIDI."""

    def is_alive(self) -> bool:
        """Return whether the port still exists. Takes a few ms at most."""

    def close(self) -> None:
        """Close the port; safe to call twice."""
