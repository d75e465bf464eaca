"""The page's own protocol, version API_VERSION: JSON texts over a WebSocket. docs/page.md documents it.

A browser gets a Hello, then a State many times a second, the Coming notes a bar or two before they sound, Notes as they
are sent to the port, and Lines that a terminal would print. It sends ActionRequests.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

API_VERSION = 1
Note: TypeAlias = tuple[float, float, int, int, str]  # onset and duration in beats, pitch, velocity, part


class Emotion(msgspec.Struct, frozen=True):
    """An emotion. `valence`, `arousal`, `dominance` in [-1, 1], `confidence` and each of `probabilities` in [0, 1]."""

    name: str
    confidence: float
    valence: float
    arousal: float
    dominance: float
    probabilities: dict[str, float]


class Override(msgspec.Struct, frozen=True):
    """What is set by hand; None: it is not. `morph`: the emotion that a morph leads to."""

    valence: float | None
    arousal: float | None
    dominance: float | None
    emotion: str | None
    freeze: bool
    morph: str | None


class Music(msgspec.Struct, frozen=True):
    """Where the music is. `bar` from 1; `plan`: (beat, chord) from this bar to the end of the next."""

    beat: float
    bar: int
    beats_per_bar: int
    bpm: float
    tonic: str
    mode: str
    chord: str
    plan: list[tuple[float, str]]
    role: str
    is_stopped: bool


class Parameters(msgspec.Struct, frozen=True):
    """What the emotion asks for: BPM, MIDI notes, loudness in [0, 1], density in [0, 3] (1: a melody note a beat)."""

    tempo: float
    mode: str
    low: float
    high: float
    softest: float
    loudest: float
    density: float
    style: str


class Health(msgspec.Struct, frozen=True):
    """Counters since the start. `late_ms`: the 99th percentile. `problems`: what is lost now, a line each."""

    level_dbfs: float
    late_messages: int
    dropped_notes: int
    dropped_windows: int
    overflows: int
    late_ms: float
    problems: list[str]


class State(msgspec.Struct, frozen=True, tag="state"):
    """A moment of the session. `played`: the emotion in force; `heard`: that of the sound, None before the first.

    `remarks`: what the terminal's status line says beside the numbers. `muted`: players that are silent, and why.
    """

    played: Emotion
    heard: Emotion | None
    override: Override
    music: Music
    parameters: Parameters
    health: Health
    remarks: str
    muted: dict[str, str]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message. `may_act`: whether ActionRequests are taken. `actions`: each action's help."""

    version: int
    may_act: bool
    actions: dict[str, str]
    emotions: list[str]
    roles: list[str]


class Notes(msgspec.Struct, frozen=True, tag="notes"):
    """Notes that were just sent to the port."""

    notes: list[Note]


class Coming(msgspec.Struct, frozen=True, tag="coming"):
    """What will probably be played from `start_beat` to `end_beat`; it replaces what was sent of these beats before.

    `notes` as in Notes; `chords`: (beat, name).
    """

    start_beat: float
    end_beat: float
    notes: list[Note]
    chords: list[tuple[float, str]]


class Line(msgspec.Struct, frozen=True, tag="line"):
    """A line that the terminal prints."""

    text: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Why a request was not taken."""

    text: str


class ActionRequest(msgspec.Struct, frozen=True, tag="action", forbid_unknown_fields=True):
    """Do what a performer can do: a name of Hello.actions, and its value."""

    name: str
    value: float | str | bool | None = None


def encode(message: Any) -> bytes:
    """Return a message as JSON text."""
    return msgspec.json.encode(message)
