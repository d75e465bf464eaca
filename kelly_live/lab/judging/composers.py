"""The music that judges and comparisons take: whole pieces, and a conductor that is stepped as live."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kelly_live.core.commands import DEFAULT_TUNING, Notes, SinkCommand
from kelly_live.core.emotion_space import create_state
from kelly_live.core.midi_messages import control_change, get_channel, get_kind, program_change
from kelly_live.core.protocols import Mapper, NoteSink, Reading
from kelly_live.core.values import DRUM_CHANNEL, MusicParameters
from kelly_live.engine.build import build_band, create_conductor
from kelly_live.engine.offline import compose
from kelly_live.engine.options.host import HostOptions
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.symbolic_features import Score
from kelly_live.lab.judging import closed_loop, comparison
from kelly_live.lab.judging.reaction_time import (
    NoteOn,
    ResponseTime,
    measure_reach,
    measure_response,
    summarise_responses,
)
from kelly_live.midi.files import encode_midi, find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.ports import RecordedMessage
from kelly_live.music.conductor import Conductor
from kelly_live.music.style.metre import choose_metre

KINDS = {"solo": "solo-piano", "band": "band"}  # host presets; drums are left out of every statistic
TWO_MINUTES = 120.0
FORM_BARS = 33  # the 32 that are measured, and a closing one
PIECE_SECONDS = 30.0  # about the length of the clips that the judges learned from
SHORTEST_BARS = 4
CHANGES = {
    "calm to stirred": ((0.5, -0.5), (0.5, 0.5)),
    "stirred to calm": ((0.5, 0.5), (0.5, -0.5)),
    "glad to sad": ((0.5, 0.0), (-0.5, 0.0)),
    "angry to happy": ((-0.5, 0.5), (0.5, 0.5)),
}

_VOLUME = 7


def create_score_composer(mapper: Mapper) -> comparison.Composer:
    """Create a composer of scores: (kind, valence, arousal, seed, seconds) to what is sent, without drums.

    A score is timed in seconds and in the conductor's beats, and has FORM_BARS bars or more.
    """

    def compose_score(kind: str, valence: float, arousal: float, seed: int, seconds: float) -> Score:
        state = create_state(valence, arousal)
        parameters = mapper(state)
        scheduler = OfflineScheduler()
        bars = max(FORM_BARS, round(seconds * parameters.tempo.suggested / 240.0) + 1)
        conductor = _create_conductor(scheduler, kind, seed, bars)
        performance = compose(Reading(state, parameters), conductor, scheduler)
        programs = {slot.channel: slot.program for slot in conductor.slots}
        rows = sorted(
            (
                note.start_seconds,
                note.end_seconds,
                performance.tempo_map.beat_at(note.start_seconds),
                note.pitch,
                note.velocity,
            )
            for note in find_sounding_notes(performance.messages, programs)
            if note.channel != DRUM_CHANNEL
        )
        starts, ends, beats, pitches, velocities = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        return Score(starts, ends, beats, pitches, velocities, end_beat=4.0 * bars)

    return compose_score


def create_midi_composer(mapper: Mapper) -> closed_loop.Composer:
    """Create a composer of MIDI files: (valence, arousal, seed) to about half a minute of music, twice.

    `band` is as a user hears it. `piano` has the same notes without percussion, all on the one instrument that the
    judges know. Where a culture's tones are not those of 12-TET they are in tune by bends. The synth is turned up by
    what controller 11 leaves of room to swell, so that the music is as loud as people's files.
    """

    def compose_files(valence: float, arousal: float, seed: int) -> dict[str, bytes]:
        state = create_state(valence, arousal)
        parameters = mapper(state)
        scheduler = OfflineScheduler()
        metre = choose_metre(parameters.style, seed)
        bar_beats = 4.0 if metre is None else metre.bar_beats
        bars = max(SHORTEST_BARS, round(PIECE_SECONDS * parameters.tempo.suggested / 60.0 / bar_beats))
        conductor = create_conductor(scheduler, seed=seed, length_bars=bars)
        scheduler.send(DEFAULT_TUNING.with_programs(conductor.slots))
        performance = compose(Reading(state, parameters), conductor, scheduler)
        programs = {slot.channel: slot.program for slot in conductor.slots}
        messages = _turn_up(performance.messages)
        piano = [
            _set_piano(message)
            for message in messages
            if get_channel(message.data) != DRUM_CHANNEL and get_kind(message.data) != "channel_pressure"
        ]
        return {
            "band": encode_midi(messages, performance.tempo_map, programs=programs),
            "piano": encode_midi(piano, performance.tempo_map, programs=dict.fromkeys(programs, 0)),
        }

    return compose_files


def _turn_up(messages: Sequence[RecordedMessage]) -> list[RecordedMessage]:
    """Set the volume of every channel that plays from its default, 100, to the most: 4 dB, as of controller 11."""
    channels = sorted({get_channel(message.data) for message in messages if get_kind(message.data) == "note_on"})
    start = min((message.seconds for message in messages), default=0.0)
    return [*(RecordedMessage(start, control_change(channel, _VOLUME, 127)) for channel in channels), *messages]


def _set_piano(message: RecordedMessage) -> RecordedMessage:
    """Make a program change one to the piano; a channel that a tuning borrows is a piano, too."""
    if get_kind(message.data) != "program_change":
        return message
    return replace(message, data=program_change(get_channel(message.data), 0))


def _create_conductor(sink: NoteSink, kind: str, seed: int, bars: int | None) -> Conductor:
    host = build_band(HostOptions((KINDS[kind],)))
    return create_conductor(sink, seed=seed, length_bars=bars, host=host, live=bars is None)


class _CreationRecorder(OfflineScheduler):
    """A scheduler that records when each note was created and when it is due.

    Attributes:
        now: The time, set before each step of the conductor.
        creation_times: For each note, when it was created and when it is due, in seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.creation_times: list[tuple[float, float]] = []

    def send(self, command: SinkCommand) -> None:
        """Record when the notes of a command are created, and send it."""
        if isinstance(command, Notes):
            self.creation_times += [(self.now, self.tempo_map.seconds_at(note.onset_beats)) for note in command.notes]
        super().send(command)


