"""The messages between the host and a generator's process, one JSON object a line: docs/generator-protocol.md.

The host sends requests, and each is answered by one response with its `id`, in order. `music` is for a generator in any
language; `context` carries kelly-live's own values to one that imports kelly_live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from kelly_live.core.checks import require_whole_number
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import Parameter, Value
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import Phrase

PROTOCOL = 1
GENERATOR, NOTE_EFFECT = "generator", "note effect"  # the kinds


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first request: which protocol the host speaks."""

    id: int
    protocol: int = PROTOCOL


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """What is the generator called, what does it play, and which parameters has it?"""

    id: int


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """Make the generator, with the value of every declared parameter."""

    id: int
    values: dict[str, bool | int | float | str]


class Reset(msgspec.Struct, frozen=True, tag="reset"):
    """Forget everything, and go on from `state` if there is one: a state that the generator answered before."""

    id: int
    state: Any = None


class WireChord(msgspec.Struct, frozen=True):
    """A chord and the beats [start_beat, end_beat) that it lasts; `pitch_classes` (0-11) begin with the root."""

    start_beat: float
    end_beat: float
    name: str
    pitch_classes: tuple[int, ...]


class WireMusic(msgspec.Struct, frozen=True):
    """The moment: what `MusicContext` says, in plain numbers and words.

    The phrase lasts the beats [phrase_start_beat, phrase_end_beat). Phrases of one `theme` have the same material, a
    `section` is named by the form, and `energy` (-1 to 1) is where the phrase stands in the rise and fall of it.
    `scale_pitch_classes` (0-11) begin with the tonic, `scale_cents` are its degrees above it.
    """

    seed: int
    bpm: float
    beats_per_bar: int
    rhythm: str
    closing: bool
    trend: float
    phrase_index: int
    phrase_start_beat: float
    phrase_end_beat: float
    tonic: int
    scale_name: str
    scale_pitch_classes: tuple[int, ...]
    scale_cents: tuple[float, ...]
    chords: tuple[WireChord, ...]
    theme: str = ""
    section: str = ""
    energy: float = 0.0


class WireContext(msgspec.Struct, frozen=True):
    """The fields of a MusicContext, for the same version of kelly-live at the other end."""

    seed: int
    phrase: Phrase
    rhythm: str
    bpm: float
    closing: bool
    trend: float


class Generate(msgspec.Struct, frozen=True, tag="generate"):
    """Which notes start in [start_beat, end_beat)? Mostly a whole bar, asked before it begins.

    `values` has every declared parameter's value: it may have been changed since `configure`.
    """

    id: int
    start_beat: float
    end_beat: float
    parameters: MusicParameters
    music: WireMusic
    context: WireContext
    values: dict[str, bool | int | float | str] = {}


class WireNote(msgspec.Struct, frozen=True):
    """A note: what `NoteEvent` says, without its place in the band. Text stands for what is no number."""

    onset_beats: float | str
    duration_beats: float | str
    pitch: float | str
    velocity: float | str
    cents: float | str = 0.0


class Process(msgspec.Struct, frozen=True, tag="process"):
    """Which notes start in [start_beat, end_beat), where a player plays `notes`? Asked of a note effect.

    `channel` (1-16) is the player's; 10 is drums. `parameters`, `music`, `context` and `values` are as in Generate.
    """

    id: int
    start_beat: float
    end_beat: float
    notes: tuple[WireNote, ...]
    channel: int
    parameters: MusicParameters
    music: WireMusic
    context: WireContext
    values: dict[str, bool | int | float | str] = {}


class Inspect(msgspec.Struct, frozen=True, tag="inspect"):
    """What has the generator done to its process? The conformance kit asks; a program may answer `error`."""

    id: int


Request: TypeAlias = Hello | Describe | Configure | Reset | Generate | Process | Inspect


class HelloResponse(msgspec.Struct, frozen=True, tag="hello"):
    """Which protocol the generator speaks, and in which language it is written."""

    id: int
    protocol: int
    language: str = ""


class WireParameter(msgspec.Struct, frozen=True):
    """A parameter; the type of `default` is its type."""

    name: str
    default: bool | int | float | str
    help: str
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()
    unit: str = ""


