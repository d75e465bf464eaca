"""The page's own protocol, version API_VERSION: JSON texts over a WebSocket. docs/page.md documents it.

A browser gets a Hello, then a State many times a second, the Coming notes a bar or two before they sound, Notes as they
are sent to the port, a Setup when something of it changes, and Lines that a terminal would print. It sends
ActionRequests.
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
    """What is set by hand; None: it is not. `morph`: the emotion that a morph leads to.

    `path`: the places (valence, arousal) that it goes by, if one was drawn.
    """

    valence: float | None
    arousal: float | None
    dominance: float | None
    emotion: str | None
    freeze: bool
    morph: str | None
    path: list[tuple[float, float]] = []


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
    """Musical parameters: BPM, MIDI notes, loudness in [0, 1], density in [0, 3] (1: a melody note a beat).

    `rhythm` is one of RHYTHMS, `style` that of the rhythm section.
    """

    tempo: float
    mode: str
    low: float
    high: float
    softest: float
    loudest: float
    density: float
    style: str
    rhythm: str = ""


class Strip(msgspec.Struct, frozen=True):
    """A player in the mixer. `heard`: neither muted, nor at level 0, nor left out by another's solo."""

    part: str
    mute: bool
    solo: bool
    level: float
    heard: bool


class Hearing(msgspec.Struct, frozen=True):
    """What is heard of the player; None: not heard, or not listened for. Confidences are in [0, 1].

    `follows`: what of it the band takes now. `plays`: whether the player plays or rests.
    """

    bpm: float | None
    beat_confidence: float | None
    key: str | None
    key_confidence: float | None
    chord: str | None
    chord_confidence: float | None
    plays: bool | None
    follows: list[str]


class Health(msgspec.Struct, frozen=True):
    """Counters since the start. `late_ms`: the 99th percentile. `problems`: what is lost now, a line each.

    `limited_notes`: made softer by the limits, or not begun.
    `analysis_ms` and `conductor_ms`: the longest that reading a block of sound and a step of the music took of late.
    `restarts`: how often each part was lost and came back.
    """

    level_dbfs: float
    late_messages: int
    dropped_notes: int
    limited_notes: int
    dropped_windows: int
    overflows: int
    late_ms: float
    problems: list[str]
    analysis_ms: float = 0.0
    conductor_ms: float = 0.0
    restarts: dict[str, int] = {}


class State(msgspec.Struct, frozen=True, tag="state"):
    """A moment of the session. `played`: the emotion in force; `heard`: that of the sound, None before the first.

    `word`: the emotion word of `played`, "" near the middle or no words were asked for.
    `gems`: what music induces, of `heard`: scales with the share of listeners who would choose each, in [0, 1].
    `remarks`: what the terminal's status line says beside the numbers. `standby`: the iso goal and the next cue.
    `muted`: players that are silent, and why.
    `parameters` are where the feeling leads, `now` those in force (None before the first note), of which `locks` are
    held. `mixer`: the players in order.
    """

    played: Emotion
    heard: Emotion | None
    override: Override
    music: Music
    parameters: Parameters
    health: Health
    remarks: str
    muted: dict[str, str]
    now: Parameters | None = None
    locks: list[str] = []
    mixer: list[Strip] = []
    hearing: Hearing | None = None
    standby: str = ""
    word: str = ""
    gems: dict[str, float] = {}


class Control(msgspec.Struct, frozen=True):
    """A parameter of a player or effect, which the action `set` sets by its `address`.

    `kind`: switch, whole, number or choice; `low` to `high` in `unit`, or `choices`. `value`: where it is going.
    """

    address: str
    kind: str
    value: bool | int | float | str
    help: str
    low: float
    high: float
    choices: list[str]
    unit: str


class Player(msgspec.Struct, frozen=True):
    """A player of the band: its name there, its generator, and its parameters and its effects'."""

    part: str
    generator: str
    controls: list[Control]


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """Who plays what, and for whom: sent when it changes.

    `presets` are the set list, `preset` the one in force. `culture` None: none, else one of `cultures`, or a NAME:MODE
    of one; `culture_strength` in [0, 1]. `follow`: what of the player the band may follow, of `trackable`. `profile`
    None: nobody's; `learned`: in words, a line each. `recording`: the file that the session is recorded to; empty: it
    is not recorded.
    """

    players: list[Player]
    presets: list[str]
    preset: str
    culture: str | None
    culture_strength: float
    follow: list[str]
    profile: str | None
    learned: list[str]
    recording: str
    cultures: list[str] = []
    trackable: list[str] = []


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message. `may_act`: whether ActionRequests are taken. `actions`: each action's help.

    `locks`: the musical parameters that the action `lock` holds.
    """

    version: int
    may_act: bool
    actions: dict[str, str]
    emotions: list[str]
    roles: list[str]
    locks: list[str]


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