class SteppedConductor:
    """A conductor and its notes, stepped as a live session steps them; an `ObservedConductor`."""

    def __init__(self, kind: str, seed: int) -> None:
        self._sink = _CreationRecorder()
        self._conductor = _create_conductor(self._sink, kind, seed, None)

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        """Start the music."""
        self._conductor.start(origin_seconds, parameters)

    def advance(self, now: float, parameters: MusicParameters) -> None:
        """Advance the music to `now`."""
        self._sink.now = now
        self._conductor.advance(now, parameters)
        self._sink.advance(now)

    def list_notes(self, now: float) -> Sequence[NoteOn]:
        """List all note-ons sent so far."""
        return [
            NoteOn(message.seconds, get_channel(message.data) or 0, message.data[1], message.data[2])
            for message in self._sink.messages
            if get_kind(message.data) == "note_on"
        ]

    def list_creation_times(self) -> Sequence[tuple[float, float]]:
        """List, for each note so far, when it was created and when it sounds (s)."""
        return self._sink.creation_times


def measure_reactions(mapper: Mapper, kind: str, changes: int, first_seed: int = 1) -> dict[str, dict[str, float]]:
    """Measure, in seconds, how soon new parameters reach a note and how soon they are audible.

    The first at random moments in the middle of each quadrant, the second for each of CHANGES.
    """
    note_responses: list[ResponseTime] = []
    for valence, arousal in QUADRANTS.values():
        rng = random.Random(f"{valence} {arousal}")
        parameters = mapper(create_state(0.5 * valence, 0.5 * arousal))
        for seed in (first_seed, first_seed + 1):
            moments = [rng.uniform(4.0, 20.0) for _ in range(5 * changes)]
            note_responses += measure_reach(SteppedConductor(kind, seed), parameters, 26.0, moments)
    rows = {"reach a note": summarise_responses(note_responses)}
    responses: list[ResponseTime] = []
    for name, (before, after) in CHANGES.items():
        rng = random.Random(name)
        old, new = mapper(create_state(*before)), mapper(create_state(*after))
        change_responses = [
            measure_response(functools.partial(SteppedConductor, kind, seed), old, new, rng.uniform(6.0, 16.0))
            for seed in range(first_seed, first_seed + changes)
        ]
        rows[f"heard, {name}"] = summarise_responses(change_responses)
        responses += change_responses
    return rows | {"heard, all": summarise_responses(responses)}