class DescriptorResponse(msgspec.Struct, frozen=True, tag="descriptor"):
    """What a generator says about itself: see `Descriptor`.

    `kind` is "generator" or "note effect" (see `EffectDescriptor`); part, channel and program are a generator's.
    """

    id: int
    name: str
    part: str = ""
    channel: int | float = 1
    program: int | float = 0
    help: str = ""
    yields_to_style: bool = False
    parameters: tuple[WireParameter, ...] = ()
    kind: str = GENERATOR
    needs_pitch: bool = False

    def to_descriptor(self) -> Descriptor | EffectDescriptor:
        """Return the descriptor of its kind; raises ConfigError where a rule is broken."""
        parameters = tuple(
            Parameter(one.name, one.default, one.help, one.low, one.high, one.choices, one.unit)
            for one in self.parameters
        )
        if self.kind == NOTE_EFFECT:
            return EffectDescriptor(self.name, self.help, parameters, self.needs_pitch)
        if self.kind != GENERATOR:
            raise ConfigError(f"{self.name} is of the kind {self.kind!r}; it must be {GENERATOR!r} or {NOTE_EFFECT!r}")
        return Descriptor(
            self.name,
            self.part,
            require_whole_number(f"channel of {self.name}", self.channel),
            require_whole_number(f"program of {self.name}", self.program),
            parameters,
            self.help,
            self.yields_to_style,
        )


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A request that has no other answer was obeyed."""

    id: int


class NotesResponse(msgspec.Struct, frozen=True, tag="notes"):
    """The notes, sorted by onset, and the state from which the generator would go on after them, if it keeps one."""

    id: int
    notes: tuple[WireNote, ...]
    state: Any = None


class Surroundings(msgspec.Struct, frozen=True, tag="surroundings"):
    """What the process says of itself; each word changes with what it stands for, and is empty where it has none.

    `processor_seconds` is how long it has worked so far; `clock` and `random` are the language's own functions of time
    and its shared random numbers.
    """

    id: int
    processor_seconds: float
    threads: int = 1
    folder: str = ""
    environment: str = ""
    clock: str = ""
    random: str = ""


class ErrorResponse(msgspec.Struct, frozen=True, tag="error"):
    """The request failed: why, in one line. `rule`: the generator broke a rule, and raised nothing."""

    id: int
    reason: str
    rule: bool = False


Response: TypeAlias = HelloResponse | DescriptorResponse | Done | NotesResponse | Surroundings | ErrorResponse


def build_generate(
    parameters: MusicParameters,
    context: MusicContext,
    start_beat: float,
    end_beat: float,
    values: Mapping[str, Value] = MappingProxyType({}),
) -> Generate:
    """Build the request for a span; its `id` is given when it is sent."""
    phrase = context.phrase
    chords = tuple(
        WireChord(span.start_beat, span.end_beat, span.chord.name, span.chord.pitch_classes) for span in phrase.spans
    )
    music = WireMusic(
        seed=context.seed,
        bpm=context.bpm,
        beats_per_bar=context.beats_per_bar,
        rhythm=context.rhythm,
        closing=context.closing,
        trend=context.trend,
        phrase_index=phrase.index,
        phrase_start_beat=phrase.start_beat,
        phrase_end_beat=phrase.end_beat,
        tonic=phrase.key.tonic,
        scale_name=phrase.key.scale.name,
        scale_pitch_classes=phrase.key.pitch_classes,
        scale_cents=phrase.key.scale.degrees_cents,
        chords=chords,
        theme=f"{phrase.theme}{phrase.role.letter}",
        section=phrase.role.section,
        energy=phrase.role.energy,
    )
    own = WireContext(context.seed, phrase, context.rhythm, context.bpm, context.closing, context.trend)
    return Generate(0, start_beat, end_beat, parameters, music, own, dict(values))


def build_process(request: Generate, notes: Sequence[NoteEvent], channel: int) -> Process:
    """Build the request to a note effect for the span and the moment of another one."""
    wired = tuple(
        WireNote(note.onset_beats, note.duration_beats, note.pitch, note.velocity, note.cents) for note in notes
    )
    return Process(
        0,
        request.start_beat,
        request.end_beat,
        wired,
        channel,
        request.parameters,
        request.music,
        request.context,
        request.values,
    )


_generate_decoder = msgspec.json.Decoder(Generate)
_process_decoder = msgspec.json.Decoder(Process)


def decode_music(line: bytes) -> tuple[MusicParameters, MusicContext]:
    """Return the parameters and the context of a `generate` request, in the generator's process."""
    request = _generate_decoder.decode(line)
    context = request.context
    return request.parameters, MusicContext(
        context.seed, context.phrase, context.rhythm, context.bpm, context.closing, context.trend
    )


def decode_process(line: bytes) -> tuple[list[NoteEvent], MusicContext]:
    """Return the notes and the context of a `process` request, in the note effect's process."""
    request = _process_decoder.decode(line)
    notes = [
        NoteEvent(
            onset_beats=float(note.onset_beats),
            duration_beats=float(note.duration_beats),
            pitch=int(note.pitch),
            velocity=int(note.velocity),
            channel=request.channel,
            part="",
            cents=float(note.cents),
        )
        for note in request.notes
    ]
    context = request.context
    return notes, MusicContext(
        context.seed, context.phrase, context.rhythm, context.bpm, context.closing, context.trend
    )
